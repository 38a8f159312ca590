//! A queue that a consumer owns: how far it is, from the rebalance that brings it to the one that takes it.

use crate::consumer::process_queue::{DeliveryNumber, ProcessQueue};
use crate::queue::MessageQueue;
use crate::table::Id;
use crate::time::{Duration, Instant, Now};
use crate::wire::body::ProcessQueueInfo;

/// A queue of a consumer; a new one when it comes back after it has left.
pub(crate) type QueueId = Id<AssignedQueue>;

/// For how long a granted lock counts on our side (`ProcessQueue.REBALANCE_LOCK_MAX_LIVE_TIME`); a broker keeps it for 60 s.
const LOCK_LIFE: Duration = Duration::from_secs(30);

/// How far a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// An orderly consumer needs the broker's lock first.
    Locking,
    /// Where to begin is being asked, or about to be asked again.
    Starting,
    /// It is fetched from and delivered.
    Consuming,
    /// It has gone to another member; an orderly delivery in hand may end before the lock goes too.
    Leaving,
}

/// Whether messages are being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Nothing is under way.
    Idle,
    /// A pull is under way.
    UnderWay { since: Instant },
    /// Not before a timer says so.
    Delayed,
}

/// A queue that a consumer owns.
#[derive(Debug)]
pub(crate) struct AssignedQueue {
    pub(crate) queue: MessageQueue,
    pub(crate) stage: Stage,
    pub(crate) messages: ProcessQueue,
    pub(crate) fetch: Fetch,
    /// Until when the broker's lock is ours; `None` without one.
    pub(crate) locked_until: Option<Instant>,
    pub(crate) last_lock_unix_ms: u64,
    /// The delivery of an orderly queue that the application has. It cannot be recalled, so no other is made before it
    /// ends, whatever became of the lock meanwhile.
    pub(crate) in_hand: Option<DeliveryNumber>,
    /// An orderly queue rests until then after a failure.
    pub(crate) suspended_until: Option<Instant>,
    /// What the broker, or the local store, has as the group's offset.
    pub(crate) persisted: Option<u64>,
    /// The offset that is being committed.
    pub(crate) committing: Option<u64>,
    pub(crate) is_paused: bool,
    /// Whether it stands in the line of queues with something to deliver.
    pub(crate) is_in_line: bool,
    /// A rebalance wants it back while it is still leaving.
    pub(crate) is_wanted_back: bool,
    /// The offset after the last one that the broker has, as far as it said.
    pub(crate) max_offset: u64,
    pub(crate) last_pull_unix_ms: u64,
    pub(crate) last_consume_unix_ms: u64,
}

impl AssignedQueue {
    pub(crate) const fn new(queue: MessageQueue, stage: Stage) -> Self {
        Self {
            queue,
            stage,
            messages: ProcessQueue::new(0),
            fetch: Fetch::Idle,
            locked_until: None,
            last_lock_unix_ms: 0,
            in_hand: None,
            suspended_until: None,
            persisted: None,
            committing: None,
            is_paused: false,
            is_in_line: false,
            is_wanted_back: false,
            max_offset: 0,
            last_pull_unix_ms: 0,
            last_consume_unix_ms: 0,
        }
    }

    /// The broker's lock was asked for at `asked` and granted.
    pub(crate) fn grant(&mut self, now: Now, asked: Instant) {
        self.locked_until = Some(asked + LOCK_LIFE);
        self.last_lock_unix_ms = now.unix_ms;
    }

    pub(crate) fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    pub(crate) fn is_suspended(&self, now: Instant) -> bool {
        self.suspended_until.is_some_and(|until| now < until)
    }

    /// As `mqadmin consumerStatus` shows it.
    pub(crate) fn info(&self, now: Now) -> ProcessQueueInfo {
        let (first, last) = self.messages.bounds().unwrap_or_default();
        ProcessQueueInfo {
            cached_msg_count: self.messages.len() as i32,
            cached_msg_max_offset: last as i64,
            cached_msg_min_offset: first as i64,
            cached_msg_size_in_mi_b: (self.messages.bytes() >> 20) as i32,
            commit_offset: self.messages.committable() as i64,
            droped: self.stage == Stage::Leaving,
            last_consume_timestamp: self.last_consume_unix_ms as i64,
            last_lock_timestamp: self.last_lock_unix_ms as i64,
            last_pull_timestamp: self.last_pull_unix_ms as i64,
            locked: self.is_locked(now.mono),
            transaction_msg_count: self.in_hand.map_or(0, |_| self.messages.in_work() as i32),
            ..ProcessQueueInfo::default()
        }
    }

    /// How many messages of the queue are not yet consumed, as far as the broker said.
    pub(crate) fn lag(&self) -> u64 {
        match self.stage {
            Stage::Consuming | Stage::Leaving => self.max_offset.saturating_sub(self.messages.committable()),
            Stage::Locking | Stage::Starting => 0,
        }
    }
}
