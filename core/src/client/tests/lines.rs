//! Producers' lines: in the order of the calls, each for itself, with the time running from the call.

use super::scene::ms;
use super::servers::{Reach, stored};
use super::*;
use crate::producer::QueueChoice;
use crate::queue::MessageQueue;
use crate::time::Duration;
use crate::wire::code::RequestCode;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn send_in_turn(scene: &mut Scene, producer: ProducerId, number: u8, to: &str) -> Pending<Receipt> {
    let queue = MessageQueue::new("T", to, 0);
    let message = Message::new("T", vec![number]);
    let operation = scene.client.send_in_turn(scene.now, producer, message, queue.into()).expect("a line takes all");
    scene.settle();
    operation
}

fn producer_of(scene: &mut Scene, max_waiting_messages: usize) -> ProducerId {
    start_producer(scene, ProducerConfig { max_waiting_messages, max_tries: 1, ..ProducerConfig::default() })
}

/// The bodies that a broker was asked to store, in order.
fn bodies(scene: &Scene, at: &str) -> Vec<u8> {
    scene.asked_of(at, SEND).iter().map(|asked| asked.command.body[0]).collect()
}

#[test]
fn a_line_before_a_hung_broker_holds_up_no_other_producer() {
    let mut scene = scene_of(&["a", "b"]);
    scene.on("a:1", SEND, |_| None);
    let (slow, quick) = (producer_of(&mut scene, 10), producer_of(&mut scene, 10));
    let hung: Vec<_> = (0..100).map(|number| send_in_turn(&mut scene, slow, number, "a")).collect();
    let begin = millis(&scene);
    let sent = send_in_turn(&mut scene, quick, 0, "b");
    scene.wait(sent).unwrap();
    assert_eq!(millis(&scene), begin, "at once");
    // Nor does the line wait longer than its sends may.
    for operation in hung {
        let failed = error(scene.wait(operation));
        assert!(matches!(failed.kind(), ErrorKind::Timeout | ErrorKind::ConnectFailed), "{failed}");
    }
    assert_eq!(millis(&scene), begin + 3000, "the time runs from the call");
    assert_eq!(scene.client.backlog(slow).unwrap().messages, 0);
}

#[test]
fn a_line_moves_in_the_order_of_the_calls_and_whoever_leaves_it_is_not_sent() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(10))));
    let producer = producer_of(&mut scene, 2);
    let mut sends: Vec<_> = (0..20).map(|number| send_in_turn(&mut scene, producer, number, "a")).collect();
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 2);
    let refused = scene.client.send(scene.now, producer, message(), SendOptions::default()).unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Full, "others are first");
    for gone in [19, 10, 2] {
        scene.client.cancel(scene.now, sends.remove(gone));
    }
    for operation in sends {
        scene.wait(operation).unwrap();
    }
    let left: Vec<u8> = (0..20).filter(|number| ![2, 10, 19].contains(number)).collect();
    assert_eq!(bodies(&scene, "a:1"), left);
}

#[test]
fn a_line_for_brokers_without_room_moves_on_when_one_of_them_has_some() {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    (config.connection.high_water, config.connection.low_water) = (2000, 1000);
    let mut scene = Scene::new(config, 1);
    ["ns:1", "a:1", "b:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a", "b"], 1);
    let (first, second) = (producer_of(&mut scene, 100), producer_of(&mut scene, 100));
    for to in ["a", "b"] {
        let sent = send_in_turn(&mut scene, first, 0, to);
        scene.wait(sent).unwrap();
    }
    scene.set_reading("a:1", false);
    let stuck: Vec<_> = (1..=20).map(|number| send_in_turn(&mut scene, first, number, "a")).collect();
    let also_stuck = send_in_turn(&mut scene, second, 100, "a");
    // Only what goes nowhere else waits; another producer's message goes its way.
    let third = producer_of(&mut scene, 100);
    let sent = send_in_turn(&mut scene, third, 200, "b");
    scene.wait(sent).unwrap();
    let in_turn = scene.client.send_in_turn(scene.now, third, message(), QueueChoice::RoundRobin.into()).unwrap();
    scene.wait(in_turn).unwrap();
    scene.run_for(ms(1000));
    scene.set_reading("a:1", true);
    for operation in stuck.into_iter().chain([also_stuck]) {
        scene.wait(operation).unwrap();
    }
    let (mut expected, sent) = ((0..=20).collect::<Vec<u8>>(), bodies(&scene, "a:1"));
    expected.push(100);
    assert_eq!(sent.iter().filter(|number| **number != b'h').count(), expected.len());
    let of_first: Vec<u8> = sent.into_iter().filter(|number| *number <= 20).collect();
    assert_eq!(of_first, expected[..21], "in the order of the calls");
}

