//! Time is an argument: plain numbers that a host reads from its clock and a test makes up.
//!
//! `std::time::Instant` cannot be made up by a simulator and traps in a browser, so the core has its own.

mod deadlines;

use core::fmt;
use core::ops::{Add, Sub};
pub use core::time::Duration;

pub use deadlines::Deadlines;

/// A moment on the host's monotonic clock: microseconds since a start that only the host knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the clock's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: a deadline beyond the end of time is never due.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// What a host's clocks say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock, which every deadline is measured on.
    pub mono: Instant,
    /// The wall clock, milliseconds since 1970 UTC, which goes into messages and may jump.
    pub unix_ms: u64,
}

/// When `handle_timeout` has work to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The moment.
    pub at: Instant,
    /// What is due then.
    pub reason: Reason,
}

/// What a deadline is for, so that a log and a trace can say why a client woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// An answer has not come in time.
    Answer,
    /// A connection attempt takes too long.
    Connect,
    /// A broken connection may be tried again.
    Reconnect,
    /// A connection has been silent for too long.
    Idle,
    /// An operation has used up its time.
    Operation,
    /// Routes are to be asked for again.
    RefreshRoutes,
    /// Brokers are to hear that we are alive.
    Heartbeat,
    /// Closing goes on, whether everything has ended or not.
    Close,
    /// A push consumer shares queues, commits offsets, renews locks or tries something again.
    Consumer,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer => "answer",
            Self::Connect => "connect",
            Self::Reconnect => "reconnect",
            Self::Idle => "idle",
            Self::Operation => "operation",
            Self::RefreshRoutes => "refresh routes",
            Self::Heartbeat => "heartbeat",
            Self::Close => "close",
            Self::Consumer => "consumer",
        })
    }
}
