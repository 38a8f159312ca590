//! Locks go back.

use std::sync::Arc;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::{Rule, lock};
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::request::UnlockQueues;

#[derive(Debug)]
pub(crate) struct Unlock {
    pub(crate) group: Arc<str>,
    pub(crate) queues: Vec<MessageQueue>,
}

impl Rule for Unlock {
    type Gives = ();

    const WORDS: &'static str = "giving locks back to the broker of";

    /// Masters alone keep locks.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        session.brokers.find(&queue.broker_name)?.master()
    }

    fn write(&self, session: &mut Session, now: Now, _queue: &MessageQueue, exchange: &Exchange) -> bool {
        let body = lock::request(session, &self.group, &self.queues);
        exchange.request_with(session, now, &UnlockQueues {}, &body)
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<(), Error> {
        answered.success()
    }
}
