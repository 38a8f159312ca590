//! Sending messages.

use std::borrow::Cow;

use super::headers;
use crate::wire::fields::{FieldError, FieldText, FieldValue, FieldWriter, Piece};
use crate::wire::message::HexId;
use crate::wire::odd::Odd;

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
        properties: "i" = Option<SentProperties<'a>>,
        /// How often the message has been consumed in vain.
        reconsume_times: "j" = Option<i32>,
        /// Unit mode.
        unit_mode: "k" = Option<bool>,
        /// How often it may be.
        max_reconsume_times: "l" in Apache = Option<i32>,
        /// Whether the body is a batch.
        batch: "m" in Apache = Option<bool>,
        /// The name of the broker.
        broker_name: "n" in Apache = Option<Cow<'a, str>>,
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
        properties: "properties" = Option<SentProperties<'a>>,
        /// How often the message has been consumed in vain.
        reconsume_times: "reconsumeTimes" = Option<i32>,
        /// Unit mode.
        unit_mode: "unitMode" = Option<bool>,
        /// Whether the body is a batch.
        batch: "batch" in Apache = Option<bool>,
        /// How often it may be.
        max_reconsume_times: "maxReconsumeTimes" in Apache = Option<i32>,
        /// The name of the broker.
        broker_name: "bname" in Apache = Option<Cow<'a, str>>,
    }

    /// The answer to a send (`SendMessageResponseHeader`).
    SendMessageAnswer<'a> {
        /// The offset message id.
        msg_id: "msgId" = FieldText<'a>,
        /// The queue.
        queue_id: "queueId" = i32,
        /// The message's offset in its queue.
        queue_offset: "queueOffset" = i64,
        /// The transaction's id.
        transaction_id: "transactionId" = Option<Cow<'a, str>>,
        /// The unique id of a batch that the broker stored as one.
        batch_uniq_id: "batchUniqId" in Apache = Option<Cow<'a, str>>,
    }
}

/// The properties of a message that is sent: the application's and those that a producer adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentProperties<'a> {
    /// The application's, encoded; all of them, when they were read.
    pub encoded: Cow<'a, str>,
    /// The message's unique id. With it goes `WAIT`, which has the broker answer only when the message is stored.
    pub unique_id: Option<HexId>,
}

impl<'a> From<&'a str> for SentProperties<'a> {
    fn from(encoded: &'a str) -> Self {
        Self { encoded: Cow::Borrowed(encoded), unique_id: None }
    }
}

impl<'a> FieldValue<'a> for SentProperties<'a> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        let Some(id) = self.unique_id.as_ref().filter(|_| writer.dialect().has_unique_ids()) else {
            return writer.text(name, &self.encoded);
        };
        let before_id =
            Piece::Constant { plain: "WAIT\u{1}true\u{2}UNIQ_KEY\u{1}", json: "WAIT\\u0001true\\u0002UNIQ_KEY\\u0001" };
        let end = Piece::Constant { plain: "\u{2}", json: "\\u0002" };
        writer.texts(name, [Piece::Text(&self.encoded), before_id, Piece::Plain(id.as_bytes()), end]);
    }

    fn write_absent(name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, "");
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>, odd: &Odd) -> Result<Self, FieldError> {
        Ok(Self { encoded: Cow::read(name, text, odd)?, unique_id: None })
    }
}
