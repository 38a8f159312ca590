//! What a consumer subscribes to, and as what it shows up in heartbeats.

use std::sync::Arc;

use super::asked::Ticket;
use super::checking::Check;
use super::ends::{End, Ends};
use super::places::KEPT_FOR;
use super::queue::Fetch;
use super::{ConsumeFrom, PushConsumer, PushEvent, RETRY_PREFIX};
use crate::consumer::MessageSelector;
use crate::error::Error;
use crate::producer::check_topic;
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Duration, Instant, Now};
use crate::wire::body::{ConsumeType, ConsumerData};

/// What is kept of topics that are not subscribed to any more: who comes back goes on as the same subscriber, to whom a
/// queue that came meanwhile is new.
#[derive(Debug, Default)]
pub(super) struct Former {
    by_topic: SortedMap<Arc<str>, Left>,
}

#[derive(Debug)]
struct Left {
    at: Instant,
    since_unix_ms: u64,
    ends: Ends,
}

impl Former {
    fn keep(&mut self, now: Instant, topic: Arc<str>, subscription: Subscription) {
        if let Some(mut ends) = subscription.ends {
            ends.give_up();
            let since_unix_ms = subscription.since_unix_ms;
            self.by_topic.insert(topic, Left { at: now, since_unix_ms, ends });
        }
    }

    /// Forgets what is so old that brokers have deleted what came after it.
    pub(super) fn prune(&mut self, now: Instant) {
        self.by_topic.retain(|_, left| now.since(left.at) < KEPT_FOR);
    }
}

/// What is known of our share of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Nothing yet.
    Unknown,
    /// The topic is not there, so nothing of it is ours.
    Absent,
    /// Its queues have been shared.
    Shared,
}

impl Share {
    pub(super) fn is_known(self) -> bool {
        self != Self::Unknown
    }
}

/// A topic that is subscribed to.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(super) selector: MessageSelector,
    /// Whether a broker takes that.
    pub(super) check: Check,
    /// When it began, milliseconds since 1970 UTC.
    pub(super) since_unix_ms: u64,
    /// When it changed last: brokers keep the newest.
    version: u64,
    /// It is the retry topic, which begins with the first message.
    pub(super) is_retry: bool,
    /// The topic's queues, as far as they are known.
    pub(super) queues: Vec<MessageQueue>,
    /// How many of them are ours.
    pub(super) owned: usize,
    /// When its queues are to be shared anew.
    pub(super) due: Option<Instant>,
    /// Its queues, or the members, are being asked for, or how they are shared.
    pub(super) asking: Option<Ticket>,
    pub(super) asked_at: Option<Instant>,
    /// Which of its brokers was asked for the members last.
    pub(super) member_turn: usize,
    /// Which of its brokers was asked last whether it takes what is selected by.
    check_turn: usize,
    /// It has been said that the topic does not exist.
    pub(super) is_missing: bool,
    /// Of how many brokers the list of members is awaited.
    pub(super) lists_due: usize,
    /// How many of those could not be had or gone by.
    pub(super) lists_failed: usize,
    /// What is known of our share of it.
    pub(super) share: Share,
    /// After which time they are asked for once more.
    pub(super) pause: Duration,
    /// Whose list was without us last time; `None` stands for one that decides all queues.
    pub(super) unlisted: SortedSet<Option<Arc<str>>>,
    /// A broadcasting consumer had stored offsets of the topic when it was subscribed to.
    had_offsets: bool,
    /// Its queues have been asked for once, whatever came of it.
    pub(super) has_been_looked_at: bool,
    /// Which queues there were when it was subscribed to, and where they ended if that matters; `None` until it is known.
    pub(super) ends: Option<Ends>,
}

impl Subscription {
    fn new(now: Now, selector: MessageSelector, is_retry: bool) -> Self {
        Self {
            check: Check::of(&selector),
            selector,
            since_unix_ms: now.unix_ms,
            version: now.unix_ms,
            is_retry,
            queues: Vec::new(),
            owned: 0,
            due: Some(now.mono),
            asking: None,
            asked_at: None,
            member_turn: 0,
            check_turn: 0,
            is_missing: false,
            lists_due: 0,
            lists_failed: 0,
            share: Share::Unknown,
            pause: Duration::MAX,
            unlisted: SortedSet::new(),
            had_offsets: false,
            has_been_looked_at: false,
            ends: None,
        }
    }

    pub(crate) fn retry(now: Now) -> Self {
        Self::new(now, MessageSelector::all(), true)
    }

    /// A queue of the next of its brokers.
    pub(super) fn next_to_check(&mut self) -> Option<&MessageQueue> {
        let mut brokers: Vec<&MessageQueue> = self.queues.iter().collect();
        brokers.dedup_by(|a, b| a.broker_name == b.broker_name);
        let queue = brokers.get(self.check_turn % brokers.len().max(1)).copied();
        self.check_turn = self.check_turn.wrapping_add(1);
        queue
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.asking.is_none() && self.due.is_some_and(|due| due <= now)
    }

