//! What threads meet at: locks, and tasks that wait for what stands behind them.
//!
//! With `--cfg interleavings` the locks are those of a checker, which tries in which order threads may come to them
//! (`simulator/tests/interleavings`).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

#[cfg(interleavings)]
pub(crate) use shuttle::sync::atomic::AtomicU64;
#[cfg(interleavings)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(all(interleavings, debug_assertions))]
pub(crate) use shuttle::thread_local;
#[cfg(not(interleavings))]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(interleavings))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(all(not(interleavings), debug_assertions))]
pub(crate) use std::thread_local;

/// Takes a lock. A panic of somebody who had it leaves what is behind it as good as it was.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tasks that wait for the same thing, each in a seat of its own, which it gives back when it does not wait any more: so
/// there are never more of them than there are tasks that wait.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    seats: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    /// Has `waker` wait in this seat, or in a new one. Gives the seat, and who sat there before.
    fn sit(&mut self, seat: Option<usize>, waker: &Waker) -> (usize, Option<Waker>) {
        let seat = seat.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        let before = match &mut self.seats[seat] {
            Some(known) if known.will_wake(waker) => None,
            other => other.replace(waker.clone()),
        };
        (seat, before)
    }

    fn leave(&mut self, seat: usize) -> Option<Waker> {
        self.free.push(seat);
        self.seats[seat].take()
    }

    /// How many seats there have been at once.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.seats.len()
    }

    /// Takes out all that wait; they keep their seats.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> {
        self.seats.iter_mut().filter_map(Option::take)
    }
}

/// Waits until something behind a lock is ready; dropped, it does not wait any more.
pub(crate) struct Seated<'a, T, R, F: FnMut(&mut T) -> Option<R> = fn(&mut T) -> Option<R>> {
    mutex: &'a Mutex<T>,
    /// Where it waits.
    wakers: fn(&mut T) -> &mut Wakers,
    ready: F,
    seat: Option<usize>,
}

impl<'a, T, R, F: FnMut(&mut T) -> Option<R>> Seated<'a, T, R, F> {
    pub(crate) const fn new(mutex: &'a Mutex<T>, wakers: fn(&mut T) -> &mut Wakers, ready: F) -> Self {
        Self { mutex, wakers, ready, seat: None }
    }

    /// The same for one that waits by polling, and keeps its seat itself.
    pub(crate) const fn in_seat(mut self, seat: Option<usize>) -> Self {
        self.seat = seat;
        self
    }

    /// Keeps the seat, to be used by [`in_seat`](Self::in_seat).
    pub(crate) fn keep_seat(mut self) -> Option<usize> {
        self.seat.take()
    }
}

impl<T, R, F: FnMut(&mut T) -> Option<R> + Unpin> Future for Seated<'_, T, R, F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        let this = &mut *self;
        let mut inner = lock(this.mutex);
        if let Some(ready) = (this.ready)(&mut inner) {
            return Poll::Ready(ready);
        }
        let (seat, before) = (this.wakers)(&mut inner).sit(this.seat, context.waker());
        drop(inner);
        this.seat = Some(seat);
        // Not under the lock: a waker that is dropped may drop a task, and what that waits for.
        drop(before);
        Poll::Pending
    }
}

impl<T, R, F: FnMut(&mut T) -> Option<R>> Drop for Seated<'_, T, R, F> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            let left = (self.wakers)(&mut lock(self.mutex)).leave(seat);
            // Not under the lock: what a waker does is its executor's matter.
            drop(left);
        }
    }
}
