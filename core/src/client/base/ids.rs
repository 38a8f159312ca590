//! What things are called: operations, groups, peers, connections, and who asked for something.

use crate::routes::topics::TopicId;
use crate::table::Id;
use crate::wire::command::{Command, HeaderCodec};

/// The kinds of things that ids are of: an id names one without knowing it.
macro_rules! kinds {
    ($($visible:vis $kind:ident)*) => {
        $(
            #[derive(Debug)]
            #[doc(hidden)]
            $visible enum $kind {}
        )*
    };
}

kinds! {
    pub OperationKind
    pub ProducerKind
    pub PullConsumerKind
    pub PushConsumerKind
    pub(crate) CallKind
    pub(crate) PeerKind
}

/// An operation under way.
pub type OperationId = Id<OperationKind>;
/// A producer of a client.
pub type ProducerId = Id<ProducerKind>;
/// A pull consumer of a client.
pub type PullConsumerId = Id<PullConsumerKind>;
/// A push consumer of a client.
pub type PushConsumerId = Id<PushConsumerKind>;
/// A look-up at the name servers.
pub(crate) type CallId = Id<CallKind>;
/// A peer, whether it is connected or not.
pub(crate) type PeerId = Id<PeerKind>;

/// Who asked for something on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// An operation, and which of its tries or requests.
    Operation(OperationId, u32),
    /// A look-up at the name servers, and the how manyth of them.
    NameServerCall(CallId, u32),
    /// The heartbeat to this peer, which tells it of our groups as they were at this version.
    Heartbeat(PeerId, u32),
    /// This peer, which has been told that a group leaves.
    Farewell(PeerId),
    /// An unknown topic that is created for its first message, and which of its brokers.
    Creation(TopicId, u32),
}

/// A connection: a peer, and which try to connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId {
    pub(crate) peer: PeerId,
    pub(crate) attempt: u32,
}

impl ConnectionId {
    /// A small dense number; all tries to connect to one peer share it.
    pub const fn slot(self) -> usize {
        self.peer.slot()
    }
}

/// A broker's question that is answered later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerQuestion {
    pub(crate) connection: ConnectionId,
    pub(crate) opaque: i32,
    pub(crate) codec: HeaderCodec,
}

impl BrokerQuestion {
    pub(crate) const fn new(connection: ConnectionId, request: &Command) -> Self {
        Self { connection, opaque: request.opaque, codec: request.codec }
    }
}
