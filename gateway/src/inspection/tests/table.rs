//! Each request of the list, with each place where a topic or a group stands: what is not the visitor's does not pass, wherever it stands.

use super::*;
use crate::rules::{Body, Kind, RULES, Rule};

const DIALECTS: [Dialect; 2] = [Dialect::Apache, Dialect::Smartgo];

/// The fields of a request of this kind that concerns what the visitor may have, and all names that may be left out.
fn own(rule: &Rule) -> Vec<(&'static str, &'static str)> {
    let named = |names: &'static [&'static str], value| {
        names.iter().map(move |name| (name.strip_suffix('?').unwrap_or(name), value))
    };
    let mut fields: Vec<_> = named(rule.topics, "orders").chain(named(rule.groups, "shop")).collect();
    if rule.kind == Kind::Place {
        fields.push(("offset", "1"));
    }
    fields
}

/// A body that concerns this topic and this group.
fn body(rule: &Rule, topic: &str, group: &str) -> Vec<u8> {
    let subscription = SubscriptionData { topic: topic.to_owned(), ..SubscriptionData::default() };
    match rule.body {
        Body::Opaque | Body::Messages => Vec::new(),
        Body::Heartbeat => heartbeat(group, group, topic),
        Body::Queues => body::to_vec(&QueueLockRequest {
            consumer_group: group.to_owned(),
            client_id: "a".to_owned(),
            mq_set: [QueueKey { topic: topic.to_owned(), broker_name: "b".to_owned(), queue_id: 0 }].into(),
            only_this_broker: false,
        }),
        Body::Subscription => body::to_vec(&body::CheckClientConfig {
            group: group.to_owned(),
            subscription_data: subscription,
            ..Default::default()
        }),
        Body::Group => {
            body::to_vec(&body::SubscriptionGroupConfig { group_name: group.to_owned(), ..Default::default() })
        }
    }
}

fn administrator() -> Visitor {
    let shop = shop();
    Visitor::new("administrator", Rights { administers: true, ..(*shop.rights).clone() })
}

fn passes(dialect: Dialect, visitor: &Visitor, rule: &Rule, fields: &[(&str, &str)], body: &[u8]) -> bool {
    let frame = frame(HeaderCodec::Json, rule.code, 0, fields, body);
    let seen = inspect(&Terms { dialect, ..terms() }, visitor, [&frame[..]]);
    assert!(seen.forwarded.is_empty() == (seen.refusals().len() + seen.places.len() > 0), "{}: {seen:?}", rule.code);
    seen.refusals().is_empty()
}

/// What headers call topics and groups.
const TOPICS: [&str; 4] = ["topic", "topicList", "originTopic", "b"];
const GROUPS: [&str; 5] = ["consumerGroup", "producerGroup", "group", "groupName", "a"];

/// By core, which knows what each request says: the list is not asked about itself.
#[test]
fn each_topic_and_group_that_a_request_says_is_in_the_list() {
    let in_list = |names: &[&str], name: &str| names.iter().any(|known| known.trim_end_matches('?') == name);
    for Rule { code, knows, topics, groups, .. } in RULES {
        for name in TOPICS.into_iter().filter(|name| knows(Dialect::Apache, name)) {
            assert!(in_list(topics, name), "{code}: the topic {name}");
        }
        for name in GROUPS.into_iter().filter(|name| knows(Dialect::Apache, name)) {
            assert!(in_list(groups, name), "{code}: the group {name}");
        }
    }
}

#[test]
fn bodies_that_say_more_and_requests_that_are_not_everybodys_are_these() {
    let codes = |wanted: fn(&Rule) -> bool| -> Vec<RequestCode> {
        RULES.iter().filter(|rule| wanted(rule)).map(|rule| rule.code).collect()
    };
    assert_eq!(
        codes(|rule| rule.body != Body::Opaque),
        [
            RequestCode::SEND_MESSAGE_V2,
            RequestCode::SEND_BATCH_MESSAGE,
            RequestCode::SEND_MESSAGE,
            RequestCode::HEART_BEAT,
            RequestCode::LOCK_BATCH_MQ,
            RequestCode::UNLOCK_BATCH_MQ,
            RequestCode::CHECK_CLIENT_CONFIG,
            RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        ]
    );
    assert_eq!(
        codes(|rule| rule.kind == Kind::Place),
        [RequestCode::CONSUMER_SEND_MSG_BACK, RequestCode::VIEW_MESSAGE_BY_ID]
    );
    assert_eq!(
        codes(|rule| rule.kind == Kind::Everything),
        [
            RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
            RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
            RequestCode::QUERY_MESSAGE,
            RequestCode::QUERY_TOPIC_CONSUME_BY_WHO,
        ]
    );
    assert_eq!(
        codes(|rule| rule.kind == Kind::Administration),
        [
            RequestCode::UPDATE_AND_CREATE_TOPIC,
            RequestCode::DELETE_TOPIC_IN_BROKER,
            RequestCode::DELETE_TOPIC_IN_NAMESRV,
            RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
            RequestCode::DELETE_SUBSCRIPTIONGROUP,
            RequestCode::INVOKE_BROKER_TO_RESET_OFFSET,
        ]
    );
}

