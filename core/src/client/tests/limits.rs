//! How much may wait, and that whoever was refused hears when there is room.

use super::scene::ms;
use super::servers::{Reach, stored};
use super::*;
use crate::client::SendError;
use crate::wire::code::RequestCode;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn try_send(scene: &mut Scene, producer: ProducerId, body: usize) -> Result<Pending<Receipt>, SendError> {
    let message = Message::new("T", vec![7; body]).tag("mine");
    let result = scene.client.send(scene.now, producer, message, SendOptions::default());
    scene.settle();
    result
}

fn full(result: Result<Pending<Receipt>, SendError>) -> Message {
    let refused = result.expect_err("no room");
    assert_eq!((refused.error.kind(), refused.error.is_retryable()), (ErrorKind::Full, true));
    refused.message
}

fn took_room(scene: &mut Scene) -> bool {
    took(scene, |event| matches!(event, Event::Room))
}

/// A scene whose connections take this many bytes, the broker connected and reading nothing from now on.
fn scene_with_a_deaf_broker(high_water: usize) -> (Scene, ProducerId) {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.connection.high_water = high_water;
    config.connection.low_water = high_water / 2;
    let mut scene = Scene::new(config, 1);
    ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a"], 1);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.set_reading("a:1", false);
    (scene, producer)
}

#[test]
fn the_number_of_messages_that_wait_is_bounded() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(100))));
    let config = ProducerConfig { max_waiting_messages: 2, ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    let first = try_send(&mut scene, producer, 1).unwrap();
    try_send(&mut scene, producer, 1).unwrap();
    let message = full(try_send(&mut scene, producer, 5));
    assert_eq!((message.topic(), &message.body()[..]), ("T", &[7; 5][..]));
    assert_eq!(message.properties().get("TAGS"), Some("mine"));
    assert!(!took_room(&mut scene));
    scene.wait(first).unwrap();
    assert!(took_room(&mut scene));
    assert!(try_send(&mut scene, producer, 1).is_ok());
}

#[test]
fn the_bytes_that_wait_are_bounded_and_one_message_always_may() {
    let mut scene = scene_of(&["a"]);
    let config = ProducerConfig { max_waiting_bytes: 10, ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    let large = scene.client.send(scene.now, producer, Message::new("T", vec![0; 100]), SendOptions::default());
    let refused = scene.client.send(scene.now, producer, Message::new("T", "b"), SendOptions::default());
    full(refused);
    assert!(scene.wait(large.unwrap()).is_ok());
    assert!(took_room(&mut scene));
    assert_eq!(scene.client.backlog(producer).unwrap().bytes, 0);
}

#[test]
fn nobody_who_was_not_refused_hears_of_room() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    (0..10).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    assert!(!took_room(&mut scene));
}

#[test]
fn producers_are_bounded_each_by_itself() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:1").is_mute = true;
    let config = || ProducerConfig { max_waiting_messages: 1, ..ProducerConfig::default() };
    let (one, other) = (start_producer(&mut scene, config()), start_producer(&mut scene, config()));
    try_send(&mut scene, one, 1).unwrap();
    full(try_send(&mut scene, one, 1));
    assert!(try_send(&mut scene, other, 1).is_ok());
}

#[test]
fn a_failure_a_cancellation_and_a_lost_connection_make_room() {
    let ends: [fn(&mut Scene, Pending<Receipt>); 3] = [
        |scene, operation| assert!(scene.wait(operation).is_err()),
        |scene, operation| scene.client.cancel(scene.now, operation),
        |scene, _| scene.cut("a:1", "reset"),
    ];
    for end in ends {
        let mut scene = scene_of(&["a"]);
        let config = ProducerConfig { max_waiting_messages: 1, max_tries: 1, ..ProducerConfig::default() };
        let producer = start_producer(&mut scene, config);
        send_and_wait(&mut scene, producer).unwrap();
        scene.server("a:1").is_mute = true;
        let operation = try_send(&mut scene, producer, 1).unwrap();
        full(try_send(&mut scene, producer, 1));
        end(&mut scene, operation);
        assert!(took_room(&mut scene));
    }
}

#[test]
fn a_broker_that_takes_no_bytes_gets_no_more_than_the_high_water_mark() {
    let (mut scene, producer) = scene_with_a_deaf_broker(100_000);
    let mut operations = Vec::new();
    let message = loop {
        match try_send(&mut scene, producer, 9000) {
            Ok(operation) => operations.push(operation),
            refused => break full(refused),
        }
    };
    assert!((9..=12).contains(&operations.len()), "{} messages of 9 kB", operations.len());
    assert_eq!(message.body().len(), 9000);
    scene.run_for(ms(500));
    full(try_send(&mut scene, producer, 1));
    assert!(!took_room(&mut scene));
    scene.set_reading("a:1", true);
    assert!(took_room(&mut scene));
    assert!(operations.into_iter().all(|operation| scene.wait(operation).is_ok()));
    assert!(try_send(&mut scene, producer, 1).is_ok());
}

