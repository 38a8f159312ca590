//! Servers that are away for a moment: what lives in a budget of time tries until that is used up, and then says what it met.

use super::scene::ms;
use super::servers::{self, Reach, Reply, broker_data, stored};
use super::*;
use crate::producer::QueueChoice;
use crate::queue::MessageQueue;
use crate::wire::body::Permission;
use crate::wire::code::{RequestCode, ResponseCode};

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn within(millis: u64) -> SendOptions {
    SendOptions { timeout: Some(ms(millis)), ..SendOptions::default() }
}

/// Broker `a` stops: its connections end, nobody listens there, and the name servers hear that it is gone.
fn stop(scene: &mut Scene) {
    scene.server("a:1").reach = Reach::Refuses;
    scene.book.routes.remove("T");
    scene.cut("a:1", "reset");
}

fn start(scene: &mut Scene) {
    scene.server("a:1").reach = Reach::Accepts;
    scene.book.route("T", &["a"], 2);
}

/// A scene whose client has sent to the only broker of its topic.
fn scene_in_use() -> (Scene, ProducerId) {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(1000));
    (scene, producer)
}

fn times(scene: &Scene, at: &str) -> Vec<u64> {
    scene.asked_of(at, SEND).iter().map(|asked| asked.at.as_micros() / 1000 - 5000).collect()
}

#[test]
fn a_send_outlives_the_restart_of_its_only_broker() {
    for away in [200, 3000, 9000, 14_000] {
        let (mut scene, producer) = scene_in_use();
        stop(&mut scene);
        let begun = millis(&scene);
        let operation = send(&mut scene, producer, within(15_500));
        scene.run_for(ms(away));
        assert!(scene.outcome(operation).is_none(), "it waits after {away} ms");
        start(&mut scene);
        assert!(scene.wait(operation).is_ok(), "after {away} ms");
        assert!(millis(&scene) - begun <= away + 1100, "{} ms for {away}", millis(&scene) - begun);
    }
}

#[test]
fn a_send_under_way_outlives_the_restart_of_its_only_broker() {
    let (mut scene, producer) = scene_in_use();
    scene.on("a:1", SEND, |_| None);
    let operation = send(&mut scene, producer, within(15_000));
    scene.run_for(ms(10));
    stop(&mut scene);
    scene.run_for(ms(5000));
    scene.on("a:1", SEND, |asked| Some(stored(asked)));
    start(&mut scene);
    assert!(scene.wait(operation).is_ok());
    assert_eq!(scene.asked_of("a:1", SEND).len(), 3);
}

#[test]
fn a_broker_that_comes_back_somewhere_else_gets_the_message() {
    let (mut scene, producer) = scene_in_use();
    stop(&mut scene);
    let operation = send(&mut scene, producer, within(15_000));
    scene.run_for(ms(7000));
    scene.server("moved:1");
    let moved = servers::route_by(
        vec![crate::wire::body::BrokerData {
            broker_addrs: [(0, "moved:1".to_owned())].into(),
            ..broker_data("a", &[])
        }],
        2,
        Permission::READ_WRITE,
    );
    scene.book.routes.insert("T".to_owned(), moved);
    let begun = millis(&scene);
    assert!(scene.wait(operation).is_ok());
    assert!(millis(&scene) - begun <= 1100);
}

#[test]
fn a_send_whose_broker_stays_away_says_so_when_its_time_is_up() {
    let (mut scene, producer) = scene_in_use();
    stop(&mut scene);
    let begun = millis(&scene);
    let operation = send(&mut scene, producer, within(5000));
    let error = error(scene.wait(operation));
    assert_eq!((error.kind(), millis(&scene) - begun), (ErrorKind::ConnectFailed, 5000));
    assert_eq!((error.address().unwrap().as_str(), error.is_retryable()), ("a:1", true));
    let text = error.to_string();
    assert!(text.contains("connection refused") && !text.contains("no such topic"), "{text}");
    assert!(error.attempts().len() <= 3, "{text}");
}

