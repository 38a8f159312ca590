//! Push consumers of a client: what they ask is carried out, and they are told what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::client::base::event::Event;
use crate::client::base::ids::{OperationId, PushConsumerId};
use crate::client::base::value::Outcome;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::asker::{self, Asker};
use crate::client::operations::questions::{
    CheckSubscription, Commit, GroupOffset, Lock, MaxOffset, Members, MinOffset, OffsetAt, Pull, Rule, SendBack, Unlock,
};
use crate::client::operations::queue_list::QueueList;
use crate::client::operations::queue_request::QueueRequest;
use crate::client::presence::groups::Puller;
use crate::consumer::push::asked::{self, Asked};
use crate::consumer::push::giving_up::GivenUp;
use crate::consumer::push::wish::Wish;
use crate::consumer::push::{
    AllocationQuestion, ConsumeOutcome, ConsumerStatus, Delivery, Opened, PushConfig, PushConsumer, PushEvent,
    Rebalanced, Settlement,
};
use crate::consumer::{MessageSelector, PullOptions};
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::time::{Deadline, Duration, Now};

/// The time for the answer to a pull beyond what the broker may hold it for (`consumerTimeoutMillisWhenSuspend`).
const PULL_TIMEOUT: Duration = Duration::from_secs(15);

impl Client {
    /// Starts a push consumer of `group`, which subscribes to these topics. `stored_offsets` is where a broadcasting one goes
    /// on. [`PushEvent::Started`] follows, once what is sent from then on is consumed.
    ///
    /// # Errors
    /// The group's name is none, it has a push consumer here already, a number is out of its range, a topic has no name, the
    /// servers do not know such expressions, or the client is closed.
    pub fn start_push_consumer(
        &mut self,
        now: Now,
        group: &str,
        config: PushConfig,
        subscriptions: Vec<(String, MessageSelector)>,
        stored_offsets: BTreeMap<MessageQueue, u64>,
    ) -> Result<PushConsumerId, Error> {
        self.check_group(group)?;
        if self.session.groups.push_consumer_of(group).is_some() {
            let why = format!("the group {group} has a push consumer here already: a client is one member of a group");
            return Err(Error::new(ErrorKind::InvalidArgument, why));
        }
        let client_id = self.session.config.identity.client_id();
        let reading = (self.session.config.dialect(), self.session.config.max_body_length);
        let mut consumer = PushConsumer::new(now, group, client_id, reading, config, stored_offsets)?;
        // With the consumer, so that it cannot count as started before it knows what it waits for.
        for (topic, selector) in subscriptions {
            self.session.config.check_selector(&selector)?;
            consumer.subscribe(now, &topic, selector)?;
        }
        let id = self.session.groups.add_push_consumer(consumer);
        self.session.groups_changed(now);
        self.with_consumer(now, id, |_| ());
        Ok(id)
    }

    /// Subscribes a consumer to a topic, or changes what it wants of it.
    ///
    /// # Errors
    /// The topic has no name, the servers do not know such expressions, or the consumer is closed.
    pub fn subscribe(
        &mut self,
        now: Now,
        consumer: PushConsumerId,
        topic: &str,
        selector: MessageSelector,
    ) -> Result<(), Error> {
        self.session.config.check_selector(&selector)?;
        self.with_consumer(now, consumer, |consumer| consumer.subscribe(now, topic, selector)).ok_or_else(closed)??;
        self.session.groups_changed(now);
        Ok(())
    }

    /// Has a consumer want nothing more of a topic.
    pub fn unsubscribe(&mut self, now: Now, consumer: PushConsumerId, topic: &str) {
        self.with_consumer(now, consumer, |consumer| consumer.unsubscribe(now, topic));
        self.session.groups_changed(now);
    }