#[test]
fn bytes_that_leave_make_room_before_anything_is_answered() {
    let (mut scene, producer) = scene_with_a_deaf_broker(10_000);
    scene.server("a:1").is_mute = true;
    try_send(&mut scene, producer, 20_000).unwrap();
    full(try_send(&mut scene, producer, 1));
    scene.set_reading("a:1", true);
    assert!(took_room(&mut scene));
    assert!(try_send(&mut scene, producer, 1).is_ok());
}

#[test]
fn where_one_broker_is_full_another_one_is_used() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    scene.set_reading("a:1", false);
    // Eight MiB fill the connection to `a`.
    let operations: Vec<_> = (0..8).map(|_| try_send(&mut scene, producer, 4 << 20).unwrap()).collect();
    assert_eq!(operations.len(), 8);
    let at_b = scene.asked_of("b:1", SEND).len();
    assert_eq!(at_b, 2 + 6);
}

#[test]
fn a_send_that_finds_no_room_when_its_route_has_come_waits_for_some() {
    let (mut scene, producer) = scene_with_a_deaf_broker(10_000);
    scene.book.route("U", &["a"], 1);
    try_send(&mut scene, producer, 20_000).unwrap();
    full(try_send(&mut scene, producer, 1));
    let options = || SendOptions { timeout: Some(ms(2000)), ..SendOptions::default() };
    let operation = scene.client.send(scene.now, producer, Message::new("U", "b"), options()).unwrap();
    let failed = error(scene.wait(operation));
    assert_eq!((failed.kind(), millis(&scene)), (ErrorKind::Timeout, 2000));
    assert!(failed.to_string().contains("too much waits for the topic's brokers already"), "{failed}");
    let operation = scene.client.send(scene.now, producer, Message::new("V", "b"), options());
    assert!(operation.is_ok(), "nothing is known of its topic");
    scene.book.route("V", &["a"], 1);
    scene.run_for(ms(500));
    scene.set_reading("a:1", true);
    assert!(scene.wait(operation.unwrap()).is_ok());
}

#[test]
fn requests_that_wait_for_answers_are_bounded_too() {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.connection.max_in_flight = 2;
    let mut scene = Scene::new(config, 1);
    ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a"], 1);
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    send_and_wait(&mut scene, producer).unwrap();
    scene.on("a:1", SEND, |_| None);
    let options = || SendOptions { timeout: Some(ms(500)), ..SendOptions::default() };
    let operations = [send(&mut scene, producer, options()), send(&mut scene, producer, options())];
    full(try_send(&mut scene, producer, 1));
    // Nobody wants their answers any more, but they may come until their time is over.
    operations.into_iter().for_each(|operation| scene.client.cancel(scene.now, operation));
    assert!(took_room(&mut scene));
    full(try_send(&mut scene, producer, 1));
    scene.run_for(ms(499));
    assert!(!took_room(&mut scene));
    scene.run_for(ms(1));
    assert!(took_room(&mut scene), "places are free again");
}

#[test]
fn what_is_left_of_operations_that_ended_is_bounded() {
    // Everything that the client keeps is in what it shows of itself.
    let size = |scene: &Scene| format!("{:?}", scene.client).len();
    for (at, hangs) in [("ns:1", "the route"), ("a:1", "the connection")] {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        scene.server(at).opens_after = ms(1000);
        let options = || SendOptions { timeout: Some(ms(60_000)), ..SendOptions::default() };
        let kept = send(&mut scene, producer, options());
        scene.settle();
        let before = size(&scene);
        for _ in 0..5000 {
            let operation = send(&mut scene, producer, options());
            scene.client.cancel(scene.now, operation);
        }
        assert!(size(&scene) < before + 70_000, "{} bytes more wait for {hangs}", size(&scene) - before);
        assert!(scene.wait(kept).is_ok());
    }
}

#[test]
fn operations_are_bounded() {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.max_operations = 2;
    let mut scene = Scene::new(config, 1);
    scene.server("ns:1").reach = Reach::Vanishes;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let first = scene.client.connect(scene.now);
    let second = send(&mut scene, producer, SendOptions::default());
    full(try_send(&mut scene, producer, 1));
    let third = scene.client.topic_list(scene.now);
    assert_eq!(scene.outcome(third).map(kind), Some(ErrorKind::Full));
    scene.client.cancel(scene.now, first);
    assert!(took_room(&mut scene));
    scene.client.cancel(scene.now, second);
    assert!(try_send(&mut scene, producer, 1).is_ok());
}
