//! Sends that need one try.

use std::collections::{BTreeMap, BTreeSet};

use super::scene::{BEGINNING, ms};
use super::servers::Reply;
use super::*;
use crate::producer::{QueueChoice, SendStatus};
use crate::queue::MessageQueue;
use crate::wire::code::{RequestCode, ResponseCode};

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

#[test]
fn a_message_goes_out_whole_and_comes_back_as_a_receipt() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let message = Message::new("T", "hello").tag("paid").key("42").property("shop", "berlin").flag(9);
    let operation = scene.client.send(scene.now, producer, message, SendOptions::default()).unwrap();
    let receipt = scene.wait(operation).unwrap();
    assert_eq!((receipt.status, receipt.queue_offset), (SendStatus::SendOk, 7));
    assert_eq!(receipt.offset_message_id.unwrap().to_string(), "7F0000010000271100000000000000FF");
    let asked = scene.asked_of("a:1", SEND)[0];
    let queue_id = receipt.queue.queue_id.to_string();
    let id = receipt.message_id.to_string();
    for (name, value) in [
        ("a", "P"),
        ("b", "T"),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", &*queue_id),
        ("f", "0"),
        ("g", &*BEGINNING.to_string()),
        ("h", "9"),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
        ("n", "a"),
    ] {
        assert_eq!(asked.field(name), value, "the field {name}");
    }
    let properties =
        format!("TAGS\u{1}paid\u{2}KEYS\u{1}42\u{2}shop\u{1}berlin\u{2}WAIT\u{1}true\u{2}UNIQ_KEY\u{1}{id}\u{2}");
    assert_eq!((asked.field("i"), asked.text()), (properties, "hello".to_owned()));
}

#[test]
fn queues_take_turns_and_messages_wait_side_by_side() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operations: Vec<_> = (0..8).map(|_| send(&mut scene, producer, SendOptions::default())).collect();
    let receipts: Vec<_> = operations.into_iter().map(|id| scene.wait(id).unwrap()).collect();
    let mut counts = BTreeMap::new();
    receipts.iter().for_each(|receipt| *counts.entry(receipt.queue.to_string()).or_insert(0) += 1);
    assert_eq!(counts, ["T@a:0", "T@a:1", "T@b:0", "T@b:1"].map(|queue| (queue.to_owned(), 2)).into());
    let ids: BTreeSet<_> = receipts.iter().map(|receipt| receipt.message_id.to_string()).collect();
    assert_eq!(ids.len(), 8);
    // One connection to each broker and to the name server.
    assert_eq!(scene.opened.len(), 3);
}

#[test]
fn where_turns_begin_is_a_matter_of_chance() {
    let first = |seed| {
        let mut scene = Scene::new(ClientConfig::new(parse_list("ns:1").unwrap()), seed);
        ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", &["a"], 8);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        send_and_wait(&mut scene, producer).unwrap().queue.queue_id
    };
    assert!((0..16).map(first).collect::<BTreeSet<_>>().len() > 3);
}

#[test]
fn the_four_statuses_are_told_apart_and_none_is_a_failure() {
    for (code, status) in [
        (ResponseCode::SUCCESS, SendStatus::SendOk),
        (ResponseCode::FLUSH_DISK_TIMEOUT, SendStatus::FlushDiskTimeout),
        (ResponseCode::FLUSH_SLAVE_TIMEOUT, SendStatus::FlushSlaveTimeout),
        (ResponseCode::SLAVE_NOT_AVAILABLE, SendStatus::SlaveNotAvailable),
    ] {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        scene.on("a:1", SEND, move |_| {
            Some(Reply::code(code).field("msgId", "x").field("queueId", 0).field("queueOffset", 1))
        });
        let receipt = send_and_wait(&mut scene, producer).unwrap();
        assert_eq!((receipt.status, receipt.offset_message_id), (status, None));
        assert_eq!(scene.asked_of("a:1", SEND).len(), 1);
    }
}

#[test]
fn a_given_queue_and_a_key_decide_where_a_message_goes() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    for (choice, expected) in [
        (QueueChoice::Queue(MessageQueue::new("T", "b", 1)), "T@b:1"),
        // "a".hashCode() is 97, and 97 % 4 is 1.
        (QueueChoice::Hash("a".to_owned()), "T@a:1"),
        (QueueChoice::Hash("c".to_owned()), "T@b:1"),
        (QueueChoice::Selector(std::sync::Arc::new(|queues: &[MessageQueue], _: &Message| queues.len() - 2)), "T@b:0"),
    ] {
        for _ in 0..2 {
            let operation = send(&mut scene, producer, choice.clone().into());
            assert_eq!(scene.wait(operation).unwrap().queue.to_string(), expected);
        }
    }
}

#[test]
fn a_choice_that_leads_nowhere_is_an_error() {
    let selector = QueueChoice::Selector(std::sync::Arc::new(|queues: &[MessageQueue], _: &Message| queues.len()));
    for (choice, expected) in [
        (QueueChoice::Queue(MessageQueue::new("T", "a", 2)), ErrorKind::NoQueueAvailable),
        (QueueChoice::Queue(MessageQueue::new("T", "unknown", 0)), ErrorKind::BrokerNotFound),
        (QueueChoice::Queue(MessageQueue::new("U", "a", 0)), ErrorKind::InvalidArgument),
        (selector, ErrorKind::InvalidArgument),
    ] {
        let mut scene = scene_of(&["a"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let operation = send(&mut scene, producer, choice.into());
        assert_eq!(kind(scene.wait(operation)), expected);
        // A broker that no route names may be one that is away.
        assert_eq!(millis(&scene), if expected == ErrorKind::BrokerNotFound { 3000 } else { 0 });
    }
}

#[test]
fn a_message_that_cannot_be_sent_is_given_back_at_once() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    for message in [Message::new("T", ""), Message::new("no topic", "b"), Message::new("T", "b").key("a b")] {
        let refused = scene.client.send(scene.now, producer, message.clone(), SendOptions::default()).unwrap_err();
        assert_eq!(refused.error.kind(), ErrorKind::InvalidArgument);
        assert_eq!((refused.message.topic(), refused.message.body()), (message.topic(), message.body()));
    }
    scene.settle();
    assert!(scene.opened.is_empty() && scene.events.is_empty());
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
}

#[test]
fn a_closed_producer_takes_nothing_and_finishes_what_it_took() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.client.close_producer(scene.now, producer);
    let refused = scene.client.send(scene.now, producer, message(), SendOptions::default()).unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Closed);
    assert!(scene.wait(operation).is_ok());
    assert!(scene.client.backlog(producer).is_none());
    // Its place is free.
    assert_eq!(start_producer(&mut scene, ProducerConfig::default()).slot(), producer.slot());
}

#[test]
fn a_cancelled_send_does_not_complete_and_gives_its_place_up() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.server("a:1").is_mute = true;
    for steps in [false, true] {
        let operation = send(&mut scene, producer, SendOptions::default());
        if steps {
            scene.run_for(ms(100));
        }
        scene.client.cancel(scene.now, operation);
        assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
        scene.client.cancel(scene.now, operation);
    }
    scene.run_for(ms(5000));
    assert!(scene.events.is_empty());
}

#[test]
fn headers_go_out_in_the_type_that_was_asked_for() {
    use crate::wire::command::HeaderCodec;
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
        config.connection.codec = codec;
        let mut scene = Scene::new(config, 1);
        ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", &["a"], 1);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        assert!(send_and_wait(&mut scene, producer).is_ok());
        assert!(scene.asked.iter().all(|asked| asked.command.codec == codec));
    }
}
