//! What is bounded stays within its bounds.

use std::net::SocketAddr;

use stgclient_core::wire::body::{self, HeartbeatData, ProducerData};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::request::{DeleteTopicInBroker, GetRouteInfo, Heartbeat, UpdateConsumerOffset};
use stgclient_servers::{ClusterConfig, Peer, Refused, ServerId};

use super::client::{Bench, code, create_topic, remark, send};

#[test]
fn the_oldest_messages_give_way_and_their_queues_begin_later() {
    const LIMIT: usize = 100_000;
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = LIMIT);
    bench.create_topic(peer, "t", 2);
    bench.create_topic(peer, "quiet", 1);
    bench.send(peer, "quiet", 0, "", b"first of all");
    for number in 0..2000 {
        assert_eq!(code(&bench.send(peer, "t", number % 2, "", &[0; 100])), Code::SUCCESS);
        assert!(bench.broker().usage().message_bytes <= LIMIT);
    }
    assert_eq!(bench.broker().offsets("quiet", 0), Some((1, 1)), "the oldest went first");
    let (first, end) = bench.broker().offsets("t", 0).unwrap();
    assert!(end == 1000 && first > 700 && first < 950, "{first}");
    let kept = bench.broker().usage().messages;
    assert_eq!(kept as i64, 2 * (end - first) + i64::from(kept % 2 == 1), "every queue gives up its oldest in turn");
    let pulled = bench.pull(peer, "t", 0, first, "*");
    assert_eq!(pulled.offsets(), (first..first + 32).collect::<Vec<_>>());
}

#[test]
fn the_newest_message_is_kept_whatever_its_size() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 10);
    bench.create_topic(peer, "t", 1);
    for offset in 0..3 {
        bench.send(peer, "t", 0, "", &[0; 1000]);
        assert_eq!(bench.broker().offsets("t", 0), Some((offset, offset + 1)));
    }
}

#[test]
fn messages_of_deleted_topics_give_way_too() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 3000);
    for round in 0..20 {
        bench.create_topic(peer, "t", 1);
        for _ in 0..5 {
            bench.send(peer, "t", 0, "", b"x");
        }
        assert_eq!(bench.broker().offsets("t", 0), Some((0, 5)), "round {round}");
        bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() });
    }
    assert!(bench.broker().usage().message_bytes <= 3000);
}

/// What is refused where there is no room.
const FULL: &str = "this broker keeps at most 14400 bytes besides messages";

fn small() -> (Bench, Peer) {
    Bench::with_config(|config| config.state_bytes = 14_400)
}

#[test]
fn queues_of_a_topic_have_a_limit() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.queues_per_topic = 10);
    let refused = bench.ask(peer, &create_topic("t", 11));
    assert_eq!(remark(&refused), "this broker keeps at most 10 queues of a topic");
    bench.create_topic(peer, "t", 10);
}

#[test]
fn topics_that_there_is_no_room_for_are_refused_and_deleted_ones_make_room() {
    let (mut bench, peer) = small();
    let created: Vec<String> = (0..100)
        .map(|number| format!("t{number}"))
        .take_while(|topic| code(&bench.ask(peer, &create_topic(topic, 4))) == Code::SUCCESS)
        .collect();
    assert!((3..40).contains(&created.len()), "{created:?}");
    assert_eq!(remark(&bench.ask(peer, &create_topic("more", 4))), FULL);
    assert_eq!(remark(&bench.ask_with(peer, &send("more", 0, ""), b"x")), FULL);
    for topic in &created {
        bench.ask(peer, &DeleteTopicInBroker { topic: topic.into() });
    }
    // Also in name servers, which keep what was deleted only at the broker while there is room.
    for topic in &created[1..] {
        bench.create_topic(peer, &format!("n{topic}"), 4);
    }
    let name_server = bench.connect(ServerId::NameServer(0));
    let route = bench.ask(name_server, &GetRouteInfo { topic: "nt1".into(), accept_standard_json_only: None });
    assert_eq!(code(&route), Code::SUCCESS);
}

