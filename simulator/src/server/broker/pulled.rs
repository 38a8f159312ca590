//! Subscriptions that came with pulls, for who asks about groups that send no heartbeats
//! (`ConsumerManager.compensateSubscribeData`). Nobody is given messages by them.

use std::collections::BTreeMap;

use stgclient_core::wire::body::SubscriptionData;

/// How long one is told of, in milliseconds (`subscriptionExpiredTimeout`).
const LIFE: i64 = 600_000;

/// By group and topic.
#[derive(Debug)]
pub(super) struct PulledSubscriptions {
    groups: BTreeMap<Box<str>, BTreeMap<Box<str>, SubscriptionData>>,
    most_groups: usize,
    most_topics: usize,
}

impl PulledSubscriptions {
    /// Of so many groups at the most, and topics of each. What is over is not noted.
    pub(super) const fn new(most_groups: usize, most_topics: usize) -> Self {
        Self { groups: BTreeMap::new(), most_groups, most_topics }
    }

    /// A group has pulled by this subscription.
    pub(super) fn note(&mut self, now: u64, group: &str, data: SubscriptionData) {
        let now = now as i64;
        let data = SubscriptionData { sub_version: Some(now), ..data };
        if let Some(known) = self.groups.get_mut(group).and_then(|topics| topics.get_mut(data.topic.as_str())) {
            *known = data;
            return;
        }
        if self.groups.len() >= self.most_groups {
            self.forget_old(now);
        }
        let topics = self.groups.get(group).map_or(0, BTreeMap::len);
        if topics < self.most_topics && (topics > 0 || self.groups.len() < self.most_groups) {
            self.groups.entry(group.into()).or_default().insert(data.topic.as_str().into(), data);
        }
    }

    /// By what a group has last pulled from a topic.
    pub(super) fn get(&self, now: u64, group: &str, topic: &str) -> Option<&SubscriptionData> {
        let data = self.groups.get(group)?.get(topic)?;
        is_young(now as i64, data).then_some(data)
    }

    /// Whether a group has pulled at all.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    fn forget_old(&mut self, now: i64) {
        self.groups.retain(|_, topics| {
            topics.retain(|_, data| is_young(now, data));
            !topics.is_empty()
        });
    }
}

fn is_young(now: i64, data: &SubscriptionData) -> bool {
    now - data.sub_version.unwrap_or_default() <= LIFE
}
