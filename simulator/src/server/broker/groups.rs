//! Who produces and who consumes, as heartbeats tell (`ClientManageProcessor`, `ConsumerManager`, `ProducerManager`).

use std::collections::{BTreeMap, BTreeSet};

use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::body::{self, ConsumerData, ConsumerList, HeartbeatData, SubscriptionData};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{GetConsumerList, HeartbeatAnswer, UnregisterClient};

use super::super::peer::Peer;
use super::super::reply::Refusal;
use super::pull::no_filter;
use super::topics::TopicConfig;
use super::{Broker, Session, topic_names};

/// After this time without a heartbeat a client is forgotten (`CHANNEL_EXPIRED_TIMEOUT`).
const EXPIRY: Duration = Duration::from_secs(120);
/// How often the broker looks for such clients (`ClientHousekeepingService`).
const SCAN_PERIOD: Duration = Duration::from_secs(10);

/// One client of a group.
#[derive(Debug)]
struct Member {
    client_id: Box<str>,
    last_heartbeat: Instant,
}

/// The members of a consumer group and what they last agreed on.
#[derive(Debug, Default)]
pub(super) struct ConsumerGroup {
    members: BTreeMap<Peer, Member>,
    subscriptions: BTreeMap<Box<str>, SubscriptionData>,
}

impl ConsumerGroup {
    pub(super) fn subscription(&self, topic: &str) -> Option<&SubscriptionData> {
        self.subscriptions.get(topic)
    }

    /// `ConsumerGroupInfo.updateSubscription`: the newer of two versions counts, and a topic that the member does not
    /// name any more is no longer subscribed to by anybody.
    fn update(&mut self, data: ConsumerData) {
        let named: BTreeSet<&str> = data.subscription_data_set.iter().map(|sub| sub.topic.as_str()).collect();
        self.subscriptions.retain(|topic, _| named.contains(&**topic));
        for subscription in data.subscription_data_set {
            let known = self.subscriptions.get(subscription.topic.as_str());
            if known.is_none_or(|known| known.sub_version < subscription.sub_version) {
                self.subscriptions.insert(subscription.topic.as_str().into(), subscription);
            }
        }
    }
}

/// The groups of a broker.
#[derive(Debug)]
pub(super) struct Groups {
    /// Every consumer group that was ever seen (`SubscriptionGroupManager`), with the fingerprint of its last heartbeat.
    known: BTreeMap<Box<str>, Option<i32>>,
    consumers: BTreeMap<Box<str>, ConsumerGroup>,
    producers: BTreeMap<Box<str>, BTreeMap<Peer, Member>>,
    next_scan: Option<Instant>,
    creates: bool,
    limit: usize,
    subscriptions: usize,
}

impl Groups {
    /// No groups; `creates` says whether an unknown one is created when it shows up.
    pub(super) const fn new(creates: bool, limit: usize, subscriptions: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            consumers: BTreeMap::new(),
            producers: BTreeMap::new(),
            next_scan: None,
            creates,
            limit,
            subscriptions,
        }
    }

    /// Whether there is such a consumer group.
    pub(super) fn contains(&self, group: &str) -> bool {
        self.known.contains_key(group)
    }

    /// The same, and creates it if that is allowed (`SubscriptionGroupManager.findSubscriptionGroupConfig`).
    ///
    /// # Errors
    /// There are as many as the broker keeps.
    pub(super) fn find_or_create(&mut self, group: &str) -> Result<bool, Refusal> {
        if self.contains(group) {
            return Ok(true);
        }
        if !self.creates || !topic_names::is_group(group) {
            return Ok(false);
        }
        if self.known.len() >= self.limit {
            return Err(Refusal::full("consumer groups", self.limit));
        }
        self.known.insert(group.into(), None);
        Ok(true)
    }

    /// A group that has members.
    pub(super) fn consumers(&self, group: &str) -> Option<&ConsumerGroup> {
        self.consumers.get(group)
    }

    /// A client is gone.
    pub(super) fn forget(&mut self, peer: Peer) {
        self.retain(|member, _| member != peer);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_scan.is_some_and(|at| at <= now) {
            self.retain(|_, member| member.last_heartbeat + EXPIRY > now);
            let is_empty = self.consumers.is_empty() && self.producers.is_empty();
            self.next_scan = (!is_empty).then(|| now + SCAN_PERIOD);
        }
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next_scan
    }

    fn retain(&mut self, mut stays: impl FnMut(Peer, &Member) -> bool) {
        self.consumers.retain(|_, group| {
            group.members.retain(|peer, member| stays(*peer, member));
            !group.members.is_empty()
        });
        self.producers.retain(|_, members| {
            members.retain(|peer, member| stays(*peer, member));
            !members.is_empty()
        });
    }

    fn leave_producers(&mut self, group: &str, peer: Peer) {
        if let Some(members) = self.producers.get_mut(group) {
            members.remove(&peer);
            if members.is_empty() {
                self.producers.remove(group);
            }
        }
    }

    fn leave_consumers(&mut self, group: &str, peer: Peer) {
        if let Some(consumers) = self.consumers.get_mut(group) {
            consumers.members.remove(&peer);
            if consumers.members.is_empty() {
                self.consumers.remove(group);
            }
        }
    }
}

