//! Finding messages by their ids and keys.

use std::borrow::Cow;

use super::headers;

headers! {
    /// VIEW_MESSAGE_BY_ID (`ViewMessageRequestHeader`); the answer's body is one stored message.
    ViewMessage<'a> = VIEW_MESSAGE_BY_ID {
        /// The topic, which brokers do not look at.
        topic: "topic" in Apache = Option<Cow<'a, str>>,
        /// The physical offset, as an offset message id names it.
        offset: "offset" = i64,
    }

    /// QUERY_MESSAGE (`QueryMessageRequestHeader`); the answer's body is stored messages.
    QueryMessage<'a> = QUERY_MESSAGE {
        /// The topic.
        topic: "topic" = Cow<'a, str>,
        /// One of the message's keys, or its unique id.
        key: "key" = Cow<'a, str>,
        /// How many messages at the most.
        max_num: "maxNum" = i32,
        /// Stored from this time on, milliseconds since 1970 UTC.
        begin_timestamp: "beginTimestamp" = i64,
        /// Stored until this time, milliseconds since 1970 UTC.
        end_timestamp: "endTimestamp" = i64,
        /// What `key` is: `K` for a key, `U` for a unique id, `T` for a tag.
        index_type: "indexType" in Apache = Option<Cow<'a, str>>,
        /// Where the page before has ended, on brokers that keep their index in RocksDB.
        last_key: "lastKey" in Apache = Option<Cow<'a, str>>,
        /// Whether `key` is a unique id, which older clients say so.
        is_unique_key: "_UNIQUE_KEY_QUERY" in Apache = Option<bool>,
    }

    /// The answer to [`QueryMessage`] (`QueryMessageResponseHeader`).
    QueryMessageAnswer {
        /// When the last message was indexed, milliseconds since 1970 UTC.
        index_last_update_timestamp: "indexLastUpdateTimestamp" = i64,
        /// Where that message lies.
        index_last_update_phyoffset: "indexLastUpdatePhyoffset" = i64,
    }
}
