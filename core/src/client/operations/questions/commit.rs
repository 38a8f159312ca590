//! What a group has finished of a queue.

use std::borrow::Cow;
use std::sync::Arc;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange, broker_name, on_the_wire, topic};
use crate::client::operations::questions::Rule;
use crate::client::presence::first_commits::OffsetTable;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::time::Now;
use crate::wire::request::UpdateConsumerOffset;

#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) group: Arc<str>,
    pub(crate) offset: u64,
    /// Nothing is committed without the queue's lock.
    pub(crate) needs_lock: bool,
}

impl Rule for Commit {
    type Gives = ();

    const WORDS: &'static str = "commit offset of";

    /// To the master: whoever else reads it there would get it again. Slaves keep offsets too, which their master takes over
    /// (`RemoteBrokerOffsetStore.updateConsumeOffsetToBroker`), but grant no locks.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        let broker = session.brokers.find(&queue.broker_name)?;
        let slave = || broker.readable(MASTER_ID).filter(|_| !self.needs_lock);
        broker.master().or_else(slave)
    }

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let header = UpdateConsumerOffset {
            consumer_group: Cow::Borrowed(&self.group),
            topic: topic(queue),
            queue_id: queue.queue_id as i32,
            commit_offset: on_the_wire(self.offset),
            broker_name: broker_name(queue),
        };
        exchange.request(session, now, &header)
    }

    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<(), Error> {
        answered.success()?;
        session.note_committed(OffsetTable::of(&self.group, answered.queue));
        Ok(())
    }

    fn needs_lock(&self) -> bool {
        self.needs_lock
    }

    /// Later it might have no lock any more.
    fn rides_out(&self) -> bool {
        !self.needs_lock
    }

    fn commits_to(&self, queue: &MessageQueue) -> Option<OffsetTable> {
        Some(OffsetTable::of(&self.group, queue))
    }

    fn young_group(&self) -> Option<&str> {
        Some(&self.group)
    }
}
