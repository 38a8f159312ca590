//! A world whose clock is tokio's: what the user's own code sleeps, times out and spawns there goes by the world's time.
//!
//! A runtime of one thread, whose clock stands still while anything can run, and then moves on to the next timer. The world is one
//! of its tasks, which sleeps until the next event of the world's own. So whichever comes first happens first, be it a timer of the
//! user's or a byte that arrives.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use stgclient_core::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::time;

use super::tasks::ROOT;
use super::{Patience, Stuck, StuckReason, World};

/// For so long an application may wait: its nights and weekends are tested, too.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// tokio's clock, and what the world's said when that began.
#[derive(Debug)]
pub(super) struct TokioClock {
    handle: Handle,
    zero: time::Instant,
    begin: Instant,
}

impl TokioClock {
    /// What the world's clock says at this moment. Also on threads that the runtime knows nothing of.
    pub(super) fn now(&self) -> Instant {
        let _inside = self.handle.enter();
        self.begin + (time::Instant::now() - self.zero)
    }

    /// When tokio's clock says what the world's says at `at`.
    fn at(&self, at: Instant) -> time::Instant {
        self.zero + at.since(self.begin)
    }
}

impl World {
    /// Runs an application on tokio until `future` is ready, in the world's time: `tokio::time` goes by it, tasks of `tokio::spawn` run
    /// beside those of the world.
    ///
    /// tokio's timers are of milliseconds, so that a sleep may be up to one longer than was asked for. What tokio decides by chance
    /// (`tokio::select!` without `biased`), and what threads do (`spawn_blocking`), is not decided by the seed.
    ///
    /// # Panics
    /// When `future` is not ready within a week of the world's, or 20 million steps; the message names the seed and the last of what happened. And within
    /// another runtime of tokio's.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        match self.try_run(Patience { time: WEEK, ..Patience::default() }, future) {
            Ok(value) => value,
            Err(stuck) => panic!("{stuck}"),
        }
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// `future` is not ready within `patience`.
    ///
    /// # Panics
    /// Within another runtime of tokio's.
    pub fn try_run<T>(&self, patience: Patience, future: impl Future<Output = T>) -> Result<T, Box<Stuck>> {
        let built = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = built.expect("a runtime without I/O takes nothing of the system");
        let outcome = runtime.block_on(self.drive(patience, future));
        self.shared.with(|state| state.leave_tokio());
        self.shared.tasks.forget_driver();
        // Tasks that hold clients end while the world is there.
        drop(runtime);
        outcome
    }

    async fn drive<T>(&self, patience: Patience, future: impl Future<Output = T>) -> Result<T, Box<Stuck>> {
        let mut future = pin!(future);
        let begin = self.now().mono;
        let end = begin + patience.time;
        let mut steps = patience.steps;
        let clock = || TokioClock { handle: Handle::current(), zero: time::Instant::now(), begin };
        let known = clock();
        self.shared.with(|state| state.go_by_tokio(clock()));
        let mut timer = pin!(time::sleep_until(known.zero));
        poll_fn(|context| {
            self.shared.tasks.wakes(context.waker());
            self.shared.with(|state| state.course.wakes(context.waker()));
            // Its clock goes by events now, and follows tokio's again while others run.
            self.shared.lock().is_driven = true;
            let polled = self.drive_until_idle((&known, end, &mut steps), future.as_mut(), timer.as_mut(), context);
            self.shared.lock().is_driven = false;
            polled
        })
        .await
    }

    /// Lets everything happen that is due, each at its own time, and then the application go on; until there is nothing to do but wait.
    fn drive_until_idle<T>(
        &self,
        (clock, end, steps): (&TokioClock, Instant, &mut u64),
        mut future: Pin<&mut impl Future<Output = T>>,
        mut timer: Pin<&mut time::Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<Result<T, Box<Stuck>>> {
        loop {
            let now = clock.now();
            if !self.happen_until(now, steps) {
                return Poll::Ready(Err(self.stuck(StuckReason::Steps)));
            }
            self.shared.lock().course.advance_to(now);
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            if now >= end {
                return Poll::Ready(Err(self.stuck(StuckReason::Time)));
            }
            let next = self.shared.lock().next_at();
            if self.shared.tasks.has_ready() || next.is_some_and(|at| at <= now) {
                continue;
            }
            timer.as_mut().reset(clock.at(next.map_or(end, |at| at.min(end))));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Runs the tasks that can, and lets happen what is due by then. Returns whether there are steps left.
    fn happen_until(&self, now: Instant, steps: &mut u64) -> bool {
        while *steps > 0 {
            *steps -= 1;
            match self.shared.tasks.next() {
                Some(ROOT) => {}
                Some(task) => self.shared.tasks.run(task),
                None if self.step(now).is_err() => return true,
                None => {}
            }
        }
        false
    }
}
