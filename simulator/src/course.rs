//! The course of a world: its clock, what will happen, what has happened, and whom that wakes.

use std::task::Waker;

use stgclient_core::time::{Duration, Instant, Now};

use super::events::{Event, EventKey, Events};
use super::trace::Trace;

/// What the monotonic clock says when a world begins: not 0, so that nobody takes that for a time.
const BEGINNING: Instant = Instant::from_micros(1_000_000);
/// What the wall clock says then, in milliseconds since 1970: in January 2027.
const BEGINNING_UNIX_MS: u64 = 1_800_000_000_000;

/// See the module.
pub(super) struct Course {
    now: Instant,
    pub(super) events: Events,
    pub(super) trace: Trace,
    /// Woken when nobody looks at the world any more.
    wakers: Vec<Waker>,
    /// Whoever waits for the next event: it may be an earlier one now.
    driver: Option<Waker>,
}

impl Course {
    pub(super) fn new(seed: u64) -> Self {
        Self { now: BEGINNING, events: Events::default(), trace: Trace::new(seed), wakers: Vec::new(), driver: None }
    }

    pub(super) fn now(&self) -> Now {
        let elapsed = self.now.since(BEGINNING).as_millis() as u64;
        Now { mono: self.now, unix_ms: BEGINNING_UNIX_MS + elapsed }
    }

    pub(super) const fn instant(&self) -> Instant {
        self.now
    }

    /// Time never goes back.
    pub(super) fn advance_to(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }

    pub(super) fn plan(&mut self, at: Instant, event: Event) -> EventKey {
        self.driver.iter().for_each(Waker::wake_by_ref);
        self.events.plan(at.max(self.now), event)
    }

    pub(super) fn plan_after(&mut self, duration: Duration, event: Event) -> EventKey {
        self.plan(self.now + duration, event)
    }

    /// Has this one woken when something is planned.
    #[cfg(feature = "tokio")]
    pub(super) fn wakes(&mut self, driver: &Waker) {
        self.driver = Some(driver.clone());
    }

    #[cfg(feature = "tokio")]
    pub(super) fn forget_driver(&mut self) {
        self.driver = None;
    }

    pub(super) fn note(&mut self, what: &'static str, subject: u64, bytes: &[u8]) {
        self.trace.event(self.now, what, subject, bytes);
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        self.wakers.extend(waker);
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }
}
