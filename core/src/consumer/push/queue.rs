//! A queue that a consumer owns: how far it is, from the rebalance that brings it to the one that takes it.

use super::asked::Ticket;
use super::claiming::Claim;
use super::listening::Listening;
use crate::consumer::process_queue::ProcessQueue;
use crate::queue::MessageQueue;
use crate::table::Id;
use crate::time::{Instant, Now};
use crate::wire::body::ProcessQueueInfo;

/// A queue of a consumer; a new one when it comes back after it has left.
pub(crate) type QueueId = Id<AssignedQueue>;

/// How far a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// An orderly consumer needs the broker's lock first.
    Locking,
    /// Where to begin is not known yet.
    Starting(Begin),
    /// It is fetched from and delivered.
    Consuming,
    /// It has gone to another member. What is finished of it is committed, then its lock goes back.
    Leaving(Leave),
}

/// How far the question is where a queue begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It is to be asked, at this moment or later.
    Due(Instant),
    /// It is being asked.
    Asked(Ticket),
    /// Where the queue ended when its topic was subscribed to is being asked.
    AwaitsEnd,
}

/// How a queue leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    /// An orderly delivery in hand may end until then, and counts.
    pub(crate) until: Instant,
    /// How often the broker may still be asked to take the last commit.
    pub(crate) commits_left: u8,
    /// How often the broker may still be asked to take the lock back.
    pub(crate) unlocks_left: u8,
    /// A rebalance wants it back.
    pub(crate) is_wanted_back: bool,
}

impl Leave {
    /// How often a broker is asked to take the last commit, and the lock back.
    pub(crate) const TRIES: u8 = 3;

    /// What is in hand counts until then.
    pub(crate) const fn new(until: Instant) -> Self {
        Self { until, commits_left: Self::TRIES, unlocks_left: Self::TRIES, is_wanted_back: false }
    }

    /// Whether what is finished from now on comes too late for the last commit.
    pub(crate) const fn has_committed(&self) -> bool {
        self.commits_left < Self::TRIES
    }
}

/// Whether messages are being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// Nothing is under way.
    Idle,
    /// A pull is under way.
    UnderWay { ticket: Ticket, since: Instant },
    /// What came is being opened, outside.
    Opening { ticket: Ticket },
    /// Not before this moment.
    Delayed { until: Instant },
}

/// The broker's lock on an orderly consumer's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    /// It was not taken back: it is given back again at this moment.
    pub(crate) back_at: Option<Instant>,
    /// Until when it is ours; `None` without one.
    pub(crate) until: Option<Instant>,
    /// It is asked for, renewed or given back at this moment or later.
    pub(crate) ask_at: Instant,
    /// The question under way.
    pub(crate) asked: Option<Ticket>,
    /// The broker may count it as ours: it was asked for, and has not been given back since.
    pub(crate) may_be_kept: bool,
    /// It is being given back.
    pub(crate) giving_back: Option<Ticket>,
    pub(crate) granted_unix_ms: u64,
}

impl Lock {
    pub(crate) fn is_held(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Who wants a group to go on elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetBy {
    /// An administrator, who tells all members.
    Administrator,
    /// Our application, which tells nobody else.
    Application,
}

/// Where a group is to go on, which is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reset {
    pub(crate) offset: u64,
    pub(crate) by: ResetBy,
    /// What was asked before this ticket knows nothing of it.
    pub(crate) since: Ticket,
}

/// What is known of the offset that the broker, or the local store, has of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commit {
    /// The offset that was taken last.
    pub(crate) persisted: Option<u64>,
    /// It is said once more, though it is the same, at this moment or later.
    pub(crate) again_at: Option<Instant>,
    /// The time for that has come: an older one of somebody else may have landed after ours.
    pub(crate) is_doubted: bool,
    /// The one that is on its way. Only one is, so that an older one never lands last.
    pub(crate) under_way: Option<(Ticket, u64)>,
    /// What is finished is to be committed at this moment or later.
    pub(crate) due: Option<Instant>,
    /// It must not wait for the interval: where the group begins, or where an administrator wants it to go on.
    pub(crate) is_urgent: bool,
}

/// How far a queue was when its lock was lost. If the group's offset is one that we may have committed, nobody else has gone on
/// from there: we do, where we were, instead of repeating what was finished since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The offset that was taken last.
    pub(crate) persisted: u64,
    /// The one that was on its way.
    pub(crate) under_way: Option<u64>,
    /// The first that was not finished.
    pub(crate) place: u64,
}

impl Kept {
    /// Where to go on, if the group is at `offset`. Where nobody else can have had the queue since, an older one is what its
    /// broker has lost when it ended.
    pub(crate) fn place_for(self, offset: u64, is_unbroken: bool) -> u64 {
        let is_ours = offset == self.persisted || Some(offset) == self.under_way;
        if is_ours || (is_unbroken && offset < self.place) { self.place } else { offset }
    }
}

