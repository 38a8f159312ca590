//! Messages that nobody answers: done when they are written, failed when they cannot be.

use bytes::BytesMut;

use super::scene::ms;
use super::servers::{Reach, Reply};
use super::*;
use crate::notice::Severity;
use crate::wire::code::{RequestCode, ResponseCode};

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn oneway(scene: &mut Scene, producer: ProducerId) -> Pending<()> {
    scene.client.send_oneway(scene.now, producer, message(), SendOptions::default()).expect("a send that begins")
}

#[test]
fn it_is_done_when_it_is_written() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = oneway(&mut scene, producer);
    assert!(matches!(scene.wait(operation), Ok(())));
    let asked = scene.asked_of("a:1", SEND);
    assert!(asked[0].command.is_oneway() && asked[0].command.opaque < 0);
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
}

#[test]
fn it_is_not_done_while_the_broker_takes_no_bytes() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.set_reading("a:1", false);
    let operation = oneway(&mut scene, producer);
    scene.run_for(ms(1000));
    assert!(scene.outcome(operation).is_none());
    scene.set_reading("a:1", true);
    assert!(matches!(scene.outcome(operation), Some(Ok(()))));
}

#[test]
fn its_time_is_kept_when_the_broker_takes_no_bytes() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.set_reading("a:1", false);
    let operation = oneway(&mut scene, producer);
    let error = error(scene.wait(operation));
    assert_eq!((error.kind(), millis(&scene)), (ErrorKind::Timeout, 3000));
    assert_eq!(error.address().map(|at| at.as_str()), Some("a:1"));
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
}

#[test]
fn it_fails_when_there_is_no_connection_in_its_time() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:1").reach = Reach::Refuses;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = oneway(&mut scene, producer);
    assert_eq!(kind(scene.wait(operation)), ErrorKind::ConnectFailed);
    assert_eq!(millis(&scene), 3000);
}

#[test]
fn it_fails_when_its_bytes_are_lost() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.set_reading("a:1", false);
    let operations = [oneway(&mut scene, producer), oneway(&mut scene, producer)];
    scene.run_for(ms(10));
    scene.cut("a:1", "reset");
    for operation in operations {
        assert_eq!(kind(scene.wait(operation)), ErrorKind::ConnectionClosed);
    }
}

#[test]
fn it_fails_without_a_route() {
    let mut scene = scene_of(&["a"]);
    scene.book.routes.clear();
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = oneway(&mut scene, producer);
    assert_eq!(kind(scene.wait(operation)), ErrorKind::TopicNotFound);
}

#[test]
fn a_broker_that_is_too_busy_for_it_is_counted() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = oneway(&mut scene, producer);
    scene.wait(operation).unwrap();
    let asked = scene.asked_of("a:1", SEND)[0].clone();
    let mut frame = BytesMut::new();
    Reply::code(ResponseCode::SYSTEM_BUSY).remark("[PCBUSY]").encode(&mut frame, &asked.command);
    scene.give(asked.connection, &frame);
    let counters = scene.client.counters();
    assert_eq!((counters.busy_oneways, counters.unexpected_answers), (1, 0));
    assert!(scene.events.is_empty());
}

#[test]
fn what_is_worth_a_warning_is_told_however_much_is_worth_a_look_only() {
    let mut scene = scene_of(&["a"]);
    let producer = scene.client.start_producer(scene.now, "P", ProducerConfig::default()).unwrap();
    let sent = scene.client.send_oneway(scene.now, producer, Message::new("T", "body"), SendOptions::default());
    scene.wait(sent.unwrap()).unwrap();
    let asked = scene.asked.iter().rfind(|asked| asked.code() == RequestCode::SEND_MESSAGE_V2).unwrap().clone();
    while scene.client.poll_notice().is_some() {}
    // In one read: answers that nobody waits for any more, and that the broker was too busy for the message.
    let mut frames = BytesMut::new();
    for opaque in 0..300 {
        let mut late = asked.command.clone();
        late.opaque = 100_000 + opaque;
        Reply::ok().encode(&mut frames, &late);
    }
    Reply::code(ResponseCode::SYSTEM_BUSY).encode(&mut frames, &asked.command);
    scene.give(asked.connection, &frames);
    let notices: Vec<_> = core::iter::from_fn(|| scene.client.poll_notice()).collect();
    let is_told = notices.iter().any(|notice| {
        notice.severity == Severity::Warn && notice.what.contains("lost") && notice.get("address").is_some()
    });
    assert!(is_told, "a message is lost, and nobody says so: {} other notices", notices.len());
}
