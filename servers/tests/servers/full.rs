//! What happens when there is no room for more, and when there is again.

use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::request::{DeleteTopicInBroker, GetRouteInfo, PullMessage};
use stgclient_servers::{Memory, Peer, ServerId};

use super::client::{Bench, code, create_topic, properties, pull};

/// How many bytes are kept besides messages.
const LIMIT: usize = 200_000;

/// A bench of which a name server's value takes all but `left` bytes, once it is [filled](Bench::fill).
fn bench() -> (Bench, Peer) {
    Bench::with_config(|config| config.state_bytes = LIMIT)
}

/// Fills what there is room for but `left` bytes by a value of the name server.
fn fill(bench: &mut Bench, left: usize) -> Peer {
    let name_server = bench.connect(ServerId::NameServer(0));
    let put = |bench: &mut Bench, key, value: &str| {
        let fields = [("namespace", "n"), ("key", key), ("value", value)];
        assert_eq!(code(&bench.ask_fields(name_server, RequestCode::PUT_KV_CONFIG, &fields, "")), Code::SUCCESS);
    };
    put(bench, "", "");
    let before = bench.cluster.state_bytes();
    put(bench, "k", "");
    let entry = bench.cluster.state_bytes() - before;
    empty(bench, name_server);
    put(bench, "k", &"v".repeat(LIMIT - before - entry - left));
    assert_eq!(bench.cluster.state_bytes(), LIMIT - left);
    name_server
}

/// Takes that value out.
fn empty(bench: &mut Bench, name_server: Peer) {
    let fields = [("namespace", "n"), ("key", "k")];
    assert_eq!(code(&bench.ask_fields(name_server, RequestCode::DELETE_KV_CONFIG, &fields, "")), Code::SUCCESS);
}

fn reset(bench: &mut Bench, peer: Peer, more: &[(&str, &str)]) -> Code {
    let fields = [&[("topic", "t"), ("group", "g"), ("isForce", "true")], more].concat();
    code(&bench.ask_fields(peer, RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &fields, ""))
}

fn create_group(bench: &mut Bench, peer: Peer) {
    let body = r#"{"groupName":"g"}"#;
    bench.ask_fields(peer, RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], body);
}

#[test]
fn a_delayed_message_that_there_is_no_room_for_when_it_is_due_comes_once_there_is() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 4);
    for body in [b"one", b"two"] {
        assert_eq!(code(&bench.send(peer, "t", 1, &properties(&[("DELAY", "1")]), body)), Code::SUCCESS);
    }
    let name_server = fill(&mut bench, 100);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.broker().offsets("t", 1), Some((0, 0)));
    empty(&mut bench, name_server);
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.broker().offsets("t", 1), Some((0, 2)));
}

#[test]
fn offsets_that_are_reset_and_pulled_again_and_again_are_charged_once() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 2);
    create_group(&mut bench, peer);
    let queue = |bench: &mut Bench, queue_id| {
        let more = [("queueId", queue_id), ("offset", "0"), ("timestamp", "-1")];
        assert_eq!(reset(bench, peer, &more), Code::SUCCESS);
    };
    queue(&mut bench, "0");
    let mut kept = Vec::new();
    for _ in 0..10 {
        queue(&mut bench, "1");
        let by_group = PullMessage { consumer_group: "g".into(), ..pull("t", 1, 0) };
        let pulled = bench.ask(peer, &PullMessage { subscription: Some("*".into()), sys_flag: 4, ..by_group });
        assert_eq!(code(&pulled), Code::PULL_OFFSET_MOVED);
        kept.push(bench.cluster.state_bytes());
    }
    assert_eq!(kept[1..], [kept[0]; 9]);
}

#[test]
fn a_topic_that_name_servers_had_no_room_for_is_told_later() {
    let (mut bench, peer) = bench();
    let before = bench.cluster.state_bytes();
    bench.create_topic(peer, "u", 4);
    let (both, route) = (bench.cluster.state_bytes() - before, |bench: &mut Bench, name_server| {
        code(&bench.ask(name_server, &GetRouteInfo { topic: "t".into(), accept_standard_json_only: None }))
    });
    let name_server = fill(&mut bench, both - 1);
    assert_eq!(code(&bench.ask(peer, &create_topic("t", 4))), Code::SUCCESS);
    assert_eq!(route(&mut bench, name_server), Code::TOPIC_NOT_EXIST);
    bench.pass(Duration::from_secs(60));
    assert_eq!(route(&mut bench, name_server), Code::TOPIC_NOT_EXIST);
    empty(&mut bench, name_server);
    bench.pass(Duration::from_secs(30));
    assert_eq!(route(&mut bench, name_server), Code::SUCCESS);
}

