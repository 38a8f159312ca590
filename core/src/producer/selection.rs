//! What the application is asked about a message, and what is given back to it at the end.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Message, QueueChoice, QueueSelector};
use crate::connection::Outbox;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;

/// Which queue does a message go to? See [`Client::chosen`](crate::client::Client::chosen).
#[derive(Clone)]
pub struct Choice {
    /// Who is to be asked.
    pub selector: Arc<dyn QueueSelector>,
    /// The topic's writable queues, at least one, sorted by broker name and number.
    pub queues: Vec<MessageQueue>,
    /// The message.
    pub message: Message,
}

impl Choice {
    /// Asks the selector: code of the application.
    ///
    /// # Errors
    /// It chose a queue that is not there.
    pub fn ask(&self) -> Result<MessageQueue, Error> {
        let index = self.selector.select(&self.queues, &self.message);
        self.queues.get(index).cloned().ok_or_else(|| {
            let why = format!("the selector chose queue {index} of {}", self.queues.len());
            Error::new(ErrorKind::InvalidArgument, why)
        })
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").field("queues", &self.queues).field("message", &self.message).finish_non_exhaustive()
    }
}

/// What the application gave and is done with: its code may run when it is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Spent {
    /// The body of a send that is over.
    Body(Bytes),
    /// A selector that was never asked.
    Selector(QueueChoice),
    /// Bodies that were never written to a connection.
    Unwritten(Outbox),
}
