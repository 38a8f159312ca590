//! What a broker asks members of a group on behalf of administrators (`AdminBrokerProcessor.callConsumer`,
//! `Broker2Client.getConsumeStatus`).

use std::collections::VecDeque;

use bytes::Bytes;
use stgclient_core::sorted::SortedMap;
use stgclient_core::time::{Duration, Now};
use stgclient_core::wire::body::{self, ConsumerOffsets, ConsumerStatus};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, Fields, NoFields, WriteHeader};
use stgclient_core::wire::message::OffsetMessageId;
use stgclient_core::wire::request::ConsumeDirectly;

use super::super::budget::{Charge, ENTRY};
use super::super::nullable::Nullable;
use super::super::output::Outputs;
use super::super::peer::Peer;
use super::super::refusal::Refusal;
use super::super::reply::{Exchange, MOST_DELAYED, NOT_SET, Reply};
use super::Broker;

/// How long a member may take for an answer that is handed on.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a member may take to tell its offsets.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);
/// From this version on members tell of themselves (`MQVersion.V3_1_8_SNAPSHOT`).
const TELLS_OF_ITSELF: i32 = 62;
/// From this version on members tell their offsets (`MQVersion.V3_0_7_SNAPSHOT`).
const TELLS_OFFSETS: i32 = 28;

/// What a member is asked for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Its answer is handed on as it is.
    HandOn { exchange: Exchange, group: Box<str>, client_id: Box<str>, _charge: Charge },
    /// Its offsets are put together with those of others.
    Status(Box<StatusQuery>),
}

/// The offsets of several members, who are asked one after the other.
#[derive(Debug)]
pub(super) struct StatusQuery {
    exchange: Exchange,
    group: Box<str>,
    topic: Option<Box<str>>,
    /// Whom to ask next.
    left: VecDeque<(Peer, Box<str>)>,
    /// Who is being asked.
    asked: Box<str>,
    told: SortedMap<String, ConsumerOffsets>,
    charge: Charge,
}

/// What a member is asked for its offsets by (`GetConsumerStatusRequestHeader`): the topic is the one that was asked for, if any was.
struct AskedStatus<'a> {
    topic: Option<&'a str>,
    group: &'a str,
}

impl WriteHeader for AskedStatus<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        if let Some(topic) = self.topic {
            writer.text("topic", topic);
        }
        writer.text("group", self.group);
    }
}

/// The fields of a request that is handed on, some of them replaced.
struct HandedOn<'a> {
    fields: &'a Fields,
    replaced: Vec<(&'static str, String)>,
}

impl WriteHeader for HandedOn<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        let is_replaced = |name: &str| self.replaced.iter().any(|(replaced, _)| *replaced == name);
        self.fields
            .iter()
            .filter(|(name, _)| !is_replaced(name))
            .for_each(|(name, value)| writer.foreign(&name, &value));
        self.replaced.iter().for_each(|(name, value)| writer.text(name, value));
    }
}

/// What a version below [`TELLS_OF_ITSELF`] is called (`MQVersion.getVersionDesc`).
fn name_of_version(version: i32) -> String {
    let (name, is_released) = match version {
        0 => ("V3_0_0".to_owned(), false),
        1 => ("V3_0_0_ALPHA1".to_owned(), true),
        2..=6 => (format!("V3_0_0_BETA{}", version - 1), true),
        7..=14 => (format!("V3_0_0_BETA{}", (version + 5) / 2), version % 2 == 0),
        15 => ("V3_0_0_FINAL".to_owned(), true),
        16..=45 => (format!("V3_0_{}", (version - 14) / 2), version % 2 == 1),
        _ => (format!("V3_1_{}", (version - 46) / 2), version % 2 == 1),
    };
    if is_released { name } else { name + "_SNAPSHOT" }
}