    /// The next messages for the application, up to `most`; `None` when there is nothing now, and then
    /// [`PushEvent::Readable`] follows when there is.
    pub fn next_delivery(&mut self, now: Now, consumer: PushConsumerId, most: usize) -> Option<Delivery> {
        self.notice_standstill(now);
        let entry = self.session.groups.push_consumers.get_mut(consumer)?;
        let delivery = entry.consumer.next_delivery(now, most);
        if self.run_consumer(now, consumer) {
            self.run(now);
        }
        delivery
    }

    /// The application is done with messages of a delivery. Returns whether that still counts: it does not when the queue
    /// has gone to another member meanwhile, and then the messages are delivered again there.
    pub fn settle(
        &mut self,
        now: Now,
        consumer: PushConsumerId,
        settlement: Settlement,
        outcome: ConsumeOutcome,
    ) -> bool {
        let settled = |consumer: &mut PushConsumer| consumer.settle(now, settlement, outcome);
        self.with_consumer(now, consumer, settled).unwrap_or(false)
    }

    /// Whether the queue of a delivery is still consumed here: what of it no handler has had yet is to be settled otherwise.
    pub fn is_ours(&self, consumer: PushConsumerId, settlement: Settlement) -> bool {
        self.session.groups.push_consumers.get(consumer).is_some_and(|entry| entry.consumer.is_ours(settlement))
    }

    /// Messages that are not settled yet have failed: that is worth a line, with what `why` says.
    pub fn note_failed(&mut self, now: Now, consumer: PushConsumerId, settlement: Settlement, why: &str) {
        self.with_consumer(now, consumer, |consumer| consumer.note_failed(settlement, why));
    }

    /// Commits what is finished now, and does not wait for the interval.
    pub fn commit_consumer(&mut self, now: Now, consumer: PushConsumerId) {
        self.with_consumer(now, consumer, |consumer| consumer.commit_now(now));
    }

    /// Gives all queues of all consumers up in this turn: what is finished is committed, locks go back, and no answer is awaited or
    /// tried again; what the application has of them does not count any more. The consumers stay members of their groups: the next
    /// rebalance, which comes once a connection has ended or at the interval, brings queues again, from where the group is by then.
    /// For a program that is about to stand still. Broadcasting consumers keep their queues, and have their offsets stored.
    pub fn give_up_queues(&mut self, now: Now) {
        self.notice_standstill(now);
        for id in self.session.groups.push_consumers.ids() {
            self.give_up(now, id, |consumer| consumer.give_up_queues(now));
        }
    }

    /// Delivers nothing, and fetches no more than what is under way, until it is resumed; what is in work goes on.
    pub fn pause_consumer(&mut self, now: Now, consumer: PushConsumerId) {
        self.with_consumer(now, consumer, |consumer| consumer.pause(now));
    }

    /// Goes on after a pause.
    pub fn resume_consumer(&mut self, now: Now, consumer: PushConsumerId) {
        self.with_consumer(now, consumer, |consumer| consumer.resume(now));
    }

    /// Pauses or resumes one queue. Returns whether it is the consumer's.
    pub fn set_queue_paused(
        &mut self,
        now: Now,
        consumer: PushConsumerId,
        queue: &MessageQueue,
        is_paused: bool,
    ) -> bool {
        self.with_consumer(now, consumer, |consumer| consumer.set_paused(now, queue, is_paused)).unwrap_or(false)
    }

    /// Says which queues of a topic are a consumer's, as its strategy has it, or why there is no saying
    /// ([`PushEvent::Allocate`]): then everything stays as it is.
    pub fn allocated(
        &mut self,
        now: Now,
        consumer: PushConsumerId,
        question: &AllocationQuestion,
        ours: Result<Vec<MessageQueue>, Error>,
    ) {
        self.with_consumer(now, consumer, |consumer| consumer.take_allocated(now, question, ours));
    }

    /// Has [`PushEvent::Ready`] follow once a consumer has begun with all queues that are its share, or none are there for it.
    pub fn await_ready(&mut self, now: Now, consumer: PushConsumerId) {
        self.with_consumer(now, consumer, |consumer| consumer.await_ready(now));
    }

