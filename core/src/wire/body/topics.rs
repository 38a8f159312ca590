//! Lists and statistics of topics.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lenient::readable;
use super::{QueueKey, queue};

/// Names of topics (`TopicList`), the answer to GET_ALL_TOPIC_LIST_FROM_NAMESERVER.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// The topics.
    #[serde(deserialize_with = "readable")]
    pub topic_list: BTreeSet<String>,
}

/// How full a topic's queues on one broker are (`TopicStatsTable`), the answer to GET_TOPIC_STATS_INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// By queue.
    #[serde(with = "queue::as_key")]
    pub offset_table: BTreeMap<QueueKey, QueueOffsets>,
}

/// What a queue holds (`TopicOffset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueOffsets {
    /// When its last message was stored, in milliseconds since 1970; 0 when it has none.
    pub last_update_timestamp: i64,
    /// The offset after its last message.
    pub max_offset: i64,
    /// The offset of its first message.
    pub min_offset: i64,
}
