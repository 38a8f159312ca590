//! Messages from an offset on.

use std::sync::Arc;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::Rule;
use crate::client::presence::groups::Puller;
use crate::client::session::Session;
use crate::connection::Connection;
use crate::consumer::{MessageSelector, PullOptions, Pulled, pull};
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::time::Now;

#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) puller: Puller,
    pub(crate) group: Arc<str>,
    pub(crate) selector: MessageSelector,
    pub(crate) offset: u64,
    pub(crate) options: PullOptions,
}

impl Rule for Pull {
    type Gives = Pulled;

    const WORDS: &'static str = "pull from";

    /// The member that the broker suggested, unless that is away.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        let broker = session.brokers.find(&queue.broker_name)?;
        let member = broker.readable(session.groups.suggested(self.puller, queue));
        let is_away = |address: &&Address| session.network.find(address).is_some_and(Connection::is_paused);
        member.filter(|address| !is_away(address)).or_else(|| broker.readable(MASTER_ID))
    }

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let header = pull::request(&self.group, queue, &self.selector, self.offset, &self.options);
        exchange.request(session, now, &header)
    }

    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<Pulled, Error> {
        let pulled = pull::judge(answered.queue, &self.selector, answered.command)?;
        session.groups.note_suggestion(self.puller, answered.queue, pulled.suggested_broker_id);
        Ok(pulled)
    }

    /// A slave that was suggested may be too busy to say anything else: the master decides anew.
    fn failed(&self, session: &mut Session, queue: &MessageQueue) {
        session.groups.note_suggestion(self.puller, queue, MASTER_ID);
    }

    fn is_pull(&self) -> bool {
        true
    }
}
