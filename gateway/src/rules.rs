//! Which requests pass: an allow-list by code, and for visitors with rules where topics and groups stand in each.
//!
//! A code that is not in the list is refused. For a visitor with rules so is what the list knows no place of: another field, a topic or
//! group that is not said, or a body that cannot be read.

use bytes::Bytes;
use stgclient_core::wire::body::{self, CheckClientConfig, HeartbeatData, QueueLockRequest, SubscriptionGroupConfig};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::batch::BatchRecords;
use stgclient_core::wire::request::{self, Request};

use crate::fields::Fields;
use crate::visitor::{Refusal, Visitor};

/// What of a request says whom it concerns.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) code: RequestCode,
    pub(crate) kind: Kind,
    pub(crate) knows: fn(Dialect, &str) -> bool,
    /// The fields that name topics. One with `?` behind it may be left out.
    pub(crate) topics: &'static [&'static str],
    /// The same of groups.
    pub(crate) groups: &'static [&'static str],
    pub(crate) body: Body,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
    /// A message, or several in one body, as the header says: the properties of each are looked at.
    Messages,
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
pub(crate) const RULES: &[Rule] = rules! {
    SEND_MESSAGE_V2 Client request::SendMessage<'_>, ["b"] ["a"] Messages;
    PULL_MESSAGE Client request::PullMessage<'_>, ["topic"] ["consumerGroup"] Opaque;
    SEND_BATCH_MESSAGE Client request::SendMessage<'_>, ["b"] ["a"] Messages;
    SEND_MESSAGE Client request::SendMessageV1<'_>, ["topic"] ["producerGroup"] Messages;
    UPDATE_CONSUMER_OFFSET Client request::UpdateConsumerOffset<'_>, ["topic"] ["consumerGroup"] Opaque;
    QUERY_CONSUMER_OFFSET Client request::QueryConsumerOffset<'_>, ["topic"] ["consumerGroup"] Opaque;
    HEART_BEAT Client request::Heartbeat, [] [] Heartbeat;
    GET_CONSUMER_LIST_BY_GROUP Client request::GetConsumerList<'_>, [] ["consumerGroup"] Opaque;
    GET_ROUTEINFO_BY_TOPIC Client request::GetRouteInfo<'_>, ["topic"] [] Opaque;
    LOCK_BATCH_MQ Client request::LockQueues, [] [] Queues;
    UNLOCK_BATCH_MQ Client request::UnlockQueues, [] [] Queues;
    CONSUMER_SEND_MSG_BACK Place request::SendBack<'_>, ["originTopic?"] ["group"] Opaque;
    GET_MAX_OFFSET Client request::GetMaxOffset<'_>, ["topic"] [] Opaque;
    GET_MIN_OFFSET Client request::GetMinOffset<'_>, ["topic"] [] Opaque;
    SEARCH_OFFSET_BY_TIMESTAMP Client request::SearchOffset<'_>, ["topic"] [] Opaque;
    GET_EARLIEST_MSG_STORETIME Client request::GetEarliestStoreTime<'_>, ["topic"] [] Opaque;
    CHECK_CLIENT_CONFIG Client request::CheckSubscription, [] [] Subscription;
    UNREGISTER_CLIENT Client request::UnregisterClient<'_>, [] ["producerGroup?" "consumerGroup?"] Opaque;
    VIEW_MESSAGE_BY_ID Place request::ViewMessage<'_>, ["topic?"] [] Opaque;

    // It has brokers and their addresses, which routes have, too.
    GET_BROKER_CLUSTER_INFO Client request::GetClusterInfo, [] [] Opaque;
    GET_TOPIC_STATS_INFO Client request::GetTopicStats<'_>, ["topic"] [] Opaque;
    GET_TOPIC_CONFIG Client request::GetTopicConfig<'_>, ["topic"] [] Opaque;
    GET_CONSUME_STATS Client request::GetConsumeStats<'_>, ["topic?" "topicList?"] ["consumerGroup"] Opaque;
    GET_CONSUMER_CONNECTION_LIST Client request::GetConsumerConnections<'_>, [] ["consumerGroup"] Opaque;
    GET_PRODUCER_CONNECTION_LIST Client request::GetProducerConnections<'_>, [] ["producerGroup"] Opaque;
    GET_SUBSCRIPTIONGROUP_CONFIG Client request::GetGroup<'_>, [] ["group"] Opaque;
    QUERY_TOPICS_BY_CONSUMER Client request::QueryTopicsOfConsumer<'_>, [] ["group"] Opaque;
    QUERY_SUBSCRIPTION_BY_CONSUMER Client request::QuerySubscription<'_>, ["topic"] ["group"] Opaque;
    GET_ALL_TOPIC_LIST_FROM_NAMESERVER Everything request::GetTopicList, [] [] Opaque;
    GET_ALL_SUBSCRIPTIONGROUP_CONFIG Everything request::GetGroups<'_>, [] [] Opaque;
    // Brokers answer by a hash of topic and key, and leave the topic to who asks (`IndexFile.selectPhyOffset`).
    QUERY_MESSAGE Everything request::QueryMessage<'_>, ["topic"] [] Opaque;
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
/// A heartbeat's or a lock's body with thousands of queues is shorter, in bytes.
const LONGEST_LIST: usize = 1024 * 1024;
/// Topics that brokers keep their own books in, and let nobody send to (`TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`); what begins with
/// `rmq_sys_` is one, too.
const SYSTEM_TOPICS: [&str; 4] =
    ["SCHEDULE_TOPIC_XXXX", "TRANS_CHECK_MAX_TIME_TOPIC", "SELF_TEST_TOPIC", "OFFSET_MOVED_EVENT"];
const SYSTEM_FRONT: &str = "RMQ_SYS_";

/// Judges a request by its header, of which `fields` are all.
pub(crate) fn judge(visitor: &Visitor, code: RequestCode, fields: &Fields<'_>) -> Result<Passage, Refusal> {
    let Some(rule) = RULES.iter().find(|rule| rule.code == code) else {
        return Err(format!("the gateway lets no request {code} through").into());
    };
    if rule.kind == Kind::Administration && !visitor.administers() {
        return Err(format!("{code} is for administrators").into());
    }
    let topics = named(fields, rule.topics);
    if topics.iter().flatten().any(|topic| is_system_topic(topic)) {
        return Err("the topic is one of the brokers' own".into());
    }
    if !visitor.is_bound() {
        return Ok(Passage::Free);
    }
    if rule.kind == Kind::Everything && !visitor.may_have_everything() {
        return Err(format!(
            "{code} is about all topics and groups, and you may have only those that are listed for you"
        )
        .into());
    }
    // By the names that Apache has: these are what fields go by here, whatever a server calls them.
    if !fields.names().all(|name| (rule.knows)(Dialect::Apache, name)) {
        return Err(format!("{code} has a field that the gateway does not know").into());
    }
    for topic in topics {
        let topic = topic.ok_or("the request does not say its topic")?;
        let is_template = code == RequestCode::GET_ROUTEINFO_BY_TOPIC && TEMPLATE_TOPICS.contains(&topic);
        if !is_template {
            visitor.may_have_topic(topic)?;
        }
    }
    for group in named(fields, rule.groups) {
        let group = group.ok_or("the request does not say its group")?;
        let is_inner = rule.body == Body::Messages && group == INNER_PRODUCER;
        if !is_inner {
            visitor.may_have_group(group)?;
        }
    }
    match (rule.kind, rule.body) {
        (Kind::Place, _) if visitor.topics_are_bound() => {
            let offset = fields.get("offset").and_then(|offset| offset.parse().ok());
            offset.map(Passage::ByPlace).ok_or_else(|| "the message's offset cannot be read".into())
        }
        (_, Body::Messages) if !is_batch(fields) => {
            let properties = fields.get("i").or_else(|| fields.get("properties"));
            properties.map_or(Ok(()), |properties| judge_properties(visitor, properties))?;
            Ok(Passage::Free)
        }
        (_, Body::Opaque) => Ok(Passage::Free),
        _ => Ok(Passage::ByBody),
    }
}

/// What the fields of these names say, those left out that may be; a list of topics says several, each ended by `;`.
fn named<'a>(fields: &'a Fields<'_>, names: &[&str]) -> Vec<Option<&'a str>> {
    let mut found = Vec::new();
    for name in names {
        let (name, is_needed) = name.strip_suffix('?').map_or((*name, true), |name| (name, false));
        match fields.get(name) {
            Some(list) if name == "topicList" => {
                found.extend(list.split(';').filter(|topic| !topic.is_empty()).map(Some));
            }
            None if !is_needed => {}
            text => found.push(text),
        }
    }
    found
}

fn is_system_topic(topic: &str) -> bool {
    let front = topic.get(..SYSTEM_FRONT.len());
    SYSTEM_TOPICS.contains(&topic) || front.is_some_and(|front| front.eq_ignore_ascii_case(SYSTEM_FRONT))
}

/// Whether a server reads the body as several messages: by this field alone, whatever the code (`SendMessageProcessor.processRequest`).
fn is_batch(fields: &Fields<'_>) -> bool {
    ["m", "batch"].into_iter().filter_map(|name| fields.get(name)).any(|text| text != "false")
}

/// Properties by which a message concerns another topic or group than its own: consumers take it as one of that topic
/// (`DefaultMQPushConsumerImpl.resetRetryAndNamespace`), and brokers ask a producer of that group how its transaction ended.
fn judge_properties(visitor: &Visitor, text: &str) -> Result<(), Refusal> {
    for (name, value) in text.split('\u{2}').filter_map(|pair| pair.split_once('\u{1}')) {
        match name {
            "RETRY_TOPIC" | "REAL_TOPIC" | "DLQ_ORIGIN_TOPIC" => visitor.may_have_topic(value)?,
            "PGROUP" => visitor.may_have_group(value)?,
            // Other queues that the broker is to put it into, too.
            "INNER_MULTI_DISPATCH" => return Err("a message is for one queue".into()),
            _ => {}
        }
    }
    Ok(())
}

/// The longest body of a request that is judged by it, in bytes. What says whom a request concerns is short; messages are not.
pub(crate) fn longest_body(code: RequestCode) -> usize {
    match RULES.iter().find(|rule| rule.code == code).map(|rule| rule.body) {
        Some(Body::Messages | Body::Opaque) => usize::MAX,
        _ => LONGEST_LIST,
    }
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
        Body::Messages => {
            for record in BatchRecords::new(Bytes::copy_from_slice(body)) {
                let record = record.map_err(|error| format!("the messages cannot be checked: {error}"))?;
                judge_properties(visitor, record.properties().encoded())?;
            }
            Ok(body.to_vec())
        }
    }
}