    /// The application is done with queues that it was told of ([`PushEvent::Assigned`], [`PushEvent::Revoked`]).
    pub fn rebalanced(&mut self, now: Now, consumer: PushConsumerId, done: &Rebalanced) {
        self.with_consumer(now, consumer, |consumer| consumer.rebalanced(now, done));
    }

    /// Has a consumer go on at another offset of a queue, which is committed at once. Returns whether the queue is its own.
    pub fn seek(&mut self, now: Now, consumer: PushConsumerId, queue: &MessageQueue, offset: u64) -> bool {
        self.with_consumer(now, consumer, |consumer| consumer.seek(now, queue, offset)).unwrap_or(false)
    }

    /// Takes in what was opened of a pull ([`PushEvent::Open`]).
    pub fn opened(&mut self, now: Now, consumer: PushConsumerId, opened: Opened) {
        self.with_consumer(now, consumer, |consumer| consumer.take_opened(now, opened));
    }

    /// Says whether the offsets that a consumer of `group` gave last ([`PushEvent::StoreOffsets`]) are stored. What is not is given
    /// again, and worth a line, also of a consumer that is closed meanwhile.
    pub fn offsets_stored(&mut self, now: Now, consumer: PushConsumerId, group: &str, stored: Result<(), Error>) {
        let is_stored = stored.is_ok();
        if let Err(error) = stored {
            let notice = Notice::warn("offsets were not stored; they are with the next ones");
            self.session.notices.push(notice.about("group", group).about("error", error));
        }
        self.with_consumer(now, consumer, |consumer| consumer.offsets_stored(now, is_stored));
    }

    /// How a consumer fares; `None` when it is closed.
    pub fn consumer_status(&self, now: Now, consumer: PushConsumerId) -> Option<ConsumerStatus> {
        self.session.groups.push_consumers.get(consumer).map(|entry| entry.consumer.status(now))
    }

    /// Closes a consumer: nothing more is fetched, what is in work may end within `grace`, offsets are committed, locks go
    /// back, brokers hear that it leaves. [`PushEvent::Closed`] follows.
    pub fn close_push_consumer(&mut self, now: Now, consumer: PushConsumerId, grace: Duration) {
        self.with_consumer(now, consumer, |consumer| consumer.close(now, grace));
    }

    pub(crate) fn close_push_consumers(&mut self, now: Now, grace: Duration) {
        for id in self.session.groups.push_consumers.ids() {
            self.close_push_consumer(now, id, grace);
        }
    }

    /// Consumers end as they are: nobody carries anything out any more.
    pub(crate) fn abort_push_consumers(&mut self, now: Now) {
        for id in self.session.groups.push_consumers.ids() {
            if let Some(mut consumer) = self.session.groups.remove_push_consumer(id) {
                consumer.abort(now);
                core::iter::from_fn(|| consumer.poll_notice()).for_each(|notice| self.session.notices.push(notice));
                let events = core::iter::from_fn(|| consumer.poll_event());
                self.session.events.extend(events.map(|event| Event::Consumer { consumer: id, event }));
            }
        }
    }

    /// Does something with a consumer, and everything that follows from it.
    pub(crate) fn with_consumer<R>(
        &mut self,
        now: Now,
        id: PushConsumerId,
        act: impl FnOnce(&mut PushConsumer) -> R,
    ) -> Option<R> {
        self.notice_standstill(now);
        let entry = self.session.groups.push_consumers.get_mut(id)?;
        let result = act(&mut entry.consumer);
        self.run_consumer(now, id);
        self.run(now);
        Some(result)
    }

    /// When a consumer has something to do.
    pub(crate) fn consumers_timeout(&mut self) -> Option<Deadline> {
        self.session.groups.push_consumers.next()
    }

    pub(crate) fn call_consumers(&mut self, now: Now) {
        for id in self.session.groups.push_consumers.due(now.mono) {
            self.with_consumer(now, id, |consumer| consumer.handle_timeout(now));
        }
    }

