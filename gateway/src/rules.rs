//! Which requests pass: an allow-list by code, and for visitors with rules where topics and groups stand in each.
//!
//! A code that is not in the list is refused. For a visitor with rules so is what the list knows no place of: another field, or a body
//! that cannot be read.

use std::borrow::Cow;

use stgclient_core::wire::body::{self, CheckClientConfig, HeartbeatData, QueueLockRequest, SubscriptionGroupConfig};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{self, Request};

use crate::visitor::{Refusal, Visitor};

/// What of a request says whom it concerns.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    code: RequestCode,
    kind: Kind,
    knows: fn(Dialect, &str) -> bool,
    topics: &'static [&'static str],
    groups: &'static [&'static str],
    body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What every client asks.
    Client,
    /// What is about all topics and groups at once: for those who have no rules.
    Everything,
    /// It names a message by its place in a broker's log alone, so the message has to be looked at.
    Place,
    /// It changes topics or groups: for administrators.
    Administration,
}

/// What a body says of topics and groups.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing.
    Opaque,
    Heartbeat,
    Queues,
    Subscription,
    Group,
}

/// What is done with a request, as far as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It passes.
    Free,
    /// Its body is to be read: [`judge_body`].
    ByBody,
    /// The message at this place has to be of a topic that the visitor may have.
    ByPlace(i64),
}

macro_rules! rules {
    ($($code:ident $kind:ident $type:ty, [$($topic:literal)*] [$($group:literal)*] $body:ident;)*) => {
        &[$(Rule {
            code: RequestCode::$code,
            kind: Kind::$kind,
            knows: <$type as Request<'_>>::knows,
            topics: &[$($topic),*],
            groups: &[$($group),*],
            body: Body::$body,
        },)*]
    };
}

