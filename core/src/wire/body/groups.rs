//! Groups as administrators see them: who is connected, what is consumed, how a group is set up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConsumeFromWhere, ConsumeType, MessageModel, QueueKey, SubscriptionData, null_as_default, queue};

/// A client of a group (`Connection`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connection {
    /// Its address.
    #[serde(deserialize_with = "null_as_default")]
    pub client_addr: String,
    /// Its id.
    #[serde(deserialize_with = "null_as_default")]
    pub client_id: String,
    /// The name of its language.
    #[serde(deserialize_with = "null_as_default")]
    pub language: String,
    /// The version it speaks.
    pub version: i32,
}

/// The members of a consumer group (`ConsumerConnection`), the answer to GET_CONSUMER_CONNECTION_LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnections {
    /// The members.
    #[serde(deserialize_with = "null_as_default")]
    pub connection_set: BTreeSet<Connection>,
    /// Where the group starts when it has no offset.
    #[serde(deserialize_with = "null_as_default")]
    pub consume_from_where: ConsumeFromWhere,
    /// How it fetches.
    #[serde(deserialize_with = "null_as_default")]
    pub consume_type: ConsumeType,
    /// How its members share the messages.
    #[serde(deserialize_with = "null_as_default")]
    pub message_model: MessageModel,
    /// What it subscribes to, by topic.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// The clients of a producer group (`ProducerConnection`), the answer to GET_PRODUCER_CONNECTION_LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnections {
    /// The clients.
    #[serde(deserialize_with = "null_as_default")]
    pub connection_set: BTreeSet<Connection>,
}

/// How far a group has consumed (`ConsumeStats`), the answer to GET_CONSUME_STATS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages a second.
    pub consume_tps: f64,
    /// By queue.
    #[serde(with = "queue::as_key")]
    pub offset_table: BTreeMap<QueueKey, ConsumedOffsets>,
}

/// How far a group has consumed a queue (`OffsetWrapper`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumedOffsets {
    /// The offset after the queue's last message.
    pub broker_offset: i64,
    /// The offset that the group has committed.
    pub consumer_offset: i64,
    /// When the last consumed message was stored, milliseconds since 1970 UTC; 0 when there is none.
    pub last_timestamp: i64,
    /// The offset that the group has pulled up to.
    pub pull_offset: i64,
}

/// Names of groups (`GroupList`), the answer to QUERY_TOPIC_CONSUME_BY_WHO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupList {
    /// The groups.
    #[serde(deserialize_with = "null_as_default")]
    pub group_list: BTreeSet<String>,
}

/// What a group subscribes to of a topic (`QuerySubscriptionResponseBody`), the answer to
/// QUERY_SUBSCRIPTION_BY_CONSUMER.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerSubscription {
    /// The consumer group.
    #[serde(deserialize_with = "null_as_default")]
    pub group: String,
    /// The subscription; none when nobody subscribes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
    /// The topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// How a consumer group is set up at a broker (`SubscriptionGroupConfig`), the body of
/// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP and the answer to GET_SUBSCRIPTIONGROUP_CONFIG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// Attributes by name.
    #[serde(deserialize_with = "null_as_default")]
    pub attributes: BTreeMap<String, String>,
    /// The broker to pull from, by its id.
    pub broker_id: i64,
    /// Whether every member may get all.
    pub consume_broadcast_enable: bool,
    /// Whether it may consume at all.
    pub consume_enable: bool,
    /// Whether it may start at the first offset.
    pub consume_from_min_enable: bool,
    /// Whether it consumes in order, by POP.
    pub consume_message_orderly: bool,
    /// How many minutes a message may be in work.
    pub consume_timeout_minute: i32,
    /// The group's name.
    #[serde(deserialize_with = "null_as_default")]
    pub group_name: String,
    /// When failed messages come again, by POP.
    #[serde(deserialize_with = "null_as_default")]
    pub group_retry_policy: GroupRetryPolicy,
    /// Bits that brokers hand on.
    pub group_sys_flag: i32,
    /// Whether members hear of each other.
    pub notify_consumer_ids_changed_enable: bool,
    /// How often a message may be consumed again.
    pub retry_max_times: i32,
    /// How many queues its retry topic has.
    pub retry_queue_nums: i32,
    /// What it may subscribe to, by gRPC.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub subscription_data_set: Value,
    /// The broker to pull from when it consumes slowly, by its id.
    pub which_broker_when_consume_slowly: i64,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: Value::Null,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// When messages that failed come again, by POP (`GroupRetryPolicy`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupRetryPolicy {
    /// Times of its own.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub customized_retry_policy: Value,
    /// Times that grow.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub exponential_retry_policy: Value,
    /// Which of them counts: `CUSTOMIZED` or `EXPONENTIAL`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Default for GroupRetryPolicy {
    fn default() -> Self {
        Self {
            customized_retry_policy: Value::Null,
            exponential_retry_policy: Value::Null,
            kind: "CUSTOMIZED".to_owned(),
        }
    }
}

/// The consumer groups of a broker (`SubscriptionGroupWrapper`), the answer to GET_ALL_SUBSCRIPTIONGROUP_CONFIG.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroups {
    /// What the groups' last change is called.
    #[serde(deserialize_with = "null_as_default")]
    pub data_version: DataVersion,
    /// What groups may not, by group and topic.
    #[serde(deserialize_with = "null_as_default")]
    pub forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    /// The groups by name.
    #[serde(deserialize_with = "null_as_default")]
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

/// Which of two states of a broker's settings is newer (`DataVersion`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// How many changes there were.
    pub counter: i64,
    /// The state of a broker's group.
    pub state_version: i64,
    /// When the last change was, milliseconds since 1970 UTC.
    pub timestamp: i64,
}
