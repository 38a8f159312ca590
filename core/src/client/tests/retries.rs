//! Sends that need more than one try: where they go, how long they may take, and what is told in the end.

use std::collections::BTreeSet;

use super::scene::ms;
use super::servers::{Asked, Reach, Reply, stored};
use super::*;
use crate::error::Error;
use crate::producer::QueueChoice;
use crate::queue::MessageQueue;
use crate::wire::code::{RequestCode, ResponseCode};

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// Scenes with two brokers, of which `a` is tried first, and their producers.
fn scene_that_begins_at_a() -> (Scene, ProducerId) {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    while &*send_and_wait(&mut scene, producer).expect("a send").queue.to_string() != "T@b:1" {}
    scene.asked.clear();
    scene.run_for(ms(1000));
    (scene, producer)
}

/// The requests to send, in order, as `broker after so many milliseconds`.
fn tries(scene: &Scene, since: u64) -> Vec<(String, u64)> {
    let sends = scene.asked.iter().filter(|asked| asked.code() == SEND);
    let time = |asked: &Asked| asked.at.as_micros() / 1000 - 5000 - since;
    sends.map(|asked| (asked.field("n"), time(asked))).collect()
}

fn at(broker: &str, millis: u64) -> (String, u64) {
    (broker.to_owned(), millis)
}

fn outcomes(error: &Error) -> Vec<&str> {
    error.attempts().iter().map(|attempt| &*attempt.outcome).collect()
}

#[test]
fn a_hung_broker_costs_half_of_the_time_and_another_one_gets_the_message() {
    let (mut scene, producer) = scene_that_begins_at_a();
    let begun = millis(&scene);
    scene.server("a:1").is_mute = true;
    let receipt = send_and_wait(&mut scene, producer).unwrap();
    assert_eq!(&*receipt.queue.broker_name, "b");
    assert_eq!(tries(&scene, begun), [at("a", 0), at("b", 1500)]);
}

#[test]
fn a_broker_that_cannot_be_reached_costs_half_of_the_time_at_the_most() {
    for (reach, expected) in [(Reach::Vanishes, 1500), (Reach::Refuses, 0)] {
        let mut scene = scene_of(&["a", "b"]);
        scene.server("a:1").reach = reach;
        scene.server("b:1").reach = reach;
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let operation = send(&mut scene, producer, SendOptions::default());
        scene.run_for(ms(0));
        let (first, other) = if scene.opened[1].1.as_str() == "a:1" { ("a:1", "b") } else { ("b:1", "a") };
        if reach == Reach::Vanishes {
            scene.server(&format!("{other}:1")).reach = Reach::Accepts;
            let receipt = scene.wait(operation).unwrap();
            assert_eq!((&*receipt.queue.broker_name, millis(&scene)), (other, expected), "after {first}");
        } else {
            // Both refused at once; in the pause after that one of them comes back.
            scene.server(first).reach = Reach::Accepts;
            assert!(scene.wait(operation).is_ok());
            assert!(millis(&scene) <= 100);
        }
    }
}

#[test]
fn two_hung_brokers_use_up_the_time_and_no_more() {
    let (mut scene, producer) = scene_that_begins_at_a();
    let begun = millis(&scene);
    scene.server("a:1").is_mute = true;
    scene.server("b:1").is_mute = true;
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
    assert_eq!(millis(&scene) - begun, 3000);
    let after: Vec<_> = error.attempts().iter().map(|attempt| attempt.after.as_millis()).collect();
    assert_eq!(after, [1500, 2250, 3000]);
    let addresses: Vec<_> = error.attempts().iter().map(|a| a.address.as_ref().unwrap().as_str()).collect();
    assert_eq!(addresses, ["a:1", "b:1", "a:1"]);
}

#[test]
fn the_only_try_has_all_of_the_time() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(2999))));
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    assert!(send_and_wait(&mut scene, producer).is_ok());
    scene.server("a:1").is_mute = true;
    assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!((millis(&scene), scene.asked_of("a:1", SEND).len()), (2999 + 3000, 2));
}

#[test]
fn a_broker_that_is_merely_slow_is_believed_when_it_answers_an_earlier_try() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(2900))));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = send(&mut scene, producer, SendOptions::default());
    // The connection is known to live, so it is kept.
    scene.run_for(ms(1000));
    let question = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    scene.wait(question).unwrap();
    let receipt = scene.wait(operation).unwrap();
    assert_eq!((&*receipt.queue.broker_name, millis(&scene)), ("a", 2900));
    scene.run_for(ms(5000));
    assert!(scene.events.is_empty());
    // What such an answer refuses says nothing of the later tries.
    scene.asked.clear();
    let mut first = true;
    scene.on("a:1", SEND, move |asked| {
        let refused = Reply::code(ResponseCode::MESSAGE_ILLEGAL).after(ms(1600));
        Some(if std::mem::take(&mut first) { refused } else { stored(asked).after(ms(500)) })
    });
    let begun = millis(&scene);
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(1000));
    let question = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    scene.wait(question).unwrap();
    assert!(scene.wait(operation).is_ok());
    assert_eq!(millis(&scene) - begun, 2000);
}