/// In the order of how often they come.
const RULES: &[Rule] = rules! {
    SEND_MESSAGE_V2 Client request::SendMessage<'_>, ["b"] ["a"] Opaque;
    PULL_MESSAGE Client request::PullMessage<'_>, ["topic"] ["consumerGroup"] Opaque;
    SEND_BATCH_MESSAGE Client request::SendMessage<'_>, ["b"] ["a"] Opaque;
    SEND_MESSAGE Client request::SendMessageV1<'_>, ["topic"] ["producerGroup"] Opaque;
    UPDATE_CONSUMER_OFFSET Client request::UpdateConsumerOffset<'_>, ["topic"] ["consumerGroup"] Opaque;
    QUERY_CONSUMER_OFFSET Client request::QueryConsumerOffset<'_>, ["topic"] ["consumerGroup"] Opaque;
    HEART_BEAT Client request::Heartbeat, [] [] Heartbeat;
    GET_CONSUMER_LIST_BY_GROUP Client request::GetConsumerList<'_>, [] ["consumerGroup"] Opaque;
    GET_ROUTEINFO_BY_TOPIC Client request::GetRouteInfo<'_>, ["topic"] [] Opaque;
    LOCK_BATCH_MQ Client request::LockQueues, [] [] Queues;
    UNLOCK_BATCH_MQ Client request::UnlockQueues, [] [] Queues;
    CONSUMER_SEND_MSG_BACK Place request::SendBack<'_>, ["originTopic"] ["group"] Opaque;
    GET_MAX_OFFSET Client request::GetMaxOffset<'_>, ["topic"] [] Opaque;
    GET_MIN_OFFSET Client request::GetMinOffset<'_>, ["topic"] [] Opaque;
    SEARCH_OFFSET_BY_TIMESTAMP Client request::SearchOffset<'_>, ["topic"] [] Opaque;
    GET_EARLIEST_MSG_STORETIME Client request::GetEarliestStoreTime<'_>, ["topic"] [] Opaque;
    CHECK_CLIENT_CONFIG Client request::CheckSubscription, [] [] Subscription;
    UNREGISTER_CLIENT Client request::UnregisterClient<'_>, [] ["producerGroup" "consumerGroup"] Opaque;
    VIEW_MESSAGE_BY_ID Place request::ViewMessage<'_>, ["topic"] [] Opaque;
    QUERY_MESSAGE Client request::QueryMessage<'_>, ["topic"] [] Opaque;

    GET_TOPIC_STATS_INFO Client request::GetTopicStats<'_>, ["topic"] [] Opaque;
    GET_TOPIC_CONFIG Client request::GetTopicConfig<'_>, ["topic"] [] Opaque;
    GET_CONSUME_STATS Client request::GetConsumeStats<'_>, ["topic" "topicList"] ["consumerGroup"] Opaque;
    GET_CONSUMER_CONNECTION_LIST Client request::GetConsumerConnections<'_>, [] ["consumerGroup"] Opaque;
    GET_PRODUCER_CONNECTION_LIST Client request::GetProducerConnections<'_>, [] ["producerGroup"] Opaque;
    GET_SUBSCRIPTIONGROUP_CONFIG Client request::GetGroup<'_>, [] ["group"] Opaque;
    QUERY_TOPICS_BY_CONSUMER Client request::QueryTopicsOfConsumer<'_>, [] ["group"] Opaque;
    QUERY_SUBSCRIPTION_BY_CONSUMER Client request::QuerySubscription<'_>, ["topic"] ["group"] Opaque;
    GET_BROKER_CLUSTER_INFO Everything request::GetClusterInfo, [] [] Opaque;
    GET_ALL_TOPIC_LIST_FROM_NAMESERVER Everything request::GetTopicList, [] [] Opaque;
    GET_ALL_SUBSCRIPTIONGROUP_CONFIG Everything request::GetGroups<'_>, [] [] Opaque;
    QUERY_TOPIC_CONSUME_BY_WHO Everything request::QueryTopicConsumers<'_>, ["topic"] [] Opaque;

    UPDATE_AND_CREATE_TOPIC Administration request::CreateTopic<'_>, ["topic"] [] Opaque;
    DELETE_TOPIC_IN_BROKER Administration request::DeleteTopicInBroker<'_>, ["topic"] [] Opaque;
    DELETE_TOPIC_IN_NAMESRV Administration request::DeleteTopicInNameServer<'_>, ["topic"] [] Opaque;
    UPDATE_AND_CREATE_SUBSCRIPTIONGROUP Administration request::UpdateGroup, [] [] Group;
    DELETE_SUBSCRIPTIONGROUP Administration request::DeleteGroup<'_>, [] ["groupName"] Opaque;
    INVOKE_BROKER_TO_RESET_OFFSET Administration request::InvokeResetOffset<'_>, ["topic"] ["group"] Opaque;
};

/// The template of topics that are created by a first message: whoever may send to a new topic has to know it.
const TEMPLATE_TOPICS: [&str; 2] = ["TBW102", "MY_DEFAULT_TOPIC"];
/// The group under which clients of Java's send messages back; nobody consumes in it.
const INNER_PRODUCER: &str = "CLIENT_INNER_PRODUCER";
/// Fields of who signs: `AclClientRPCHook`.
pub(crate) const SIGNATURE_FIELDS: [&str; 3] = ["AccessKey", "Signature", "SecurityToken"];

