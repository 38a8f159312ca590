//! Brokers that move, go, or say something of their own accord.

use bytes::BytesMut;

use super::scene::{address, ms};
use super::servers::{self, Reply, broker_data};
use super::*;
use crate::admin::{Placement, TopicSettings};
use crate::client::ConnectionId;
use crate::queue::MessageQueue;
use crate::wire::body::{BrokerData, Permission};
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::{self, Head, HeaderCodec};
use crate::wire::dialect::Dialect;
use crate::wire::fields::NoFields;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// Broker `a` listens somewhere else.
fn move_broker(scene: &mut Scene, to: &str) {
    let moved = BrokerData { broker_addrs: [(0, to.to_owned())].into(), ..broker_data("a", &[]) };
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![moved], 2, Permission::READ_WRITE));
}

fn link_to(scene: &Scene, at: &str) -> ConnectionId {
    scene.links_to(at)[0]
}

#[test]
fn a_broker_that_moves_is_followed_and_its_old_address_left() {
    let mut scene = scene_of(&["a"]);
    scene.server("moved:1");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    move_broker(&mut scene, "moved:1");
    scene.run_for(ms(30_000));
    assert!(send_and_wait(&mut scene, producer).is_ok());
    assert_eq!(scene.asked_of("moved:1", SEND).len(), 1);
    scene.run_for(ms(30_000));
    assert!(scene.links_to("a:1").is_empty());
    assert_eq!(scene.links_to("moved:1").len(), 1);
}

#[test]
fn a_send_under_way_follows_a_broker_that_moves() {
    let mut scene = scene_of(&["a"]);
    scene.server("moved:1");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(1000));
    scene.on("a:1", SEND, |_| None);
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(10));
    move_broker(&mut scene, "moved:1");
    scene.server("a:1").reach = servers::Reach::Refuses;
    scene.cut("a:1", "moved");
    assert!(scene.wait(operation).is_ok());
    assert_eq!(scene.asked_of("moved:1", SEND).len(), 1);
}

#[test]
fn a_question_under_way_follows_a_broker_that_moves() {
    let mut scene = scene_of(&["a"]);
    scene.server("moved:1");
    let ask = |scene: &mut Scene| scene.client.max_offset(scene.now, MessageQueue::new("T", "a", 0));
    let operation = ask(&mut scene);
    _ = scene.wait(operation);
    scene.run_for(ms(1000));
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| None);
    scene.on("moved:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::ok().field("offset", 1)));
    let operation = ask(&mut scene);
    scene.run_for(ms(10));
    move_broker(&mut scene, "moved:1");
    scene.server("a:1").reach = servers::Reach::Refuses;
    scene.cut("a:1", "moved");
    assert!(scene.wait(operation).is_ok());
}

#[test]
fn a_broker_that_no_route_names_any_more_is_disconnected() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
    scene.book.route("T", &["b"], 2);
    // It may only have to register again, at a name server that has started; then it is believed to be gone.
    scene.run_for(ms(150_000));
    assert_eq!((scene.links_to("a:1").len(), scene.links_to("b:1").len()), (0, 1));
    assert_eq!(scene.closed.iter().map(|(_, at)| at.clone()).collect::<Vec<_>>(), [address("a:1")]);
    // It may come back.
    scene.book.route("T", &["a"], 2);
    scene.run_for(ms(30_000));
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_broker_that_still_owes_an_answer_is_kept_until_it_has_given_it() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("T", &["a"], 2);
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    scene.on("a:1", SEND, |asked| Some(servers::stored(asked).after(ms(70_000))));
    let options = SendOptions { timeout: Some(ms(80_000)), ..SendOptions::default() };
    let operation = send(&mut scene, producer, options);
    scene.run_for(ms(10));
    scene.book.route("T", &["b"], 2);
    scene.run_for(ms(65_000));
    assert_eq!(scene.links_to("a:1").len(), 1);
    assert!(scene.wait(operation).is_ok());
    scene.run_for(ms(120_000));
    assert!(scene.links_to("a:1").is_empty());
}

