//! A machine that clients run on: an address, a clock, links.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant, Now};

use super::Shared;
use super::events::{Event, EventKey};
use super::net::{Opening, Stream};

/// A machine of a world.
pub struct Machine {
    pub(super) shared: Arc<Shared>,
    number: u32,
    seed: u64,
    /// How many times something was drawn, and links were opened.
    count: AtomicU64,
}

impl Machine {
    pub(super) fn new(shared: &Arc<Shared>, seed: u64) -> Arc<Self> {
        let number = shared.with(|state| {
            state.machines += 1;
            state.machines
        });
        Arc::new(Self { shared: Arc::clone(shared), number, seed, count: AtomicU64::new(0) })
    }

    /// The machine's address: 10.1.0.1 and following.
    pub fn ip(&self) -> IpAddr {
        let [_, _, high, low] = self.number.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(10, 1, high, low))
    }

    /// What the clocks say.
    pub fn clock(&self) -> Now {
        self.shared.lock().course.now()
    }

    /// Waits for some virtual time.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_to(self.clock().mono + duration)
    }

    /// Waits until the monotonic clock says `at`.
    pub fn sleep_to(&self, at: Instant) -> Sleep {
        Sleep { shared: Arc::clone(&self.shared), at, key: None }
    }

    /// Opens a link to `address`, `host:port`.
    pub fn open(&self, address: &str) -> Opening {
        let port = 32_768 + (self.next() % 28_000) as u16;
        Stream::open(&self.shared, address, SocketAddr::new(self.ip(), port))
    }

    /// Runs a task of an application on this machine: it stands still and dies with it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.tasks.spawn(Some(self.number), Box::pin(task));
    }

    /// How many tasks of this machine have not ended: those of its clients and of [`Machine::spawn`].
    pub fn tasks(&self) -> usize {
        self.shared.tasks.len_of(self.number)
    }

    /// The machine stands still for so long, as in a long pause of its garbage collector, or while a laptop is suspended:
    /// no task of it runs, those of its clients and of [`Machine::spawn`]; the clocks go on, timers fire late and all at
    /// once, and bytes that come wait. Of two that overlap the later end counts.
    pub fn stand_still(&self, duration: Duration) {
        let number = self.number;
        let mut state = self.shared.lock();
        self.shared.tasks.freeze(number, state.course.instant() + duration);
        let go_on = move |world: &super::World| world.shared.tasks.thaw(number, world.now().mono);
        state.course.plan_after(duration, Event::Acts(Box::new(go_on)));
    }

    /// The machine loses its power, for good: its tasks are gone, and its peers hear nothing, not even that a connection
    /// ends. What others hold of its clients never becomes ready any more.
    pub fn lose_power(&self) {
        self.shared.with(|state| state.network.lose_machine(&mut state.course, self.ip()));
        self.shared.tasks.kill(self.number);
    }

    /// A number that is different each time and the same for the same seed.
    pub(super) fn draw(&self) -> u64 {
        Random::new(self.seed ^ (u64::from(self.number) << 40) ^ self.next()).next_u64()
    }

    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Puts into the trace what a client here has seen.
    pub(super) fn note(&self, what: &'static str, shown: &dyn std::fmt::Debug) {
        let mut state = self.shared.lock();
        let at = state.course.instant();
        state.course.trace.shown(at, what, u64::from(self.number), shown);
    }

    fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("ip", &self.ip()).finish_non_exhaustive()
    }
}

/// Ready when the time has come.
#[must_use]
pub struct Sleep {
    shared: Arc<Shared>,
    at: Instant,
    key: Option<EventKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.course.instant() >= self.at {
            if let Some(key) = self.key.take() {
                state.rise(key);
            }
            return Poll::Ready(());
        }
        self.key = Some(state.sleep(self.at, self.key, context.waker()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.lock().rise(key);
        }
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").field("at", &self.at).finish_non_exhaustive()
    }
}
