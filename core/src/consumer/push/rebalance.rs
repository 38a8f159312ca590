//! Which queues are ours: the topics' queues shared among the group's members (`RebalanceImpl`).
//!
//! Every member computes the same from the same lists, so nobody has to be asked. While the lists differ, a queue may for
//! a moment be owned twice or by nobody; the next rebalance mends that.

use std::sync::Arc;

use super::asked::{self, Ticket};
use super::checking::Check;
use super::fetching::warn_of_refusal;
use super::locking::RENEWAL;
use super::queue::{Begin, QueueId, Reset, Stage};
use super::subscriptions::Share;
use super::wish::Wish;
use super::{PushConsumer, PushEvent, Timer};
use crate::consumer::allocation::AllocationRequest;
use crate::error::{Error, ErrorKind};
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::sorted::{SortedSet, sort};
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;

/// Rebalances are at least so far apart (`RebalanceService.minInterval`); what asks for one meanwhile is merged.
pub(super) const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A retry topic that is not there yet is looked for again after this time.
const RETRY_TOPIC_PAUSE: Duration = Duration::from_secs(5);

/// Which of a topic's queues are ours? A strategy may be the application's, so the core has it asked outside.
#[derive(Clone, Debug)]
pub struct AllocationQuestion {
    topic: Arc<str>,
    ticket: Ticket,
    group: Arc<str>,
    client_id: String,
    queues: Vec<MessageQueue>,
    members: Vec<String>,
    /// The broker whose queues it decides; all when `None`.
    broker: Option<Arc<str>>,
}

impl AllocationQuestion {
    /// As an [`Allocation`](crate::consumer::allocation::Allocation) takes it.
    pub fn request(&self) -> AllocationRequest<'_> {
        let Self { group, client_id, queues, members, .. } = self;
        AllocationRequest { group, client_id, queues, members }
    }
}

impl PushConsumer {
    /// Shares the queues of every topic as soon as it may be: the members have changed.
    pub(crate) fn rebalance_soon(&mut self, now: Instant) {
        let topics: Vec<Arc<str>> = self.subscriptions.keys().cloned().collect();
        topics.iter().for_each(|topic| self.share_soon(now, topic));
    }

    /// Shares the queues of a topic as soon as it may be.
    pub(crate) fn share_soon(&mut self, now: Instant, topic: &str) {
        let last = self.subscriptions.get(topic).and_then(|known| known.asked_at);
        self.share_at(topic, last.map_or(now, |last| now.max(last + LEAST_PAUSE)));
    }

    /// Shares the queues of a topic at this moment, unless that is due earlier anyway.
    pub(super) fn share_at(&mut self, topic: &str, at: Instant) {
        if self.is_closing() {
            return;
        }
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        let due = subscription.due.map_or(at, |due| due.min(at));
        subscription.due = Some(due);
        // While it is being asked about, whatever comes of that arms the timer.
        if subscription.asking.is_none() {
            self.due_topics.insert((due, topic.into()));
            self.set_not_later(Timer::Rebalance, due);
        }
    }

    /// Asks for the queues of the topics that are due.
    pub(super) fn ask_due_topics(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        while let Some(topic) = self.next_due_topic(now) {
            let ticket = self.next_ticket();
            // Another entry may have been earlier.
            if let Some(subscription) = self.subscriptions.get_mut(&topic).filter(|known| known.is_due(now)) {
                (subscription.asking, subscription.asked_at, subscription.due) = (Some(ticket), Some(now), None);
                self.wish(Wish::Queues { asked: asked::Queues(topic.clone(), ticket), topic });
            }
        }
        if let Some(&(at, _)) = self.due_topics.first() {
            self.set_not_later(Timer::Rebalance, at);
        }
    }

    fn next_due_topic(&mut self, now: Instant) -> Option<Arc<str>> {
        self.due_topics.first().filter(|(due, _)| *due <= now)?;
        self.due_topics.pop_first().map(|(_, topic)| topic)
    }

