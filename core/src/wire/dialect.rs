//! What depends on the kind of server: names, magic numbers, enumerations. Everything else speaks one protocol.
//!
//! Smartgo's servers write Go's names: an extension field begins with a capital letter ([`FieldWriter`] writes it so, and
//! no reader minds), a text is never absent, and a field that they do not know is refused, so that those which came after
//! RocketMQ 3.2.6 are left out (marked `in Apache` in [`request`](super::request)).
//!
//! [`FieldWriter`]: super::fields::FieldWriter

use core::fmt;
use core::str::FromStr;

use super::code::RequestCode;
use super::command::Language;
use super::compression::{Compression, DEFAULT_ZLIB_LEVEL};
use super::java;

/// The kind of server a client speaks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Apache RocketMQ 4.x and 5.x.
    #[default]
    Apache,
    /// smartgo's stgregistry and stgbroker.
    Smartgo,
}

/// The topics that every broker of smartgo's has (`TopicConfigManager.init`), besides those called like the cluster and the broker.
const SMARTGO_TOPICS: [&str; 4] =
    [Dialect::Smartgo.default_topic(), "SELF_TEST_TOPIC", "BenchmarkTest", "OFFSET_MOVED_EVENT"];

/// A text that names no dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no dialect: there are apache and smartgo")]
pub struct UnknownDialect(String);

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, UnknownDialect> {
        match name {
            "apache" => Ok(Self::Apache),
            "smartgo" => Ok(Self::Smartgo),
            other => Err(UnknownDialect(other.to_owned())),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apache => "apache",
            Self::Smartgo => "smartgo",
        })
    }
}

impl Dialect {
    /// The magic code of a stored message with a one-byte topic length (`MessageDecoder.MESSAGE_MAGIC_CODE`).
    pub const fn magic_v1(self) -> u32 {
        match self {
            Self::Apache => 0xDAA3_20A7,
            Self::Smartgo => 0xDAA3_20B7,
        }
    }

    /// The magic code of a stored message with a two-byte topic length (`MessageDecoder.MESSAGE_MAGIC_CODE_V2`), where
    /// there is such a layout.
    pub const fn magic_v2(self) -> Option<u32> {
        match self {
            Self::Apache => Some(0xDAA3_20AB),
            Self::Smartgo => None,
        }
    }