    /// Whoever is the first to call looks whether the host was away for so long that others have our queues: before anything says how
    /// far we were. One function for all, of which each would have a copy otherwise.
    #[inline(never)]
    pub(crate) fn notice_standstill(&mut self, now: Now) {
        if self.session.is_forgotten(now.mono) {
            self.session.hurry_heartbeat(now.mono);
            for id in self.session.groups.push_consumers.ids() {
                self.give_up(now, id, |consumer| consumer.begin_anew(now));
            }
        }
    }

    /// Lets consumers know what has happened to topics and brokers.
    pub(crate) fn tell_consumers(&mut self, now: Now) {
        for topic in core::mem::take(&mut self.session.changed_topics) {
            for id in self.session.groups.take_watchers(&topic) {
                if let Some(entry) = self.session.groups.push_consumers.get_mut(id) {
                    entry.consumer.share_soon(now.mono, &topic);
                }
                self.run_consumer(now, id);
            }
        }
        let lost = core::mem::take(&mut self.session.lost_brokers);
        let told = if lost.is_empty() { Vec::new() } else { self.session.groups.push_consumers.ids() };
        for id in told {
            if let Some(entry) = self.session.groups.push_consumers.get_mut(id) {
                lost.iter().for_each(|broker| entry.consumer.handle_disconnected(now, broker));
            }
            self.run_consumer(now, id);
        }
    }

    /// Carries out what a consumer asks, and passes on what the application has to know. Returns whether there was
    /// anything.
    fn run_consumer(&mut self, now: Now, id: PushConsumerId) -> bool {
        let mut had_anything = false;
        while let Some(entry) = self.session.groups.push_consumers.get_mut(id) {
            if let Some(notice) = entry.consumer.poll_notice() {
                self.session.notices.push(notice);
            } else if let Some(event) = entry.consumer.poll_event() {
                self.take_event(now, id, event);
            } else if let Some(ask) = entry.consumer.poll_wish() {
                self.carry_out(now, id, ask);
            } else {
                break;
            }
            had_anything = true;
        }
        had_anything
    }

    fn take_event(&mut self, now: Now, id: PushConsumerId, event: PushEvent) {
        let is_closed = matches!(event, PushEvent::Closed(_));
        self.session.events.push_back(Event::Consumer { consumer: id, event });
        if is_closed && let Some(consumer) = self.session.groups.remove_push_consumer(id) {
            self.session.groups.version = self.session.groups.version.wrapping_add(1);
            if !self.session.consumer_left(now, &consumer.group) {
                // Those that are left consume in another way.
                self.session.groups_changed(now);
            }
            self.forget_asked(id);
            self.close_if_done(now);
        }
    }

    /// Nobody wants to know any more what a consumer has asked: closing does not wait for it.
    fn forget_asked(&mut self, id: PushConsumerId) {
        for operation in self.operations.ids() {
            if self.askers.get(operation.slot()).is_some_and(|asker| asker.as_ref().is_some_and(|a| a.consumer == id)) {
                self.remove(operation);
            }
        }
    }

