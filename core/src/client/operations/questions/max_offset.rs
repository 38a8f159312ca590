//! The offset of the next message of a queue.

use crate::client::operations::exchange::{Answered, Exchange, broker_name, topic};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::request::GetMaxOffset;

#[derive(Debug)]
pub(crate) struct MaxOffset;

impl Rule for MaxOffset {
    type Gives = Option<u64>;

    const WORDS: &'static str = "maximum offset of";

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let (queue_id, broker_name) = (queue.queue_id as i32, broker_name(queue));
        exchange.request(session, now, &GetMaxOffset { topic: topic(queue), queue_id, broker_name })
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<Option<u64>, Error> {
        answered.offset()
    }

    /// Where a group with `LastOffset` begins hangs on it (`beginning.rs`).
    fn rides_out(&self) -> bool {
        true
    }
}
