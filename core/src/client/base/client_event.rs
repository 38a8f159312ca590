//! What an application may follow of its client, and how the client's connections are.

use std::sync::Arc;

use crate::address::Address;
use crate::error::Error;
use crate::notice::Notice;

/// What happened to a client.
///
/// ```
/// use stgclient_core::client::ClientEvent;
///
/// let lost = ClientEvent::Disconnected { address: "127.0.0.1:10911".parse()?, reason: "the peer hung up".into() };
/// assert_eq!(lost.to_string(), "disconnected from 127.0.0.1:10911: the peer hung up");
/// # Ok::<(), stgclient_core::address::AddressError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A connection stands: one of a name server or of a broker.
    Connected {
        /// Of whom.
        address: Address,
    },
    /// A connection that stood has ended. It is made again when somebody needs it.
    Disconnected {
        /// Of whom.
        address: Address,
        /// Why, in words.
        reason: String,
    },
    /// A connection could not be made. Whoever needs it tries again after a pause of 100 ms to 30 s.
    Unreachable {
        /// Of whom.
        address: Address,
        /// Why.
        error: Error,
    },
    /// A name server that had answered does not any more: others are asked first for 30 s.
    NameServerLost {
        /// Which.
        address: Address,
        /// What it did.
        error: Error,
    },
    /// The queues or brokers of a topic in use are others than they were, or the topic is gone.
    RouteChanged {
        /// Which.
        topic: Arc<str>,
    },
    /// Something is not as it should be, and worth a look. Each is told once, however often it is in the log.
    Warned(Notice),
    /// Who follows was too slow: so many happened since the last that was told, and are not.
    Missed(u64),
}

impl core::fmt::Display for ClientEvent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Connected { address } => write!(f, "connected to {address}"),
            Self::Disconnected { address, reason } => write!(f, "disconnected from {address}: {reason}"),
            Self::Unreachable { address, error } => write!(f, "{address} cannot be reached: {error}"),
            Self::NameServerLost { address, error } => write!(f, "the name server {address} does not answer: {error}"),
            Self::RouteChanged { topic } => write!(f, "the route of {topic} has changed"),
            Self::Warned(notice) => write!(f, "{notice}"),
            Self::Missed(count) => write!(f, "{count} more happened than could be told"),
        }
    }
}

/// How a client's connections are.
///
/// A connection is made when something needs it, and then again after it broke: a server counts as reached or not by what
/// came of the last time, and not at all if nothing has been asked of it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientState {
    /// At least one server is connected, and none that was wanted could not be reached the last time.
    Connected,
    /// At least one server is connected, and one or more could not be reached, or have ended their connection, the last time.
    Degraded,
    /// No server is connected.
    Disconnected,
    /// It is closing.
    Closing,
    /// It is closed; nothing of it is left.
    Closed,
}