    /// The topic whose route and settings an unknown topic inherits (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`).
    pub const fn default_topic(self) -> &'static str {
        match self {
            Self::Apache => "TBW102",
            Self::Smartgo => "MY_DEFAULT_TOPIC",
        }
    }

    /// What a stored message says of its body: all of its CRC-32, or what Java can hold in an `int`.
    pub fn body_crc(self, body: &[u8]) -> u32 {
        match self {
            Self::Apache => java::body_crc(body),
            Self::Smartgo => java::crc32(body),
        }
    }

    /// When a message was born, as its request says it: whole seconds in smartgo's.
    pub const fn born_timestamp(self, unix_ms: u64) -> i64 {
        match self {
            Self::Apache => unix_ms as i64,
            Self::Smartgo => (unix_ms - unix_ms % 1000) as i64,
        }
    }

    /// Whether `written` is how the field `name` is written.
    pub(crate) fn names(self, name: &str, written: &str) -> bool {
        match self {
            Self::Apache => written == name,
            Self::Smartgo => {
                let mut letters = written.chars();
                let is_capital = letters.next() == name.chars().next().map(|first| first.to_ascii_uppercase());
                is_capital && name.get(1..) == Some(letters.as_str())
            }
        }
    }

    /// Whether messages carry an id that their producer has given them; otherwise they are known by where they are stored.
    pub const fn has_unique_ids(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// Whether brokers find messages by their keys. Smartgo's look for as many as they read of their own answer, which is none.
    pub const fn finds_by_key(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// Whether a broker says 0 where a group has committed nothing, as long as the queue has its first message.
    pub const fn has_doubtful_zeros(self) -> bool {
        matches!(self, Self::Smartgo)
    }

    /// Whether a broker ends the waiting of a pull before it has put what has come where it looks for it.
    pub const fn wakes_too_soon(self) -> bool {
        matches!(self, Self::Smartgo)
    }

    /// What a pull asks for that wants `messages`: smartgo's brokers count one more than they give (`isTheBatchFull`).
    pub const fn messages_to_ask_for(self, messages: u32) -> u32 {
        match self {
            Self::Apache => messages,
            Self::Smartgo => messages.saturating_add(1),
        }
    }

    /// What is asked for to find the first message stored at a time or later, milliseconds since 1970 UTC. Smartgo's brokers name
    /// the message that was stored nearest to a time, or any of several that were stored just then: nearest to the moment
    /// before is the one that is wanted, or the last one before it, or one of those that were stored at that moment.
    pub const fn time_to_ask_for(self, unix_ms: u64) -> u64 {
        match self {
            Self::Apache => unix_ms,
            Self::Smartgo => unix_ms.saturating_sub(1),
        }
    }

    /// Whether brokers survive that several topics are created or deleted at the same time.
    pub const fn takes_topic_changes_at_once(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// Whether brokers lock the queues of orderly consumers. Those of smartgo's answer, and lock nothing for anybody.
    pub const fn grants_locks(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// Whether the first message to an unknown topic creates one that can be used. Smartgo's brokers create it without any
    /// permission.
    pub const fn creates_topics(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// The largest body unless a producer says otherwise, in bytes: what brokers take by default, and what smartgo's own client
    /// takes.
    pub const fn max_body_size(self) -> usize {
        match self {
            Self::Apache => 4 * 1024 * 1024,
            Self::Smartgo => 128 * 1024,
        }
    }

    /// The longest message that is surely stored, in bytes of its stored layout; `None` where a longer one does no harm. A broker
    /// of smartgo's refuses one of more than 512 KiB, and takes no message any more until it is started anew. What a
    /// failed message gets on its way back fits as well.
    pub const fn longest_stored(self) -> Option<usize> {
        match self {
            Self::Apache => None,
            Self::Smartgo => Some(512 * 1024 - 1024),
        }
    }

    /// Whether servers know requests of a code. Smartgo's do not answer any other.
    pub const fn knows(self, code: RequestCode) -> bool {
        use RequestCode as Code;
        match self {
            Self::Apache => true,
            Self::Smartgo => matches!(
                code,
                Code::SEND_MESSAGE
                    | Code::SEND_MESSAGE_V2
                    | Code::CONSUMER_SEND_MSG_BACK
                    | Code::PULL_MESSAGE
                    | Code::QUERY_MESSAGE
                    | Code::VIEW_MESSAGE_BY_ID
                    | Code::QUERY_CONSUMER_OFFSET
                    | Code::UPDATE_CONSUMER_OFFSET
                    | Code::GET_ALL_CONSUMER_OFFSET
                    | Code::UPDATE_AND_CREATE_TOPIC
                    | Code::DELETE_TOPIC_IN_BROKER
                    | Code::GET_ALL_TOPIC_CONFIG
                    | Code::SEARCH_OFFSET_BY_TIMESTAMP
                    | Code::GET_MAX_OFFSET
                    | Code::GET_MIN_OFFSET
                    | Code::GET_EARLIEST_MSG_STORETIME
                    | Code::HEART_BEAT
                    | Code::UNREGISTER_CLIENT
                    | Code::GET_CONSUMER_LIST_BY_GROUP
                    | Code::GET_BROKER_RUNTIME_INFO
                    | Code::LOCK_BATCH_MQ
                    | Code::UNLOCK_BATCH_MQ
                    | Code::GET_TOPIC_STATS_INFO
                    | Code::GET_CONSUME_STATS
                    | Code::GET_CONSUMER_CONNECTION_LIST
                    | Code::GET_PRODUCER_CONNECTION_LIST
                    | Code::INVOKE_BROKER_TO_RESET_OFFSET
                    | Code::PUT_KV_CONFIG
                    | Code::GET_KV_CONFIG
                    | Code::DELETE_KV_CONFIG
                    | Code::GET_KVLIST_BY_NAMESPACE
                    | Code::GET_ROUTEINFO_BY_TOPIC
                    | Code::GET_BROKER_CLUSTER_INFO
                    | Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER
                    | Code::DELETE_TOPIC_IN_NAMESRV
            ),
        }
    }

    /// Whether servers refuse to change topics that are their own.
    pub const fn guards_topics(self) -> bool {
        matches!(self, Self::Apache)
    }

    /// Whether a topic is the servers' own, so that nobody may create, change or delete it. Smartgo's brokers do what they are
    /// asked: with another permission, their default topic lets no topic be created any more.
    pub fn owns_topic(self, topic: &str) -> bool {
        matches!(self, Self::Smartgo) && SMARTGO_TOPICS.contains(&topic)
    }

    /// Whether name servers keep which project a host belongs to, and clients ask when they start.
    pub const fn has_projects(self) -> bool {
        matches!(self, Self::Smartgo)
    }

    /// How bodies are compressed unless a user says otherwise. Smartgo's own consumers cannot read what its producers
    /// compress.
    pub const fn compression(self) -> Option<Compression> {
        match self {
            Self::Apache => Some(Compression::Zlib { level: DEFAULT_ZLIB_LEVEL }),
            Self::Smartgo => None,
        }
    }

    /// The language that our commands name. Smartgo's servers let in who speaks theirs.
    pub const fn language(self) -> Language {
        match self {
            Self::Apache => Language::RUST,
            Self::Smartgo => Language::GOLANG,
        }
    }

    /// The protocol version that our commands name: an ordinal of `MQVersion`, which switches server behaviour.
    ///
    /// V5_4_0: from V4_9_4 on name servers send strict JSON, after V5_3_1 they may send GO_AWAY. V3_2_6 in smartgo's.
    pub const fn version(self) -> i32 {
        match self {
            Self::Apache => 493,
            Self::Smartgo => 79,
        }
    }
}
