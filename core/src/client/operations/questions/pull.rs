//! Messages from an offset on.

use std::sync::Arc;

use crate::address::Address;
use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::{Pace, Question, Rule};
use crate::client::presence::groups::Puller;
use crate::client::session::Session;
use crate::connection::Connection;
use crate::consumer::{MessageSelector, PullOptions, Pulled, pull};
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) puller: Puller,
    pub(crate) group: Arc<str>,
    pub(crate) selector: MessageSelector,
    pub(crate) offset: u64,
    pub(crate) options: PullOptions,
    /// When the broker need not wait for messages any more.
    pub(crate) until: Instant,
    /// When it was asked once more, because it had ended the waiting too soon.
    again_at: Option<Instant>,
}

impl Pull {
    pub(crate) fn new(
        now: Instant,
        (puller, group): (Puller, Arc<str>),
        selector: MessageSelector,
        offset: u64,
        options: PullOptions,
    ) -> Self {
        let until = now + options.wait;
        Self { puller, group, selector, offset, options, until, again_at: None }
    }

    /// By when the answer has to be there.
    pub(crate) fn deadline(&self) -> Instant {
        self.until + self.options.timeout
    }

    /// The same for the rest of the time.
    fn rest(&self, now: Instant) -> Self {
        let options = PullOptions { wait: self.until.since(now), ..self.options.clone() };
        let (group, selector) = (self.group.clone(), self.selector.clone());
        Self {
            puller: self.puller,
            group,
            selector,
            offset: self.offset,
            options,
            until: self.until,
            again_at: Some(now),
        }
    }
}

/// A broker that has nothing once more, so soon after it was asked again, does not let anybody wait.
const TOO_SOON: Duration = Duration::from_millis(100);

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
        let header =
            pull::request(&self.group, queue, &self.selector, self.offset, &self.options, session.config.dialect());
        exchange.request(session, now, &header)
    }

    fn judge(&self, session: &mut Session, answered: &Answered<'_>) -> Result<Pulled, Error> {
        let pulled = pull::judge(answered.queue, &self.selector, answered.command)?;
        session.groups.note_suggestion(self.puller, answered.queue, pulled.suggested_broker_id);
        Ok(pulled)
    }

    /// What has ended the waiting comes with the next pull.
    fn again(&self, session: &Session, now: Now, answer: &Command) -> Option<(Question, Pace)> {
        let has_nothing = ResponseCode(answer.code) == ResponseCode::PULL_NOT_FOUND;
        let is_over = self.until <= now.mono;
        if !has_nothing || is_over || !session.config.dialect().wakes_too_soon() {
            return None;
        }
        let is_soon = self.again_at.is_some_and(|at| now.mono.since(at) < TOO_SOON);
        Some((self.rest(now.mono).into(), if is_soon { Pace::Later } else { Pace::AtOnce }))
    }

    /// A slave that was suggested may be too busy to say anything else: the master decides anew.
    fn failed(&self, session: &mut Session, queue: &MessageQueue) {
        session.groups.note_suggestion(self.puller, queue, MASTER_ID);
    }

    fn is_pull(&self) -> bool {
        true
    }
}