#[test]
fn what_was_deleted_only_at_a_broker_makes_room_in_name_servers_once_room_is_scarce() {
    let (mut bench, peer) = bench();
    let name_server = bench.connect(ServerId::NameServer(0));
    let route = |bench: &mut Bench, topic: &str| {
        code(&bench.ask(name_server, &GetRouteInfo { topic: topic.into(), accept_standard_json_only: None }))
    };
    for topic in ["t", "u", "v"] {
        bench.create_topic(peer, topic, 4);
    }
    for topic in ["t", "u"] {
        bench.ask(peer, &DeleteTopicInBroker { topic: topic.into() });
    }
    assert_eq!(["t", "u", "v"].map(|topic| route(&mut bench, topic)), [Code::SUCCESS; 3]);
    bench.create_topic(peer, "u", 4);
    fill(&mut bench, 1000);
    let codes = ["t", "u", "v"].map(|topic| route(&mut bench, topic));
    assert_eq!(codes, [Code::TOPIC_NOT_EXIST, Code::SUCCESS, Code::SUCCESS]);
}

#[test]
fn members_hear_of_one_whose_first_heartbeat_was_refused_midway() {
    let (mut bench, first) = bench();
    let second = bench.connect(ServerId::Broker(0));
    bench.create_topic(first, "t", 4);
    bench.beat(first, "a", "g", r#"{"topic":"t","subString":"*","subVersion":1}"#);
    bench.answers(first);
    let name_server = fill(&mut bench, 1000);
    let newer = r#"{"topic":"t","subString":"*","subVersion":2}"#;
    assert_eq!(code(&bench.beat(second, "b", "g", newer)), Code::SYSTEM_ERROR);
    empty(&mut bench, name_server);
    assert_eq!(code(&bench.beat(second, "b", "g", newer)), Code::SUCCESS);
    assert_eq!(bench.broker().members("g").len(), 2);
    let told = bench.answers(first);
    assert!(told.iter().any(|told| told.code == RequestCode::NOTIFY_CONSUMER_IDS_CHANGED.0), "{told:?}");
}

#[test]
fn who_leaves_needs_no_room() {
    let (mut bench, peer) = bench();
    bench.beat(peer, "a", "g", r#"{"topic":"t"}"#);
    bench.ask_fields(peer, RequestCode::DELETE_SUBSCRIPTIONGROUP, &[("groupName", "g")], "");
    fill(&mut bench, 100);
    let fields = [("clientID", "a"), ("consumerGroup", "g")];
    assert_eq!(code(&bench.ask_fields(peer, RequestCode::UNREGISTER_CLIENT, &fields, "")), Code::SUCCESS);
    assert!(bench.broker().members("g").is_empty());
}

#[test]
fn a_reset_that_there_is_no_room_for_sets_nothing() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 8);
    create_group(&mut bench, peer);
    for queue_id in 0..8 {
        bench.send(peer, "t", queue_id, "", b"x");
        let queue_id = queue_id.to_string();
        let fields = [("consumerGroup", "g"), ("topic", "t"), ("queueId", &*queue_id), ("commitOffset", "1")];
        bench.ask_fields(peer, RequestCode::UPDATE_CONSUMER_OFFSET, &fields, "");
    }
    fill(&mut bench, 1500);
    assert_eq!(reset(&mut bench, peer, &[("timestamp", "0")]), Code::SYSTEM_ERROR);
    let offsets: Vec<_> = (0..8).map(|queue_id| bench.broker().committed("g", "t", queue_id)).collect();
    assert_eq!(offsets, [Some(1); 8]);
}

#[test]
fn a_name_server_that_has_lost_its_memory_keeps_no_values() {
    let (mut bench, _) = bench();
    let before = bench.cluster.state_bytes();
    fill(&mut bench, 1000);
    let server = ServerId::NameServer(0);
    bench.cluster.stop(bench.now, server);
    bench.cluster.start(bench.now, server, Memory::Lost);
    let name_server = bench.connect(server);
    let fields = [("namespace", "n"), ("key", "k")];
    let kept = bench.ask_fields(name_server, RequestCode::GET_KV_CONFIG, &fields, "");
    assert_eq!((code(&kept), bench.cluster.state_bytes() <= before), (Code::QUERY_NOT_FOUND, true));
}

#[test]
fn a_broker_that_has_lost_its_memory_is_charged_for_nothing() {
    let (mut bench, peer) = bench();
    let before = bench.cluster.state_bytes();
    bench.create_topic(peer, "t", 4);
    bench.send(peer, "t", 0, "", b"x");
    bench.beat(peer, "c", "g", r#"{"topic":"t","subString":"a"}"#);
    let queue = r#"{"brokerName":"broker-a","queueId":0,"topic":"t"}"#;
    let locks = format!(r#"{{"clientId":"c","consumerGroup":"g","mqSet":[{queue}]}}"#);
    bench.ask_fields(peer, RequestCode::LOCK_BATCH_MQ, &[], &locks);
    bench.request(peer, &PullMessage { subscription: Some("*".into()), sys_flag: 6, ..pull("t", 1, 0) }, b"");
    assert_eq!(bench.broker().usage().held_pulls, 1);
    bench.cluster.stop(bench.now, ServerId::Broker(0));
    bench.cluster.start(bench.now, ServerId::Broker(0), Memory::Lost);
    assert_eq!(bench.cluster.state_bytes(), before);
}
