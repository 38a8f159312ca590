//! Consumer groups: their members, their locks and offsets, and what a member tells of itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lenient::readable;
use super::{QueueKey, SubscriptionData, null_as_default, queue};

/// The clients of a consumer group (`GetConsumerListByGroupResponseBody`), the answer to GET_CONSUMER_LIST_BY_GROUP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerList {
    /// Ids of clients, in no particular order.
    #[serde(deserialize_with = "readable")]
    pub consumer_id_list: Vec<String>,
}

/// What all groups have committed at a broker (`ConsumerOffsetSerializeWrapper`), the answer to GET_ALL_CONSUMER_OFFSET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommittedOffsets {
    /// By topic and group, `topic@group`, and by queue. Smartgo calls it `offsets`.
    #[serde(alias = "offsets", deserialize_with = "null_as_default")]
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl CommittedOffsets {
    /// What a group has committed of a queue.
    pub fn get(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        self.offset_table.get(&format!("{topic}@{group}"))?.get(&queue_id).copied()
    }
}

/// A subscription to be checked (`CheckClientRequestBody`), the body of CHECK_CLIENT_CONFIG.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientConfig {
    /// The client.
    #[serde(deserialize_with = "null_as_default")]
    pub client_id: String,
    /// The consumer group.
    #[serde(deserialize_with = "null_as_default")]
    pub group: String,
    /// The namespace, which clients of 5.x leave empty.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What it would subscribe to.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_data: SubscriptionData,
}

/// Queues that a member locks or gives back (`LockBatchRequestBody`, `UnlockBatchRequestBody`), the body of
/// LOCK_BATCH_MQ and UNLOCK_BATCH_MQ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueLockRequest {
    /// The member.
    #[serde(deserialize_with = "null_as_default")]
    pub client_id: String,
    /// The consumer group.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_group: String,
    /// The queues.
    #[serde(deserialize_with = "null_as_default")]
    pub mq_set: BTreeSet<QueueKey>,
    /// Whether a broker asks its slaves too.
    pub only_this_broker: bool,
}

/// The queues that a member has locked (`LockBatchResponseBody`), the answer to LOCK_BATCH_MQ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockedQueues {
    /// Those of the queues asked for that are locked now.
    #[serde(rename = "lockOKMQSet", deserialize_with = "readable")]
    pub lock_ok_mq_set: BTreeSet<QueueKey>,
}

/// Offsets to go on from (`ResetOffsetBody`), the body of RESET_CONSUMER_CLIENT_OFFSET.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsets {
    /// By queue.
    #[serde(with = "queue::as_key")]
    pub offset_table: BTreeMap<QueueKey, i64>,
}

/// Offsets of members (`GetConsumerStatusBody`), the answer to GET_CONSUMER_STATUS_FROM_CLIENT.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStatus {
    /// Of several members by client id; a broker's answer.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_table: BTreeMap<String, ConsumerOffsets>,
    /// Of one member; a client's answer.
    #[serde(with = "queue::as_key")]
    pub message_queue_table: BTreeMap<QueueKey, i64>,
}

/// The offsets of one member, by queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsumerOffsets(#[serde(with = "queue::as_key")] pub BTreeMap<QueueKey, i64>);

/// What a member tells of itself (`ConsumerRunningInfo`), the answer to GET_CONSUMER_RUNNING_INFO.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerRunningInfo {
    /// Its queues consumed by POP.
    #[serde(with = "queue::as_key")]
    pub mq_pop_table: BTreeMap<QueueKey, PopProcessQueueInfo>,
    /// Its queues.
    #[serde(with = "queue::as_key")]
    pub mq_table: BTreeMap<QueueKey, ProcessQueueInfo>,
    /// How it is set up.
    #[serde(deserialize_with = "null_as_default")]
    pub properties: BTreeMap<String, String>,
    /// How fast it is, by topic.
    #[serde(deserialize_with = "null_as_default")]
    pub status_table: BTreeMap<String, ConsumeStatus>,
    /// What it subscribes to.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_set: Vec<SubscriptionData>,
    /// What its application adds.
    #[serde(deserialize_with = "null_as_default")]
    pub user_consumer_info: BTreeMap<String, String>,
    /// What its threads do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jstack: Option<String>,
}