#[test]
fn waiting_for_a_broker_is_no_try() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    send_and_wait(&mut scene, producer).unwrap();
    stop(&mut scene);
    let operation = send(&mut scene, producer, within(15_000));
    scene.run_for(ms(6000));
    start(&mut scene);
    assert!(scene.wait(operation).is_ok());
}

#[test]
fn a_question_rides_out_a_broker_that_is_busy_and_says_so_when_its_time_is_up() {
    let (mut scene, _) = scene_in_use();
    let mut busy = 4;
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, move |_| {
        busy -= 1;
        Some(if busy < 0 { Reply::ok().field("offset", 7) } else { Reply::code(ResponseCode::SYSTEM_BUSY) })
    });
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    assert_eq!(scene.wait(operation), Ok(Some(7)));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    let begun = millis(&scene);
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    let error = error(scene.wait(operation));
    assert_eq!((error.code(), millis(&scene) - begun), (Some(ResponseCode::SYSTEM_BUSY), 3000));
    let asked = scene.asked_of("a:1", RequestCode::GET_MAX_OFFSET).len();
    assert!(asked < 40, "{asked} questions: pauses grow");
}

#[test]
fn a_oneway_message_waits_for_its_broker_too() {
    let (mut scene, producer) = scene_in_use();
    stop(&mut scene);
    let operation = scene.client.send_oneway(scene.now, producer, message(), within(10_000)).unwrap();
    scene.run_for(ms(6000));
    start(&mut scene);
    assert!(matches!(scene.wait(operation), Ok(())));
    assert_eq!(scene.asked_of("a:1", SEND).len(), 2);
}

#[test]
fn a_question_waits_for_its_broker_too() {
    let (mut scene, _) = scene_in_use();
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    stop(&mut scene);
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    scene.run_for(ms(1500));
    start(&mut scene);
    assert!(matches!(scene.wait(operation), Ok(Some(1))));
    // And when it stays away.
    stop(&mut scene);
    let begun = millis(&scene);
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    assert_eq!((kind(scene.wait(operation)), millis(&scene) - begun), (ErrorKind::ConnectFailed, 3000));
}

#[test]
fn look_ups_and_sends_wait_for_name_servers_too() {
    let mut scene = scene_of(&["a"]);
    scene.server("ns:1").reach = Reach::Refuses;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let sent = send(&mut scene, producer, within(15_000));
    let queues = scene.client.queues(scene.now, "T");
    let list = scene.client.topic_list(scene.now);
    let question = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    scene.run_for(ms(1500));
    scene.server("ns:1").reach = Reach::Accepts;
    scene.on("ns:1", RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, |_| Some(Reply::ok().body("{}")));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    for operation in [sent.id(), queues.id(), list.id(), question.id()] {
        scene.wait_for(operation).unwrap();
    }
    assert!(millis(&scene) <= 3000);
}

#[test]
fn a_busy_broker_gets_growing_pauses() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY).remark("queue full")));
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 5, ..ProducerConfig::default() });
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!((error.code(), error.remark()), (Some(ResponseCode::SYSTEM_BUSY), Some("queue full")));
    let times = times(&scene, "a:1");
    assert_eq!(times.len(), 5);
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, most) in pauses.iter().zip([100, 200, 400, 800]) {
        assert!((most / 2..=most).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_send_has_no_pause_that_is_longer_than_its_time() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 50, ..ProducerConfig::default() });
    let operation = send(&mut scene, producer, within(2000));
    let error = error(scene.wait(operation));
    assert_eq!(error.code(), Some(ResponseCode::SYSTEM_BUSY));
    assert!(millis(&scene) <= 2000);
}

