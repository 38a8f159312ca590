//! Who produces and who consumes (`ConsumerManager`, `ConsumerGroupInfo`, `ProducerManager`).

use std::net::SocketAddr;

use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use stgclient_core::wire::command::Language;

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::peer::Peer;
use super::super::refusal::Refusal;
use super::filter::Subscription;

/// After this time without a heartbeat a client is forgotten (`CHANNEL_EXPIRED_TIMEOUT`).
const EXPIRY: Duration = Duration::from_secs(120);
/// How often the broker looks for such clients (`ClientHousekeepingService`).
const SCAN_PERIOD: Duration = Duration::from_secs(10);

/// One client of a group.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) client_id: Box<str>,
    pub(super) address: SocketAddr,
    pub(super) language: Language,
    pub(super) version: i32,
    pub(super) last_heartbeat: Instant,
    pub(super) charge: Charge,
}

/// What a member of a group takes, the group's name included, in bytes.
pub(super) fn cost(group: &str, client_id: &str) -> usize {
    4 * ENTRY + group.len() + client_id.len()
}

/// The members of a consumer group and what they last agreed on.
#[derive(Debug)]
pub(super) struct ConsumerGroup {
    members: SortedMap<Peer, Member>,
    subscriptions: Named<Subscription>,
    pub(super) consume_type: Option<ConsumeType>,
    pub(super) message_model: Option<MessageModel>,
    pub(super) consume_from_where: Option<ConsumeFromWhere>,
    _charge: Charge,
}

impl ConsumerGroup {
    fn new(charge: Charge) -> Self {
        Self {
            members: SortedMap::new(),
            subscriptions: Named::default(),
            consume_type: None,
            message_model: None,
            consume_from_where: None,
            _charge: charge,
        }
    }

    /// The members by their connections.
    pub(super) const fn members(&self) -> &SortedMap<Peer, Member> {
        &self.members
    }

    /// The member that calls itself `client_id`, and its connection.
    pub(super) fn member(&self, client_id: &str) -> Option<(Peer, &Member)> {
        self.members.iter().find(|(_, member)| &*member.client_id == client_id).map(|(peer, member)| (*peer, member))
    }

    pub(super) fn subscription(&self, topic: &str) -> Option<&Subscription> {
        self.subscriptions.get(topic)
    }

    /// What the group subscribes to, in the order of topics.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &SubscriptionData> {
        self.subscriptions.values().map(|subscription| &subscription.data)
    }

    /// Whether it subscribes to anything.
    pub(super) fn subscribes(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// Whether members hear of each other: those that get every message anyway do not.
    pub(super) fn shares_messages(&self) -> bool {
        self.message_model != Some(MessageModel::Broadcasting)
    }

    /// Says whether there is a topic more or less, and whether there was room for all. The newer of two versions counts, and
    /// a topic that the member does not name any more is no longer subscribed to by anybody (`updateSubscription`).
    fn subscribe(
        &mut self,
        topics: &mut SubscribedTopics,
        group: &str,
        subscriptions: Vec<SubscriptionData>,
    ) -> (bool, Result<(), Refusal>) {
        let named: SortedSet<&str> = subscriptions.iter().map(|subscription| subscription.topic.as_str()).collect();
        let before = self.subscriptions.len();
        self.subscriptions.retain(|topic, _| named.contains(topic));
        let mut is_changed = self.subscriptions.len() != before;
        for data in subscriptions {
            let known = self.subscriptions.get(data.topic.as_str());
            let is_new = known.is_none();
            if known.is_some_and(|known| known.data.sub_version >= data.sub_version) {
                continue;
            }
            let topic: Box<str> = data.topic.as_str().into();
            let noted = if is_new { topics.note(group, &topic) } else { Ok(()) };
            match noted.and_then(|()| Subscription::new(&topics.budget, data)) {
                Ok(subscription) => self.subscriptions.insert(&topic, subscription),
                Err(refusal) => return (is_changed, Err(refusal)),
            }
            is_changed |= is_new;
        }
        (is_changed, Ok(()))
    }
}

/// The groups that subscribe to a topic, and those that did and have members or had them when they did not any more: only what a
/// group subscribes to when it loses its last member is taken back (`ConsumerManager.clearTopicGroupTable`).
#[derive(Debug)]
struct SubscribedTopics {
    groups: Named<Named<Charge>>,
    budget: Budget,
}

impl SubscribedTopics {
    /// # Errors
    /// There is no room for it.
    fn note(&mut self, group: &str, topic: &str) -> Result<(), Refusal> {
        if !self.groups.get(topic).is_some_and(|groups| groups.contains(group)) {
            let cost = 2 * ENTRY + FIRST * size_of::<(Box<str>, Charge)>() + topic.len() + group.len();
            let charge = self.budget.charge(cost)?;
            self.groups.get_or_insert_with(topic, Named::default).insert(group, charge);
        }
        Ok(())
    }

    fn forget<'t>(&mut self, group: &str, topics: impl Iterator<Item = &'t str>) {
        for topic in topics {
            let Some(groups) = self.groups.get_mut(topic) else {
                continue;
            };
            groups.remove(group);
            if groups.is_empty() {
                self.groups.remove(topic);
            }
        }
    }
}

