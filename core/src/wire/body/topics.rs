//! Lists and statistics of topics.

use crate::sorted::{SortedMap, SortedSet};

use super::{QueueKey, bodies, queue};

bodies! {
    /// Names of topics (`TopicList`), the answer to GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    TopicList {
        /// The broker that says so, `host:port`, if one does.
        #[serde(skip_serializing_if = "Option::is_none")]
        broker_addr: "brokerAddr" = Option<String>,
        /// The topics.
        topic_list: "topicList" = SortedSet<String>,
    }

    /// How full a topic's queues on one broker are (`TopicStatsTable`), the answer to GET_TOPIC_STATS_INFO.
    #[derive(Clone, Debug, Default, PartialEq)]
    TopicStatsTable {
        /// By queue.
        #[serde(serialize_with = "queue::as_keys")]
        offset_table: "offsetTable" = SortedMap<QueueKey, QueueOffsets>,
        /// How many messages come in a second.
        topic_put_tps: "topicPutTps" = f64,
    }

    /// What a queue holds (`TopicOffset`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    QueueOffsets {
        /// When its last message was stored, in milliseconds since 1970; 0 when it has none.
        last_update_timestamp: "lastUpdateTimestamp" = i64,
        /// The offset after its last message.
        max_offset: "maxOffset" = i64,
        /// The offset of its first message.
        min_offset: "minOffset" = i64,
    }
}