    fn carry_out(&mut self, now: Now, id: PushConsumerId, ask: Wish) {
        let Some(entry) = self.session.groups.push_consumers.get(id) else {
            return;
        };
        let group = entry.consumer.group.clone();
        match ask {
            Wish::Queues { asked, topic } => self.ask_queues(now, id, asked, topic),
            Wish::Heartbeat => self.session.greet_connected(now),
            Wish::CancelPull { asked } => self.cancel_pull(id, asked),
            Wish::OvertakePull { asked, from_now_on } => self.overtake_pull(id, asked, from_now_on),
            Wish::Pull { asked, queue, selector, offset, wait } => {
                self.ask_pull(now, id, asked, queue, (selector, offset, wait));
            }
            Wish::Members { asked, queue } => self.ask_for(now, id, asked, queue, Members { group }),
            Wish::GroupOffset { asked, queue } => self.ask_for(now, id, asked, queue, GroupOffset { group }),
            Wish::Check { asked, queue, selector } => {
                self.ask_for(now, id, asked, queue, CheckSubscription { group, selector });
            }
            Wish::MinOffset { asked, queue } => self.ask_for(now, id, asked, queue, MinOffset),
            Wish::MaxOffset { asked, queue } => self.ask_for(now, id, asked, queue, MaxOffset),
            Wish::FormerOffset { asked, queue } => self.ask_for(now, id, asked, queue, GroupOffset { group }),
            Wish::EndOffset { asked, queue } => self.ask_for(now, id, asked, queue, GroupOffset { group }),
            Wish::CommitEnd { asked, queue, offset } => {
                self.ask_for(now, id, asked, queue, Commit { group, offset, needs_lock: false });
            }
            Wish::OffsetAt { asked, queue, unix_ms } => self.ask_for(now, id, asked, queue, OffsetAt { unix_ms }),
            Wish::Commit { asked, queue, offset, needs_lock } => {
                self.ask_for(now, id, asked, queue, Commit { group, offset, needs_lock });
            }
            Wish::Lock { asked, queues } => {
                if let Some(queue) = queues.first().cloned() {
                    self.ask_for(now, id, asked, queue, Lock { group, queues });
                }
            }
            Wish::Unlock { asked, queues } => {
                if let Some(queue) = queues.first().cloned() {
                    self.ask_for(now, id, asked, queue, Unlock { group, queues });
                }
            }
            Wish::SendBack { asked, message } => {
                self.ask_for(now, id, asked, message.queue.clone(), SendBack { group, message });
            }
        }
    }

    /// Has a consumer part with its queues, and says the last of them. A commit under way would be tried again on the next connection,
    /// and by then others may have gone on from there; if it is at the broker already, the two may land in any order.
    fn give_up(&mut self, now: Now, id: PushConsumerId, part: impl FnOnce(&mut PushConsumer) -> GivenUp) {
        let Some(entry) = self.session.groups.push_consumers.get_mut(id) else {
            return;
        };
        let (group, given_up) = (entry.consumer.group.clone(), part(&mut entry.consumer));
        for operation in self.operations.ids() {
            let asker = self.askers.get(operation.slot()).and_then(Option::as_ref).filter(|asker| asker.consumer == id);
            if asker.is_some_and(|asker| asker.asked.is_commit()) {
                self.complete(now, operation, Err(Error::new(ErrorKind::Cancelled, "the queues are given up")));
            }
        }
        self.say_given_up(now, &group, given_up);
        self.run_consumer(now, id);
        self.run(now);
    }

    fn say_given_up(&mut self, now: Now, group: &Arc<str>, given_up: GivenUp) {
        let GivenUp { offsets, locked, needs_lock } = given_up;
        for (queue, offset) in offsets {
            Commit { group: group.clone(), offset, needs_lock }.tell(&mut self.session, now, &queue);
        }
        let mut by_broker: SortedMap<Arc<str>, Vec<MessageQueue>> = SortedMap::new();
        for queue in locked {
            by_broker.get_or_default(queue.broker_name.clone()).push(queue);
        }
        for queues in by_broker.into_values() {
            let queue = queues[0].clone();
            Unlock { group: group.clone(), queues }.tell(&mut self.session, now, &queue);
        }
    }

    /// The queues of a topic: as its route has them if it is known, since it is refreshed anyway. Who asks hears when they
    /// change.
    fn ask_queues(&mut self, now: Now, id: PushConsumerId, asked: asked::Queues, topic: Arc<str>) {
        self.session.groups.watch(&topic, id);
        let known = self.session.topic(now, &topic);
        let known = self.session.topics.get(known).filter(|known| known.route.is_some() && !known.inherited);
        match known.map(|known| known.readable_queues()) {
            Some(queues) => {
                if let Some(entry) = self.session.groups.push_consumers.get_mut(id) {
                    asked.take(&mut entry.consumer, now, Ok(queues));
                }
            }
            None => {
                let deadline = now.mono + self.session.config.request_timeout;
                let asker = Asker { consumer: id, asked: asked.into() };
                self.begin_asked(now, Operation::Queues(QueueList::new(topic, deadline)), asker);
            }
        }
    }

