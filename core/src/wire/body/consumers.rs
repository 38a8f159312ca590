//! Consumer groups: their members, their locks and offsets, and what a member tells of itself.

use crate::sorted::{SortedMap, SortedSet};

use serde::Serialize;

use super::{QueueKey, SubscriptionData, bodies, queue};
use crate::wire::json::{Json, Readable, place_of};
use crate::wire::odd::OddIn;

bodies! {
    /// The clients of a consumer group (`GetConsumerListByGroupResponseBody`), the answer to GET_CONSUMER_LIST_BY_GROUP.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerList {
        /// Ids of clients, in no particular order.
        consumer_id_list: "consumerIdList" = Vec<String>,
    }

    /// What all groups have committed at a broker (`ConsumerOffsetSerializeWrapper`), the answer to GET_ALL_CONSUMER_OFFSET.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    CommittedOffsets {
        /// By topic and group, `topic@group`, and by queue. Smartgo calls it `offsets`.
        offset_table: "offsetTable" | "offsets" = SortedMap<String, SortedMap<i32, i64>>,
    }
}

impl CommittedOffsets {
    /// What a group has committed of a queue.
    pub fn get(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        self.offset_table.get(&format!("{topic}@{group}"))?.get(&queue_id).copied()
    }
}

bodies! {
    /// A subscription to be checked (`CheckClientRequestBody`), the body of CHECK_CLIENT_CONFIG.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    CheckClientConfig {
        /// The client.
        client_id: "clientId" = String,
        /// The consumer group.
        group: "group" = String,
        /// The namespace, which clients of 5.x leave empty.
        #[serde(skip_serializing_if = "String::is_empty")]
        namespace: "namespace" = String,
        /// What it would subscribe to.
        subscription_data: "subscriptionData" = SubscriptionData,
    }

    /// Queues that a member locks or gives back (`LockBatchRequestBody`, `UnlockBatchRequestBody`), the body of
    /// LOCK_BATCH_MQ and UNLOCK_BATCH_MQ.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    QueueLockRequest {
        /// The member.
        client_id: "clientId" = String,
        /// The consumer group.
        consumer_group: "consumerGroup" = String,
        /// The queues.
        mq_set: "mqSet" = SortedSet<QueueKey>,
        /// Whether a broker asks its slaves too.
        only_this_broker: "onlyThisBroker" = bool,
    }

    /// The queues that a member has locked (`LockBatchResponseBody`), the answer to LOCK_BATCH_MQ.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    LockedQueues {
        /// Those of the queues asked for that are locked now.
        lock_ok_mq_set: "lockOKMQSet" = SortedSet<QueueKey>,
    }

    /// Offsets to go on from (`ResetOffsetBody`), the body of RESET_CONSUMER_CLIENT_OFFSET.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ResetOffsets {
        /// By queue.
        #[serde(serialize_with = "queue::as_keys")]
        offset_table: "offsetTable" = SortedMap<QueueKey, i64>,
    }

    /// Offsets of members (`GetConsumerStatusBody`), the answer to GET_CONSUMER_STATUS_FROM_CLIENT.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ConsumerStatus {
        /// Of several members by client id; a broker's answer.
        consumer_table: "consumerTable" = SortedMap<String, ConsumerOffsets>,
        /// Of one member; a client's answer.
        #[serde(serialize_with = "queue::as_keys")]
        message_queue_table: "messageQueueTable" = SortedMap<QueueKey, i64>,
    }
}

/// The offsets of one member, by queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConsumerOffsets(#[serde(serialize_with = "queue::as_keys")] pub SortedMap<QueueKey, i64>);

impl Readable for ConsumerOffsets {
    const HOLDS_OTHERS: bool = true;

    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        SortedMap::read(value, odd).map(Self)
    }
}

