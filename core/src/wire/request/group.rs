//! A consumer group at a broker: what members ask of it, and what it asks of them.

use std::borrow::Cow;

use super::headers;

headers! {
    /// GET_CONSUMER_LIST_BY_GROUP (`GetConsumerListByGroupRequestHeader`); the answer is a `ConsumerList`.
    GetConsumerList<'a> = GET_CONSUMER_LIST_BY_GROUP {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
    }

    /// CHECK_CLIENT_CONFIG; the body is a `CheckClientConfig`.
    CheckSubscription = CHECK_CLIENT_CONFIG {}

    /// LOCK_BATCH_MQ; the body is a `QueueLockRequest`, the answer a `LockedQueues`.
    LockQueues = LOCK_BATCH_MQ {}

    /// UNLOCK_BATCH_MQ; the body is a `QueueLockRequest`.
    UnlockQueues = UNLOCK_BATCH_MQ {}

    /// CONSUMER_SEND_MSG_BACK (`ConsumerSendMsgBackRequestHeader`): a message is to be consumed again later.
    SendBack<'a> = CONSUMER_SEND_MSG_BACK {
        /// Where the message lies in the broker's log.
        offset: "offset" = i64,
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// When: a delay level, 0 for the broker's choice, less for never again but as a dead letter.
        delay_level: "delayLevel" = i32,
        /// The message's offset id.
        origin_msg_id: "originMsgId" = Option<Cow<'a, str>>,
        /// The topic it lies in.
        origin_topic: "originTopic" = Option<Cow<'a, str>>,
        /// Unit mode.
        unit_mode: "unitMode" = Option<bool>,
        /// How often it may be consumed again.
        max_reconsume_times: "maxReconsumeTimes" in Apache = Option<i32>,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// NOTIFY_CONSUMER_IDS_CHANGED (`NotifyConsumerIdsChangedRequestHeader`): a broker says that members came or went.
    NotifyConsumerIdsChanged<'a> = NOTIFY_CONSUMER_IDS_CHANGED {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
    }

    /// RESET_CONSUMER_CLIENT_OFFSET (`ResetOffsetRequestHeader`): a broker sets a member's offsets; the body is a
    /// `ResetOffsets`.
    ResetConsumerOffset<'a> = RESET_CONSUMER_CLIENT_OFFSET {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// The queue; -1 for all.
        queue_id: "queueId" = Option<i32>,
        /// The offset, when one queue is meant.
        offset: "offset" = Option<i64>,
        /// The store time that the offsets belong to, milliseconds since 1970 UTC.
        timestamp: "timestamp" = i64,
        /// Whether offsets may go back.
        is_force: "isForce" = bool,
    }

    /// GET_CONSUMER_STATUS_FROM_CLIENT (`GetConsumerStatusRequestHeader`); the answer is a `ConsumerStatus`.
    GetConsumerStatus<'a> = GET_CONSUMER_STATUS_FROM_CLIENT {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// The member, by its client id; nothing for all.
        client_addr: "clientAddr" = Option<Cow<'a, str>>,
    }

    /// GET_CONSUMER_RUNNING_INFO (`GetConsumerRunningInfoRequestHeader`); the answer is a `ConsumerRunningInfo`.
    GetConsumerRunningInfo<'a> = GET_CONSUMER_RUNNING_INFO {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The member.
        client_id: "clientId" = Cow<'a, str>,
        /// Whether to tell what its threads do.
        jstack_enable: "jstackEnable" = Option<bool>,
    }

    /// CONSUME_MESSAGE_DIRECTLY (`ConsumeMessageDirectlyResultRequestHeader`): a member consumes a message at once; the
    /// body is the stored message, the answer a `DirectConsumption`.
    ConsumeDirectly<'a> = CONSUME_MESSAGE_DIRECTLY {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The member.
        client_id: "clientId" = Option<Cow<'a, str>>,
        /// The message's offset id.
        msg_id: "msgId" = Option<Cow<'a, str>>,
        /// The name of the broker.
        broker_name: "brokerName" in Apache = Option<Cow<'a, str>>,
        /// The topic.
        topic: "topic" = Option<Cow<'a, str>>,
        /// Of the topic.
        topic_sys_flag: "topicSysFlag" = Option<i32>,
        /// Of the group.
        group_sys_flag: "groupSysFlag" in Apache = Option<i32>,
    }
}
