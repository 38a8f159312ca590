//! Heartbeats: who hears of which groups, and when.

use std::collections::BTreeMap;

use super::scene::ms;
use super::servers::{self, Reach, Reply, broker_data};
use super::*;
use crate::consumer::push::PushConfig;
use crate::consumer::{MessageSelector, PullOptions};
use crate::queue::MessageQueue;
use crate::wire::body::Permission;
use crate::wire::code::{RequestCode, ResponseCode};

const HEARTBEAT: RequestCode = RequestCode::HEART_BEAT;
const UNREGISTER: RequestCode = RequestCode::UNREGISTER_CLIENT;

fn heartbeats(scene: &Scene, at: &str) -> usize {
    scene.asked_of(at, HEARTBEAT).len()
}

/// The requests that a server read, in order.
fn codes(scene: &Scene, at: &str) -> Vec<RequestCode> {
    scene.asked.iter().filter(|asked| asked.address.as_str() == at).map(|asked| asked.code()).collect()
}

#[test]
fn a_broker_hears_of_our_groups_before_anything_else_is_asked_of_it() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.client.start_producer(scene.now, "P2", ProducerConfig::default()).unwrap();
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    send_and_wait(&mut scene, producer).unwrap();
    assert_eq!(codes(&scene, "a:1"), [HEARTBEAT, RequestCode::SEND_MESSAGE_V2]);
    let body: serde_json::Value = serde_json::from_str(&scene.asked_of("a:1", HEARTBEAT)[0].text()).unwrap();
    assert_eq!(body["clientID"], "127.0.0.1@DEFAULT");
    assert_eq!(body["producerDataSet"], serde_json::json!([{ "groupName": "P" }, { "groupName": "P2" }]));
    let consumer = &body["consumerDataSet"][0];
    assert_eq!((&consumer["groupName"], &consumer["consumeType"]), (&"C".into(), &"CONSUME_ACTIVELY".into()));
    assert_eq!(consumer["messageModel"], "CLUSTERING");
    assert_eq!(heartbeats(&scene, "ns:1"), 0);
}

#[test]
fn every_broker_hears_every_thirty_seconds_that_we_are_alive() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    assert_eq!(heartbeats(&scene, "a:1") + heartbeats(&scene, "b:1"), 1);
    scene.run_for(ms(29_999));
    assert_eq!(heartbeats(&scene, "a:1") + heartbeats(&scene, "b:1"), 1);
    // Also the one that no message has gone to so far.
    scene.run_for(ms(1));
    assert_eq!(heartbeats(&scene, "a:1") + heartbeats(&scene, "b:1"), 3);
    scene.run_for(ms(60_000));
    assert_eq!(heartbeats(&scene, "a:1") + heartbeats(&scene, "b:1"), 7);
    assert_eq!(scene.opened.len(), 3);
}

#[test]
fn slaves_hear_of_consumers_only() {
    for has_consumer in [false, true] {
        let mut scene = scene_of(&["a"]);
        scene.server("a:2");
        scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[0, 1])], 2, Permission(6)));
        let producer = start_producer(&mut scene, ProducerConfig::default());
        if has_consumer {
            scene.client.start_pull_consumer(scene.now, "C").unwrap();
        }
        send_and_wait(&mut scene, producer).unwrap();
        scene.run_for(ms(30_000));
        assert_eq!(heartbeats(&scene, "a:2"), usize::from(has_consumer));
    }
}

#[test]
fn without_groups_there_is_nothing_to_say() {
    let mut scene = scene_of(&["a"]);
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    _ = scene.wait(operation);
    scene.run_for(ms(60_000));
    assert_eq!(heartbeats(&scene, "a:1"), 0);
}

#[test]
fn connected_brokers_hear_of_a_new_group_at_once() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    scene.settle();
    assert_eq!(heartbeats(&scene, "a:1"), 2);
    assert!(scene.asked_of("a:1", HEARTBEAT)[1].text().contains("\"C\""));
}

/// A scene whose broker is connected and takes 100 ms for each heartbeat and farewell.
fn slow_scene() -> Scene {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", HEARTBEAT, |_| Some(Reply::ok().after(ms(100))));
    scene.on("a:1", UNREGISTER, |_| Some(Reply::ok().after(ms(100))));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(100));
    scene.asked.clear();
    scene
}

/// The heartbeats and farewells that the broker of [`slow_scene`] read: at which millisecond (a scene begins with 5000), and what.
fn said(scene: &Scene) -> Vec<(u64, RequestCode)> {
    let told = scene.asked.iter().filter(|asked| asked.address.as_str() == "a:1");
    let told = told.filter(|asked| [HEARTBEAT, UNREGISTER].contains(&asked.code()));
    told.map(|asked| (asked.at.as_micros() / 1000, asked.code())).collect()
}