#[test]
fn each_request_passes_with_what_is_the_visitors_and_with_nothing_else() {
    for (rule, dialect) in RULES.iter().flat_map(|rule| DIALECTS.map(|dialect| (rule, dialect))) {
        let (visitor, code) = (administrator(), rule.code);
        let passes = |fields: &[(&str, &str)], body: &[u8]| passes(dialect, &visitor, rule, fields, body);
        let (own, good) = (own(rule), body(rule, "orders", "shop"));
        assert_eq!(passes(&own, &good), rule.kind != Kind::Everything, "{code}");
        for at in 0..own.len() {
            let mut others = own.clone();
            others[at].1 = if own[at].1 == "orders" { "secrets" } else { "bank" };
            assert!(own[at].0 == "offset" || !passes(&others, &good), "{code} with another {}", own[at].0);
            let mut fewer = own.clone();
            let (name, _) = fewer.remove(at);
            let may_lack = [rule.topics, rule.groups].concat().contains(&&*format!("{name}?"));
            assert!(rule.kind == Kind::Everything || passes(&fewer, &good) == may_lack, "{code} without {name}");
        }
        if matches!(rule.body, Body::Heartbeat | Body::Queues | Body::Subscription) {
            assert!(!passes(&own, &body(rule, "secrets", "shop")), "{code} with another topic in its body");
        }
        if !matches!(rule.body, Body::Opaque | Body::Messages) {
            assert!(!passes(&own, &body(rule, "orders", "bank")), "{code} with another group in its body");
            assert!(!passes(&own, b"{"), "{code} with what cannot be read");
        }
        assert!(!passes(&[&own[..], &[("zone", "x")]].concat(), &good), "{code} with a field that nobody knows");
    }
}

#[test]
fn what_changes_topics_and_groups_passes_for_administrators_alone() {
    for (rule, dialect) in RULES.iter().flat_map(|rule| DIALECTS.map(|dialect| (rule, dialect))) {
        let (own, good) = (own(rule), body(rule, "orders", "shop"));
        let anybody_may = passes(dialect, &anybody(), rule, &own, &good);
        assert_eq!(anybody_may, rule.kind != Kind::Administration, "{}", rule.code);
    }
}

#[test]
fn each_message_of_a_batch_is_looked_at_whatever_the_code() {
    let batch = |properties: &str| {
        let mut out = BytesMut::new();
        stgclient_core::wire::message::batch::encode(&mut out, 0, "KEYS\u{1}k\u{2}", b"first").unwrap();
        stgclient_core::wire::message::batch::encode(&mut out, 0, properties, b"second").unwrap();
        out.to_vec()
    };
    for code in [RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_BATCH_MESSAGE] {
        let send = |properties: &str| {
            let fields = [("a", "shop"), ("b", "orders"), ("m", "true")];
            let frame = frame(HeaderCodec::Json, code, 0, &fields, &batch(properties));
            inspect(&terms(), &shop(), [&frame[..]]).codes()
        };
        assert_eq!(send("TAGS\u{1}t\u{2}"), [code.0]);
        assert_eq!(send("RETRY_TOPIC\u{1}secrets\u{2}"), [] as [i32; 0], "{code}");
    }
    let broken = frame(
        HeaderCodec::Json,
        RequestCode::SEND_BATCH_MESSAGE,
        0,
        &[("a", "shop"), ("b", "orders"), ("m", "true")],
        b"x",
    );
    assert!(inspect(&terms(), &shop(), [&broken[..]]).forwarded.is_empty());
}
