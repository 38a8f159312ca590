//! What administrators ask a broker about consumer groups.

use std::borrow::Cow;

use super::headers;

headers! {
    /// GET_CONSUMER_CONNECTION_LIST (`GetConsumerConnectionListRequestHeader`); the answer is a `ConsumerConnections`.
    GetConsumerConnections<'a> = GET_CONSUMER_CONNECTION_LIST {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
    }

    /// GET_PRODUCER_CONNECTION_LIST (`GetProducerConnectionListRequestHeader`); the answer is a `ProducerConnections`.
    GetProducerConnections<'a> = GET_PRODUCER_CONNECTION_LIST {
        /// The producer group.
        producer_group: "producerGroup" = Cow<'a, str>,
    }

    /// GET_CONSUME_STATS (`GetConsumeStatsRequestHeader`); the answer is a `ConsumeStats`.
    GetConsumeStats<'a> = GET_CONSUME_STATS {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The topic; nothing for all that the group has consumed.
        topic: "topic" = Option<Cow<'a, str>>,
        /// Topics with `;` after each, which count instead of `topic`.
        topic_list: "topicList" in Apache = Option<Cow<'a, str>>,
    }

    /// INVOKE_BROKER_TO_RESET_OFFSET (`ResetOffsetRequestHeader`); the answer is a `ResetOffsets`.
    InvokeResetOffset<'a> = INVOKE_BROKER_TO_RESET_OFFSET {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// The queue; -1 for all.
        queue_id: "queueId" in Apache = Option<i32>,
        /// The offset, when one queue is meant; -1 for the one of the store time.
        offset: "offset" in Apache = Option<i64>,
        /// The store time to go on from, milliseconds since 1970 UTC; -1 for the end.
        timestamp: "timestamp" = i64,
        /// Whether offsets may go back.
        is_force: "isForce" = bool,
    }

    /// INVOKE_BROKER_TO_GET_CONSUMER_STATUS (`GetConsumerStatusRequestHeader`); the answer is a `ConsumerStatus`.
    InvokeConsumerStatus<'a> = INVOKE_BROKER_TO_GET_CONSUMER_STATUS {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// The member, by its client id; nothing for all.
        client_addr: "clientAddr" = Option<Cow<'a, str>>,
    }

    /// QUERY_TOPIC_CONSUME_BY_WHO (`QueryTopicConsumeByWhoRequestHeader`); the answer is a `GroupList`.
    QueryTopicConsumers<'a> = QUERY_TOPIC_CONSUME_BY_WHO {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
    }

    /// QUERY_TOPICS_BY_CONSUMER (`QueryTopicsByConsumerRequestHeader`); the answer is a `TopicList`.
    QueryTopicsOfConsumer<'a> = QUERY_TOPICS_BY_CONSUMER {
        /// The consumer group.
        group: "group" = Cow<'a, str>,
    }

    /// QUERY_SUBSCRIPTION_BY_CONSUMER (`QuerySubscriptionByConsumerRequestHeader`); the answer is a
    /// `ConsumerSubscription`.
    QuerySubscription<'a> = QUERY_SUBSCRIPTION_BY_CONSUMER {
        /// The consumer group.
        group: "group" = Cow<'a, str>,
        /// The topic.
        topic: "topic" = Option<Cow<'a, str>>,
    }

    /// UPDATE_AND_CREATE_SUBSCRIPTIONGROUP; the body is a `SubscriptionGroupConfig`.
    UpdateGroup = UPDATE_AND_CREATE_SUBSCRIPTIONGROUP {}

    /// GET_SUBSCRIPTIONGROUP_CONFIG (`GetSubscriptionGroupConfigRequestHeader`); the answer is a
    /// `SubscriptionGroupConfig`.
    GetGroup<'a> = GET_SUBSCRIPTIONGROUP_CONFIG {
        /// The consumer group.
        group: "group" = Cow<'a, str>,
    }

    /// GET_ALL_SUBSCRIPTIONGROUP_CONFIG (`GetAllSubscriptionGroupRequestHeader`); the answer is a `SubscriptionGroups`.
    GetGroups<'a> = GET_ALL_SUBSCRIPTIONGROUP_CONFIG {
        /// Where the page begins, from 0. Without any of the three fields all groups are meant.
        group_seq: "groupSeq" in Apache = Option<i32>,
        /// The version of the groups that the pages before belong to, as JSON.
        data_version: "dataVersion" in Apache = Option<Cow<'a, str>>,
        /// How many groups a page has at the most.
        max_group_num: "maxGroupNum" in Apache = Option<i32>,
    }

    /// The answer to [`GetGroups`] (`GetAllSubscriptionGroupResponseHeader`).
    GetGroupsAnswer {
        /// How many groups there are in all.
        total_group_num: "totalGroupNum" = i32,
    }

    /// DELETE_SUBSCRIPTIONGROUP (`DeleteSubscriptionGroupRequestHeader`).
    DeleteGroup<'a> = DELETE_SUBSCRIPTIONGROUP {
        /// The consumer group.
        group_name: "groupName" = Cow<'a, str>,
        /// Whether its offsets go too.
        clean_offset: "cleanOffset" in Apache = Option<bool>,
    }
}