/// The groups that have members.
#[derive(Debug)]
pub(super) struct Groups {
    consumers: Named<ConsumerGroup>,
    producers: Named<SortedMap<Peer, Member>>,
    topics: SubscribedTopics,
    next_scan: Option<Instant>,
    budget: Budget,
}

impl Groups {
    pub(super) fn new(budget: &Budget) -> Self {
        let topics = SubscribedTopics { groups: Named::default(), budget: budget.clone() };
        Self {
            consumers: Named::default(),
            producers: Named::default(),
            topics,
            next_scan: None,
            budget: budget.clone(),
        }
    }

    /// The groups that subscribe to a topic, by name.
    pub(super) fn subscribers(&self, topic: &str) -> impl Iterator<Item = &str> {
        self.topics.groups.get(topic).into_iter().flat_map(Named::names)
    }

    /// A consumer group that has members.
    pub(super) fn consumers(&self, group: &str) -> Option<&ConsumerGroup> {
        self.consumers.get(group)
    }

    /// The members of a producer group.
    pub(super) fn producers(&self, group: &str) -> Option<&SortedMap<Peer, Member>> {
        self.producers.get(group)
    }

    /// A member of a consumer group has sent its heartbeat. Says whether the group has changed, and whether there was room
    /// for all; what it subscribes to is looked at only if `with_subscriptions` (`registerConsumer`,
    /// `registerConsumerWithoutSub`).
    pub(super) fn join_consumers(
        &mut self,
        peer: Peer,
        member: Member,
        data: ConsumerData,
        with_subscriptions: bool,
    ) -> (bool, Result<(), Refusal>) {
        self.next_scan.get_or_insert(member.last_heartbeat + SCAN_PERIOD);
        if !self.consumers.contains(&data.group_name) {
            let entries = size_of::<(Peer, Member)>() + size_of::<(Box<str>, Subscription)>();
            match self.budget.charge(2 * ENTRY + data.group_name.len() + FIRST * entries) {
                Ok(charge) => self.consumers.insert(&data.group_name, ConsumerGroup::new(charge)),
                Err(refusal) => return (false, Err(refusal)),
            }
        }
        let Some(group) = self.consumers.get_mut(&data.group_name) else {
            return (false, Ok(()));
        };
        group.consume_type = data.consume_type;
        group.message_model = data.message_model;
        group.consume_from_where = data.consume_from_where;
        let is_new = group.members.insert(peer, member).is_none();
        if !with_subscriptions {
            return (is_new, Ok(()));
        }
        let (is_changed, has_room) = group.subscribe(&mut self.topics, &data.group_name, data.subscription_data_set);
        (is_new | is_changed, has_room)
    }

    /// The same of a producer group.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn join_producers(&mut self, peer: Peer, mut member: Member, group: &str) -> Result<(), Refusal> {
        if !self.producers.contains(group) {
            let bytes = member.charge.bytes() + ENTRY + FIRST * size_of::<(Peer, Member)>();
            member.charge.resize(bytes)?;
        }
        self.next_scan.get_or_insert(member.last_heartbeat + SCAN_PERIOD);
        // As whom it came first it stays (`ProducerManager.registerProducer`).
        let last_heartbeat = member.last_heartbeat;
        let members = self.producers.get_or_insert_with(group, SortedMap::new);
        members.get_or_insert_with(peer, || member).last_heartbeat = last_heartbeat;
        Ok(())
    }

    /// A client is gone. Returns the consumer groups that have lost it, have other members and share their messages.
    pub(super) fn forget(&mut self, peer: Peer) -> Vec<Box<str>> {
        self.retain(|member, _| member != peer)
    }

    /// The same of the clients that have been silent for too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<Box<str>> {
        if self.next_scan.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let changed = self.retain(|_, member| member.last_heartbeat + EXPIRY > now);
        let is_empty = self.consumers.is_empty() && self.producers.is_empty();
        self.next_scan = (!is_empty).then(|| now + SCAN_PERIOD);
        changed
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next_scan
    }

    fn retain(&mut self, mut stays: impl FnMut(Peer, &Member) -> bool) -> Vec<Box<str>> {
        let mut changed = Vec::new();
        let topics = &mut self.topics;
        self.consumers.retain(|name, group| {
            let before = group.members.len();
            group.members.retain(|peer, member| stays(*peer, member));
            if group.members.len() != before && !group.members.is_empty() && group.shares_messages() {
                changed.push(name.into());
            }
            if group.members.is_empty() {
                topics.forget(name, group.subscriptions.names());
            }
            !group.members.is_empty()
        });
        self.producers.retain(|_, members| {
            members.retain(|peer, member| stays(*peer, member));
            !members.is_empty()
        });
        changed
    }

    pub(super) fn leave_producers(&mut self, group: &str, peer: Peer) {
        if let Some(members) = self.producers.get_mut(group) {
            members.remove(&peer);
            if members.is_empty() {
                self.producers.remove(group);
            }
        }
    }

    pub(super) fn leave_consumers(&mut self, group: &str, peer: Peer) {
        if let Some(consumers) = self.consumers.get_mut(group) {
            consumers.members.remove(&peer);
            if consumers.members.is_empty()
                && let Some(consumers) = self.consumers.remove(group)
            {
                self.topics.forget(group, consumers.subscriptions.names());
            }
        }
    }
}
