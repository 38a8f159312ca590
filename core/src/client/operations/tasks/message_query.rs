//! Messages of a topic by a key, or by the id that a producer gave, at all brokers of the topic (`MQAdminImpl.queryMessage`).

use std::borrow::Cow;

use crate::admin::{FoundMessages, MessageQuery};
use crate::client::base::config::ClientConfig;
use crate::client::operations::tasks::targets::readers_of;
use crate::client::operations::tasks::{Needs, Rule, Target, Then, Write, success};
use crate::error::Error;
use crate::routes::route::TopicRoute;
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;
use crate::wire::dialect::Dialect;
use crate::wire::request::{QueryMessage, Request};

/// What a key is (`MessageConst.INDEX_KEY_TYPE`, `INDEX_UNIQUE_TYPE`); brokers before 5.4 do not ask.
const KEY: &str = "K";
const UNIQUE_KEY: &str = "U";

#[derive(Debug)]
pub(crate) struct FindMessages {
    query: MessageQuery,
    found: FoundMessages,
}

impl FindMessages {
    pub(crate) fn new(query: MessageQuery) -> Self {
        Self { found: FoundMessages::by(query.clone()), query }
    }
}

impl Rule for FindMessages {
    type Gives = FoundMessages;

    /// As Java's client: a broker reads its log from disk.
    const LEGS: u32 = 4;

    fn words(&self) -> String {
        self.found.words()
    }

    fn check(&self, config: &ClientConfig) -> Result<(), Error> {
        self.query.check().and_then(|()| config.check_queries())
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Route(&self.query.topic)
    }

    fn targets_on(&mut self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
        readers_of(&route.brokers)
    }

    fn write(&self, _dialect: Dialect, _target: &Target, write: &mut Write<'_>) {
        let on_the_wire = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        // A broker's index has whole seconds, rounded down: of a message that was stored after the beginning it may say that it was
        // before (`IndexFile.putKey`).
        let begin = self.query.stored.start().saturating_sub(999);
        let header = QueryMessage {
            topic: Cow::Borrowed(&self.query.topic),
            key: Cow::Borrowed(&self.query.key),
            max_num: self.query.max as i32,
            begin_timestamp: on_the_wire(begin),
            end_timestamp: on_the_wire(*self.query.stored.end()),
            index_type: Some(Cow::Borrowed(if self.query.is_unique_key { UNIQUE_KEY } else { KEY })),
            last_key: None,
            // Older clients say so by this field, which makes no difference to a broker but that it takes another number for `maxNum`.
            // ACL 1.0 leaves it out of what is signed (`PlainAccessValidator.parse`), and auth 2.0 does not
            // (`DefaultAuthenticationContextBuilder.build`).
            is_unique_key: None,
        };
        write(QueryMessage::CODE, &header);
    }

    fn take(&mut self, target: &Target, answer: &Command) -> Result<Then, Error> {
        if ResponseCode(answer.code) == ResponseCode::QUERY_NOT_FOUND {
            return Ok(Then::Done);
        }
        success(answer)?;
        let broker = target.broker_name().cloned().unwrap_or_default();
        self.found.add(broker, answer.body.clone()).map(|()| Then::Done)
    }

    fn give(&mut self) -> Result<FoundMessages, Error> {
        Ok(core::mem::replace(&mut self.found, FoundMessages::by(self.query.clone())))
    }
}
