//! A mutex that counts how long it is waited for and held.
// A stopwatch for benchmarks, which no decision depends on: the world's time would say nothing of what a lock costs.
#![allow(clippy::disallowed_types)]

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// What the lock of a client cost since the client began; the numbers only grow.
///
/// Each acquisition costs two looks at the clock, three if the lock is not free, which are part of what they measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockTimes {
    /// How often the lock was taken.
    pub acquisitions: u64,
    /// How long threads waited for it, all together; nothing is added when it is free.
    pub waited: Duration,
    /// How long threads held it, all together.
    pub held: Duration,
}

/// Nanoseconds.
#[derive(Default)]
struct Counters {
    acquisitions: AtomicU64,
    waited: AtomicU64,
    held: AtomicU64,
}

pub(crate) struct Lock<T> {
    mutex: Mutex<T>,
    counters: Counters,
}

pub(crate) struct Guard<'a, T> {
    guard: MutexGuard<'a, T>,
    counters: &'a Counters,
    since: Instant,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { mutex: Mutex::new(value), counters: Counters::default() }
    }

    /// As the plain lock: a panic under it is a bug of ours, what is behind it still the best there is.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        if let Some(guard) = self.try_lock() {
            return guard;
        }
        let (guard, since) = self.wait();
        self.counters.acquisitions.fetch_add(1, Relaxed);
        Guard { guard, counters: &self.counters, since }
    }

    /// The lock, unless somebody has it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        let guard = match self.mutex.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.counters.acquisitions.fetch_add(1, Relaxed);
        Some(Guard { guard, counters: &self.counters, since: Instant::now() })
    }

    fn wait(&self) -> (MutexGuard<'_, T>, Instant) {
        let began = Instant::now();
        let guard = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        self.counters.waited.fetch_add(nanoseconds(began, since), Relaxed);
        (guard, since)
    }

    pub(crate) fn times(&self) -> LockTimes {
        let Counters { acquisitions, waited, held } = &self.counters;
        LockTimes {
            acquisitions: acquisitions.load(Relaxed),
            waited: Duration::from_nanos(waited.load(Relaxed)),
            held: Duration::from_nanos(held.load(Relaxed)),
        }
    }
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from((to - from).as_nanos()).unwrap_or(u64::MAX)
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.counters.held.fetch_add(nanoseconds(self.since, Instant::now()), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_lock_that_is_free_is_held_but_not_waited_for() {
        let lock = Lock::new(0);
        assert_eq!(lock.times(), LockTimes::default());
        let mut held = Duration::ZERO;
        for _ in 0..3 {
            let mut guard = lock.lock();
            let since = Instant::now();
            *guard += 1;
            held += since.elapsed();
        }
        let times = lock.times();
        assert_eq!((*lock.lock(), times.acquisitions, times.waited), (3, 3, Duration::ZERO));
        assert!(times.held >= held, "{times:?} is less than the {held:?} within");
    }

    #[test]
    fn who_finds_the_lock_held_waits_for_it_and_that_is_counted() {
        let lock = Lock::new(());
        let deadline = Instant::now() + LIMIT;
        // Whether the other thread comes while we hold the lock is up to the machine; it is given more time each turn.
        for turn in 1.. {
            let before = lock.times();
            std::thread::scope(|scope| {
                let guard = lock.lock();
                let other = scope.spawn(|| drop(lock.lock()));
                let until = Instant::now() + Duration::from_micros(100) * turn;
                while Instant::now() < until && !other.is_finished() {
                    std::thread::yield_now();
                }
                assert!(!other.is_finished(), "two hold the lock");
                drop(guard);
            });
            let times = lock.times();
            assert_eq!(times.acquisitions - before.acquisitions, 2);
            if times.waited > Duration::ZERO {
                return;
            }
            assert!(Instant::now() < deadline, "nothing was waited for: {times:?}");
        }
    }

    #[test]
    fn what_a_panic_left_is_still_given() {
        let lock = Lock::new(7);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _guard = lock.lock();
                panic!("under the lock");
            });
            assert!(other.join().is_err());
        });
        assert_eq!((*lock.lock(), lock.times().acquisitions), (7, 2));
    }
}
