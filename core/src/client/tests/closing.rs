//! Closing: what is under way ends, brokers hear of it, and then there is nothing left.

use super::dialects;
use super::scene::{address, ms};
use super::servers::{Reach, Reply, stored};
use super::*;
use crate::consumer::{MessageSelector, PullOptions, Pulled};
use crate::queue::MessageQueue;
use crate::time::Duration;
use crate::wire::code::{RequestCode, ResponseCode};

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;
const UNREGISTER: RequestCode = RequestCode::UNREGISTER_CLIENT;

fn close(scene: &mut Scene, grace: Duration) {
    scene.client.close(scene.now, grace);
    scene.settle();
}

fn is_closed(scene: &mut Scene) -> bool {
    took(scene, |event| matches!(event, Event::Closed))
}

/// Nothing is left, and nothing ever comes again.
fn assert_gone(scene: &mut Scene) {
    assert_eq!(scene.client.poll_timeout(), None);
    let opened = scene.opened.len();
    let asked = scene.asked.len();
    scene.client.handle_timeout(scene.now);
    scene.run_for(ms(60_000));
    scene.client.handle_timeout(scene.now);
    scene.settle();
    assert!(scene.events.is_empty(), "{:?}", scene.events);
    assert_eq!((scene.opened.len(), scene.asked.len(), scene.client.poll_timeout()), (opened, asked, None));
    for at in ["ns:1", "a:1", "b:1"] {
        assert!(scene.links_to(at).is_empty(), "connected to {at}");
    }
}

fn pull(scene: &mut Scene) -> Pending<Pulled> {
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let options = PullOptions { wait: ms(20_000), ..PullOptions::default() };
    let queue = MessageQueue::new("T", "a", 0);
    scene.client.pull(scene.now, consumer, queue, MessageSelector::all(), 0, options)
}

#[test]
fn a_client_that_does_nothing_closes_at_once() {
    let mut scene = scene_of(&["a"]);
    close(&mut scene, ms(3000));
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn what_is_under_way_may_end() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(1000))));
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.settle();
    close(&mut scene, ms(2000));
    assert!(!is_closed(&mut scene));
    assert!(scene.wait(operation).is_ok());
    assert_eq!(millis(&scene), 1000);
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn a_send_that_still_waits_for_its_route_may_end_too() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = scene.client.send(scene.now, producer, message(), SendOptions::default()).unwrap();
    scene.client.close(scene.now, ms(2000));
    assert!(scene.wait(operation).is_ok());
    assert!(is_closed(&mut scene));
}

#[test]
fn what_does_not_end_in_time_fails() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.on("a:1", SEND, |_| None);
    let options = SendOptions { timeout: Some(ms(9000)), ..SendOptions::default() };
    let operation = send(&mut scene, producer, options);
    scene.run_for(ms(10));
    close(&mut scene, ms(2000));
    assert_eq!((kind(scene.wait(operation)), millis(&scene)), (ErrorKind::Closed, 2010));
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn pulls_end_at_once() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", RequestCode::PULL_MESSAGE, |_| None);
    let operation = pull(&mut scene);
    scene.run_for(ms(1000));
    close(&mut scene, ms(3000));
    assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::Closed));
    // The answer to the pull is nobody's business any more.
    assert!(is_closed(&mut scene));
    assert_eq!(millis(&scene), 1000);
    assert_gone(&mut scene);
}

#[test]
fn every_connected_broker_hears_that_each_group_leaves() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    start_producer(&mut scene, ProducerConfig::default());
    scene.client.start_producer(scene.now, "P2", ProducerConfig::default()).unwrap();
    scene.client.start_pull_consumer(scene.now, "C").unwrap();
    (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    close(&mut scene, ms(3000));
    for at in ["a:1", "b:1"] {
        let asked = scene.asked_of(at, UNREGISTER);
        let mut groups: Vec<_> = asked.iter().map(|a| (a.field("producerGroup"), a.field("consumerGroup"))).collect();
        groups.sort_unstable();
        let expected = [("", "C"), ("P", ""), ("P2", "")];
        assert_eq!(groups, expected.map(|(producer, consumer)| (producer.to_owned(), consumer.to_owned())));
        assert!(asked.iter().all(|asked| asked.field("clientID") == "127.0.0.1@DEFAULT"));
    }
    assert!(scene.asked_of("ns:1", UNREGISTER).is_empty());
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn a_broker_that_does_not_answer_the_farewell_is_not_waited_for_long() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("a:1").is_mute = true;
    close(&mut scene, ms(3000));
    scene.run_for(ms(499));
    assert!(!is_closed(&mut scene));
    scene.run_for(ms(1));
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn a_broker_that_hangs_up_on_the_farewell_is_not_waited_for() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("a:1").is_mute = true;
    close(&mut scene, ms(3000));
    scene.cut("a:1", "reset");
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn a_question_to_the_name_servers_does_not_outlive_the_client() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("ns:1").is_mute = true;
    // The refresh of the route is under way.
    scene.run_for(ms(30_100));
    close(&mut scene, ms(3000));
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn connections_that_never_stood_are_given_up() {
    let mut scene = scene_of(&["a"]);
    scene.server("ns:1").reach = Reach::Vanishes;
    let operation = scene.client.connect(scene.now);
    scene.run_for(ms(10));
    close(&mut scene, ms(0));
    assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::Closed));
    assert!(is_closed(&mut scene));
    let mut refused = scene_of(&["a"]);
    refused.server("ns:1").reach = Reach::Refuses;
    let operation = refused.client.connect(refused.now);
    refused.wait(operation).unwrap_err();
    close(&mut refused, ms(0));
    assert!(is_closed(&mut refused));
    assert_gone(&mut refused);
}

