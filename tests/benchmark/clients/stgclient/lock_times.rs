//! What the client's lock cost in the measured phase, beside the result that all clients print.

use serde::Serialize;
use stgclient::LockTimes;

use crate::contract::{Outcome, say};

#[derive(Serialize)]
pub(crate) struct WithLockTimes {
    #[serde(flatten)]
    outcome: Outcome,
    lock: Lock,
}

#[derive(Serialize)]
struct Lock {
    acquisitions: u64,
    waited_ns: u64,
    held_ns: u64,
}

impl WithLockTimes {
    /// What was added to the times meanwhile.
    pub(crate) fn new(outcome: Outcome, before: LockTimes, after: LockTimes) -> Self {
        let lock = Lock {
            acquisitions: after.acquisitions - before.acquisitions,
            waited_ns: (after.waited - before.waited).as_nanos() as u64,
            held_ns: (after.held - before.held).as_nanos() as u64,
        };
        Self { outcome, lock }
    }

    pub(crate) fn print(&self) {
        say(&serde_json::to_string(self).expect("plain numbers"));
    }
}
