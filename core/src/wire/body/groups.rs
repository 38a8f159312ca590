//! Groups as administrators see them: who is connected, what is consumed, how a group is set up.

use crate::sorted::{SortedMap, SortedSet};

use serde_json::Value;

use super::{ConsumeFromWhere, ConsumeType, MessageModel, QueueKey, SubscriptionData, bodies, queue};
use crate::wire::json::{Json, Readable};
use crate::wire::odd::OddIn;

bodies! {
    /// A client of a group (`Connection`).
    #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
    Connection {
        /// Its address.
        client_addr: "clientAddr" = String,
        /// Its id.
        client_id: "clientId" = String,
        /// The name of its language.
        language: "language" = String,
        /// The version it speaks.
        version: "version" = i32,
    }

    /// The members of a consumer group (`ConsumerConnection`), the answer to GET_CONSUMER_CONNECTION_LIST.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerConnections {
        /// The members.
        connection_set: "connectionSet" = SortedSet<Connection>,
        /// Where the group starts when it has no offset.
        #[serde(skip_serializing_if = "Option::is_none")]
        consume_from_where: "consumeFromWhere" = Option<ConsumeFromWhere>,
        /// How it fetches.
        #[serde(skip_serializing_if = "Option::is_none")]
        consume_type: "consumeType" = Option<ConsumeType>,
        /// How its members share the messages.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_model: "messageModel" = Option<MessageModel>,
        /// What it subscribes to, by topic.
        subscription_table: "subscriptionTable" = SortedMap<String, SubscriptionData>,
    }

    /// The clients of a producer group (`ProducerConnection`), the answer to GET_PRODUCER_CONNECTION_LIST.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ProducerConnections {
        /// The clients.
        connection_set: "connectionSet" = SortedSet<Connection>,
    }

    /// How far a group has consumed (`ConsumeStats`), the answer to GET_CONSUME_STATS.
    #[derive(Clone, Debug, Default, PartialEq)]
    ConsumeStats {
        /// Messages a second.
        consume_tps: "consumeTps" = f64,
        /// By queue.
        #[serde(serialize_with = "queue::as_keys")]
        offset_table: "offsetTable" = SortedMap<QueueKey, ConsumedOffsets>,
    }

    /// How far a group has consumed a queue (`OffsetWrapper`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    ConsumedOffsets {
        /// The offset after the queue's last message.
        broker_offset: "brokerOffset" = i64,
        /// The offset that the group has committed.
        consumer_offset: "consumerOffset" = i64,
        /// When the last consumed message was stored, milliseconds since 1970 UTC; 0 when there is none.
        last_timestamp: "lastTimestamp" = i64,
        /// The offset that the group has pulled up to.
        pull_offset: "pullOffset" = i64,
    }

    /// Names of groups (`GroupList`), the answer to QUERY_TOPIC_CONSUME_BY_WHO.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    GroupList {
        /// The groups.
        group_list: "groupList" = SortedSet<String>,
    }

    /// What a group subscribes to of a topic (`QuerySubscriptionResponseBody`), the answer to
    /// QUERY_SUBSCRIPTION_BY_CONSUMER.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerSubscription {
        /// The consumer group.
        group: "group" = String,
        /// The subscription; none when nobody subscribes.
        #[serde(skip_serializing_if = "Option::is_none")]
        subscription_data: "subscriptionData" = Option<SubscriptionData>,
        /// The topic.
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: "topic" = Option<String>,
    }

    /// How a consumer group is set up at a broker (`SubscriptionGroupConfig`), the body of
    /// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP and the answer to GET_SUBSCRIPTIONGROUP_CONFIG.
    #[derive(Clone, Debug, PartialEq)]
    SubscriptionGroupConfig {
        /// Attributes by name.
        attributes: "attributes" = SortedMap<String, String>,
        /// The broker to pull from, by its id.
        broker_id: "brokerId" = i64,
        /// Whether every member may get all.
        consume_broadcast_enable: "consumeBroadcastEnable" = bool,
        /// Whether it may consume at all.
        consume_enable: "consumeEnable" = bool,
        /// Whether it may start at the first offset.
        consume_from_min_enable: "consumeFromMinEnable" = bool,
        /// Whether it consumes in order, by POP.
        consume_message_orderly: "consumeMessageOrderly" = bool,
        /// How many minutes a message may be in work.
        consume_timeout_minute: "consumeTimeoutMinute" = i32,
        /// The group's name.
        group_name: "groupName" = String,
        /// When failed messages come again, by POP.
        group_retry_policy: "groupRetryPolicy" = GroupRetryPolicy,
        /// Bits that brokers hand on.
        group_sys_flag: "groupSysFlag" = i32,
        /// Whether members hear of each other.
        notify_consumer_ids_changed_enable: "notifyConsumerIdsChangedEnable" = bool,
        /// How often a message may be consumed again.
        retry_max_times: "retryMaxTimes" = i32,
        /// How many queues its retry topic has.
        retry_queue_nums: "retryQueueNums" = i32,
        /// What it may subscribe to, by gRPC.
        #[serde(skip_serializing_if = "Value::is_null")]
        subscription_data_set: "subscriptionDataSet" = Value,
        /// The broker to pull from when it consumes slowly, by its id.
        which_broker_when_consume_slowly: "whichBrokerWhenConsumeSlowly" = i64,
    }
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: SortedMap::new(),
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

