//! What a push consumer wants of its cluster.

use std::sync::Arc;

use super::asked;
use crate::consumer::MessageSelector;
use crate::queue::MessageQueue;
use crate::time::Duration;

/// A request. Whoever carries it out gives its answer to what is remembered of it (`asked`).
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// The queues of a topic, as its route has them.
    Queues { asked: asked::Queues, topic: Arc<str> },
    /// The client ids of the group's members, from the broker of a queue.
    Members { asked: asked::Members, queue: MessageQueue },
    /// Brokers are to hear of us again at once.
    Heartbeat,
    /// What the group has committed.
    GroupOffset { asked: asked::GroupOffset, queue: MessageQueue },
    /// What the group has committed of a queue that is not consumed yet.
    FormerOffset { asked: asked::FormerOffset, queue: MessageQueue },
    /// Whether the broker of a queue takes an expression.
    Check { asked: asked::Check, queue: MessageQueue, selector: MessageSelector },
    /// The first offset that there is.
    MinOffset { asked: asked::FirstOffset, queue: MessageQueue },
    /// The first offset stored at a time or later, milliseconds since 1970 UTC.
    OffsetAt { asked: asked::FirstOffset, queue: MessageQueue, unix_ms: u64 },
    /// The offset after the last one.
    MaxOffset { asked: asked::End, queue: MessageQueue },
    /// What the group has committed of a queue, which may be somebody else's.
    EndOffset { asked: asked::EndOffset, queue: MessageQueue },
    /// The group, which is new, begins here.
    CommitEnd { asked: asked::EndCommitted, queue: MessageQueue, offset: u64 },
    /// Messages from an offset on.
    Pull { asked: asked::Pull, queue: MessageQueue, selector: MessageSelector, offset: u64, wait: Duration },
    /// This pull is not wanted any more.
    CancelPull { asked: asked::Pull },
    /// Another pull takes the place of this one, of which only a reset of the offsets counts any more: a broker tells of it once,
    /// and may do so with this one's answer.
    OvertakePull { asked: asked::Pull, from_now_on: asked::OvertakenPull },
    /// The group's offset of a queue is this. A commit that counts on a lock is not tried again on another connection,
    /// with which the lock has ended.
    Commit { asked: asked::Commit, queue: MessageQueue, offset: u64, needs_lock: bool },
    /// Locks on queues of one broker, which are renewed if we have them.
    Lock { asked: asked::Lock, queues: Vec<MessageQueue> },
    /// Locks on queues of one broker are given back.
    Unlock { asked: asked::Unlock, queues: Vec<MessageQueue> },
    /// A message that failed is to be brought again later.
    SendBack { asked: asked::SendBack, message: SendingBack },
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
