//! Clients say that they are there, and that they leave (`ClientManageProcessor`); members hear of each other
//! (`DefaultConsumerIdsChangeListener`).

use bytes::Bytes;
use stgclient_core::sorted::SortedSet;
use stgclient_core::time::Now;
use stgclient_core::wire::body::{self, CheckClientConfig, ConsumerData, ConsumerList, ExpressionType, HeartbeatData};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::json::Json;
use stgclient_core::wire::request::{GetConsumerList, HeartbeatAnswer, NotifyConsumerIdsChanged};

use super::super::budget::ENTRY;
use super::super::needed::{Need, read_body_with};
use super::super::nullable::Nullable;
use super::super::output::Outputs;
use super::super::refusal::{Refusal, read_body};
use super::super::sql92::Expression;
use super::groups::{self, Member};
use super::topics::TopicConfig;
use super::{Broker, Session, topic_names};

/// What a heartbeat is that brokers understand.
const NEEDED: &[Need] = &[
    Need::NotNull("consumerDataSet"),
    Need::Each(
        "consumerDataSet",
        &[
            Need::There("groupName"),
            Need::NotNull("subscriptionDataSet"),
            Need::Each("subscriptionDataSet", &[Need::There("topic")]),
        ],
    ),
    Need::NotNull("producerDataSet"),
    Need::Each("producerDataSet", &[Need::There("groupName")]),
];

/// The bit of a topic's system flag that says that units subscribe to it (`TopicSysFlag`).
pub(super) const UNIT_SUBSCRIBED: i32 = 2;

impl Broker {
    /// A fingerprint other than 0 makes it a heartbeat of the second version, which may leave the subscriptions out as
    /// long as the broker does not find that they have changed.
    pub(super) fn heartbeat(
        &mut self,
        now: Now,
        session: Session,
        request: &Command,
        out: &mut Outputs,
    ) -> Result<HeartbeatAnswer, Refusal> {
        let mut heartbeat: HeartbeatData = match self.dialect {
            Dialect::Apache => read_body_with(request, NEEDED)?,
            // What smartgo's brokers cannot read is a heartbeat of nobody.
            Dialect::Smartgo => read_body(request).unwrap_or_default(),
        };
        stamp(now, &request.body, &mut heartbeat);
        // However often a heartbeat names a group, its members hear of it once; also if it is refused later.
        let mut changed = SortedSet::new();
        let answer = self.join_groups(now, session, request, heartbeat, &mut changed);
        for group in changed {
            self.notify_members(&group, out);
        }
        answer
    }

    /// Makes the client a member of all groups of its heartbeat, and says which of these have changed.
    fn join_groups(
        &mut self,
        now: Now,
        session: Session,
        request: &Command,
        mut heartbeat: HeartbeatData,
        changed: &mut SortedSet<String>,
    ) -> Result<HeartbeatAnswer, Refusal> {
        let (budget, client_id) = (self.budget.clone(), std::mem::take(&mut heartbeat.client_id));
        let member = |group: &str| {
            Ok::<_, Refusal>(Member {
                client_id: client_id.as_str().into(),
                address: session.address,
                language: request.language,
                version: request.version,
                last_heartbeat: now.mono,
                charge: budget.charge(groups::cost(group, &client_id))?,
            })
        };
        let fingerprint = heartbeat.heartbeat_fingerprint;
        let with_subscriptions = fingerprint == 0 || !heartbeat.without_sub;
        let mut is_sub_change = fingerprint == 0;
        for data in heartbeat.consumer_data_set {
            let group = data.group_name.clone();
            let Some(settings) = self.group_settings.find_or_create(now, &group)? else {
                continue;
            };
            let notifies = settings.notify_consumer_ids_changed_enable;
            let retry_queues = u32::try_from(settings.retry_queue_nums).unwrap_or_default();
            let last = self.note_fingerprint(&group, fingerprint)?;
            is_sub_change |= last.is_some_and(|last| last != fingerprint);
            self.create_retry_topic(&data, retry_queues)?;
            let (is_changed, has_room) =
                self.groups.join_consumers(session.peer, member(&group)?, data, with_subscriptions);
            if is_changed && notifies {
                changed.insert(group);
            }
            has_room?;
        }
        for data in heartbeat.producer_data_set {
            self.groups.join_producers(session.peer, member(&data.group_name)?, &data.group_name)?;
        }
        Ok(HeartbeatAnswer { is_support_heart_beat_v2: Some(true), is_sub_change: Some(is_sub_change) })
    }

    /// Returns the fingerprint of the group's last heartbeat. Those of groups that were deleted are kept, as Java keeps them, while
    /// there is room.
    fn note_fingerprint(&mut self, group: &str, fingerprint: i32) -> Result<Option<i32>, Refusal> {
        if let Some((known, _)) = self.fingerprints.get_mut(group) {
            return Ok(Some(std::mem::replace(known, fingerprint)));
        }
        let cost = ENTRY + group.len();
        let charge = self.budget.charge(cost).or_else(|_| {
            self.fingerprints.retain(|group, _| self.group_settings.get(group).is_some());
            self.budget.charge(cost)
        })?;
        self.fingerprints.insert(group, (fingerprint, charge));
        Ok(None)
    }