    /// What is being asked of our share counts no more, and nothing is ours.
    pub(super) fn forget_share(&mut self) {
        if self.share == Share::Shared {
            self.share = Share::Unknown;
        }
        (self.asking, self.lists_due, self.owned) = (None, 0, 0);
    }

    /// Whether nobody knows yet which queues there were at first.
    pub(super) const fn is_first_look(&self) -> bool {
        self.ends.is_none()
    }

    /// From now on a queue whose end is not asked for counts as newer than the subscription.
    pub(super) fn note_first_look(&mut self) {
        self.has_been_looked_at = true;
        self.ends.get_or_insert_default().has_offsets |= self.had_offsets;
    }

    /// The ends of these queues could not be had.
    pub(super) fn miss_ends(&mut self, queues: &[MessageQueue]) {
        let ends = self.ends.get_or_insert_default();
        queues.iter().for_each(|queue| ends.set(queue, End::Unknown));
    }

    /// Whether a group that begins here now misses nothing that is sent from now on, or cannot know better.
    fn is_started(&self, from: ConsumeFrom) -> bool {
        let knows_ends = self.ends.as_ref().is_none_or(|ends| !ends.is_open());
        self.is_retry || from != ConsumeFrom::LastOffset || (self.has_been_looked_at && knows_ends)
    }
}

impl PushConsumer {
    /// Subscribes to a topic, or changes what is wanted of it. What was fetched already is delivered all the same; what
    /// is being fetched is fetched anew.
    ///
    /// # Errors
    /// The topic's name is none.
    pub(crate) fn subscribe(&mut self, now: Now, topic: &str, selector: MessageSelector) -> Result<(), Error> {
        check_topic(topic)?;
        match self.subscriptions.get_mut(topic) {
            Some(known) => {
                let is_new = known.selector != selector;
                if is_new {
                    known.check = Check::of(&selector);
                }
                known.selector = selector;
                // Also when the clock has not moved.
                known.version = now.unix_ms.max(known.version + 1);
                if is_new {
                    self.pull_anew(topic);
                    self.check_selector(&topic.into());
                }
            }
            None => {
                let mut subscription = Subscription::new(now, selector, false);
                if self.config.is_broadcasting() && self.places.has_any_of(topic) {
                    subscription.had_offsets = true;
                }
                if let Some(Left { since_unix_ms, ends, .. }) = self.former.by_topic.remove(topic) {
                    (subscription.since_unix_ms, subscription.ends) = (since_unix_ms, Some(ends));
                }
                self.subscriptions.insert(topic.into(), subscription);
            }
        }
        self.share_soon(now.mono, topic);
        self.share_retries_soon(now.mono);
        self.attend(now);
        Ok(())
    }

    /// What of the group failed comes by a topic that is there with the group.
    fn share_retries_soon(&mut self, now: Instant) {
        let topic = format!("{RETRY_PREFIX}{}", self.group);
        self.share_soon(now, &topic);
    }

    /// A broker that holds a pull would go by what was wanted before.
    fn pull_anew(&mut self, topic: &str) {
        for id in self.queues.of_topic(topic) {
            if self.queues.get(id).is_some_and(|known| matches!(known.fetch, Fetch::UnderWay { .. })) {
                self.overtake_pull(id);
            }
        }
    }

    /// Wants nothing more of a topic: its queues leave.
    pub(crate) fn unsubscribe(&mut self, now: Now, topic: &str) {
        if self.subscriptions.get(topic).is_some_and(|known| !known.is_retry)
            && let Some((name, subscription)) = self.subscriptions.remove_entry(topic)
        {
            self.former.keep(now.mono, name, subscription);
            self.totals.forget(topic);
            self.share(now, topic, None, &[]);
        }
        self.attend(now);
    }

    /// Says once that a message which is sent from now on is consumed.
    pub(super) fn say_started(&mut self, now: Instant) {
        if self.is_started {
            return;
        }
        let from = self.config.consume_from;
        let is_waited_for = |(_, known): &(&Arc<str>, &Subscription)| !known.is_started(from);
        let first = self.starting.take().unwrap_or_else(|| "".into());
        // Mostly it is the same as before that is waited for.
        let later = self.subscriptions.iter_from(&*first).find(is_waited_for);
        let waited_for = later.or_else(|| self.subscriptions.iter().find(is_waited_for));
        match waited_for.map(|(topic, _)| topic.clone()) {
            Some(topic) => self.starting = Some(topic),
            None if self.awaits_store(now) => {}
            None => {
                self.is_started = true;
                self.events.push_back(PushEvent::Started);
            }
        }
    }

    /// As heartbeats tell it.
    pub(crate) fn heartbeat_data(&self) -> ConsumerData {
        let subscriptions = self.subscriptions.iter();
        ConsumerData {
            group_name: self.group.to_string(),
            consume_type: Some(ConsumeType::Passively),
            message_model: Some(self.config.message_model),
            consume_from_where: Some(self.config.consume_from.on_the_wire()),
            subscription_data_set: subscriptions
                .map(|(topic, known)| known.selector.subscription(topic, known.version))
                .collect(),
            unit_mode: false,
        }
    }

    /// The topics that are subscribed to.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.subscriptions.keys()
    }
}
