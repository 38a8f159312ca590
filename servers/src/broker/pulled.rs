//! Subscriptions that came with pulls, for who asks about groups that send no heartbeats
//! (`ConsumerManager.compensateSubscribeData`). Nobody is given messages by them.

use stgclient_core::wire::body::SubscriptionData;

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::filter;

/// How long one is told of, in milliseconds (`subscriptionExpiredTimeout`).
const LIFE: i64 = 600_000;

/// By topic.
type Topics = Named<(SubscriptionData, Charge)>;

/// By group and topic.
#[derive(Debug)]
pub(super) struct PulledSubscriptions {
    groups: Named<Topics>,
    budget: Budget,
}

impl PulledSubscriptions {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { groups: Named::default(), budget: budget.clone() }
    }

    /// A group has pulled by this subscription, which is noted if there is room.
    pub(super) fn note(&mut self, now: u64, group: &str, data: SubscriptionData) {
        let now = now as i64;
        let data = SubscriptionData { sub_version: now, ..data };
        if let Some((known, charge)) = self.groups.get_mut(group).and_then(|topics| topics.get_mut(data.topic.as_str()))
        {
            if charge.resize(charge.bytes() - filter::cost(known) + filter::cost(&data)).is_ok() {
                *known = data;
            }
            return;
        }
        let first = if self.groups.contains(group) { 0 } else { FIRST };
        let cost =
            filter::cost(&data) + ENTRY + group.len() + first * size_of::<(Box<str>, (SubscriptionData, Charge))>();
        let charge = self.budget.charge(cost).or_else(|_| {
            self.forget_old(now);
            self.budget.charge(cost)
        });
        if let Ok(charge) = charge {
            let topic = data.topic.clone();
            self.groups.get_or_insert_with(group, Topics::default).insert(&topic, (data, charge));
        }
    }

    /// By what a group has last pulled from a topic.
    pub(super) fn get(&self, now: u64, group: &str, topic: &str) -> Option<&SubscriptionData> {
        let (data, _) = self.groups.get(group)?.get(topic)?;
        is_young(now as i64, data).then_some(data)
    }

    /// Whether a group has pulled at all.
    pub(super) fn knows(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    fn forget_old(&mut self, now: i64) {
        self.groups.retain(|_, topics| {
            topics.retain(|_, (data, _)| is_young(now, data));
            !topics.is_empty()
        });
    }
}

fn is_young(now: i64, data: &SubscriptionData) -> bool {
    now - data.sub_version <= LIFE
}