#[test]
fn a_send_is_counted_at_the_broker_that_has_the_message_though_the_last_try_went_to_another() {
    let (mut scene, producer) = scene_that_begins_at_a();
    let stored_by = |scene: &Scene| {
        let sends = scene.client.metrics().sends;
        ["a", "b"].map(|name| sends.get(name).map_or(0, |counters| counters.send_ok))
    };
    let [by_a, by_b] = stored_by(&scene);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(2000))));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    scene.server("b:1").is_mute = true;
    let operation = send(&mut scene, producer, SendOptions::default());
    // The connection is known to live, so the answer to the first try is still to come.
    scene.run_for(ms(1000));
    let question = scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    scene.wait(question).unwrap();
    assert_eq!(&*scene.wait(operation).unwrap().queue.broker_name, "a");
    let asked: Vec<_> = scene.asked.iter().filter(|asked| asked.code() == SEND).map(|asked| asked.field("n")).collect();
    assert_eq!((&*asked, stored_by(&scene)), (&["a".to_owned(), "b".to_owned()][..], [by_a + 1, by_b]));
}

#[test]
fn a_server_that_is_about_to_stop_is_left_alone_a_little_longer_each_time_and_that_is_no_try() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::GO_AWAY)));
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(2000));
    assert!(scene.outcome(operation).is_none());
    let asked = scene.asked_of("a:1", SEND).len();
    assert!((4..=8).contains(&asked), "{asked}");
    scene.on("a:1", SEND, |asked| Some(stored(asked)));
    assert!(scene.wait(operation).is_ok());
}

#[test]
fn every_try_carries_the_same_unique_id_and_another_number() {
    let (mut scene, producer) = scene_that_begins_at_a();
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    let receipt = send_and_wait(&mut scene, producer).unwrap();
    let sends: Vec<_> = scene.asked.iter().filter(|asked| asked.code() == SEND).collect();
    assert_eq!(sends.len(), 2);
    let unique = format!("UNIQ_KEY\u{1}{}\u{2}", receipt.message_id);
    assert!(sends.iter().all(|asked| asked.field("i").contains(&unique)));
    assert_eq!(sends[0].field("g"), sends[1].field("g"));
    assert_ne!(sends[0].command.opaque, sends[1].command.opaque);
}

#[test]
fn these_refusals_are_tried_again_at_another_broker_three_times_in_all() {
    for code in [1, 2, 14, 17, 204, 205] {
        let (mut scene, producer) = scene_that_begins_at_a();
        for name in ["a:1", "b:1"] {
            scene.on(name, SEND, move |_| Some(Reply::code(ResponseCode(code)).remark("not now")));
        }
        let error = send_and_wait(&mut scene, producer).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode(code))));
        assert_eq!(error.remark(), Some("not now"));
        let tried: Vec<_> = tries(&scene, 0).into_iter().map(|(broker, _)| broker).collect();
        assert_eq!(tried, ["a", "b", "a"]);
        assert_eq!(outcomes(&error), vec![format!("{}: not now", ResponseCode(code)); 3]);
        let text = error.to_string();
        assert!(text.starts_with("send to topic T: ") && text.contains("3 tries"), "{text}");
    }
}

#[test]
fn other_refusals_are_final() {
    for code in [3, 13, 15, 16, 29, 215, 12_345, -1] {
        let mut scene = scene_of(&["a", "b"]);
        for name in ["a:1", "b:1"] {
            scene.on(name, SEND, move |_| Some(Reply::code(ResponseCode(code)).remark("no")));
        }
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let error = send_and_wait(&mut scene, producer).unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Some(ResponseCode(code)), false));
        assert_eq!((tries(&scene, 0).len(), error.attempts().len()), (1, 0));
        assert!(error.broker_name().is_some() && error.address().is_some());
    }
}

#[test]
fn the_number_of_tries_can_be_set() {
    for (max_tries, expected) in [(0, 1), (1, 1), (2, 2), (5, 5)] {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
        let producer = start_producer(&mut scene, ProducerConfig { max_tries, ..ProducerConfig::default() });
        send_and_wait(&mut scene, producer).unwrap_err();
        assert_eq!(tries(&scene, 0).len(), expected);
    }
}

#[test]
fn the_time_of_a_try_can_be_set() {
    let (mut scene, _) = scene_that_begins_at_a();
    let begun = millis(&scene);
    ["a:1", "b:1"].iter().for_each(|name| scene.server(name).is_mute = true);
    let config = ProducerConfig { try_timeout: Some(ms(400)), ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    send_and_wait(&mut scene, producer).unwrap_err();
    // The last try has all that is left.
    assert_eq!(tries(&scene, begun).iter().map(|(_, time)| *time).collect::<Vec<_>>(), [0, 400, 800]);
    assert_eq!(millis(&scene) - begun, 3000);
}

#[test]
fn a_connection_that_breaks_under_a_send_costs_no_time() {
    let (mut scene, producer) = scene_that_begins_at_a();
    let begun = millis(&scene);
    scene.on("a:1", SEND, |_| None);
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(10));
    scene.cut("a:1", "reset by peer");
    assert_eq!(&*scene.wait(operation).unwrap().queue.broker_name, "b");
    assert_eq!(millis(&scene) - begun, 10);
}