bodies! {
    /// When messages that failed come again, by POP (`GroupRetryPolicy`).
    #[derive(Clone, Debug, PartialEq)]
    GroupRetryPolicy {
        /// Times of its own.
        #[serde(skip_serializing_if = "Value::is_null")]
        customized_retry_policy: "customizedRetryPolicy" = Value,
        /// Times that grow.
        #[serde(skip_serializing_if = "Value::is_null")]
        exponential_retry_policy: "exponentialRetryPolicy" = Value,
        /// Which of them counts: `CUSTOMIZED` or `EXPONENTIAL`; nothing where it is something else.
        #[serde(skip_serializing_if = "String::is_empty")]
        kind: "type" = String,
    }
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

bodies! {
    /// The consumer groups of a broker (`SubscriptionGroupWrapper`), the answer to GET_ALL_SUBSCRIPTIONGROUP_CONFIG.
    #[derive(Clone, Debug, Default, PartialEq)]
    SubscriptionGroups {
        /// What the groups' last change is called.
        data_version: "dataVersion" = DataVersion,
        /// What groups may not, by group and topic.
        forbidden_table: "forbiddenTable" = SortedMap<String, SortedMap<String, i32>>,
        /// The groups by name.
        subscription_group_table: "subscriptionGroupTable" = SortedMap<String, SubscriptionGroupConfig>,
    }

    /// The same answer, for who wants the groups' names alone.
    #[derive(Clone, Debug, Default, PartialEq)]
    NamedGroups {
        /// What the groups' last change is called.
        data_version: "dataVersion" = DataVersion,
        /// The groups by name.
        subscription_group_table: "subscriptionGroupTable" = SortedMap<String, Unread>,
    }

    /// Which of two states of a broker's settings is newer (`DataVersion`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    DataVersion {
        /// How many changes there were.
        counter: "counter" = i64,
        /// The state of a broker's group.
        state_version: "stateVersion" = i64,
        /// When the last change was, milliseconds since 1970 UTC.
        timestamp: "timestamp" = i64,
    }
}

/// An object, whatever is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Unread {}

impl Readable for Unread {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        value.object(odd).map(|_| Self {})
    }
}

/// What is handed on as it came.
impl Readable for Value {
    fn read(value: Json<'_>, _: OddIn<'_>) -> Option<Self> {
        Some(as_it_came(value))
    }
}

fn as_it_came(value: Json<'_>) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Literal(text) => {
            // What strict JSON does not know as a number fastjson may.
            let text = text.text();
            let number = || text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from));
            text.parse().or_else(|_| number()).unwrap_or_default()
        }
        Json::Text(text) => Value::String(text.text().into_owned()),
        Json::Array(_) => value.elements().map(as_it_came).collect(),
        Json::Object(_) => value.members().map(|(name, value)| (name.text().into_owned(), as_it_came(value))).collect(),
    }
}
