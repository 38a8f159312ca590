//! Whether a broker takes an expression.

use std::sync::Arc;

use crate::client::operations::exchange::{Answered, Exchange, to_body};
use crate::client::operations::questions::Rule;
use crate::client::session::Session;
use crate::consumer::MessageSelector;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::Now;
use crate::wire::body::CheckClientConfig;
use crate::wire::request;

#[derive(Debug)]
pub(crate) struct CheckSubscription {
    pub(crate) group: Arc<str>,
    pub(crate) selector: MessageSelector,
}

impl Rule for CheckSubscription {
    type Gives = ();

    const WORDS: &'static str = "subscription at the broker of";

    fn write(&self, session: &mut Session, now: Now, queue: &MessageQueue, exchange: &Exchange) -> bool {
        let body = CheckClientConfig {
            client_id: session.config.identity.client_id(),
            group: self.group.to_string(),
            namespace: String::new(),
            subscription_data: self.selector.subscription(&queue.topic, now.unix_ms),
        };
        exchange.request_with(session, now, &request::CheckSubscription {}, &to_body(&body))
    }

    fn judge(&self, _session: &mut Session, answered: &Answered<'_>) -> Result<(), Error> {
        answered.success()
    }
}
