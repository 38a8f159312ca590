//! Which queues are ours: the topics' queues shared among the group's members (`RebalanceImpl`).
//!
//! Every member computes the same from the same lists, so nobody has to be asked. While the lists differ, a queue may for
//! a moment be owned twice or by nobody; the next rebalance mends that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ask::{Ask, Asked};
use super::queue::{AssignedQueue, QueueId, Stage};
use super::{PushConsumer, QueueTimer, Timer};
use crate::consumer::allocation::AllocationRequest;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};

/// Rebalances are at least so far apart (`RebalanceService.minInterval`); what asks for one meanwhile is merged.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A retry topic that is not there yet is looked for again after this time.
const RETRY_TOPIC_PAUSE: Duration = Duration::from_secs(5);

/// How an orderly delivery of a queue that leaves may hold it up. The next owner waits for the lock so long.
const HANDOVER: Duration = Duration::from_secs(20);

/// When queues were shared last.
#[derive(Debug, Default)]
pub(super) struct Rebalance {
    last: Option<Instant>,
    /// Which broker was asked for the members last.
    turn: usize,
    /// A broker did not list us last time.
    was_missing: bool,
}

impl PushConsumer {
    /// Shares the queues as soon as it may be: the members or the queues have changed.
    pub(crate) fn rebalance_soon(&mut self, now: Instant) {
        if self.is_closing() {
            return;
        }
        let at = self.rebalance.last.map_or(now, |last| now.max(last + LEAST_PAUSE));
        self.set_not_later(Timer::Rebalance, at);
    }

    pub(super) fn rebalance_now(&mut self, now: Now) {
        if self.is_closing() {
            return;
        }
        self.rebalance.last = Some(now.mono);
        self.set(Timer::Rebalance, now.mono + self.config.rebalance_interval);
        let mut topics = Vec::new();
        for (topic, subscription) in &mut self.subscriptions {
            if !core::mem::replace(&mut subscription.is_sharing, true) {
                topics.push(topic.clone());
            }
        }
        for topic in topics {
            self.ask(Asked::Queues(topic.clone()), Ask::Queues { topic });
        }
    }

    /// Takes the queues of a topic, or why they cannot be had: then everything stays as it is.
    pub(crate) fn take_queues(&mut self, now: Now, topic: &Arc<str>, queues: Result<Vec<MessageQueue>, Error>) {
        let is_broadcasting = self.config.is_broadcasting();
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        match queues {
            Ok(queues) => {
                subscription.is_missing = false;
                subscription.queues.clone_from(&queues);
                if is_broadcasting {
                    subscription.is_sharing = false;
                    self.share(now, topic, &queues);
                } else {
                    self.ask_members(now, topic, &queues);
                }
            }
            Err(error) => {
                subscription.is_sharing = false;
                let is_absent = error.kind() == ErrorKind::TopicNotFound;
                // The retry topic appears with the group's first heartbeat, and has nothing before a message fails.
                let pause = if subscription.is_retry { RETRY_TOPIC_PAUSE } else { LEAST_PAUSE };
                if is_absent && !subscription.is_retry && !core::mem::replace(&mut subscription.is_missing, true) {
                    tracing::warn!(group = &*self.group, topic = &**topic, "the topic does not exist yet");
                }
                self.set_not_later(Timer::Rebalance, now.mono + pause);
            }
        }
    }

    /// Asks one broker of a topic for the members of the group, another one each time: every broker hears of all.
    fn ask_members(&mut self, now: Now, topic: &Arc<str>, queues: &[MessageQueue]) {
        let mut brokers: Vec<&MessageQueue> = queues.iter().collect();
        brokers.dedup_by(|a, b| a.broker_name == b.broker_name);
        self.rebalance.turn = self.rebalance.turn.wrapping_add(1);
        match brokers.get(self.rebalance.turn % brokers.len().max(1)) {
            Some(&queue) => self.ask(Asked::Members(topic.clone()), Ask::Members { queue: queue.clone() }),
            None => {
                if let Some(subscription) = self.subscriptions.get_mut(topic) {
                    subscription.is_sharing = false;
                }
                self.share(now, topic, &[]);
            }
        }
    }