#[test]
fn an_answer_to_an_earlier_try_counts_wherever_the_next_one_went() {
    let (mut scene, producer) = scene_that_begins_at_a();
    let begun = millis(&scene);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(1600))));
    scene.on("b:1", SEND, |asked| Some(stored(asked).after(ms(500))));
    let first = send(&mut scene, producer, SendOptions::default());
    assert_eq!(&*scene.wait(first).unwrap().queue.broker_name, "a");
    assert_eq!(millis(&scene) - begun, 1600);
    scene.run_for(ms(3000));
    assert!(scene.events.is_empty());
}

#[test]
fn what_becomes_of_the_connection_of_an_earlier_try_does_not_matter() {
    for reach in [Reach::Accepts, Reach::Refuses] {
        let (mut scene, producer) = scene_that_begins_at_a();
        let begun = millis(&scene);
        scene.cut("a:1", "reset");
        scene.cut("b:1", "reset");
        scene.run_for(ms(100));
        scene.server("a:1").opens_after = ms(2000);
        scene.server("a:1").reach = reach;
        scene.on("b:1", SEND, |asked| Some(stored(asked).after(ms(700))));
        // It stands, or does not, while the second try waits for its answer.
        assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "b");
        assert_eq!(tries(&scene, begun), [at("b", 100 + 1500)]);
        assert_eq!(millis(&scene) - begun, 100 + 2200);
    }
}

#[test]
fn a_broker_that_failed_is_avoided_for_ten_seconds() {
    let (mut scene, _) = scene_that_begins_at_a();
    let config = ProducerConfig { try_timeout: Some(ms(500)), ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    scene.on("a:1", SEND, |_| None);
    send_and_wait(&mut scene, producer).unwrap();
    scene.asked.clear();
    scene.on("a:1", SEND, |asked| Some(stored(asked)));
    scene.run_for(ms(9900));
    (0..8).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    assert_eq!(scene.asked_of("a:1", SEND).len(), 0);
    scene.run_for(ms(100));
    (0..8).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    assert_eq!(scene.asked_of("a:1", SEND).len(), 4);
}

#[test]
fn a_broker_that_was_slow_is_avoided_for_a_while() {
    let (mut scene, producer) = scene_that_begins_at_a();
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(600))));
    assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "a");
    let brokers = |scene: &mut Scene| {
        (0..8).map(|_| send_and_wait(scene, producer).unwrap().queue.broker_name.to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(brokers(&mut scene), ["b".to_owned()].into());
    // 550 ms and more are punished with two seconds.
    scene.run_for(ms(2000));
    assert!(brokers(&mut scene).contains("a"));
}

#[test]
fn slow_brokers_are_not_avoided_if_nobody_wants_that() {
    let (mut scene, _) = scene_that_begins_at_a();
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(600))));
    let config = ProducerConfig { avoid_slow_brokers: false, ..ProducerConfig::default() };
    let producer = start_producer(&mut scene, config);
    (0..8).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    assert_eq!(scene.asked_of("a:1", SEND).len(), 4);
}

#[test]
fn a_given_queue_is_tried_again_where_it_is() {
    let mut scene = scene_of(&["a", "b"]);
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let queue = QueueChoice::Queue(MessageQueue::new("T", "a", 1));
    let operation = send(&mut scene, producer, queue.into());
    assert_eq!(error(scene.wait(operation)).attempts().len(), 3);
    assert_eq!((scene.asked_of("a:1", SEND).len(), scene.asked_of("b:1", SEND).len()), (3, 0));
}

#[test]
fn a_broker_that_is_down_fails_the_send_in_its_time_with_the_reason() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:1").reach = Reach::Refuses;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!((error.kind(), error.address().map(|at| at.as_str())), (ErrorKind::ConnectFailed, Some("a:1")));
    assert!(error.to_string().contains("no connection: connection refused"), "{error}");
    assert_eq!(millis(&scene), 3000);
}

#[test]
fn a_broker_that_comes_back_is_used_again() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.server("a:1").reach = Reach::Refuses;
    for _ in 0..20 {
        send_and_wait(&mut scene, producer).unwrap_err();
    }
    scene.server("a:1").reach = Reach::Accepts;
    scene.run_for(ms(30_000));
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_send_without_time_fails_and_harms_nothing() {
    let mut scene = scene_of(&["a"]);
    scene.on("a:1", SEND, |asked| Some(stored(asked).after(ms(1))));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    for _ in 0..2 {
        let operation = send(&mut scene, producer, SendOptions { timeout: Some(ms(0)), ..SendOptions::default() });
        assert_eq!(kind(scene.wait(operation)), ErrorKind::Timeout);
        assert!(send_and_wait(&mut scene, producer).is_ok());
    }
}
