//! What a push consumer wants of its cluster, and what it remembers of having asked.
//!
//! Each question carries a ticket. Its answer counts only where the ticket is still waited for; an answer to an earlier
//! question settles its own books and changes nothing else.

use std::sync::Arc;

use super::queue::QueueId;
use crate::consumer::MessageSelector;
use crate::queue::MessageQueue;
use crate::time::Instant;

/// Which question: no two of a consumer have the same.
pub(crate) type Ticket = u64;

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
    /// Whether the broker of a queue takes an expression.
    Check { queue: MessageQueue, selector: MessageSelector },
    /// The first offset that there is.
    MinOffset { queue: MessageQueue },
    /// The offset after the last one.
    MaxOffset { queue: MessageQueue },
    /// The first offset stored at a time or later, milliseconds since 1970 UTC.
    OffsetAt { queue: MessageQueue, unix_ms: u64 },
    /// Messages from an offset on.
    Pull { queue: MessageQueue, selector: MessageSelector, offset: u64 },
    /// The pull of this queue is not wanted any more.
    CancelPull,
    /// The group's offset of a queue is this. A commit that counts on a lock is not tried again on another connection,
    /// with which the lock has ended.
    Commit { queue: MessageQueue, offset: u64, needs_lock: bool },
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Queues(Arc<str>, Ticket),
    Members(Arc<str>, Ticket),
    /// Whether what a topic is selected by is taken.
    Check(Arc<str>, Ticket),
    /// Where a queue ended when its topic was subscribed to.
    End(MessageQueue, Ticket),
    /// The group's offset of a queue.
    GroupOffset(QueueId, Ticket),
    /// Where a group without an offset begins.
    FirstOffset(QueueId, Ticket),
    Pull(QueueId, Ticket),
    Commit(QueueId, Ticket),
    Lock {
        ticket: Ticket,
        queues: Vec<QueueId>,
        at: Instant,
    },
    /// The lock of a queue that leaves.
    Unlock(QueueId, Ticket),
    /// The message at this offset, fetched since the queue began with this ticket.
    SendBack(QueueId, Ticket, u64),
    /// Nothing comes of it that anybody waits for.
    Nothing,
}
