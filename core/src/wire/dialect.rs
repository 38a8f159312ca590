//! What depends on the kind of server: names, magic numbers, enumerations. Everything else speaks one protocol.

use super::command::Language;

/// The kind of server a client speaks to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Apache RocketMQ 4.x and 5.x.
    #[default]
    Apache,
}

impl Dialect {
    /// The magic code of a stored message with a one-byte topic length (`MessageDecoder.MESSAGE_MAGIC_CODE`).
    pub const fn magic_v1(self) -> u32 {
        match self {
            Self::Apache => 0xDAA3_20A7,
        }
    }

    /// The magic code of a stored message with a two-byte topic length (`MessageDecoder.MESSAGE_MAGIC_CODE_V2`).
    pub const fn magic_v2(self) -> u32 {
        match self {
            Self::Apache => 0xDAA3_20AB,
        }
    }

    /// The topic whose route and settings an unknown topic inherits (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`).
    pub const fn default_topic(self) -> &'static str {
        match self {
            Self::Apache => "TBW102",
        }
    }

    /// The language that our commands name.
    pub const fn language(self) -> Language {
        match self {
            Self::Apache => Language::RUST,
        }
    }

    /// The protocol version that our commands name: an ordinal of `MQVersion`, which switches server behaviour.
    ///
    /// V5_4_0: from V4_9_4 on name servers send strict JSON, after V5_3_1 they may send GO_AWAY.
    pub const fn version(self) -> i32 {
        match self {
            Self::Apache => 493,
        }
    }
}