    /// Whether this is the answer that a topic waits for. A consumer that closes takes nothing on.
    fn is_asking(&self, topic: &str, ticket: Ticket) -> bool {
        !self.is_closing() && self.subscriptions.get(topic).is_some_and(|known| known.asking == Some(ticket))
    }

    /// What was asked about a topic has come to an end; it is asked about again after `pause`.
    fn end_asking(&mut self, now: Instant, topic: &str, pause: Duration) {
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.asking = None;
        }
        self.share_at(topic, now + pause);
    }

    /// Takes the queues of a topic, or why they cannot be had: then everything stays as it is.
    pub(crate) fn take_queues(
        &mut self,
        now: Now,
        topic: &Arc<str>,
        ticket: Ticket,
        queues: Result<Vec<MessageQueue>, Error>,
    ) {
        if self.is_asking(topic, ticket) {
            match queues {
                Ok(queues) => self.queues_are_known(now, topic, ticket, queues),
                Err(error) => self.queues_are_unknown(now.mono, topic, &error),
            }
        }
        self.attend(now);
    }

    fn queues_are_known(&mut self, now: Now, topic: &Arc<str>, ticket: Ticket, queues: Vec<MessageQueue>) {
        let is_from_last = self.is_from_last();
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        subscription.is_missing = false;
        if subscription.share == Share::Absent {
            subscription.share = Share::Unknown;
        }
        subscription.queues.clone_from(&queues);
        if subscription.is_first_look() {
            let is_asked = is_from_last && !subscription.is_retry;
            let is_late = subscription.has_been_looked_at;
            subscription.note_first_look();
            match is_asked {
                // We count as started, and more may have come since then.
                true if is_late => subscription.miss_ends(&queues),
                true => self.ask_ends(&queues),
                false => {}
            }
        }
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.has_been_looked_at = true;
        }
        self.check_selector(topic);
        if self.config.is_broadcasting() {
            self.share(now, topic, None, &queues);
            self.note_shared(topic);
            self.end_asking(now.mono, topic, self.rebalance_interval());
        } else {
            self.ask_members(now, topic, ticket, &queues);
        }
    }

    fn queues_are_unknown(&mut self, now: Instant, topic: &Arc<str>, error: &Error) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        let is_absent = error.kind() == ErrorKind::TopicNotFound;
        // The retry topic appears with the group's first heartbeat, and has nothing before a message fails.
        let pause = if subscription.is_retry { RETRY_TOPIC_PAUSE } else { LEAST_PAUSE };
        if is_absent && !subscription.is_retry && !core::mem::replace(&mut subscription.is_missing, true) {
            self.notices.push(Notice::warn("the topic does not exist yet").about("topic", topic));
        }
        if error.code() == Some(ResponseCode::NO_PERMISSION) {
            let notice = Notice::warn("nothing is consumed of a topic: its route is refused");
            warn_of_refusal(&mut self.notices, notice, topic, "", error);
        }
        subscription.has_been_looked_at = true;
        if is_absent {
            // Whatever appears is newer than the group.
            subscription.note_first_look();
            subscription.share = Share::Absent;
        }
        self.end_asking(now, topic, pause);
    }

    /// Asks one broker of a topic for the members of the group, another one each time: every broker hears of all. Where
    /// their list alone makes a queue ours, each broker is asked about its own.
    fn ask_members(&mut self, now: Now, topic: &Arc<str>, ticket: Ticket, queues: &[MessageQueue]) {
        let mut brokers: Vec<&MessageQueue> = queues.iter().collect();
        brokers.dedup_by(|a, b| a.broker_name == b.broker_name);
        let claims_queues = self.claims_queues();
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        if !claims_queues && !brokers.is_empty() {
            subscription.member_turn = subscription.member_turn.wrapping_add(1);
            let turn = subscription.member_turn % brokers.len();
            brokers.swap(0, turn);
            brokers.truncate(1);
        }
        (subscription.lists_due, subscription.lists_failed) = (brokers.len(), 0);
        subscription.pause = Duration::MAX;
        if claims_queues {
            self.leave_other_brokers(now, topic, &brokers);
        } else if brokers.is_empty() {
            self.share(now, topic, None, &[]);
        }
        for queue in &brokers {
            let broker = claims_queues.then(|| queue.broker_name.clone());
            let asked = asked::Members(topic.clone(), ticket, broker);
            self.wish(Wish::Members { asked, queue: MessageQueue::clone(queue) });
        }
        if brokers.is_empty() {
            self.note_shared(topic);
            self.end_asking(now.mono, topic, self.rebalance_interval());
        }
    }

    /// Those that have nothing of the topic any more are not asked whose their queues are.
    fn leave_other_brokers(&mut self, now: Now, topic: &str, brokers: &[&MessageQueue]) {
        for id in self.queues.of_topic(topic) {
            let broker = self.queues.get(id).map(|known| &known.queue.broker_name);
            if !brokers.iter().any(|queue| Some(&queue.broker_name) == broker) {
                self.leave(now, id);
            }
        }
    }

    fn note_shared(&mut self, topic: &str) {
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.share = Share::Shared;
        }
    }

    /// A list of members could not be gone by.
    fn fail_list(&mut self, now: Instant, topic: &str) {
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.lists_failed += 1;
        }
        self.end_list(now, topic, LEAST_PAUSE);
    }

    /// A list of members has been gone by, or could not. Once that is so of all that were asked for, they are asked for again
    /// after the shortest pause.
    fn end_list(&mut self, now: Instant, topic: &str, pause: Duration) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        subscription.pause = subscription.pause.min(pause);
        subscription.lists_due = subscription.lists_due.saturating_sub(1);
        if subscription.lists_due == 0 {
            let pause = subscription.pause;
            if subscription.lists_failed == 0 {
                subscription.share = Share::Shared;
            }
            self.end_asking(now, topic, pause);
        }
    }

    /// Takes the members of the group, or why they cannot be had: then everything stays as it is.
    pub(crate) fn take_members(
        &mut self,
        now: Now,
        (topic, ticket, broker): (&Arc<str>, Ticket, Option<Arc<str>>),
        members: Result<Vec<String>, Error>,
    ) {
        if self.is_asking(topic, ticket) {
            match members {
                Ok(members) => self.members_are_known(now.mono, (topic, ticket, broker), members),
                Err(error) => {
                    let notice = Notice::debug("the members cannot be had");
                    self.notices.push(notice.about("topic", topic).about("error", error));
                    self.fail_list(now.mono, topic);
                }
            }
        }
        self.attend(now);
    }

    fn members_are_known(
        &mut self,
        now: Instant,
        (topic, ticket, broker): (&Arc<str>, Ticket, Option<Arc<str>>),
        mut members: Vec<String>,
    ) {
        if !self.may_go_by(topic, broker.clone(), &members) {
            return self.fail_list(now, topic);
        }
        sort(&mut members, Ord::cmp);
        // One that is listed twice would own a share that nobody consumes.
        members.dedup();
        self.has_others = members.iter().any(|member| *member != self.client_id);
        let queues = self.subscriptions.get(topic).map(|known| known.queues.clone()).unwrap_or_default();
        let (group, client_id) = (self.group.clone(), self.client_id.clone());
        let question = AllocationQuestion { topic: topic.clone(), ticket, group, client_id, queues, members, broker };
        self.events.push_back(PushEvent::Allocate(Box::new(question)));
    }

    /// Whether a list of members may be gone by. One without us is, when it comes for the topic again: then we own nothing.
    fn may_go_by(&mut self, topic: &str, broker: Option<Arc<str>>, members: &[String]) -> bool {
        let listed = members.iter().filter(|member| **member == self.client_id).count();
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return false;
        };
        let was_unlisted = subscription.unlisted.remove(&broker);
        // Where brokers grant no locks each is asked by itself; else any of them.
        let at_broker = |notice: Notice| broker.iter().fold(notice, |notice, broker| notice.about("broker", broker));
        match listed {
            0 => {
                let notice = at_broker(Notice::warn("a broker does not list us among the members of our group"));
                subscription.unlisted.insert(broker);
                self.notices.push(notice.about("client_id", &self.client_id).about("topic", topic));
                self.wish(Wish::Heartbeat);
                was_unlisted
            }
            1 => true,
            _ => {
                let what = "our client id is listed twice: another client has the same, or a connection of ours has ended unnoticed";
                let notice = at_broker(Notice::warn(what)).about("topic", topic);
                self.notices.push(notice.about("client_id", &self.client_id));
                true
            }
        }
    }

    /// Takes which queues of a topic are ours, or why no strategy says so: then everything stays as it is.
    pub(crate) fn take_allocated(
        &mut self,
        now: Now,
        question: &AllocationQuestion,
        ours: Result<Vec<MessageQueue>, Error>,
    ) {
        let AllocationQuestion { topic, ticket, queues, members, broker, .. } = question;
        if self.is_asking(topic, *ticket) {
            match ours {
                Ok(mut ours) => {
                    let (given, queues) = (ours.len(), queues.iter().collect::<SortedSet<&MessageQueue>>());
                    ours.retain(|queue| queues.contains(queue));
                    if ours.len() < given {
                        self.notices.push(Notice::warn("a strategy gives queues that are none").about("topic", topic));
                    }
                    ours.retain(|queue| broker.as_ref().is_none_or(|broker| queue.broker_name == *broker));
                    self.share(now, topic, broker.as_deref(), &ours);
                    self.confirm_claims(now.mono, topic, &ours, members.len() == 1);
                }
                Err(error) => {
                    let notice = Notice::error("no queues are allocated");
                    self.notices.push(notice.about("topic", topic).about("error", error));
                    if let Some(subscription) = self.subscriptions.get_mut(topic) {
                        subscription.lists_failed += 1;
                    }
                }
            }
            let is_unlisted = self.subscriptions.get(topic).is_some_and(|known| known.unlisted.contains(broker));
            let pause = if is_unlisted { LEAST_PAUSE } else { self.rebalance_interval() };
            self.end_list(now.mono, topic, pause);
        }
        self.attend(now);
    }

    /// How often members are asked for. Where that is what makes queues ours, as often as locks are renewed.
    fn rebalance_interval(&self) -> Duration {
        let interval = self.config.rebalance_interval;
        if self.claims_queues() { interval.min(RENEWAL) } else { interval }
    }

    /// Makes `ours` the queues of a topic that we own; of a broker alone, if one is named.
    pub(super) fn share(&mut self, now: Now, topic: &str, broker: Option<&str>, ours: &[MessageQueue]) {
        let ours: SortedSet<&MessageQueue> = ours.iter().collect();
        let mut elsewhere = 0;
        for id in self.queues.of_topic(topic) {
            let Some(known) = self.queues.get(id) else {
                continue;
            };
            if broker.is_some_and(|broker| *known.queue.broker_name != *broker) {
                elsewhere += usize::from(!known.is_leaving());
            } else if !ours.contains(&known.queue) {
                self.leave(now, id);
            }
        }
        if let Some(subscription) = self.subscriptions.get_mut(topic) {
            subscription.owned = elsewhere + ours.len();
        }
        for queue in ours {
            match self.queues.find(queue).and_then(|id| self.queues.touch(id)) {
                Some(known) => {
                    if let Stage::Leaving(leave) = &mut known.stage {
                        leave.is_wanted_back = true;
                    }
                }
                None => _ = self.join(now, queue.clone(), None),
            }
        }
    }

    /// A queue is ours from now on. An administrator may have said where it is to begin.
    pub(super) fn join(&mut self, now: Now, queue: MessageQueue, reset_to: Option<Reset>) -> QueueId {
        self.notices.push(Notice::debug("queue assigned").about("queue", &queue));
        self.totals.metrics.assigned += 1;
        let stage = if self.needs_locks() { Stage::Locking } else { Stage::Starting(Begin::Due(now.mono)) };
        let check = self.subscriptions.get(&queue.topic).map(|known| known.check);
        let id = self.queues.insert(queue, stage);
        if let Some(known) = self.queues.touch(id) {
            known.reset_to = reset_to;
            known.is_unchecked = check != Some(Check::Passed);
        }
        self.tell_assigned(now.mono, id);
        id
    }
}