#[test]
fn a_broker_that_was_only_administered_is_left_again() {
    let mut scene = scene_of(&["a"]);
    scene.server("other:1");
    let placement = Placement::Address(address("other:1"));
    let operation = scene.client.create_topic(scene.now, "U", TopicSettings::default(), placement);
    scene.wait(operation).unwrap();
    scene.run_for(ms(30_000));
    assert!(scene.links_to("other:1").is_empty());
}

#[test]
fn a_connection_that_nobody_uses_is_closed_after_two_minutes() {
    let mut scene = scene_of(&["a"]);
    let operation = scene.client.connect(scene.now);
    scene.wait(operation).unwrap();
    scene.run_for(ms(119_999));
    assert_eq!(scene.links_to("ns:1").len(), 1);
    scene.run_for(ms(1));
    assert!(scene.links_to("ns:1").is_empty());
    let operation = scene.client.connect(scene.now);
    assert!(scene.wait(operation).is_ok());
}

#[test]
fn what_a_broker_asks_is_refused_as_unknown() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    let mut frames = BytesMut::new();
    let head = Head::request(Dialect::Apache, RequestCode::CHECK_TRANSACTION_STATE, 77);
    command::encode(&mut frames, HeaderCodec::Binary, Dialect::Apache, &head, &NoFields, b"");
    let oneway = Head::oneway(Dialect::Apache, RequestCode::NOTIFY_MIN_BROKER_ID_CHANGE, 78);
    command::encode(&mut frames, HeaderCodec::Json, Dialect::Apache, &oneway, &NoFields, b"");
    let before = scene.asked.len();
    scene.give(link_to(&scene, "a:1"), &frames);
    let said: Vec<_> = scene.asked[before..].iter().map(|asked| &asked.command).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].is_response() && said[0].codec == HeaderCodec::Binary);
    assert_eq!((said[0].opaque, ResponseCode(said[0].code)), (77, ResponseCode::REQUEST_CODE_NOT_SUPPORTED));
    assert_eq!(scene.client.counters().unknown_requests, 2);
}

#[test]
fn answers_that_nobody_waits_for_are_counted_for_good() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    let asked = scene.asked_of("a:1", SEND)[0].clone();
    let mut frame = BytesMut::new();
    servers::stored(&asked).encode(&mut frame, &asked.command);
    (0..3).for_each(|_| scene.give(asked.connection, &frame));
    assert!(scene.events.is_empty());
    assert_eq!(scene.client.counters().unexpected_answers, 3);
    // The connection and its counters go, the numbers stay.
    scene.book.routes.insert("T".to_owned(), servers::route(&[], 0, Permission(6)));
    scene.run_for(ms(150_000));
    assert!(scene.links_to("a:1").is_empty());
    let counters = scene.client.counters();
    assert_eq!((counters.unexpected_answers, counters.connects), (3, 2));
}

#[test]
fn what_comes_on_a_connection_that_is_over_is_ignored() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    let old = link_to(&scene, "a:1");
    scene.cut("a:1", "reset");
    scene.run_for(ms(1000));
    scene.on("a:1", SEND, |_| None);
    let operation = send(&mut scene, producer, SendOptions::default());
    scene.run_for(ms(10));
    let new = link_to(&scene, "a:1");
    assert_eq!((old.slot(), old == new), (new.slot(), false));
    let asked = scene.asked_of("a:1", SEND)[1].clone();
    let mut frame = BytesMut::new();
    Reply::code(ResponseCode::NO_PERMISSION).encode(&mut frame, &asked.command);
    scene.give(old, &frame);
    scene.client.handle_connected(scene.now, old);
    scene.client.handle_closed(scene.now, old, "reset");
    let mut outbox = crate::connection::Outbox::default();
    scene.client.take_outbox(scene.now, old, &mut outbox);
    assert!(outbox.is_empty());
    assert!(scene.outcome(operation).is_none());
    // On its own connection the same answer counts.
    scene.give(new, &frame);
    assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::Refused));
    assert_eq!(scene.client.counters().unexpected_answers, 0);
}
