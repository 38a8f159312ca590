//! Waiting until all that a producer has been asked to send is over.

use crate::client::base::ids::{OperationId, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::base::value::{Outcome, Value};
use crate::client::session::Session;

/// Waits for the sends of a producer that were asked for before it.
#[derive(Debug)]
pub(crate) struct Flush {
    producer: ProducerId,
}

impl Flush {
    pub(crate) const fn new(producer: ProducerId) -> Self {
        Self { producer }
    }

    pub(crate) const fn producer(&self) -> ProducerId {
        self.producer
    }

    pub(crate) fn resume(&self, session: &mut Session, id: OperationId, signal: &Signal<'_>) -> Option<Outcome> {
        let is_over = match signal {
            Signal::Start => !session.groups.await_sends(self.producer, id),
            // The last of them is over.
            Signal::Ready => true,
            _ => false,
        };
        is_over.then_some(Ok(Value::Done))
    }
}