#[test]
fn a_broker_is_never_told_two_things_at_once_because_it_might_take_the_older_in_last() {
    let mut scene = slow_scene();
    let consumer =
        scene.client.start_push_consumer(scene.now, "C", PushConfig::default(), Vec::new(), BTreeMap::new()).unwrap();
    for topic in ["T", "U", "V"] {
        scene.client.subscribe(scene.now, consumer, topic, MessageSelector::all()).unwrap();
    }
    scene.settle();
    assert_eq!(said(&scene), [(5100, HEARTBEAT)]);
    scene.client.unsubscribe(scene.now, consumer, "V");
    scene.run_for(ms(250));
    // All the changes in one.
    assert_eq!(said(&scene), [(5100, HEARTBEAT), (5200, HEARTBEAT)]);
    let last = scene.asked_of("a:1", HEARTBEAT)[1].text();
    assert!(["\"%RETRY%C\"", "\"T\"", "\"U\""].iter().all(|topic| last.contains(topic)), "{last}");
    assert!(!last.contains("\"V\""), "{last}");
}

#[test]
fn all_brokers_hear_of_a_push_consumer_at_once_since_its_members_may_ask_any_of_them_who_else_there_is() {
    let mut scene = scene_of(&["a", "b"]);
    let consumer =
        scene.client.start_push_consumer(scene.now, "C", PushConfig::default(), Vec::new(), BTreeMap::new()).unwrap();
    scene.client.subscribe(scene.now, consumer, "T", MessageSelector::all()).unwrap();
    scene.run_for(ms(100));
    for at in ["a:1", "b:1"] {
        let told = scene.asked_of(at, HEARTBEAT);
        assert!(told.last().is_some_and(|told| told.text().contains("\"T\"")), "{at}: {told:?}");
    }
    // Also of another one, and of what it subscribes to.
    scene.asked.clear();
    scene.client.start_push_consumer(scene.now, "D", PushConfig::default(), Vec::new(), BTreeMap::new()).unwrap();
    scene.client.subscribe(scene.now, consumer, "U", MessageSelector::all()).unwrap();
    scene.run_for(ms(100));
    for at in ["a:1", "b:1"] {
        let told = scene.asked_of(at, HEARTBEAT);
        assert!(told.last().is_some_and(|told| told.text().contains("\"U\"") && told.text().contains("\"D\"")));
    }
}

#[test]
fn a_group_that_leaves_and_comes_back_is_there_in_the_end() {
    let mut scene = slow_scene();
    // Several times before the broker has answered: it hears of it once.
    for _ in 0..3 {
        let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
        scene.client.close_pull_consumer(scene.now, consumer);
    }
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    scene.run_for(ms(450));
    assert_eq!(said(&scene), [(5100, HEARTBEAT), (5200, UNREGISTER), (5300, HEARTBEAT)]);
    assert!(scene.asked_of("a:1", HEARTBEAT)[1].text().contains("\"C\""));
}

#[test]
fn what_a_broker_has_yet_to_hear_is_forgotten_with_its_connection() {
    let mut scene = slow_scene();
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    scene.client.close_pull_consumer(scene.now, consumer);
    scene.client.start_pull_consumer(scene.now, "D").unwrap();
    scene.settle();
    scene.cut("a:1", "restart");
    scene.run_for(ms(35_000));
    assert_eq!(said(&scene).iter().map(|(_, code)| *code).collect::<Vec<_>>(), [HEARTBEAT, HEARTBEAT]);
    assert!(scene.asked_of("a:1", HEARTBEAT)[1].text().contains("\"D\""));
    // Nobody waits for a farewell that was never said.
    let now = scene.now.mono;
    scene.client.close(scene.now, ms(0));
    scene.run_for(ms(1000));
    let farewells = scene.asked_of("a:1", UNREGISTER);
    assert_eq!(farewells.iter().map(|asked| asked.at.since(now)).collect::<Vec<_>>(), [ms(0), ms(100)]);
}

#[test]
fn a_group_leaves_with_its_last_member() {
    let mut scene = scene_of(&["a"]);
    let producers = [0; 2].map(|_| start_producer(&mut scene, ProducerConfig::default()));
    let consumers = [0; 2].map(|_| scene.client.start_pull_consumer(scene.now, "C").unwrap());
    send_and_wait(&mut scene, producers[0]).unwrap();
    scene.client.close_producer(scene.now, producers[0]);
    scene.client.close_pull_consumer(scene.now, consumers[0]);
    scene.settle();
    assert_eq!(scene.asked_of("a:1", UNREGISTER).len(), 0);
    scene.client.close_producer(scene.now, producers[1]);
    scene.client.close_pull_consumer(scene.now, consumers[1]);
    scene.settle();
    let left: Vec<_> = scene.asked_of("a:1", UNREGISTER);
    assert_eq!(left.iter().map(|asked| asked.field("producerGroup")).collect::<Vec<_>>(), ["P", ""]);
    assert_eq!(left.iter().map(|asked| asked.field("consumerGroup")).collect::<Vec<_>>(), ["", "C"]);
    scene.run_for(ms(60_000));
    assert_eq!(heartbeats(&scene, "a:1"), 1);
}

