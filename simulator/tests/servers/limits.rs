//! What is bounded stays within its bounds.

use std::net::SocketAddr;

use stgclient_core::wire::body::{self, HeartbeatData, ProducerData};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::request::{Heartbeat, UpdateConsumerOffset};
use stgclient_simulator::server::{ClusterConfig, Refused, ServerId};

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
        bench.ask(peer, &stgclient_core::wire::request::DeleteTopicInBroker { topic: "t".into() });
    }
    assert!(bench.broker().usage().message_bytes <= 3000);
}

#[test]
fn topics_and_queues_have_a_limit() {
    let (mut bench, peer) = Bench::with_broker(|broker| {
        broker.limits.topics = 20;
        broker.limits.queues_per_topic = 10;
    });
    let free = 20 - bench.broker().usage().topics;
    for number in 0..free {
        bench.create_topic(peer, &format!("t{number}"), 10);
    }
    let refused = bench.ask(peer, &create_topic("more", 1));
    assert_eq!((code(&refused), remark(&refused)), (Code::SYSTEM_ERROR, "this broker keeps at most 20 topics"));
    assert_eq!(code(&bench.ask_with(peer, &send("more", 0, ""), b"x")), Code::SYSTEM_ERROR);
    let refused = bench.ask(peer, &create_topic("t0", 11));
    assert_eq!(remark(&refused), "this broker keeps at most 10 queues of a topic");
    bench.create_topic(peer, "t0", 9);
}

#[test]
fn groups_and_offsets_have_a_limit() {
    let (mut bench, peer) = Bench::with_broker(|broker| {
        broker.limits.groups = 1;
        broker.limits.offsets = 2;
    });
    bench.create_topic(peer, "t", 4);
    bench.pull(peer, "t", 0, 0, "*");
    let producers = ["a", "b"].map(|name| ProducerData { group_name: name.into() });
    let data = HeartbeatData { client_id: "c".into(), producer_data_set: producers.into(), ..HeartbeatData::default() };
    let refused = bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data));
    assert_eq!(remark(&refused), "this broker keeps at most 1 producer groups");
    let commit = |queue_id| UpdateConsumerOffset {
        consumer_group: "consumers".into(),
        topic: "t".into(),
        queue_id,
        commit_offset: 1,
        broker_name: None,
    };
    let codes = [0, 1, 2, 1].map(|queue_id| code(&bench.ask(peer, &commit(queue_id))));
    assert_eq!(codes, [Code::SUCCESS, Code::SUCCESS, Code::SYSTEM_ERROR, Code::SUCCESS]);
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
