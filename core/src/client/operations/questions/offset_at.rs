//! The first offset of a queue that was stored at a time or later.

use crate::client::operations::exchange::{Answered, Exchange, broker_name, on_the_wire, topic};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::request::SearchOffset;

#[derive(Debug)]
pub(crate) struct OffsetAt {
    /// Milliseconds since 1970 UTC.
    pub(crate) unix_ms: u64,
}

impl Rule for OffsetAt {
    type Gives = Option<u64>;

    const WORDS: &'static str = "offset by timestamp of";

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let header = SearchOffset {
            topic: topic(queue),
            queue_id: queue.queue_id as i32,
            timestamp: on_the_wire(session.config.dialect().time_to_ask_for(self.unix_ms)),
            boundary_type: None,
            broker_name: broker_name(queue),
        };
        exchange.request(session, now, &header)
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<Option<u64>, Error> {
        answered.offset()
    }
}
