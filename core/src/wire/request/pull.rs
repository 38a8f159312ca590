//! Pulling messages.

use std::borrow::Cow;

use super::headers;

/// Bit of [`PullMessage::sys_flag`]: `commit_offset` is to be stored.
pub const PULL_FLAG_COMMIT_OFFSET: i32 = 1;
/// Bit of [`PullMessage::sys_flag`]: the broker may hold the request until messages come.
pub const PULL_FLAG_SUSPEND: i32 = 2;
/// Bit of [`PullMessage::sys_flag`]: `subscription` says what is wanted.
pub const PULL_FLAG_SUBSCRIPTION: i32 = 4;

headers! {
    /// PULL_MESSAGE (`PullMessageRequestHeader`).
    PullMessage<'a> = PULL_MESSAGE {
        /// The consumer's group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The first offset wanted.
        queue_offset: "queueOffset" = i64,
        /// How many messages at the most.
        max_msg_nums: "maxMsgNums" = i32,
        /// Bits of `PullSysFlag`.
        sys_flag: "sysFlag" = i32,
        /// The offset to store for the group.
        commit_offset: "commitOffset" = i64,
        /// How long the broker may hold the request, in milliseconds.
        suspend_timeout_millis: "suspendTimeoutMillis" = i64,
        /// The expression that messages have to match.
        subscription: "subscription" = Option<Cow<'a, str>>,
        /// When the subscription last changed, milliseconds since 1970 UTC.
        sub_version: "subVersion" = i64,
        /// The expression's language: TAG or SQL92.
        expression_type: "expressionType" in Apache = Option<Cow<'a, str>>,
        /// How many bytes at the most.
        max_msg_bytes: "maxMsgBytes" in Apache = Option<i32>,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// The answer to a pull (`PullMessageResponseHeader`).
    PullMessageAnswer {
        /// The id of the broker to pull from next.
        suggest_which_broker_id: "suggestWhichBrokerId" = Option<i64>,
        /// The offset to pull from next.
        next_begin_offset: "nextBeginOffset" = i64,
        /// The first offset that the queue still has.
        min_offset: "minOffset" = i64,
        /// One past the last offset of the queue.
        max_offset: "maxOffset" = i64,
        /// What to add to the messages' offsets (static topics).
        offset_delta: "offsetDelta" in Apache = Option<i64>,
    }
}
