//! Who produces and who consumes.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, ConsumerData, ConsumerList, HeartbeatData, ProducerData, SubscriptionData};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    CheckSubscription, GetConsumerList, GetRouteInfo, Heartbeat, HeartbeatAnswer, UnregisterClient,
};
use stgclient_servers::{Peer, ServerId};

use super::client::{Bench, code, remark};

fn heartbeat(client: &str, groups: &[&str]) -> HeartbeatData {
    let group = |name: &&str| ConsumerData {
        group_name: (*name).into(),
        subscription_data_set: vec![SubscriptionData::by_tags("t", "*").unwrap()],
        ..ConsumerData::default()
    };
    HeartbeatData {
        client_id: client.into(),
        consumer_data_set: groups.iter().map(group).collect(),
        producer_data_set: vec![ProducerData { group_name: "producers".into() }],
        ..HeartbeatData::default()
    }
}

fn beat(bench: &mut Bench, peer: Peer, data: &HeartbeatData) -> HeartbeatAnswer {
    let answered = bench.ask_with(peer, &Heartbeat {}, &body::to_vec(data));
    assert_eq!(code(&answered), Code::SUCCESS, "{:?}", answered.remark);
    answered.header().expect("the header of a heartbeat's answer")
}

fn list(bench: &mut Bench, peer: Peer) -> Result<Vec<String>, Command> {
    let answered = bench.ask(peer, &GetConsumerList { consumer_group: "g".into() });
    if code(&answered) != Code::SUCCESS {
        return Err(answered);
    }
    Ok(body::from_slice::<ConsumerList>(&answered.body).expect("a list").consumer_id_list)
}

#[test]
fn members_of_a_group_are_those_whose_heartbeats_came() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let second = bench.connect(ServerId::Broker(0));
    let empty = list(&mut bench, first).unwrap_err();
    assert_eq!((code(&empty), remark(&empty)), (Code::SYSTEM_ERROR, "no consumer for this group, g"));
    let answer = beat(&mut bench, first, &heartbeat("one", &["g"]));
    assert_eq!((answer.is_support_heart_beat_v2, answer.is_sub_change), (Some(true), Some(true)));
    beat(&mut bench, second, &heartbeat("two", &["g", "h"]));
    beat(&mut bench, second, &heartbeat("two", &["g", "h"]));
    assert_eq!(list(&mut bench, first).unwrap(), ["one", "two"]);
    assert_eq!(bench.broker().members("g"), ["one", "two"]);
    assert!(bench.broker().members("none").is_empty());
}

#[test]
fn members_leave_by_word_by_closing_and_by_silence() {
    let (mut bench, first) = Bench::with_broker(|_| {});
    let [second, third] = [(); 2].map(|()| bench.connect(ServerId::Broker(0)));
    for (peer, client) in [(first, "one"), (second, "two"), (third, "three")] {
        beat(&mut bench, peer, &heartbeat(client, &["g"]));
    }
    let leave = UnregisterClient { client_id: "two".into(), producer_group: None, consumer_group: Some("g".into()) };
    assert_eq!(code(&bench.ask(second, &leave)), Code::SUCCESS);
    assert_eq!(list(&mut bench, first).unwrap(), ["one", "three"]);
    bench.close(third);
    assert_eq!(list(&mut bench, first).unwrap(), ["one"]);
    bench.pass(Duration::from_secs(100));
    beat(&mut bench, first, &heartbeat("one", &["g"]));
    bench.pass(Duration::from_secs(119));
    assert_eq!(list(&mut bench, first).unwrap(), ["one"]);
    bench.pass(Duration::from_secs(11));
    assert!(list(&mut bench, first).is_err());
}

#[test]
fn a_fingerprint_lets_a_heartbeat_leave_its_subscriptions_out() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let full = HeartbeatData { heartbeat_fingerprint: 5, ..heartbeat("one", &["g"]) };
    assert_eq!(beat(&mut bench, peer, &full).is_sub_change, Some(false));
    let mut short = HeartbeatData { without_sub: true, ..full };
    short.consumer_data_set[0].subscription_data_set.clear();
    assert_eq!(beat(&mut bench, peer, &short).is_sub_change, Some(false));
    assert_eq!(list(&mut bench, peer).unwrap(), ["one"]);
    let other = HeartbeatData { heartbeat_fingerprint: 6, ..heartbeat("one", &["g"]) };
    assert_eq!(beat(&mut bench, peer, &other).is_sub_change, Some(true));
}

#[test]
fn a_consumer_group_has_a_retry_topic() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    beat(&mut bench, peer, &heartbeat("one", &["g", "no name"]));
    let name_server = bench.connect(ServerId::NameServer(0));
    let mut route = |topic: &'static str| {
        code(&bench.ask(name_server, &GetRouteInfo { topic: topic.into(), accept_standard_json_only: None }))
    };
    assert_eq!((route("%RETRY%g"), route("%RETRY%no name")), (Code::SUCCESS, Code::TOPIC_NOT_EXIST));
}

#[test]
fn a_heartbeat_that_is_no_json_is_a_system_error() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let answered = bench.ask_with(peer, &Heartbeat {}, b"{");
    assert_eq!(code(&answered), Code::SYSTEM_ERROR);
    assert!(remark(&answered).starts_with("JSONException: "), "{answered:?}");
}

#[test]
fn a_client_may_check_its_tags_but_not_its_sql() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let mut check = |body: &str| {
        let no_fields = stgclient_core::wire::fields::NoFields;
        let codec = stgclient_core::wire::command::HeaderCodec::Json;
        let opaque = bench.request_as(peer, RequestCode::CHECK_CLIENT_CONFIG, codec, &no_fields, body.as_bytes());
        code(&bench.answer(peer, opaque).unwrap())
    };
    assert_eq!(check(r#"{"subscriptionData":{"expressionType":"TAG","subString":"a"}}"#), Code::SUCCESS);
    assert_eq!(check(r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a"}}"#), Code::SYSTEM_ERROR);
}

#[test]
fn a_client_may_check_its_sql_at_a_broker_that_is_configured_for_it() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.property_filter = true);
    let mut check = |kind: &str, expression: &str| {
        let subscription_data = serde_json::json!({ "expressionType": kind, "subString": expression });
        let body = serde_json::json!({ "subscriptionData": subscription_data }).to_string();
        code(&bench.ask_with(peer, &CheckSubscription {}, body.as_bytes()))
    };
    assert_eq!(check("SQL92", "a > 1"), Code::SUCCESS);
    assert_eq!(check("SQL92", "a >"), Code::SUBSCRIPTION_PARSE_FAILED);
    assert_eq!(check("FOO", "a > 1"), Code::SUBSCRIPTION_PARSE_FAILED);
}