impl Broker {
    /// A fingerprint other than 0 makes it a heartbeat of the second version, which may leave the subscriptions out as
    /// long as the broker does not find that they have changed.
    pub(super) fn heartbeat(
        &mut self,
        now: Now,
        session: Session,
        request: &Command,
    ) -> Result<HeartbeatAnswer, Refusal> {
        let heartbeat: HeartbeatData = body::from_slice(&request.body).map_err(Refusal::malformed_body)?;
        let member = || Member { client_id: heartbeat.client_id.as_str().into(), last_heartbeat: now.mono };
        let fingerprint = heartbeat.heartbeat_fingerprint;
        let mut is_sub_change = fingerprint == 0;
        self.groups.next_scan.get_or_insert(now.mono + SCAN_PERIOD);
        for data in heartbeat.consumer_data_set {
            if data.subscription_data_set.len() > self.groups.subscriptions {
                return Err(Refusal::full("subscriptions of a consumer", self.groups.subscriptions));
            }
            if !self.groups.find_or_create(&data.group_name)? {
                continue;
            }
            let last = self.groups.known.insert(data.group_name.as_str().into(), Some(fingerprint)).flatten();
            is_sub_change |= last.is_some_and(|last| last != fingerprint);
            let retry_topic = topic_names::retry_topic(&data.group_name);
            if self.topics.find(&retry_topic).is_none() {
                self.topics.update(&retry_topic, TopicConfig::new(1))?;
            }
            let group = self.groups.consumers.entry(data.group_name.as_str().into()).or_default();
            group.members.insert(session.peer, member());
            if fingerprint == 0 || !heartbeat.without_sub {
                group.update(data);
            }
        }
        for data in heartbeat.producer_data_set {
            let is_known = self.groups.producers.contains_key(data.group_name.as_str());
            if !is_known && self.groups.producers.len() >= self.groups.limit {
                return Err(Refusal::full("producer groups", self.groups.limit));
            }
            let members = self.groups.producers.entry(data.group_name.into()).or_default();
            members.insert(session.peer, member());
        }
        Ok(HeartbeatAnswer { is_support_heart_beat_v2: Some(true), is_sub_change: Some(is_sub_change) })
    }

    /// Only tags can be filtered by.
    pub(super) fn check_client_config(&self, request: &Command) -> Result<(), Refusal> {
        let body: serde_json::Value = body::from_slice(&request.body).map_err(Refusal::malformed_body)?;
        match body["subscriptionData"]["expressionType"].as_str() {
            None | Some("" | "TAG") => Ok(()),
            Some(other) => Err(no_filter(other)),
        }
    }

    pub(super) fn unregister(&mut self, session: Session, request: &Command) -> Result<(), Refusal> {
        let header: UnregisterClient<'_> = request.header()?;
        if let Some(group) = header.producer_group {
            self.groups.leave_producers(&group, session.peer);
        }
        if let Some(group) = header.consumer_group {
            self.groups.leave_consumers(&group, session.peer);
        }
        Ok(())
    }

    pub(super) fn consumer_list(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetConsumerList<'_> = request.header()?;
        let group = self.groups.consumers(&header.consumer_group).ok_or_else(|| {
            let remark = format!("no consumer for this group, {}", header.consumer_group);
            Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
        })?;
        let consumer_id_list = group.members.values().map(|member| member.client_id.to_string()).collect();
        Ok(body::to_vec(&ConsumerList { consumer_id_list }))
    }
}
