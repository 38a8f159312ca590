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
#[derive(Debug, Default)]
pub struct Spent {
    /// The bodies of sends that are over.
    pub bodies: Vec<Bytes>,
    /// What is seldom, boxed because of that.
    #[allow(clippy::box_collection)]
    pub others: Option<Box<Vec<SpentOther>>>,
}

/// What seldom ends without having been used.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpentOther {
    /// A selector that was never asked.
    Selector(QueueChoice),
    /// Bodies that were never written to a connection.
    Unwritten(Outbox),
}

impl Spent {
    pub(crate) fn add(&mut self, other: SpentOther) {
        self.others.get_or_insert_default().push(other);
    }

    /// Moves all to the end of `to`.
    pub(crate) fn append_to(&mut self, to: &mut Self) {
        to.bodies.append(&mut self.bodies);
        if let Some(others) = self.others.take() {
            to.others.get_or_insert_default().extend(*others);
        }
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.bodies.is_empty() && self.others.is_none()
    }

    /// Gives all, one by one, to `discard`: of two that panic as they are dropped together the second would end the process.
    pub fn drain(&mut self, mut discard: impl FnMut(&mut dyn FnMut())) {
        for body in self.bodies.drain(..) {
            one(body, &mut discard);
        }
        for other in self.others.take().into_iter().flat_map(|others| *others) {
            match other {
                SpentOther::Unwritten(mut outbox) => {
                    outbox.give_up();
                    while let Some(body) = outbox.take_written() {
                        one(body, &mut discard);
                    }
                }
                SpentOther::Selector(choice) => one(choice, &mut discard),
            }
        }
    }
}

/// Has `discard` drop something.
fn one<T>(thing: T, discard: &mut impl FnMut(&mut dyn FnMut())) {
    let mut thing = Some(thing);
    discard(&mut || drop(thing.take()));
}