    /// Takes the members of the group, or why they cannot be had: then everything stays as it is.
    pub(crate) fn take_members(&mut self, now: Now, topic: &Arc<str>, members: Result<Vec<String>, Error>) {
        let Some(subscription) = self.subscriptions.get_mut(topic) else {
            return;
        };
        subscription.is_sharing = false;
        let queues = subscription.queues.clone();
        let mut members = match members {
            Ok(members) => members,
            Err(error) => {
                tracing::debug!(group = &*self.group, topic = &**topic, %error, "the members cannot be had");
                self.set_not_later(Timer::Rebalance, now.mono + LEAST_PAUSE);
                return;
            }
        };
        if !self.is_listed_once(now, &members) {
            return;
        }
        members.sort_unstable();
        let request =
            AllocationRequest { group: &self.group, client_id: &self.client_id, queues: &queues, members: &members };
        let ours = self.config.allocation.allocate(&request);
        self.share(now, topic, &ours);
    }

    /// Whether a list of members may be gone by. One without us is, when it comes again: then we own nothing.
    fn is_listed_once(&mut self, now: Now, members: &[String]) -> bool {
        let listed = members.iter().filter(|member| **member == self.client_id).count();
        let (group, client_id) = (&*self.group, &*self.client_id);
        let was_missing = core::mem::replace(&mut self.rebalance.was_missing, listed == 0);
        match listed {
            0 => {
                tracing::warn!(group, client_id, "a broker does not list us among the members of our group");
                self.ask(Asked::Nothing, Ask::Heartbeat);
                self.set_not_later(Timer::Rebalance, now.mono + LEAST_PAUSE);
                was_missing
            }
            1 => true,
            _ => {
                tracing::warn!(group, client_id, "our client id is listed twice: another client has the same");
                true
            }
        }
    }

    /// Makes `ours` the queues of a topic that we own.
    pub(super) fn share(&mut self, now: Now, topic: &str, ours: &[MessageQueue]) {
        let ours: BTreeSet<&MessageQueue> = ours.iter().collect();
        let of_topic = self.by_queue.iter().filter(|(queue, _)| &*queue.topic == topic);
        let gone: Vec<QueueId> = of_topic.filter(|(queue, _)| !ours.contains(queue)).map(|(_, id)| *id).collect();
        for id in gone {
            self.leave(now, id);
        }
        for queue in ours {
            match self.by_queue.get(queue).and_then(|id| self.queues.get_mut(*id)) {
                Some(known) => known.is_wanted_back = known.stage == Stage::Leaving,
                None => self.join(now, queue.clone()),
            }
        }
        if self.needs_locks() {
            self.ask_locks(now.mono, |queue| queue.stage == Stage::Locking);
        }
    }

    fn join(&mut self, now: Now, queue: MessageQueue) {
        tracing::debug!(group = &*self.group, %queue, "queue assigned");
        let stage = if self.needs_locks() { Stage::Locking } else { Stage::Starting };
        let id = self.queues.insert(AssignedQueue::new(queue.clone(), stage));
        self.by_queue.insert(queue, id);
        if stage == Stage::Starting {
            self.start(now, id);
        }
    }

    /// A queue is another member's now. What is in work goes on, but does not count any more, except for an orderly
    /// delivery while we have the lock.
    fn leave(&mut self, now: Now, id: QueueId) {
        let needs_locks = self.needs_locks();
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        known.is_wanted_back = false;
        if known.stage == Stage::Leaving {
            return;
        }
        tracing::debug!(group = &*self.group, queue = %known.queue, "queue revoked");
        let keeps_lock = needs_locks && known.in_hand.is_some() && known.is_locked(now.mono);
        let was_consuming = known.stage == Stage::Consuming;
        self.cancel_fetch(id);
        if keeps_lock && was_consuming {
            if let Some(known) = self.queues.get_mut(id) {
                known.stage = Stage::Leaving;
            }
            self.timers.set(QueueTimer::Wake.key(id), now.mono + HANDOVER);
            return;
        }
        self.remove(now, id);
    }

    /// Commits what is finished of a queue, gives its lock back, and forgets it.
    pub(super) fn remove(&mut self, now: Now, id: QueueId) {
        let is_locked = self.queues.get(id).is_some_and(|known| known.is_locked(now.mono));
        let last = if self.needs_locks() && !is_locked { None } else { self.uncommitted(id) };
        let Some(known) = self.queues.remove(id) else {
            return;
        };
        self.by_queue.remove(&known.queue);
        self.timers.clear(QueueTimer::Fetch.key(id));
        self.timers.clear(QueueTimer::Wake.key(id));
        self.say_farewell(known.queue, last, is_locked);
        if known.is_wanted_back {
            self.rebalance_soon(now.mono);
        }
    }
}
