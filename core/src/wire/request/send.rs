//! Sending messages.

use std::borrow::Cow;

use super::headers;
use crate::wire::fields::Pieces;

headers! {
    /// SEND_MESSAGE_V2 (`SendMessageRequestHeaderV2`): the fields of [`SendMessageV1`] under names of one letter. The
    /// same header with `batch` set is SEND_BATCH_MESSAGE.
    SendMessage<'a> = SEND_MESSAGE_V2 {
        /// The producer's group.
        producer_group: "a" = Cow<'a, str>,
        /// The topic.
        topic: "b" = Cow<'a, str>,
        /// The topic whose settings an unknown topic inherits.
        default_topic: "c" = Cow<'a, str>,
        /// How many queues an unknown topic gets.
        default_topic_queue_nums: "d" = i32,
        /// The queue.
        queue_id: "e" = i32,
        /// Bits of `MessageSysFlag`.
        sys_flag: "f" = i32,
        /// When the message was born, milliseconds since 1970 UTC.
        born_timestamp: "g" = i64,
        /// The user's own flag.
        flag: "h" = i32,
        /// The message's properties, encoded.
        properties: "i" = Option<Pieces<'a>>,
        /// How often the message has been consumed in vain.
        reconsume_times: "j" = Option<i32>,
        /// Unit mode.
        unit_mode: "k" = Option<bool>,
        /// How often it may be.
        max_reconsume_times: "l" = Option<i32>,
        /// Whether the body is a batch.
        batch: "m" = Option<bool>,
        /// The name of the broker.
        broker_name: "n" = Option<Cow<'a, str>>,
    }

    /// SEND_MESSAGE (`SendMessageRequestHeader`), which old clients send.
    SendMessageV1<'a> = SEND_MESSAGE {
        /// The producer's group.
        producer_group: "producerGroup" = Cow<'a, str>,
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// The topic whose settings an unknown topic inherits.
        default_topic: "defaultTopic" = Cow<'a, str>,
        /// How many queues an unknown topic gets.
        default_topic_queue_nums: "defaultTopicQueueNums" = i32,
        /// The queue.
        queue_id: "queueId" = i32,
        /// Bits of `MessageSysFlag`.
        sys_flag: "sysFlag" = i32,
        /// When the message was born, milliseconds since 1970 UTC.
        born_timestamp: "bornTimestamp" = i64,
        /// The user's own flag.
        flag: "flag" = i32,
        /// The message's properties, encoded.
        properties: "properties" = Option<Pieces<'a>>,
        /// How often the message has been consumed in vain.
        reconsume_times: "reconsumeTimes" = Option<i32>,
        /// Unit mode.
        unit_mode: "unitMode" = Option<bool>,
        /// Whether the body is a batch.
        batch: "batch" = Option<bool>,
        /// How often it may be.
        max_reconsume_times: "maxReconsumeTimes" = Option<i32>,
        /// The name of the broker.
        broker_name: "bname" = Option<Cow<'a, str>>,
    }

    /// The answer to a send (`SendMessageResponseHeader`).
    SendMessageAnswer<'a> {
        /// The offset message id.
        msg_id: "msgId" = Cow<'a, str>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The message's offset in its queue.
        queue_offset: "queueOffset" = i64,
        /// The transaction's id.
        transaction_id: "transactionId" = Option<Cow<'a, str>>,
        /// The unique id of a batch that the broker stored as one.
        batch_uniq_id: "batchUniqId" = Option<Cow<'a, str>>,
    }
}
