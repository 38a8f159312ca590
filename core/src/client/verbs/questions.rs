//! Questions about queues: pulls and offsets.

use crate::client::base::ids::PullConsumerId;
use crate::client::base::value::Pending;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::questions::{
    CheckSubscription, Commit, GroupOffset, MaxOffset, MinOffset, OffsetAt, Pull, Rule,
};
use crate::client::operations::queue_request::QueueRequest;
use crate::client::presence::groups::Puller;
use crate::consumer::{MessageSelector, PullOptions, Pulled};
use crate::error::{Error, ErrorKind};
use crate::producer::check_group;
use crate::queue::MessageQueue;
use crate::time::{Instant, Now};
use crate::wire::code::RequestCode;
use crate::wire::request::{self, Request};

const CHECK_SUBSCRIPTION: RequestCode = request::CheckSubscription::CODE;

impl Client {
    /// Pulls from a queue.
    pub fn pull(
        &mut self,
        now: Now,
        consumer: PullConsumerId,
        queue: MessageQueue,
        expression: MessageSelector,
        offset: u64,
        options: PullOptions,
    ) -> Pending<Pulled> {
        let checked = options.check().and_then(|()| self.session.config.check_selector(&expression));
        let group = self.session.groups.pull_consumer(consumer).map(|consumer| consumer.group.clone());
        match (group, checked) {
            (Some(group), Ok(())) => {
                let puller = (Puller::Pull(consumer), group);
                let pull = Pull::new(now.mono, puller, expression, offset, options);
                let deadline = pull.deadline();
                self.ask_about(now, queue, pull, deadline)
            }
            (_, Err(error)) => self.refuse(now, error),
            (None, _) => self.refuse(now, Error::new(ErrorKind::Closed, "the consumer")),
        }
    }

    /// The first offset that a queue has.
    pub fn min_offset(&mut self, now: Now, queue: MessageQueue) -> Pending<Option<u64>> {
        self.ask_about(now, queue, MinOffset, now.mono + self.session.config.request_timeout)
    }

    /// One past the last offset that a queue has.
    pub fn max_offset(&mut self, now: Now, queue: MessageQueue) -> Pending<Option<u64>> {
        self.ask_about(now, queue, MaxOffset, now.mono + self.session.config.request_timeout)
    }

    /// The offset of the first message stored at `unix_ms` or later.
    pub fn offset_at(&mut self, now: Now, queue: MessageQueue, unix_ms: u64) -> Pending<Option<u64>> {
        self.ask_about(now, queue, OffsetAt { unix_ms }, now.mono + self.session.config.request_timeout)
    }

    /// A group's committed offset; `None` when it has none.
    pub fn group_offset(&mut self, now: Now, group: &str, queue: MessageQueue) -> Pending<Option<u64>> {
        let question = GroupOffset { group: group.into() };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    /// Commits the offset of the next message that a group has to consume.
    pub fn commit_group_offset(&mut self, now: Now, group: &str, queue: MessageQueue, offset: u64) -> Pending<()> {
        if let Err(error) = check_group(group) {
            return self.refuse(now, error);
        }
        let question = Commit { group: group.into(), offset, needs_lock: false };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    /// Has a broker of a topic check what a group would subscribe to: an SQL expression may be none, or not be allowed.
    pub fn check_subscription(
        &mut self,
        now: Now,
        group: &str,
        queue: MessageQueue,
        selector: MessageSelector,
    ) -> Pending<()> {
        let config = &self.session.config;
        let checked = config.check_selector(&selector);
        if let Err(error) = checked.and_then(|()| config.check_request(CHECK_SUBSCRIPTION, "checks of expressions")) {
            return self.refuse(now, error);
        }
        let question = CheckSubscription { group: group.into(), selector };
        self.ask_about(now, queue, question, now.mono + self.session.config.request_timeout)
    }

    pub(crate) fn ask_about<R: Rule>(
        &mut self,
        now: Now,
        queue: MessageQueue,
        question: R,
        deadline: Instant,
    ) -> Pending<R::Gives> {
        let request = QueueRequest::new(queue, question, deadline);
        // Who pulls asks again anyway.
        let request = if request.is_pull() { request } else { request.patient() };
        Pending::new(self.begin(now, Operation::Queue(request)))
    }
}
