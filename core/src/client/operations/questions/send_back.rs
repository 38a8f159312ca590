//! A message that failed: the broker brings it again later.

use std::borrow::Cow;
use std::sync::Arc;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange, broker_name, topic};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::consumer::push::wish::SendingBack;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::request;

#[derive(Debug)]
pub(crate) struct SendBack {
    pub(crate) group: Arc<str>,
    pub(crate) message: SendingBack,
}

impl Rule for SendBack {
    type Gives = ();

    const WORDS: &'static str = "sending back a message of";

    /// Masters alone store messages.
    fn address<'s>(&self, session: &'s Session, queue: &MessageQueue) -> Option<&'s Address> {
        session.brokers.find(&queue.broker_name)?.master()
    }

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let message = &self.message;
        let header = request::SendBack {
            offset: message.physical_offset,
            group: Cow::Borrowed(&self.group),
            delay_level: message.delay_level,
            origin_msg_id: Some(Cow::Borrowed(&message.message_id)),
            origin_topic: Some(topic(queue)),
            unit_mode: Some(false),
            max_reconsume_times: Some(message.max_reconsume_times),
            broker_name: broker_name(queue),
        };
        exchange.request(session, now, &header)
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<(), Error> {
        answered.success()
    }

    fn young_group(&self) -> Option<&str> {
        Some(&self.group)
    }
}
