//! The members of a group, as a broker of its topics knows them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::{Duration, Now};
use crate::wire::body::ConsumerList;
use crate::wire::request::GetConsumerList;

#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) group: Arc<str>,
}

impl Rule for Members {
    type Gives = ConsumerList;

    /// Where the answer makes a queue ours it must come while the last one counts, and others wait for the slowest.
    const MOST: Duration = Duration::from_secs(3);

    const WORDS: &'static str = "members of the group at the broker of";

    fn write(&self, session: &mut Session, now: Now, _queue: &MessageQueue, exchange: &Exchange) -> bool {
        exchange.request(session, now, &GetConsumerList { consumer_group: Cow::Borrowed(&self.group) })
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<ConsumerList, Error> {
        answered.body()
    }

    /// Who has not taken our heartbeat in would list the members without us.
    fn greeted_group(&self) -> Option<&str> {
        Some(&self.group)
    }
}