bodies! {
    /// What a member tells of itself (`ConsumerRunningInfo`), the answer to GET_CONSUMER_RUNNING_INFO.
    #[derive(Clone, Debug, Default, PartialEq)]
    ConsumerRunningInfo {
        /// Its queues consumed by POP.
        #[serde(serialize_with = "queue::as_keys")]
        mq_pop_table: "mqPopTable" = SortedMap<QueueKey, PopProcessQueueInfo>,
        /// Its queues.
        #[serde(serialize_with = "queue::as_keys")]
        mq_table: "mqTable" = SortedMap<QueueKey, ProcessQueueInfo>,
        /// How it is set up.
        properties: "properties" = SortedMap<String, String>,
        /// How fast it is, by topic.
        status_table: "statusTable" = SortedMap<String, ConsumeStatus>,
        /// What it subscribes to.
        subscription_set: "subscriptionSet" = Vec<SubscriptionData>,
        /// What its application adds.
        user_consumer_info: "userConsumerInfo" = SortedMap<String, String>,
        /// What its threads do.
        #[serde(skip_serializing_if = "Option::is_none")]
        jstack: "jstack" = Option<String>,
    }

    /// A queue that is consumed by POP (`PopProcessQueueInfo`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    PopProcessQueueInfo {
        /// Whether it is a queue no more.
        droped: "droped" = bool,
        /// When it was asked last, milliseconds since 1970 UTC.
        last_pop_timestamp: "lastPopTimestamp" = i64,
        /// How many messages are not yet acknowledged.
        wait_ack_count: "waitAckCount" = i32,
    }

    /// A member's queue (`ProcessQueueInfo`). Times are milliseconds since 1970 UTC.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    ProcessQueueInfo {
        /// Messages fetched and not finished.
        cached_msg_count: "cachedMsgCount" = i32,
        /// The last of their offsets.
        cached_msg_max_offset: "cachedMsgMaxOffset" = i64,
        /// The first of their offsets.
        cached_msg_min_offset: "cachedMsgMinOffset" = i64,
        /// Their size.
        cached_msg_size_in_mi_b: "cachedMsgSizeInMiB" = i32,
        /// The offset that is committed.
        commit_offset: "commitOffset" = i64,
        /// Whether it is a queue no more.
        droped: "droped" = bool,
        /// When a message was finished last.
        last_consume_timestamp: "lastConsumeTimestamp" = i64,
        /// When the lock was granted last.
        last_lock_timestamp: "lastLockTimestamp" = i64,
        /// When it was fetched from last.
        last_pull_timestamp: "lastPullTimestamp" = i64,
        /// Whether it is locked.
        locked: "locked" = bool,
        /// Of an orderly delivery in work: how many messages.
        transaction_msg_count: "transactionMsgCount" = i32,
        /// Of an orderly delivery in work: the last offset.
        transaction_msg_max_offset: "transactionMsgMaxOffset" = i64,
        /// Of an orderly delivery in work: the first offset.
        transaction_msg_min_offset: "transactionMsgMinOffset" = i64,
        /// How often the lock could not be given back.
        try_unlock_times: "tryUnlockTimes" = i64,
    }

    /// How fast a member consumes a topic (`ConsumeStatus`).
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    ConsumeStatus {
        /// Messages that failed in the last hour.
        consume_failed_msgs: "consumeFailedMsgs" = i64,
        /// Messages a second that failed.
        consume_failed_tps: "consumeFailedTPS" = f64,
        /// Messages a second that were consumed.
        consume_ok_tps: "consumeOKTPS" = f64,
        /// Milliseconds that a message takes.
        consume_rt: "consumeRT" = f64,
        /// Milliseconds that a pull takes.
        pull_rt: "pullRT" = f64,
        /// Messages a second that are pulled.
        pull_tps: "pullTPS" = f64,
    }

    /// What became of a message that was consumed at once (`ConsumeMessageDirectlyResult`), the answer to
    /// CONSUME_MESSAGE_DIRECTLY.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    DirectConsumption {
        /// Whether an orderly consumer commits by itself.
        auto_commit: "autoCommit" = bool,
        /// What became of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        consume_result: "consumeResult" = Option<DirectResult>,
        /// Whether the consumer is orderly.
        order: "order" = bool,
        /// What it says of a failure.
        #[serde(skip_serializing_if = "Option::is_none")]
        remark: "remark" = Option<String>,
        /// How long it took, in milliseconds.
        spent_time_mills: "spentTimeMills" = i64,
    }
}

/// What became of a message that was consumed at once (`CMResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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

impl Readable for DirectResult {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        let names = ["CR_SUCCESS", "CR_LATER", "CR_ROLLBACK", "CR_COMMIT", "CR_THROW_EXCEPTION", "CR_RETURN_NULL"];
        let all = [Self::Success, Self::Later, Self::Rollback, Self::Commit, Self::ThrowException, Self::ReturnNull];
        place_of(value, &names, odd).map(|place| all[place])
    }
}
