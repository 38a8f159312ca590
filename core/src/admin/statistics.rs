//! A topic's offsets, queue by queue.

use std::collections::BTreeMap;

use crate::queue::MessageQueue;
use crate::wire::body::TopicStatsTable;

/// The offsets of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatistics {
    /// The first offset that the queue has.
    pub min_offset: u64,
    /// One past the last offset that the queue has.
    pub max_offset: u64,
    /// When the last message was stored, milliseconds since 1970 UTC; 0 when there is none.
    pub last_update_timestamp: u64,
}

/// The offsets of all queues of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStatistics {
    /// By queue, sorted.
    pub queues: BTreeMap<MessageQueue, QueueStatistics>,
}

impl TopicStatistics {
    /// How many messages the topic has.
    pub fn messages(&self) -> u64 {
        let lengths = self.queues.values().map(|queue| queue.max_offset.saturating_sub(queue.min_offset));
        lengths.fold(0, u64::saturating_add)
    }

    pub(crate) fn add(&mut self, table: TopicStatsTable) {
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        for (key, offsets) in table.offset_table {
            let Ok(queue_id) = u32::try_from(key.queue_id) else {
                continue;
            };
            let queue = MessageQueue::new(key.topic, key.broker_name, queue_id);
            let statistics = QueueStatistics {
                min_offset: number(offsets.min_offset),
                max_offset: number(offsets.max_offset),
                last_update_timestamp: number(offsets.last_update_timestamp),
            };
            self.queues.insert(queue, statistics);
        }
    }
}