/// A queue that is consumed by POP (`PopProcessQueueInfo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PopProcessQueueInfo {
    /// Whether it is a queue no more.
    pub droped: bool,
    /// When it was asked last, milliseconds since 1970 UTC.
    pub last_pop_timestamp: i64,
    /// How many messages are not yet acknowledged.
    pub wait_ack_count: i32,
}

/// A member's queue (`ProcessQueueInfo`). Times are milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProcessQueueInfo {
    /// Messages fetched and not finished.
    pub cached_msg_count: i32,
    /// The last of their offsets.
    pub cached_msg_max_offset: i64,
    /// The first of their offsets.
    pub cached_msg_min_offset: i64,
    /// Their size.
    pub cached_msg_size_in_mi_b: i32,
    /// The offset that is committed.
    pub commit_offset: i64,
    /// Whether it is a queue no more.
    pub droped: bool,
    /// When a message was finished last.
    pub last_consume_timestamp: i64,
    /// When the lock was granted last.
    pub last_lock_timestamp: i64,
    /// When it was fetched from last.
    pub last_pull_timestamp: i64,
    /// Whether it is locked.
    pub locked: bool,
    /// Of an orderly delivery in work: how many messages.
    pub transaction_msg_count: i32,
    /// Of an orderly delivery in work: the last offset.
    pub transaction_msg_max_offset: i64,
    /// Of an orderly delivery in work: the first offset.
    pub transaction_msg_min_offset: i64,
    /// How often the lock could not be given back.
    pub try_unlock_times: i64,
}

/// How fast a member consumes a topic (`ConsumeStatus`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConsumeStatus {
    /// Messages that failed in the last hour.
    #[serde(rename = "consumeFailedMsgs")]
    pub consume_failed_msgs: i64,
    /// Messages a second that failed.
    #[serde(rename = "consumeFailedTPS")]
    pub consume_failed_tps: f64,
    /// Messages a second that were consumed.
    #[serde(rename = "consumeOKTPS")]
    pub consume_ok_tps: f64,
    /// Milliseconds that a message takes.
    #[serde(rename = "consumeRT")]
    pub consume_rt: f64,
    /// Milliseconds that a pull takes.
    #[serde(rename = "pullRT")]
    pub pull_rt: f64,
    /// Messages a second that are pulled.
    #[serde(rename = "pullTPS")]
    pub pull_tps: f64,
}

/// What became of a message that was consumed at once (`ConsumeMessageDirectlyResult`), the answer to
/// CONSUME_MESSAGE_DIRECTLY.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DirectConsumption {
    /// Whether an orderly consumer commits by itself.
    pub auto_commit: bool,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consume_result: Option<DirectResult>,
    /// Whether the consumer is orderly.
    pub order: bool,
    /// What it says of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// How long it took, in milliseconds.
    pub spent_time_mills: i64,
}

/// What became of a message that was consumed at once (`CMResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DirectResult {
    /// It is consumed.
    #[serde(rename = "CR_SUCCESS")]
    Success,
    /// It is to be consumed again later.
    #[serde(rename = "CR_LATER")]
    Later,
    /// A transaction is rolled back.
    #[serde(rename = "CR_ROLLBACK")]
    Rollback,
    /// A transaction is committed.
    #[serde(rename = "CR_COMMIT")]
    Commit,
    /// The handler panicked.
    #[serde(rename = "CR_THROW_EXCEPTION")]
    ThrowException,
    /// The handler said nothing.
    #[serde(rename = "CR_RETURN_NULL")]
    ReturnNull,
}
