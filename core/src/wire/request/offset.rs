//! Offsets of queues and of groups.

use std::borrow::Cow;

use super::headers;

headers! {
    /// GET_MAX_OFFSET (`GetMaxOffsetRequestHeader`); the answer is an [`OffsetAnswer`].
    GetMaxOffset<'a> = GET_MAX_OFFSET {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// GET_MIN_OFFSET (`GetMinOffsetRequestHeader`); the answer is an [`OffsetAnswer`].
    GetMinOffset<'a> = GET_MIN_OFFSET {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// SEARCH_OFFSET_BY_TIMESTAMP (`SearchOffsetRequestHeader`); the answer is an [`OffsetAnswer`].
    SearchOffset<'a> = SEARCH_OFFSET_BY_TIMESTAMP {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// Store time, milliseconds since 1970 UTC.
        timestamp: "timestamp" = i64,
        /// `lower` or `upper`: the first or the last of several messages stored at this time.
        boundary_type: "boundaryType" in Apache = Option<Cow<'a, str>>,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// QUERY_CONSUMER_OFFSET (`QueryConsumerOffsetRequestHeader`); the answer is an [`OffsetAnswer`].
    QueryConsumerOffset<'a> = QUERY_CONSUMER_OFFSET {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// Whether a group without an offset gets 0 instead of an error.
        set_zero_if_not_found: "setZeroIfNotFound" in Apache = Option<bool>,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// GET_ALL_CONSUMER_OFFSET; the answer's body is [`CommittedOffsets`](crate::wire::body::CommittedOffsets).
    GetCommittedOffsets = GET_ALL_CONSUMER_OFFSET {}

    /// UPDATE_CONSUMER_OFFSET (`UpdateConsumerOffsetRequestHeader`).
    UpdateConsumerOffset<'a> = UPDATE_CONSUMER_OFFSET {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The offset of the next message to consume.
        commit_offset: "commitOffset" = i64,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// GET_EARLIEST_MSG_STORETIME (`GetEarliestMsgStoretimeRequestHeader`).
    GetEarliestStoreTime<'a> = GET_EARLIEST_MSG_STORETIME {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// The answer to [`GetEarliestStoreTime`].
    EarliestStoreTimeAnswer {
        /// When the first message was stored, milliseconds since 1970 UTC; -1 when there is none.
        timestamp: "timestamp" = i64,
    }

    /// An offset.
    OffsetAnswer {
        /// The offset.
        offset: "offset" = i64,
    }
}
