//! What a client gives its host and its application.

use crate::address::Address;
use crate::client::base::client_event::ClientEvent;
use crate::client::base::ids::BrokerQuestion;
use crate::client::base::ids::{ConnectionId, OperationId, PushConsumerId};
use crate::client::base::value::Outcome;
use crate::consumer::push::PushEvent;
use crate::error::Error;
use crate::producer::{Choice, Message};
use crate::queue::MessageQueue;
use crate::wire::message::StoredMessage;

/// What the host has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Open a connection and report it by [`Client::handle_connected`](crate::client::Client::handle_connected) or
    /// [`Client::handle_closed`](crate::client::Client::handle_closed).
    Connect {
        /// What to call it.
        connection: ConnectionId,
        /// Where to.
        address: Address,
    },
    /// Close a connection, or stop opening it. No report is expected.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Write what [`Client::take_outbox`](crate::client::Client::take_outbox) gives.
    Flush {
        /// To where.
        connection: ConnectionId,
    },
}

/// What the application has to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
// Nearly every event is the large one, and boxing it would cost an allocation for each send.
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// An operation is over.
    Completed {
        /// Which.
        operation: OperationId,
        /// How it went.
        outcome: Outcome,
    },
    /// Something of a push consumer.
    Consumer {
        /// Which.
        consumer: PushConsumerId,
        /// What.
        event: PushEvent,
    },
    /// A broker wants a message consumed at once, beside all others, and waits for
    /// [`Client::consumed_directly`](crate::client::Client::consumed_directly).
    ConsumeDirectly {
        /// By which consumer.
        consumer: PushConsumerId,
        /// To answer with.
        question: BrokerQuestion,
        /// The queue it lies in.
        queue: MessageQueue,
        /// The message.
        message: Box<StoredMessage>,
    },
    /// A selector of the application has to choose the queue of a send; [`Client::chosen`](crate::client::Client::chosen) says
    /// which.
    Choose {
        /// The send.
        operation: OperationId,
        /// Among which queues.
        choice: Box<Choice>,
    },
    /// Something happened that the application may follow.
    Client(ClientEvent),
    /// A send that was refused as [`Full`](crate::error::ErrorKind::Full) may succeed now.
    Room,
    /// The client is closed; nothing of it is left.
    Closed,
}

/// A message that was not taken, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct SendError {
    /// Why.
    pub error: Error,
    /// The message, as it was given.
    pub message: Message,
}
