//! What can be wrong with a message's bytes, said so that a log line is enough to understand it.

use core::fmt;

use thiserror::Error;

/// One message of a body cannot be read. The messages beside it are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the message at byte {at}{}: {fault}", OfQueueOffset(.queue_offset))]
pub struct MessageError {
    /// Where the message begins in the body it came in, in bytes.
    pub at: usize,
    /// Its queue offset, when it is long enough to have one.
    pub queue_offset: Option<i64>,
    /// What is wrong.
    pub fault: MessageFault,
}

struct OfQueueOffset<'a>(&'a Option<i64>);

impl fmt::Display for OfQueueOffset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(f, ", queue offset {offset}"))
    }
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageFault {
    /// The total length is impossible, or the message is cut.
    #[error("it says to be {total} bytes long, where {smallest} to {left} are possible")]
    Total {
        /// What it says, in bytes.
        total: u32,
        /// The length of the shortest message, in bytes.
        smallest: usize,
        /// How many bytes there are.
        left: usize,
    },
    /// The message ends before one of its parts does.
    #[error("{part} needs {needed} bytes, {left} are left")]
    Cut {
        /// The part.
        part: Part,
        /// Its length in bytes.
        needed: usize,
        /// How many bytes there are.
        left: usize,
    },
    /// The parts are shorter than the total length.
    #[error("{left} bytes follow its last part")]
    Surplus {
        /// How many bytes too many there are.
        left: usize,
    },
    /// The layout is none that the dialect knows.
    #[error("an unknown magic code {magic:#010x}")]
    Magic {
        /// The code.
        magic: u32,
    },
    /// An inner batch has more messages than may be.
    #[error("its inner batch has more than {most} messages")]
    Crowd {
        /// How many may be.
        most: usize,
    },
    /// A length is negative.
    #[error("{part} has the length {length}")]
    Length {
        /// The part.
        part: Part,
        /// What it says.
        length: i32,
    },
    /// A port is none.
    #[error("{part} has the port {port}")]
    Port {
        /// The part.
        part: Part,
        /// What it says.
        port: u32,
    },
    /// A text is not UTF-8. (Java replaces the wrong bytes; a topic or a key that was never sent helps nobody.)
    #[error("{part} is no UTF-8 after {valid} bytes")]
    Text {
        /// The part.
        part: Part,
        /// How many of its bytes are UTF-8.
        valid: usize,
    },
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The length of the whole message.
    Total,
    /// The numbers at its beginning and between its hosts.
    Numbers,
    /// The address of its producer.
    BornHost,
    /// The address of its broker.
    StoreHost,
    /// The body.
    Body,
    /// The topic.
    Topic,
    /// The properties.
    Properties,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "its length",
            Self::Numbers => "its numbers",
            Self::BornHost => "its producer's address",
            Self::StoreHost => "its broker's address",
            Self::Body => "its body",
            Self::Topic => "its topic",
            Self::Properties => "its properties",
        })
    }
}

/// A message does not fit the layout.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("of a message to be written, {part} takes {length} bytes, more than {limit}")]
pub struct EncodeError {
    /// The part that is too long.
    pub part: Part,
    /// Its length in bytes.
    pub length: usize,
    /// What fits, in bytes.
    pub limit: usize,
}