/// Judges a request by its header, of which `fields` are all.
pub(crate) fn judge(
    visitor: &Visitor,
    dialect: Dialect,
    command: &Command,
    fields: &[(Cow<'_, str>, Cow<'_, str>)],
) -> Result<Passage, Refusal> {
    let code = RequestCode(command.code);
    let Some(rule) = RULES.iter().find(|rule| rule.code == code) else {
        return Err(format!("the gateway lets no request {code} through").into());
    };
    if rule.kind == Kind::Administration && !visitor.administers() {
        return Err(format!("{code} is for administrators").into());
    }
    no_system_topic(rule, command)?;
    if !visitor.is_bound() {
        return Ok(Passage::Free);
    }
    if rule.kind == Kind::Everything {
        return Err(format!("{code} is about all topics and groups, and you may have some").into());
    }
    for (name, _) in fields {
        if !(rule.knows)(dialect, name) && !SIGNATURE_FIELDS.contains(&&**name) {
            return Err(format!("{code} has a field that the gateway does not know").into());
        }
    }
    let sends =
        matches!(code, RequestCode::SEND_MESSAGE | RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE);
    for name in rule.topics {
        for topic in texts(command, name) {
            let is_template = code == RequestCode::GET_ROUTEINFO_BY_TOPIC && TEMPLATE_TOPICS.contains(&&*topic);
            if !is_template {
                visitor.may_have_topic(&topic)?;
            }
        }
    }
    for name in rule.groups {
        for group in texts(command, name) {
            let is_inner = sends && group == INNER_PRODUCER;
            if !is_inner {
                visitor.may_have_group(&group)?;
            }
        }
    }
    match (rule.kind, rule.body) {
        (Kind::Place, _) if visitor.topics_are_bound() => {
            let offset = command.fields.get("offset").and_then(|offset| offset.parse().ok());
            offset.map(Passage::ByPlace).ok_or_else(|| "the message's offset cannot be read".into())
        }
        (_, Body::Opaque) => Ok(Passage::Free),
        _ => Ok(Passage::ByBody),
    }
}

/// The texts of a field; a list of topics has several, each ended by `;`.
fn texts(command: &Command, name: &str) -> Vec<String> {
    let Some(text) = command.fields.get(name) else { return Vec::new() };
    match name {
        "topicList" => text.split(';').filter(|topic| !topic.is_empty()).map(str::to_owned).collect(),
        _ => vec![text.into_owned()],
    }
}

/// Nobody sends to topics that brokers keep their own books in (`TopicValidator`).
fn no_system_topic(rule: &Rule, command: &Command) -> Result<(), Refusal> {
    for name in rule.topics {
        for topic in texts(command, name) {
            if topic == "SCHEDULE_TOPIC_XXXX"
                || topic.get(..8).is_some_and(|front| front.eq_ignore_ascii_case("RMQ_SYS_"))
            {
                return Err("the topic is one of the brokers' own".into());
            }
        }
    }
    Ok(())
}

/// Judges the body of a request whose header says [`Passage::ByBody`]. What passes is what was read, written anew: nobody reads it
/// otherwise than here.
pub(crate) fn judge_body(
    visitor: &Visitor,
    dialect: Dialect,
    code: RequestCode,
    body: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let rule = RULES.iter().find(|rule| rule.code == code).ok_or("there is no such request")?;
    let unread = |error: body::BodyError| Refusal::from(format!("the body cannot be checked: {error}"));
    match rule.body {
        Body::Opaque => Ok(body.to_vec()),
        Body::Heartbeat => {
            let heartbeat: HeartbeatData = body::from_slice(body).map_err(unread)?;
            for producer in &heartbeat.producer_data_set {
                if producer.group_name != INNER_PRODUCER {
                    visitor.may_have_group(&producer.group_name)?;
                }
            }
            for consumer in &heartbeat.consumer_data_set {
                visitor.may_have_group(&consumer.group_name)?;
                for subscription in &consumer.subscription_data_set {
                    visitor.may_have_topic(&subscription.topic)?;
                }
            }
            Ok(heartbeat.encode(dialect))
        }
        Body::Queues => {
            let locks: QueueLockRequest = body::from_slice(body).map_err(unread)?;
            visitor.may_have_group(&locks.consumer_group)?;
            for queue in &locks.mq_set {
                visitor.may_have_topic(&queue.topic)?;
            }
            Ok(body::to_vec(&locks))
        }
        Body::Subscription => {
            let check: CheckClientConfig = body::from_slice(body).map_err(unread)?;
            visitor.may_have_group(&check.group)?;
            visitor.may_have_topic(&check.subscription_data.topic)?;
            Ok(body::to_vec(&check))
        }
        Body::Group => {
            let group: SubscriptionGroupConfig = body::from_slice(body).map_err(unread)?;
            visitor.may_have_group(&group.group_name)?;
            Ok(body::to_vec(&group))
        }
    }
}
