//! The locks on queues of a broker, for an orderly consumer.

use std::sync::Arc;

use bytes::Bytes;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange, to_body};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::sorted::SortedSet;
use crate::time::Now;
use crate::wire::body::{LockedQueues, QueueLockRequest};
use crate::wire::request::LockQueues;

#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) group: Arc<str>,
    pub(crate) queues: Vec<MessageQueue>,
}

impl Rule for Lock {
    type Gives = SortedSet<MessageQueue>;

    const WORDS: &'static str = "locks at the broker of";

    /// Masters alone keep locks.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        session.brokers.find(&queue.broker_name)?.master()
    }

    fn write(&self, session: &mut Session, now: Now, _queue: &MessageQueue, exchange: &Exchange) -> bool {
        let body = request(session, &self.group, &self.queues);
        exchange.request_with(session, now, &LockQueues {}, &body)
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<SortedSet<MessageQueue>, Error> {
        let locked: LockedQueues = answered.body()?;
        let locked = locked.lock_ok_mq_set.into_iter().filter_map(MessageQueue::of_key);
        Ok(locked.filter(|queue| self.queues.contains(queue)).collect())
    }

    /// The consumer asks anew when the connection ends: a second try would be one that it does not know of.
    fn is_tried_once(&self) -> bool {
        true
    }
}

/// What asks for locks, and gives them back.
pub(super) fn request(session: &Session, group: &str, queues: &[MessageQueue]) -> Bytes {
    to_body(&QueueLockRequest {
        client_id: session.config.identity.client_id(),
        consumer_group: group.to_owned(),
        mq_set: queues.iter().map(MessageQueue::key).collect(),
        only_this_broker: false,
    })
}
