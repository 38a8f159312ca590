//! What a push consumer wants of its cluster, and what it remembers of having asked.

use std::sync::Arc;

use super::queue::QueueId;
use crate::consumer::MessageSelector;
use crate::queue::MessageQueue;
use crate::time::Instant;

/// A request. Whoever carries it out tells the consumer how it ended, with the [`Asked`] that came with it.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// The queues of a topic, as its route has them.
    Queues { topic: Arc<str> },
    /// The client ids of the group's members, from the broker of a queue.
    Members { queue: MessageQueue },
    /// Brokers are to hear of us again at once.
    Heartbeat,
    /// What the group has committed.
    GroupOffset { queue: MessageQueue },
    /// The first offset that there is.
    MinOffset { queue: MessageQueue },
    /// The offset after the last one.
    MaxOffset { queue: MessageQueue },
    /// The first offset stored at a time or later, milliseconds since 1970 UTC.
    OffsetAt { queue: MessageQueue, unix_ms: u64 },
    /// Messages from an offset on. What is committed goes with it.
    Pull { queue: MessageQueue, selector: MessageSelector, offset: u64, committed: u64 },
    /// The pull of this queue is not wanted any more.
    CancelPull,
    /// The group's offset of a queue is this.
    Commit { queue: MessageQueue, offset: u64 },
    /// Locks on queues of one broker, which are renewed if we have them.
    Lock { queues: Vec<MessageQueue> },
    /// Locks on queues of one broker are given back.
    Unlock { queues: Vec<MessageQueue> },
    /// A message that failed is to be brought again later.
    SendBack(SendingBack),
}

/// A message that failed, as its broker has to know it.
#[derive(Clone, Debug)]
pub(crate) struct SendingBack {
    pub(crate) queue: MessageQueue,
    /// Its place in the broker's log.
    pub(crate) physical_offset: i64,
    pub(crate) message_id: String,
    pub(crate) delay_level: i32,
    pub(crate) max_reconsume_times: i32,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Queues(Arc<str>),
    Members(Arc<str>),
    /// The group's offset of a queue.
    GroupOffset(QueueId),
    /// Where a group without an offset begins.
    FirstOffset(QueueId),
    Pull(QueueId),
    Commit(QueueId, u64),
    Lock {
        broker: Arc<str>,
        queues: Vec<QueueId>,
        at: Instant,
    },
    SendBack(QueueId, u64),
    /// The last commit of a queue that leaves; its lock, if we have it, is given back afterwards.
    LastCommit {
        queue: MessageQueue,
        is_locked: bool,
    },
    /// The last that is said of a queue.
    Farewell,
    /// Nothing comes of it that anybody waits for.
    Nothing,
}
