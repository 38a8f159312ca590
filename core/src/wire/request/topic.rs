//! Topics of a broker.

use std::borrow::Cow;

use super::{TopicFilterType, headers};

headers! {
    /// UPDATE_AND_CREATE_TOPIC (`CreateTopicRequestHeader`).
    CreateTopic<'a> = UPDATE_AND_CREATE_TOPIC {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The template key: the topic whose permissions are inherited.
        default_topic: "defaultTopic" = Option<Cow<'a, str>>,
        /// How many queues can be read.
        read_queue_nums: "readQueueNums" = i32,
        /// How many queues can be written.
        write_queue_nums: "writeQueueNums" = i32,
        /// Permission bits: 4 read, 2 write, 1 inherit.
        perm: "perm" = i32,
        /// How many tags its messages have.
        topic_filter_type: "topicFilterType" = TopicFilterType<'a>,
        /// Bits of `TopicSysFlag`.
        topic_sys_flag: "topicSysFlag" = Option<i32>,
        /// Whether the topic's order matters.
        order: "order" = bool,
        /// Attributes, `+key=value,..`.
        attributes: "attributes" in Apache = Option<Cow<'a, str>>,
    }

    /// GET_TOPIC_CONFIG (`GetTopicConfigRequestHeader`); the answer's body is a `TopicConfigAndQueueMapping`.
    GetTopicConfig<'a> = GET_TOPIC_CONFIG {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
    }

    /// DELETE_TOPIC_IN_BROKER (`DeleteTopicRequestHeader`).
    DeleteTopicInBroker<'a> = DELETE_TOPIC_IN_BROKER {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
    }

    /// GET_TOPIC_STATS_INFO (`GetTopicStatsInfoRequestHeader`); the answer's body is a `TopicStatsTable`.
    GetTopicStats<'a> = GET_TOPIC_STATS_INFO {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
    }
}
