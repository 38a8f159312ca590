//! What a group has committed, of a broker that says 0 where that is nothing: it is looked for in all that the broker keeps.

use std::sync::Arc;

use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::body::CommittedOffsets;
use crate::wire::code::ResponseCode;
use crate::wire::request::GetCommittedOffsets;

#[derive(Debug)]
pub(crate) struct AmongCommitted {
    pub(crate) group: Arc<str>,
}

impl Rule for AmongCommitted {
    type Gives = Option<u64>;

    const WORDS: &'static str = "committed offset of";

    fn write(&self, session: &mut Session, now: Now, _queue: &MessageQueue, exchange: &Exchange) -> bool {
        exchange.request(session, now, &GetCommittedOffsets {})
    }

    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<Option<u64>, Error> {
        if answered.code() != ResponseCode::SUCCESS {
            // Then it is what the broker has said first.
            return Ok(Some(0));
        }
        let offsets: CommittedOffsets = answered.body()?;
        let offset = offsets.get(&self.group, &answered.queue.topic, answered.queue.queue_id as i32);
        match offset.and_then(|offset| u64::try_from(offset).ok()) {
            Some(offset) => Ok(Some(offset)),
            None => answered.no_offset(session),
        }
    }
}