#[test]
fn what_stands_in_line_when_its_producer_closes_goes_on() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(10))));
    let producer = producer_of(&mut scene, 1);
    let sends: Vec<_> = (0..5).map(|number| send_in_turn(&mut scene, producer, number, "a")).collect();
    scene.client.close_producer(scene.now, producer);
    let late = scene.client.send_in_turn(scene.now, producer, message(), SendOptions::default()).unwrap_err();
    assert_eq!(late.error.kind(), ErrorKind::Closed);
    for operation in sends {
        scene.wait(operation).unwrap();
    }
    assert_eq!(scene.client.backlog(producer), None, "and then nothing is left of it");
}

#[test]
fn what_stands_in_line_when_the_client_closes_may_end_within_the_grace() {
    for (grace, ends_well) in [(1000, 5), (25, 3)] {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(10))));
        let producer = producer_of(&mut scene, 1);
        let sends: Vec<_> = (0..5).map(|number| send_in_turn(&mut scene, producer, number, "a")).collect();
        scene.client.close(scene.now, ms(grace));
        let outcomes: Vec<_> = sends.into_iter().map(|operation| scene.wait(operation)).collect();
        assert!(outcomes.iter().filter(|outcome| outcome.is_ok()).count().abs_diff(ends_well) <= 1);
        let failed = outcomes.into_iter().filter_map(Result::err);
        assert!(failed.into_iter().all(|error| error.kind() == ErrorKind::Closed));
    }
}

#[test]
fn those_in_line_do_not_count_as_under_way_for_anybody_else() {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.max_operations = 3;
    let mut scene = Scene::new(config, 1);
    ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a"], 2);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(10))));
    let producers = [producer_of(&mut scene, 1), producer_of(&mut scene, 1), producer_of(&mut scene, 5)];
    let sends: Vec<_> =
        (0..30).map(|number| send_in_turn(&mut scene, producers[number as usize % 3], number, "a")).collect();
    for (number, operation) in sends.into_iter().enumerate() {
        if number % 3 == 1 && number > 20 {
            scene.client.cancel(scene.now, operation);
        } else {
            scene.wait(operation).unwrap();
        }
    }
    let operation = scene.client.queues(scene.now, "T");
    scene.wait(operation).unwrap();
}

#[test]
fn forty_thousand_leave_a_line_in_about_no_time_each() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |_| None);
    let config =
        ProducerConfig { send_timeout: Duration::from_secs(600), max_waiting_messages: 1, ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    let mut line = Vec::new();
    for _ in 0..40_000 {
        line.push(scene.client.send_in_turn(scene.now, producer, message(), SendOptions::default()).unwrap());
    }
    // From the middle outwards: a search for each of them would take a thousand million steps.
    let (front, back) = line.split_at(20_000);
    for (front, back) in front.iter().rev().zip(back) {
        scene.client.cancel(scene.now, *front);
        scene.client.cancel(scene.now, *back);
    }
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
    let refused = scene.client.send(scene.now, producer, message(), SendOptions::default());
    refused.expect("nobody is left in line");
}

#[test]
fn a_send_to_any_queue_goes_to_one_that_has_room() {
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.connection.max_in_flight = 4;
    let mut scene = Scene::new(config, 1);
    ["ns:1", "a:1", "b:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a", "b"], 1);
    let producer = producer_of(&mut scene, 1000);
    for to in ["a", "b"] {
        let sent = send_in_turn(&mut scene, producer, 0, to);
        scene.wait(sent).unwrap();
    }
    // `b` hangs, and has as much to answer as it may; `a` answers everything at once.
    scene.on("b:1", SEND, |_| None);
    for number in 0..4 {
        _ = send_in_turn(&mut scene, producer, number, "b");
    }
    let begun = millis(&scene);
    let sends: Vec<_> = (0..50_u8)
        .map(|number| {
            let message = Message::new("T", vec![number]);
            let sent = scene.client.send_in_turn(scene.now, producer, message, QueueChoice::Random.into()).unwrap();
            scene.settle();
            sent
        })
        .collect();
    let failed = sends.into_iter().filter(|sent| scene.wait(*sent).is_err()).count();
    assert_eq!((failed, millis(&scene) - begun), (0, 0), "`a` has room for all of them");
}

#[test]
fn a_send_to_any_queue_goes_to_a_broker_that_is_there() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    (0..8).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    scene.server("b:1").reach = Reach::Refuses;
    scene.cut("b:1", "reset");
    let (mut failed, mut longest) = (0, 0);
    for _ in 0..200 {
        let begun = millis(&scene);
        let sent = send(&mut scene, producer, QueueChoice::Random.into());
        failed += usize::from(scene.wait(sent).is_err());
        longest = longest.max(millis(&scene) - begun);
    }
    assert!(failed == 0 && longest <= 200, "{failed} of 200 failed, the longest took {longest} ms; `a` is well");
}