#[test]
fn a_cancelled_operation_is_not_waited_for() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.on("a:1", SEND, |_| None);
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(10));
    close(&mut scene, ms(3000));
    assert!(!is_closed(&mut scene));
    scene.client.cancel(scene.now, operation);
    assert!(is_closed(&mut scene));
    assert_gone(&mut scene);
}

#[test]
fn a_closed_client_takes_nothing() {
    for grace in [0, 3000] {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
        scene.server("a:1").is_mute = true;
        let _under_way = send(&mut scene, producer, SendOptions::default());
        scene.client.close(scene.now, ms(grace));
        let now = scene.now;
        let refused = scene.client.send(now, producer, message(), SendOptions::default()).unwrap_err();
        assert_eq!((refused.error.kind(), refused.message.topic()), (ErrorKind::Closed, "T"));
        assert_eq!(
            scene.client.start_producer(now, "P", ProducerConfig::default()).unwrap_err().kind(),
            ErrorKind::Closed
        );
        assert_eq!(scene.client.start_pull_consumer(now, "C").unwrap_err().kind(), ErrorKind::Closed);
        let queue = || MessageQueue::new("T", "a", 0);
        let operations = [
            scene.client.connect(now).id(),
            scene.client.topic_list(now).id(),
            scene.client.delete_topic(now, "T", crate::admin::Placement::Everywhere).id(),
            scene.client.max_offset(now, queue()).id(),
            scene.client.queues(now, "T").id(),
            scene.client.pull(now, consumer, queue(), MessageSelector::all(), 0, PullOptions::default()).id(),
        ];
        for operation in operations {
            assert_eq!(scene.outcome_of(operation).map(kind), Some(ErrorKind::Closed));
        }
        scene.client.close_producer(scene.now, producer);
        scene.client.close_pull_consumer(scene.now, consumer);
    }
}

#[test]
fn closing_twice_is_closing_once() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("a:1").is_mute = true;
    (0..3).for_each(|_| close(&mut scene, ms(9000)));
    scene.run_for(ms(9000));
    assert!(is_closed(&mut scene) && !is_closed(&mut scene));
    close(&mut scene, ms(0));
    assert_gone(&mut scene);
}

#[test]
fn connections_close_when_the_client_does() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    close(&mut scene, ms(0));
    let mut closed: Vec<_> = scene.closed.iter().map(|(_, at)| at.clone()).collect();
    closed.sort();
    assert_eq!(closed, [address("a:1"), address("ns:1")]);
}

#[test]
fn no_heartbeat_is_sent_while_closing() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    ["a:1", "b:1"].iter().for_each(|at| scene.on(at, SEND, |_| None));
    let options = SendOptions { timeout: Some(ms(90_000)), ..SendOptions::default() };
    send(&mut scene, producer, options);
    scene.run_for(ms(10));
    let heartbeats = |scene: &Scene| scene.asked.iter().filter(|a| a.code() == RequestCode::HEART_BEAT).count();
    let before = (heartbeats(&scene), scene.opened.len());
    close(&mut scene, ms(40_000));
    scene.run_for(ms(35_000));
    assert_eq!((heartbeats(&scene), scene.opened.len()), before);
}

#[test]
fn nothing_is_asked_any_more_of_a_topic_that_was_being_created() {
    let mut scene = Scene::new(dialects::config(), 1);
    for at in ["ns:1", "a:1", "b:1"] {
        scene.server(at);
    }
    scene.book.route("MY_DEFAULT_TOPIC", &["a", "b"], 4);
    let absent = |_: &_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST).of_smartgo());
    scene.on("a:1", RequestCode::GET_TOPIC_STATS_INFO, absent);
    scene.on("b:1", RequestCode::GET_TOPIC_STATS_INFO, |_| None);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let _operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(100));
    assert_eq!(scene.asked_of("b:1", RequestCode::GET_TOPIC_STATS_INFO).len(), 1, "it is asked");
    close(&mut scene, ms(0));
    scene.run_for(ms(10));
    assert!(is_closed(&mut scene));
    let before = (scene.opened.len(), scene.asked.len());
    assert!(scene.client.poll_timeout().is_none());
    scene.run_for(ms(5_000));
    assert_eq!((scene.opened.len(), scene.asked.len()), before);
}
