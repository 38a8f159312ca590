//! Who is connected to which server.

use std::fmt;
use std::net::SocketAddr;

use crate::table::Key;

/// A server of a cluster, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerId {
    /// A name server.
    NameServer(usize),
    /// A broker.
    Broker(usize),
}

/// One connection to a server of a cluster. Never means another connection later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(pub(super) Key);

impl Peer {
    /// A small dense number, for what a host keeps of its own beside a connection. Used again after it has closed.
    pub const fn slot(self) -> usize {
        self.0.slot()
    }
}

/// What a cluster knows of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    /// Which server it leads to.
    pub(super) server: ServerId,
    /// The client's end.
    pub(super) address: SocketAddr,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such server.
    Unknown,
    /// The server is stopped.
    Stopped,
    /// The cluster has as many connections as it takes.
    Full,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such server",
            Self::Stopped => "the server is stopped",
            Self::Full => "the cluster has as many connections as it takes",
        })
    }
}

impl std::error::Error for Refused {}
