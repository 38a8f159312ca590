//! How far a consumer group is behind, queue by queue.

use std::collections::BTreeMap;

use crate::queue::MessageQueue;
use crate::wire::body::ConsumeStats;

/// How far a group is behind on one queue (`OffsetWrapper`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLag {
    /// One past the last offset that the queue has.
    pub broker_offset: u64,
    /// The offset of the next message that the group has to consume, as it has committed it; 0 where it has committed nothing of
    /// this queue.
    pub consumer_offset: u64,
    /// When the last consumed message was stored, milliseconds since 1970 UTC; 0 when there is none, or it is not kept any more.
    pub last_timestamp: u64,
}

impl QueueLag {
    /// How many messages are stored and not consumed. Where the group has committed nothing yet, or is behind the queue's first
    /// message, those count too that are not kept any more.
    pub const fn lag(&self) -> u64 {
        self.broker_offset.saturating_sub(self.consumer_offset)
    }
}

/// How far a group is behind on all queues that it consumes, those of its retry topic `%RETRY%GROUP` among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupLag {
    /// By queue, sorted by topic, broker and number. Of a topic of which the group has committed no offset yet there is none.
    pub queues: BTreeMap<MessageQueue, QueueLag>,
}

impl GroupLag {
    /// How many messages are stored and not consumed, those that are to be consumed again included.
    pub fn total(&self) -> u64 {
        self.queues.values().fold(0, |total, queue| total.saturating_add(queue.lag()))
    }

    /// The same of one topic.
    pub fn of_topic(&self, topic: &str) -> u64 {
        let queues = self.queues.iter().filter(|(queue, _)| &*queue.topic == topic);
        queues.fold(0, |total, (_, queue)| total.saturating_add(queue.lag()))
    }

    pub(crate) fn add(&mut self, stats: ConsumeStats) {
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        for (key, offsets) in stats.offset_table {
            let Some(queue) = MessageQueue::of_key(key) else {
                continue;
            };
            let lag = QueueLag {
                broker_offset: number(offsets.broker_offset),
                consumer_offset: number(offsets.consumer_offset),
                last_timestamp: number(offsets.last_timestamp),
            };
            self.queues.insert(queue, lag);
        }
    }
}