/// A queue that a consumer owns.
#[derive(Debug)]
pub(crate) struct AssignedQueue {
    pub(crate) queue: MessageQueue,
    pub(crate) stage: Stage,
    /// Which beginning its messages are fetched since.
    pub(crate) begun: Ticket,
    pub(crate) messages: ProcessQueue,
    pub(crate) fetch: Fetch,
    pub(crate) lock: Lock,
    /// Where brokers grant no locks.
    pub(crate) claim: Claim,
    pub(crate) commit: Commit,
    /// Where it was when its lock was lost.
    pub(crate) kept: Option<Kept>,
    /// An orderly queue rests until then after a failure.
    pub(crate) suspended_until: Option<Instant>,
    /// Where an administrator wants the group to go on, until the broker has that.
    pub(crate) reset_to: Option<Reset>,
    /// The application has been told of it and is not done.
    pub(crate) listening: Option<Listening>,
    /// The application has been told that it is not ours, since its lock was lost.
    pub(crate) is_told_lost: bool,
    pub(crate) is_paused: bool,
    /// No broker has taken yet what its topic is selected by.
    pub(crate) is_unchecked: bool,
    /// Whether it stands in the line of queues with something to deliver.
    pub(crate) is_in_line: bool,
    /// The offset after the last one that the broker has, as far as it said.
    pub(crate) max_offset: Option<u64>,
    /// How many messages could not be read and were passed over, and the offset of the last one.
    pub(crate) passed_over: u64,
    pub(crate) last_passed_over: Option<u64>,
    pub(crate) last_pull_unix_ms: u64,
    pub(crate) last_consume_unix_ms: u64,
    /// It is among those that have to be looked after.
    pub(super) is_touched: bool,
}

impl AssignedQueue {
    pub(crate) fn new(queue: MessageQueue, stage: Stage) -> Self {
        Self {
            queue,
            stage,
            begun: 0,
            messages: ProcessQueue::new(0),
            fetch: Fetch::Idle,
            lock: Lock::default(),
            claim: Claim::default(),
            commit: Commit::default(),
            kept: None,
            suspended_until: None,
            reset_to: None,
            listening: None,
            is_told_lost: false,
            is_paused: false,
            is_unchecked: false,
            is_in_line: false,
            max_offset: None,
            passed_over: 0,
            last_passed_over: None,
            last_pull_unix_ms: 0,
            last_consume_unix_ms: 0,
            is_touched: false,
        }
    }

    pub(crate) fn is_consuming(&self) -> bool {
        self.stage == Stage::Consuming
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving(_))
    }

    pub(crate) fn is_suspended(&self, now: Instant) -> bool {
        self.suspended_until.is_some_and(|until| now < until)
    }

    /// It is to be committed where it is to go on, though it does not fetch there.
    pub(crate) fn stand_at(&mut self, reset: Reset) {
        (self.begun, self.messages) = (reset.since, ProcessQueue::new(reset.offset));
        self.reset_to = Some(reset);
    }

    /// What is finished and not yet committed, of a queue that has begun.
    pub(crate) fn uncommitted(&self) -> Option<u64> {
        let has_begun = matches!(self.stage, Stage::Consuming | Stage::Leaving(_)) && self.begun > 0;
        let offset = self.messages.committable();
        (has_begun && (self.commit.is_doubted || self.commit.persisted != Some(offset))).then_some(offset)
    }

    /// As `mqadmin consumerStatus` shows it.
    pub(crate) fn info(&self, now: Now, is_orderly: bool) -> ProcessQueueInfo {
        let (first, last) = self.messages.bounds().unwrap_or_default();
        ProcessQueueInfo {
            cached_msg_count: self.messages.len() as i32,
            cached_msg_max_offset: last as i64,
            cached_msg_min_offset: first as i64,
            cached_msg_size_in_mi_b: (self.messages.bytes() >> 20) as i32,
            commit_offset: self.messages.committable() as i64,
            droped: self.is_leaving(),
            last_consume_timestamp: self.last_consume_unix_ms as i64,
            last_lock_timestamp: self.lock.granted_unix_ms as i64,
            last_pull_timestamp: self.last_pull_unix_ms as i64,
            locked: self.lock.is_held(now.mono),
            transaction_msg_count: if is_orderly { self.messages.in_work() as i32 } else { 0 },
            ..ProcessQueueInfo::default()
        }
    }

    /// How many messages of the queue are not yet consumed, once the broker has said where it ends.
    pub(crate) fn lag(&self) -> Option<u64> {
        match self.stage {
            Stage::Consuming | Stage::Leaving(_) => Some(self.max_offset?.saturating_sub(self.messages.committable())),
            Stage::Locking | Stage::Starting(_) => None,
        }
    }
}