#[test]
fn a_broker_that_comes_back_hears_of_our_groups_again() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.cut("a:1", "restart");
    scene.run_for(ms(1000));
    send_and_wait(&mut scene, producer).unwrap();
    assert_eq!(codes(&scene, "a:1")[2..], [HEARTBEAT, RequestCode::SEND_MESSAGE_V2]);
}

#[test]
fn a_broker_that_is_down_is_tried_again_by_the_next_heartbeat() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("a:1").reach = Reach::Refuses;
    scene.cut("a:1", "restart");
    scene.run_for(ms(65_000));
    scene.server("a:1").reach = Reach::Accepts;
    scene.run_for(ms(30_000));
    assert_eq!(heartbeats(&scene, "a:1"), 2);
}

#[test]
fn a_refused_heartbeat_disturbs_nothing() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", HEARTBEAT, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("busy")));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    assert!(send_and_wait(&mut scene, producer).is_ok());
    scene.run_for(ms(60_000));
    assert_eq!((scene.opened.len(), heartbeats(&scene, "a:1")), (2, 3));
    assert!(scene.events.is_empty());
}

#[test]
fn a_heartbeat_that_is_never_answered_ends_the_connection_of_a_silent_broker() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("a:1").is_mute = true;
    scene.run_for(ms(33_000));
    assert!(scene.links_to("a:1").is_empty());
}

#[test]
fn a_broker_that_administration_met_first_hears_of_our_groups_once_it_is_routed_to() {
    let mut scene = scene_of(&["a"]);
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let placement = crate::admin::Placement::Address("a:1".parse().unwrap());
    let operation = scene.client.create_topic(scene.now, "T", crate::admin::TopicSettings::default(), placement);
    scene.wait(operation).unwrap();
    assert_eq!(heartbeats(&scene, "a:1"), 0);
    let queue = MessageQueue::new("T", "a", 0);
    let operation = scene.client.pull(scene.now, consumer, queue, MessageSelector::all(), 0, PullOptions::default());
    scene.wait(operation).unwrap();
    let codes = codes(&scene, "a:1");
    let at = |code| codes.iter().position(|known| *known == code);
    assert!(at(HEARTBEAT).is_some() && at(HEARTBEAT) < at(RequestCode::PULL_MESSAGE), "{codes:?}");
}

#[test]
fn a_group_that_consumes_in_two_ways_leaves_with_the_last_of_them() {
    for push_first in [true, false] {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        send_and_wait(&mut scene, producer).unwrap();
        let pull = scene.client.start_pull_consumer(scene.now, "P").unwrap();
        let push = scene
            .client
            .start_push_consumer(scene.now, "P", PushConfig::default(), Vec::new(), BTreeMap::new())
            .unwrap();
        scene.run_for(ms(100));
        let close_pull = |scene: &mut Scene| scene.client.close_pull_consumer(scene.now, pull);
        let close_push = |scene: &mut Scene| scene.client.close_push_consumer(scene.now, push, ms(0));
        if push_first {
            close_push(&mut scene)
        } else {
            close_pull(&mut scene)
        }
        scene.run_for(ms(100));
        assert_eq!(scene.asked_of("a:1", UNREGISTER).len(), 0);
        let last = scene.asked_of("a:1", HEARTBEAT).last().unwrap().text();
        let kind = if push_first { "CONSUME_ACTIVELY" } else { "CONSUME_PASSIVELY" };
        assert!(last.contains(kind), "brokers hear what is left: {last}");
        if push_first {
            close_pull(&mut scene)
        } else {
            close_push(&mut scene)
        }
        scene.run_for(ms(100));
        // A producer of the same name stays.
        let left = scene.asked_of("a:1", UNREGISTER);
        let groups: Vec<_> =
            left.iter().map(|asked| (asked.field("producerGroup"), asked.field("consumerGroup"))).collect();
        assert_eq!(groups, [(String::new(), "P".to_owned())]);
        scene.client.close_producer(scene.now, producer);
        scene.run_for(ms(100));
        assert_eq!(scene.asked_of("a:1", UNREGISTER).len(), 2);
    }
}
