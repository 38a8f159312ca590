//! The offset of the first message that a queue still has.

use crate::client::operations::exchange::{Answered, Exchange, broker_name, topic};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::request::GetMinOffset;

#[derive(Debug)]
pub(crate) struct MinOffset;

impl Rule for MinOffset {
    type Gives = Option<u64>;

    const WORDS: &'static str = "minimum offset of";

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let (queue_id, broker_name) = (queue.queue_id as i32, broker_name(queue));
        exchange.request(session, now, &GetMinOffset { topic: topic(queue), queue_id, broker_name })
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<Option<u64>, Error> {
        answered.offset()
    }
}