    /// Asks about a queue what answers `asked`.
    fn ask_for<A, R>(&mut self, now: Now, id: PushConsumerId, asked: A, queue: MessageQueue, question: R)
    where
        A: Asked + Into<asker::Awaited>,
        R: Rule<Gives = A::Answer>,
    {
        let time = self.session.config.request_timeout.min(R::MOST);
        let request = QueueRequest::new(queue, question, now.mono + time);
        self.begin_asked(now, Operation::Queue(request), Asker { consumer: id, asked: asked.into() });
    }

    fn ask_pull(
        &mut self,
        now: Now,
        id: PushConsumerId,
        asked: asked::Pull,
        queue: MessageQueue,
        (selector, offset, wait): (MessageSelector, u64, Duration),
    ) {
        let Some(entry) = self.session.groups.push_consumers.get(id) else {
            return;
        };
        let config = entry.consumer.config();
        let options = PullOptions {
            max_messages: config.pull_batch_size,
            max_bytes: config.pull_max_bytes,
            wait,
            timeout: PULL_TIMEOUT,
        };
        let puller = (Puller::Push(id), entry.consumer.group.clone());
        let pull = Pull::new(now.mono, puller, selector, offset, options);
        let deadline = pull.deadline();
        let request = Operation::Queue(QueueRequest::new(queue, pull, deadline));
        let operation = self.begin_asked(now, request, Asker { consumer: id, asked: asked.into() });
        if let Some(operation) = operation
            && let Some(entry) = self.session.groups.push_consumers.get_mut(id)
        {
            entry.pulls_of(asked.0.slot()).wanted = Some((asked, operation));
        }
    }

    fn cancel_pull(&mut self, id: PushConsumerId, asked: asked::Pull) {
        if let Some(entry) = self.session.groups.push_consumers.get_mut(id)
            && let Some((_, operation)) = entry.pulls_of(asked.0.slot()).wanted.take_if(|(known, _)| *known == asked)
        {
            self.give_up_pull(operation);
        }
    }

    /// Another pull goes out beside this one. The one that it has overtaken is as good as over, if there was one yet.
    fn overtake_pull(&mut self, id: PushConsumerId, asked: asked::Pull, from_now_on: asked::OvertakenPull) {
        let Some(entry) = self.session.groups.push_consumers.get_mut(id) else {
            return;
        };
        let pulls = entry.pulls_of(asked.0.slot());
        let Some((_, operation)) = pulls.wanted.take_if(|(known, _)| *known == asked) else {
            return;
        };
        let before = pulls.overtaken.replace(operation);
        if let Some(asker) = self.askers.get_mut(operation.slot()) {
            *asker = Some(Asker { consumer: id, asked: from_now_on.into() });
        }
        before.into_iter().for_each(|operation| self.give_up_pull(operation));
    }

    fn give_up_pull(&mut self, operation: OperationId) {
        if self.remove(operation) {
            // What follows from that is the matter of `run`, which has called this.
            self.session.note_room();
        }
    }

    /// Tells a consumer what came of an operation that it had asked for.
    pub(crate) fn answer_asker(&mut self, now: Now, asker: Asker, outcome: Outcome) {
        let Asker { consumer: id, asked } = asker;
        if let Some(entry) = self.session.groups.push_consumers.get_mut(id) {
            if let asker::Awaited::Pull(asked) = &asked {
                entry.pulls_of(asked.0.slot()).wanted.take_if(|(known, _)| known == asked);
            }
            asked.answer(&mut entry.consumer, now, outcome);
        }
        self.run_consumer(now, id);
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the consumer")
}