impl Broker {
    pub(super) fn running_info(&mut self, now: Now, request: &Command, reply: Reply<'_>) {
        match Nullable(request).needed_text("consumerGroup") {
            Ok(group) => {
                let fields = HandedOn { fields: &request.fields, replaced: Vec::new() };
                let member = (&*group, &*Nullable(request).shown("clientId"));
                self.call_member(now, RequestCode::GET_CONSUMER_RUNNING_INFO, &fields, Bytes::new(), member, reply);
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    pub(super) fn consume_directly(&mut self, now: Now, request: &Command, reply: Reply<'_>) {
        let header: ConsumeDirectly<'_> = match request.header() {
            Ok(header) => header,
            Err(error) => return reply.refuse(&error.into()),
        };
        // Which may create it (`findSubscriptionGroupConfig`).
        if let Err(refusal) = self.group_settings.find_or_create(now, &header.consumer_group) {
            return reply.refuse(&refusal);
        }
        let id = header.msg_id.as_deref().unwrap_or_default();
        let record = id.parse().ok().and_then(|id: OffsetMessageId| self.log.at(id.physical_offset()));
        let Some(message) = record.map(|record| record.bytes.clone()) else {
            let remark = format!("NullPointerException: can not find message by the id, {id}");
            return reply.refuse(&Refusal::thrown(remark));
        };
        let mut replaced = vec![("brokerName", self.config.name.clone())];
        let topic = header.topic.as_deref().and_then(|topic| self.topics.by_name(topic));
        replaced.extend(topic.map(|topic| ("topicSysFlag", topic.config.sys_flag.to_string())));
        let group = self.group_settings.get(&header.consumer_group);
        replaced.extend(group.map(|group| ("groupSysFlag", group.group_sys_flag.to_string())));
        let fields = HandedOn { fields: &request.fields, replaced };
        let member = (&*header.consumer_group, header.client_id.as_deref().unwrap_or("null"));
        self.call_member(now, RequestCode::CONSUME_MESSAGE_DIRECTLY, &fields, message, member, reply);
    }

    fn call_member(
        &mut self,
        now: Now,
        code: RequestCode,
        fields: &HandedOn<'_>,
        body: Bytes,
        (group, client_id): (&str, &str),
        reply: Reply<'_>,
    ) {
        let refuse = |reply: Reply<'_>, remark| reply.refuse(&Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
        let Some((peer, member)) = self.groups.consumers(group).and_then(|consumers| consumers.member(client_id))
        else {
            return refuse(reply, format!("The Consumer <{group}> <{client_id}> not online"));
        };
        if member.version < TELLS_OF_ITSELF {
            let remark = format!(
                "The Consumer <{client_id}> Version <{}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT",
                name_of_version(member.version)
            );
            return refuse(reply, remark);
        }
        let charge = match self.budget.charge(4 * ENTRY + group.len() + client_id.len()) {
            Ok(charge) => charge,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let (exchange, out) = reply.into_parts();
        let purpose = Purpose::HandOn { exchange, group: group.into(), client_id: client_id.into(), _charge: charge };
        self.asks.ask(out, (peer, now.mono + PATIENCE), code, fields, &body, purpose);
    }

    /// Asks the member that the request names, or all of them.
    pub(super) fn consumer_status(&mut self, now: Now, request: &Command, reply: Reply<'_>) {
        let fields = Nullable(request);
        let group = match fields.needed_text("group") {
            Ok(group) => group,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let refuse = |reply: Reply<'_>, remark| reply.refuse(&Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
        let Some(consumers) = self.groups.consumers(&group) else {
            let remark = format!("No Any Consumer online in the consumer group: [{group}]");
            // Apache's broker does not expect that there is no such group.
            return reply.refuse(&match self.dialect {
                Dialect::Apache => Refusal::thrown(format!("NullPointerException: {remark}")),
                Dialect::Smartgo => Refusal::new(ResponseCode::SYSTEM_ERROR, remark),
            });
        };
        if let Some(old) = consumers.members().values().find(|member| member.version < TELLS_OFFSETS) {
            return refuse(
                reply,
                format!("the client does not support this feature. version={}", name_of_version(old.version)),
            );
        }
        let wanted = fields.text("clientAddr").unwrap_or_default();
        let members = consumers.members().iter().map(|(peer, member)| (*peer, member.client_id.clone()));
        let wanted = wanted.trim();
        let left: VecDeque<_> = members.filter(|(_, client_id)| wanted.is_empty() || wanted == &**client_id).collect();
        let names: usize = left.iter().map(|(_, client_id)| ENTRY + client_id.len()).sum();
        let topic_length = fields.text("topic").map_or(0, |topic| topic.len());
        let charge = match self.budget.charge(4 * ENTRY + group.len() + topic_length + names) {
            Ok(charge) => charge,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let (exchange, out) = reply.into_parts();
        let (group, topic) = ((*group).into(), fields.text("topic").map(|topic| (*topic).into()));
        let query = StatusQuery { exchange, group, topic, left, asked: Box::default(), told: SortedMap::new(), charge };
        self.continue_status(now, Box::new(query), out);
    }

    fn continue_status(&mut self, now: Now, mut query: Box<StatusQuery>, out: &mut Outputs) {
        let Some((peer, client_id)) = query.left.pop_front() else {
            let status = ConsumerStatus { consumer_table: query.told, ..ConsumerStatus::default() };
            let reply = Reply::new(query.exchange, out, MOST_DELAYED);
            // The words of a Java answer whose remark nobody has set.
            let remark = (self.dialect == Dialect::Apache).then_some(NOT_SET);
            return reply.send(ResponseCode::SUCCESS, remark, &NoFields, &body::to_vec(&status));
        };
        query.asked = client_id;
        let (topic, group) = (query.topic.clone(), query.group.clone());
        let request = AskedStatus { topic: topic.as_deref(), group: &group };
        let code = RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT;
        let due = now.mono + STATUS_PATIENCE;
        self.asks.ask(out, (peer, due), code, &request, &Bytes::new(), Purpose::Status(query));
    }

    /// A client has answered what this broker has asked.
    pub(crate) fn answered(&mut self, now: Now, peer: Peer, answer: &Command, out: &mut Outputs) {
        match self.asks.answered(peer, answer.opaque) {
            None => {}
            Some(Purpose::HandOn { exchange, .. }) => {
                let fields = HandedOn { fields: &answer.fields, replaced: Vec::new() };
                Reply::new(exchange, out, MOST_DELAYED).hand_on(answer, &fields);
            }
            Some(Purpose::Status(mut query)) => {
                let is_success = answer.code == ResponseCode::SUCCESS.0;
                let status = is_success.then(|| answer.read_body::<ConsumerStatus>().ok()).flatten();
                // What there is no room for is not told.
                let cost = query.charge.bytes() + 8 * answer.body.len();
                if let Some(status) = status.filter(|_| query.charge.resize(cost).is_ok()) {
                    query.told.insert(query.asked.to_string(), ConsumerOffsets(status.message_queue_table));
                }
                self.continue_status(now, query, out);
            }
        }
    }

    /// Whoever has not answered in time is waited for no longer.
    pub(super) fn give_up_late(&mut self, now: Now, out: &mut Outputs) {
        while let Some((peer, purpose)) = self.asks.pop_late(now.mono) {
            match purpose {
                Purpose::HandOn { exchange, group, client_id, .. } => {
                    let member = self.groups.consumers(&group).and_then(|consumers| consumers.members().get(&peer));
                    let address = member.map_or_else(|| "UNKNOWN".to_owned(), |member| member.address.to_string());
                    let remark = format!(
                        "consumer <{group}> <{client_id}> Timeout: RemotingTimeoutException, wait response on the \
                         channel <{address}> timeout, {}(ms)",
                        PATIENCE.as_millis()
                    );
                    let refusal = Refusal::new(ResponseCode::CONSUME_MSG_TIMEOUT, remark);
                    Reply::new(exchange, out, MOST_DELAYED).refuse(&refusal);
                }
                Purpose::Status(query) => self.continue_status(now, query, out),
            }
        }
    }
}