    /// The group's retry topic is ordered when one of the topics is that it subscribes to.
    fn create_retry_topic(&mut self, data: &ConsumerData, queues: u32) -> Result<(), Refusal> {
        let is_ordered = data
            .subscription_data_set
            .iter()
            .any(|subscription| self.topics.by_name(&subscription.topic).is_some_and(|topic| topic.config.is_ordered));
        let sys_flag = if data.unit_mode { UNIT_SUBSCRIBED } else { 0 };
        let config = TopicConfig { is_ordered, sys_flag, ..TopicConfig::new(queues) };
        self.topics.create_for_back(&topic_names::retry_topic(&data.group_name), config).map(|_| ())
    }

    /// Says before a consumer starts whether what it wants can be filtered by. The body is looked at as it is: a kind of
    /// expression that nobody knows is to be refused, not to be malformed.
    pub(super) fn check_client_config(&self, request: &Command) -> Result<(), Refusal> {
        if request.body.is_empty() {
            return Ok(());
        }
        let body: Option<CheckClientConfig> = read_body(request)?;
        let CheckClientConfig { subscription_data, .. } = body.unwrap_or_default();
        let kind = subscription_data.expression_type.name();
        if subscription_data.expression_type.is_tag() {
            return Ok(());
        }
        self.require_property_filter(kind)?;
        let failed = |remark| Refusal::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, remark);
        if kind != ExpressionType::Sql92.name() {
            return Err(failed(format!("NullPointerException: there is no filter of the kind {kind}")));
        }
        // Without one Java fails with an exception without a word.
        let text = String::from_utf8_lossy(&request.body);
        let json = Json::parse(text.as_bytes()).unwrap_or(Json::Null);
        if matches!(field(field(json, "subscriptionData"), "subString"), Json::Null) {
            return Err(failed(String::new()));
        }
        let parsed = Expression::parse(&subscription_data.sub_string);
        parsed.map(|_| ()).map_err(|error| failed(format!("MQFilterException: {error}")))
    }

    pub(super) fn unregister(
        &mut self,
        now: Now,
        session: Session,
        request: &Command,
        out: &mut Outputs,
    ) -> Result<(), Refusal> {
        let fields = Nullable(request);
        if let Some(group) = fields.text("producerGroup") {
            self.groups.leave_producers(&group, session.peer);
        }
        if let Some(group) = fields.text("consumerGroup") {
            // To leave no room is needed.
            let settings = self.group_settings.find_or_create(now, &group).ok().flatten();
            let notifies = settings.is_none_or(|settings| settings.notify_consumer_ids_changed_enable);
            self.groups.leave_consumers(&group, session.peer);
            if notifies {
                self.notify_members(&group, out);
            }
        }
        Ok(())
    }

    pub(super) fn consumer_list(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetConsumerList<'_> = request.header()?;
        let group = self.groups.consumers(&header.consumer_group).ok_or_else(|| {
            let remark = format!("no consumer for this group, {}", header.consumer_group);
            Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
        })?;
        let consumer_id_list = group.members().values().map(|member| member.client_id.to_string()).collect();
        Ok(body::to_vec(&ConsumerList { consumer_id_list }))
    }

    /// Tells every member of a group, the one that came included, that members came or went; those of a group that does
    /// not share its messages hear nothing, from Apache's.
    pub(super) fn notify_members(&mut self, group: &str, out: &mut Outputs) {
        let hears = |shares_messages| shares_messages || self.dialect == Dialect::Smartgo;
        let Some(consumers) = self.groups.consumers(group).filter(|consumers| hears(consumers.shares_messages()))
        else {
            return;
        };
        let notification = NotifyConsumerIdsChanged { consumer_group: group.into() };
        for peer in consumers.members().keys() {
            self.asks.oneway(out, *peer, &notification, &Bytes::new());
        }
    }
}

/// What is called so in an object; null where there is nothing.
fn field<'a>(object: Json<'a>, wanted: &str) -> Json<'a> {
    object.members().filter(|(name, _)| name.is(wanted)).last().map_or(Json::Null, |(_, value)| value)
}

/// A subscription that does not say when it changed has changed when it is read (`SubscriptionData.subVersion`).
fn stamp(now: Now, body: &[u8], heartbeat: &mut HeartbeatData) {
    let text = String::from_utf8_lossy(body);
    let Ok(json) = Json::parse(text.as_bytes()) else {
        return;
    };
    for (group, read) in field(json, "consumerDataSet").elements().zip(&mut heartbeat.consumer_data_set) {
        let subscriptions = field(group, "subscriptionDataSet").elements().zip(&mut read.subscription_data_set);
        for (_, read) in subscriptions.filter(|(told, _)| !told.members().any(|(name, _)| name.is("subVersion"))) {
            read.sub_version = now.unix_ms as i64;
        }
    }
}
