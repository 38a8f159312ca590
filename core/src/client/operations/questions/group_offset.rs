//! What a group has committed of a queue; nothing only if its broker's master says so.

use std::borrow::Cow;
use std::sync::Arc;

use crate::client::operations::exchange::{Answered, Exchange, broker_name, topic};
use crate::client::operations::questions::{AmongCommitted, Pace, Question, Rule};
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::request::{OffsetAnswer, QueryConsumerOffset};

#[derive(Debug)]
pub(crate) struct GroupOffset {
    pub(crate) group: Arc<str>,
}

impl Rule for GroupOffset {
    type Gives = Option<u64>;

    const WORDS: &'static str = "committed offset of";

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let header = QueryConsumerOffset {
            consumer_group: Cow::Borrowed(&self.group),
            topic: topic(queue),
            queue_id: queue.queue_id as i32,
            set_zero_if_not_found: Some(false),
            broker_name: broker_name(queue),
        };
        exchange.request(session, now, &header)
    }

    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<Option<u64>, Error> {
        match answered.code() {
            ResponseCode::QUERY_NOT_FOUND => answered.no_offset(session),
            _ => answered.offset(),
        }
    }

    /// Nothing is consumed before it is known.
    fn rides_out(&self) -> bool {
        true
    }

    /// Some brokers say 0 where a group has committed nothing: then all that they keep is looked through.
    fn again(&self, session: &Session, _now: Now, answer: &Command) -> Option<(Question, Pace)> {
        let is_zero = || answer.header::<OffsetAnswer>().is_ok_and(|answer| answer.offset == 0);
        let is_doubtful = session.config.dialect().has_doubtful_zeros() && answer.code == ResponseCode::SUCCESS.0;
        let among_all = || (AmongCommitted { group: self.group.clone() }.into(), Pace::AtOnce);
        (is_doubtful && is_zero()).then(among_all)
    }
}
