//! Locks end with the connection that granted them, however it ends: an orderly consumer asks for them again.

use std::collections::BTreeMap;

use super::scene::ms;
use super::servers::{self, Reply, broker_data};
use super::*;
use crate::consumer::MessageSelector;
use crate::consumer::push::{ConsumeOrder, PushConfig};
use crate::wire::body::{self, BrokerData, LockedQueues, Permission, QueueLockRequest};
use crate::wire::code::{RequestCode, ResponseCode};

const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;

/// A scene with an orderly consumer that has the locks of its queues; also with a broker `a` somewhere else.
fn scene_with_locks() -> Scene {
    let mut scene = scene_of(&["a", "b"]);
    scene.server("moved:1");
    scene.book.route("T", &["a"], 2);
    for at in ["a:1", "b:1", "moved:1"] {
        scene.on(at, LOCK, |asked| {
            let wanted: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
            Some(Reply::ok().body(body::to_vec(&LockedQueues { lock_ok_mq_set: wanted.mq_set })))
        });
        scene.on(at, RequestCode::GET_CONSUMER_LIST_BY_GROUP, |_| {
            Some(Reply::ok().body(r#"{"consumerIdList":["127.0.0.1@DEFAULT"]}"#))
        });
        scene.on(at, RequestCode::QUERY_CONSUMER_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
        scene.on(at, RequestCode::PULL_MESSAGE, |asked| Some(servers::nothing_new(asked).after(ms(10_000))));
    }
    let config = PushConfig { order: ConsumeOrder::Orderly, ..PushConfig::default() };
    let consumer = scene.client.start_push_consumer(scene.now, "C", config, Vec::new(), BTreeMap::new()).unwrap();
    scene.client.subscribe(scene.now, consumer, "T", MessageSelector::all()).unwrap();
    scene.run_for(ms(5000));
    assert!(!scene.asked_of("a:1", LOCK).is_empty());
    scene
}

/// How often locks are asked for anew within five seconds.
fn locks(scene: &mut Scene) -> usize {
    let asked = |scene: &Scene| scene.asked.iter().filter(|asked| asked.code() == LOCK).count();
    let before = asked(scene);
    scene.run_for(ms(5000));
    asked(scene) - before
}

#[test]
fn locks_end_with_a_connection_that_breaks() {
    let mut scene = scene_with_locks();
    assert_eq!(locks(&mut scene), 0, "they are renewed later");
    scene.cut("a:1", "reset");
    assert!(locks(&mut scene) > 0);
}

#[test]
fn locks_end_with_a_connection_that_a_stopping_server_has_replaced() {
    let mut scene = scene_with_locks();
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::code(ResponseCode::GO_AWAY)));
    let question = scene.client.max_offset(scene.now, crate::queue::MessageQueue::new("T", "a", 0));
    scene.run_for(ms(100));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    assert!(locks(&mut scene) > 0);
    assert!(scene.wait(question).is_ok());
}

#[test]
fn locks_end_when_a_brokers_master_is_another_one() {
    let mut scene = scene_with_locks();
    let moved = BrokerData { broker_addrs: [(0, "moved:1".to_owned())].into(), ..broker_data("a", &[]) };
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![moved], 2, Permission::READ_WRITE));
    let queues = scene.client.queues(scene.now, "T");
    scene.wait(queues).unwrap();
    scene.run_for(ms(5000));
    assert!(!scene.asked_of("moved:1", LOCK).is_empty());
}

#[test]
fn whoever_ends_a_connection_its_broker_is_lost() {
    let mut scene = scene_with_locks();
    // However it ends: what stands under it says so, and nobody else has to remember.
    let peer = scene.links_to("a:1")[0].peer;
    scene.client.session.network.with(peer, |connection| connection.close("it is a test"));
    scene.client.session.note_lost_brokers();
    assert_eq!(scene.client.session.lost_brokers, [std::sync::Arc::from("a")]);
}
