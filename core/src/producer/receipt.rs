//! What a broker's answer to a send says.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::queue::MessageQueue;
use crate::wire::code::ResponseCode;
use crate::wire::message::{OffsetMessageId, UniqueId};

/// How safely a broker has a message. The broker has it in all four cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SendStatus {
    /// As safely as the broker is configured to.
    SendOk,
    /// The broker is to flush to disk before it answers, and did not do so in time.
    FlushDiskTimeout,
    /// A slave is to have the message before the broker answers, and did not get it in time.
    FlushSlaveTimeout,
    /// A slave is to have the message before the broker answers, and there is none.
    SlaveNotAvailable,
}

impl SendStatus {
    /// The status that a response code means; `None` when it is an error.
    pub(crate) const fn of(code: i32) -> Option<Self> {
        match ResponseCode(code) {
            ResponseCode::SUCCESS => Some(Self::SendOk),
            ResponseCode::FLUSH_DISK_TIMEOUT => Some(Self::FlushDiskTimeout),
            ResponseCode::FLUSH_SLAVE_TIMEOUT => Some(Self::FlushSlaveTimeout),
            ResponseCode::SLAVE_NOT_AVAILABLE => Some(Self::SlaveNotAvailable),
            _ => None,
        }
    }

    /// The status as the protocol names it, such as `SEND_OK`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendOk => "SEND_OK",
            Self::FlushDiskTimeout => "FLUSH_DISK_TIMEOUT",
            Self::FlushSlaveTimeout => "FLUSH_SLAVE_TIMEOUT",
            Self::SlaveNotAvailable => "SLAVE_NOT_AVAILABLE",
        }
    }
}

impl fmt::Display for SendStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// As the protocol names it.
impl Serialize for SendStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How a message is told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageId {
    /// By the id that we gave it, the same in all tries.
    Unique(UniqueId),
    /// By where the broker stored it, with servers that know no other id ([`Dialect::Smartgo`]): another one in each try.
    ///
    /// [`Dialect::Smartgo`]: crate::wire::dialect::Dialect::Smartgo
    Offset(OffsetMessageId),
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unique(id) => id.fmt(f),
            Self::Offset(id) => id.fmt(f),
        }
    }
}

/// As a text, as consumers and `mqadmin` show it.
impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn as_text<S: Serializer>(id: &Option<OffsetMessageId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

/// What became of a sent message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Receipt {
    /// How safely the broker has it.
    pub status: SendStatus,
    /// Its id, as consumers see it.
    pub message_id: MessageId,
    /// Where the broker stored it; `None` when the broker's answer names no such place.
    #[serde(serialize_with = "as_text")]
    pub offset_message_id: Option<OffsetMessageId>,
    /// The queue it is in.
    pub queue: MessageQueue,
    /// Its offset there.
    pub queue_offset: u64,
}