#[test]
fn another_broker_is_tried_at_once() {
    let mut scene = scene_of(&["a", "b"]);
    for name in ["a:1", "b:1"] {
        scene.on(name, SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    }
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap_err();
    let mut times = [times(&scene, "a:1"), times(&scene, "b:1")].concat();
    times.sort_unstable();
    assert_eq!((times.len(), times[0], times[1]), (3, 0, 0));
    assert!((50..=200).contains(&times[2]), "{times:?}");
}

#[test]
fn one_lost_answer_of_the_only_broker_costs_half_of_the_time() {
    let (mut scene, producer) = scene_in_use();
    let mut lost = 1;
    scene.on("a:1", SEND, move |asked| {
        lost -= 1;
        (lost < 0).then(|| stored(asked))
    });
    let begun = millis(&scene);
    assert!(send_and_wait(&mut scene, producer).is_ok());
    assert_eq!(millis(&scene) - begun, 1500);
    assert!(scene.closed.is_empty(), "one lost answer is no dead connection");
}

#[test]
fn a_connection_that_is_dead_is_replaced_within_the_send() {
    let (mut scene, producer) = scene_in_use();
    let dead = scene.links_to("a:1")[0];
    scene.on("a:1", SEND, move |asked| (asked.connection != dead).then(|| stored(asked)));
    let begun = millis(&scene);
    assert!(send_and_wait(&mut scene, producer).is_ok());
    assert!((2250..=2350).contains(&(millis(&scene) - begun)), "two shares and a pause");
    assert_eq!(scene.asked_of("a:1", SEND).len(), 4);
}

#[test]
fn a_retry_that_finds_no_room_waits_and_never_says_full() {
    for makes_room in [true, false] {
        let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
        (config.connection.high_water, config.connection.low_water) = (10_000, 5000);
        let mut scene = Scene::new(config, 1);
        ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", &["a"], 1);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        send_and_wait(&mut scene, producer).unwrap();
        let mut busy = 1;
        scene.on("a:1", SEND, move |asked| {
            busy -= 1;
            Some(if busy < 0 { stored(asked) } else { Reply::code(ResponseCode::SYSTEM_BUSY).after(ms(10)) })
        });
        let operation = send(&mut scene, producer, SendOptions::default());
        scene.settle();
        scene.set_reading("a:1", false);
        let large = Message::new("T", vec![0; 20_000]);
        scene.client.send(scene.now, producer, large, within(60_000)).unwrap();
        scene.run_for(ms(1000));
        assert!(scene.outcome(operation).is_none(), "it waits for room");
        if makes_room {
            scene.set_reading("a:1", true);
            assert!(scene.wait(operation).is_ok());
        } else {
            let error = error(scene.wait(operation));
            assert_eq!(error.code(), Some(ResponseCode::SYSTEM_BUSY), "{error}");
        }
    }
}

#[test]
fn a_queue_that_was_just_added_is_found_within_the_send() {
    let (mut scene, producer) = scene_in_use();
    scene.client.queues(scene.now, "T");
    scene.settle();
    scene.book.route("T", &["a"], 4);
    scene.run_for(ms(10));
    let queue = QueueChoice::Queue(MessageQueue::new("T", "a", 3));
    let operation = send(&mut scene, producer, queue.into());
    let begun = millis(&scene);
    assert_eq!(scene.wait(operation).unwrap().queue.queue_id, 3);
    assert!(millis(&scene) - begun <= 400);
    // One that does not exist is told soon, too.
    let begun = millis(&scene);
    let queue = QueueChoice::Queue(MessageQueue::new("T", "a", 9));
    let operation = send(&mut scene, producer, queue.into());
    assert_eq!(kind(scene.wait(operation)), ErrorKind::NoQueueAvailable);
    assert!(millis(&scene) - begun <= 400);
}

#[test]
fn a_given_queue_whose_broker_is_missing_from_the_route_is_waited_for() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    scene.run_for(ms(1000));
    // `a` stops, and the name servers know only `b`.
    scene.server("a:1").reach = Reach::Refuses;
    scene.book.route("T", &["b"], 2);
    scene.cut("a:1", "reset");
    let queue = QueueChoice::Queue(MessageQueue::new("T", "a", 1));
    let operation = send(&mut scene, producer, SendOptions { queue, timeout: Some(ms(15_000)) });
    scene.run_for(ms(6000));
    assert!(scene.outcome(operation).is_none());
    scene.server("a:1").reach = Reach::Accepts;
    scene.book.route("T", &["a", "b"], 2);
    assert_eq!(&*scene.wait(operation).unwrap().queue.broker_name, "a");
}