#[test]
fn a_message_whose_queue_there_is_no_room_for_is_refused_and_nothing_of_it_is_kept() {
    let (mut bench, peer) = small();
    bench.create_topic(peer, "t", 1000);
    let codes: Vec<Code> = (0..100).map(|queue| code(&bench.send(peer, "t", queue, "", b"x"))).collect();
    let first = codes.iter().position(|code| *code == Code::SYSTEM_ERROR).expect("one that is refused");
    assert_eq!(bench.broker().usage().messages, first);
    assert_eq!(remark(&bench.send(peer, "t", 999, "", b"x")), FULL);
    assert_eq!(code(&bench.send(peer, "t", 0, "", b"x")), Code::SUCCESS);
}

#[test]
fn what_there_is_no_room_for_is_refused_and_who_leaves_makes_room() {
    let (mut bench, peer) = Bench::with_config(|config| config.state_bytes = 50_000);
    bench.create_topic(peer, "t", 4);
    let beat = |bench: &mut Bench, peer, group: &str| {
        let data = HeartbeatData {
            client_id: "c".into(),
            producer_data_set: vec![ProducerData { group_name: group.into() }],
            ..HeartbeatData::default()
        };
        bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data))
    };
    let long = "g".repeat(5000);
    assert_eq!(code(&beat(&mut bench, peer, &long)), Code::SUCCESS);
    let other = bench.connect(ServerId::Broker(0));
    let before = bench.cluster.state_bytes();
    for number in 0..12 {
        beat(&mut bench, other, &format!("{long}{number}"));
    }
    let refused = beat(&mut bench, other, &format!("{long}last"));
    assert_eq!(remark(&refused), "this broker keeps at most 50000 bytes besides messages");
    bench.close(other);
    assert_eq!(bench.cluster.state_bytes(), before);
    assert_eq!(code(&beat(&mut bench, peer, &format!("{long}last"))), Code::SUCCESS);
    let commit = |queue_id| UpdateConsumerOffset {
        consumer_group: "TOOLS_CONSUMER".into(),
        topic: "t".into(),
        queue_id,
        commit_offset: 1,
        broker_name: None,
    };
    let codes: Vec<Code> = (0..1000).map(|queue_id| code(&bench.ask(peer, &commit(queue_id)))).collect();
    assert_eq!((codes[0], codes[999]), (Code::SUCCESS, Code::SYSTEM_ERROR));
    assert_eq!(code(&bench.ask(peer, &commit(0))), Code::SUCCESS, "the offset is there already");
    assert!(bench.cluster.state_bytes() <= 50_000);
}

#[test]
fn what_a_cluster_keeps_at_the_most_is_stated() {
    let mut config = ClusterConfig::with_servers(1, 2);
    config.state_bytes = 1000;
    config.brokers[0].limits.message_bytes = 20;
    config.brokers[1].limits.message_bytes = 3;
    assert_eq!(config.max_bytes(), 1023);
}

#[test]
fn connections_have_a_limit_and_places_become_free() {
    let mut config = ClusterConfig::default();
    config.max_connections = 2;
    let mut bench = Bench::new(config);
    let address = SocketAddr::from(([192, 0, 2, 9], 1));
    let first = bench.connect(ServerId::NameServer(0));
    bench.connect(ServerId::Broker(0));
    assert_eq!(bench.cluster.connected(bench.now, ServerId::Broker(0), address), Err(Refused::Full));
    bench.close(first);
    let third = bench.connect(ServerId::Broker(0));
    assert!(third != first && third.slot() == first.slot());
    assert_eq!(bench.cluster.connected(bench.now, ServerId::Broker(1), address), Err(Refused::Unknown));
}

#[test]
fn a_cluster_without_room_for_more_has_what_it_had_from_the_start() {
    let (mut bench, peer) = Bench::with_config(|config| config.state_bytes = 0);
    assert_eq!(bench.cluster.state_bytes(), 0);
    let name_server = bench.connect(ServerId::NameServer(0));
    let route = bench.ask(name_server, &GetRouteInfo { topic: "TBW102".into(), accept_standard_json_only: None });
    assert_eq!(code(&route), Code::SUCCESS);
    let refused = bench.ask(peer, &create_topic("t", 1));
    assert_eq!(remark(&refused), "this broker keeps at most 0 bytes besides messages");
}