#[test]
fn name_servers_that_forget_a_topic_while_its_brokers_answer_change_nothing() {
    let (mut scene, producer) = scene_in_use();
    scene.book.route("TBW102", &["a"], 8);
    let route = scene.book.routes.remove("T");
    for _ in 0..5 {
        scene.run_for(ms(30_000));
        let sent = send_and_wait(&mut scene, producer).unwrap();
        assert!(sent.queue.queue_id < 2, "by its own route");
        let queues = scene.client.queues(scene.now, "T");
        assert!(scene.wait(queues).is_ok());
    }
    // Even when a send fails and the route is asked for: a key keeps its queue.
    scene.on("a:1", SEND, {
        let mut busy = 1;
        move |asked| {
            busy -= 1;
            Some(if busy < 0 { stored(asked) } else { Reply::code(ResponseCode::SYSTEM_BUSY) })
        }
    });
    let keyed = || SendOptions::from(QueueChoice::Hash("key".to_owned()));
    let before = send(&mut scene, producer, keyed());
    let before = scene.wait(before).unwrap().queue;
    scene.book.routes.extend(route.map(|route| ("T".to_owned(), route)));
    scene.run_for(ms(30_000));
    let after = send(&mut scene, producer, keyed());
    assert_eq!(scene.wait(after).unwrap().queue, before);
}

#[test]
fn another_name_server_is_asked_before_a_topic_counts_as_absent() {
    for seed in 0..8 {
        let mut scene = Scene::new(ClientConfig::new(parse_list("new:1;old:1").unwrap()), seed);
        ["new:1", "old:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", &["a"], 2);
        scene.on("new:1", RequestCode::GET_ROUTEINFO_BY_TOPIC, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
        let producer = start_producer(&mut scene, ProducerConfig::default());
        assert!(send_and_wait(&mut scene, producer).is_ok());
        let route = scene.client.topic_route(scene.now, "T");
        assert!(scene.wait(route).is_ok());
        let unknown = scene.client.topic_route(scene.now, "U");
        assert_eq!(kind(scene.wait(unknown)), ErrorKind::TopicNotFound);
        assert_eq!(millis(&scene), 0);
    }
}

#[test]
fn a_topic_is_given_up_when_its_broker_and_the_name_servers_say_that_there_is_none() {
    let (mut scene, producer) = scene_in_use();
    scene.book.routes.clear();
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!(error.code(), Some(ResponseCode::TOPIC_NOT_EXIST));
    let queues = scene.client.queues(scene.now, "T");
    assert_eq!(kind(scene.wait(queues)), ErrorKind::TopicNotFound);
    // And it may be created anew by a send.
    scene.on("a:1", SEND, |asked| Some(stored(asked)));
    scene.book.route("TBW102", &["a"], 8);
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_pull_of_a_topic_that_is_gone_gives_it_up_too() {
    let (mut scene, _) = scene_in_use();
    scene.book.routes.clear();
    scene.on("a:1", RequestCode::PULL_MESSAGE, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let (queue, all) = (MessageQueue::new("T", "a", 0), crate::consumer::MessageSelector::all());
    let pull = scene.client.pull(scene.now, consumer, queue, all, 0, Default::default());
    assert_eq!(error(scene.wait(pull)).code(), Some(ResponseCode::TOPIC_NOT_EXIST));
    let queues = scene.client.queues(scene.now, "T");
    assert_eq!(kind(scene.wait(queues)), ErrorKind::TopicNotFound);
}

#[test]
fn a_question_rides_out_a_broker_that_is_about_to_go() {
    let (mut scene, _) = scene_in_use();
    let back = scene.now.mono + ms(1500);
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, move |asked| {
        let is_back = asked.at >= back;
        Some(if is_back { Reply::ok().field("offset", 7) } else { Reply::code(ResponseCode::GO_AWAY) })
    });
    let begun = millis(&scene);
    let operation = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    let outcome = scene.wait(operation);
    assert_eq!(outcome, Ok(Some(7)), "after {} ms of 3000", millis(&scene) - begun);
}
