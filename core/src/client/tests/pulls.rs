//! Pulls: what they ask, the four things that come of them, long polling, and where they go.

use super::scene::{address, ms};
use super::servers::{self, Asked, Reach, Reply, broker_data, nothing_new};
use super::*;
use crate::client::PullConsumerId;
use crate::consumer::{MessageSelector, PullOptions, PullStatus, Pulled};
use crate::queue::MessageQueue;
use crate::wire::body::Permission;
use crate::wire::code::{RequestCode, ResponseCode};

const PULL: RequestCode = RequestCode::PULL_MESSAGE;

fn begin(scene: &mut Scene, consumer: PullConsumerId, offset: u64, options: PullOptions) -> Pending<Pulled> {
    let expression: MessageSelector = "a || b".parse().unwrap();
    scene.client.pull(scene.now, consumer, MessageQueue::new("T", "a", 1), expression, offset, options)
}

fn pull(scene: &mut Scene, consumer: PullConsumerId) -> Result<Pulled, Error> {
    let operation = begin(scene, consumer, 5, PullOptions::default());
    scene.wait(operation)
}

fn start(scene: &mut Scene) -> PullConsumerId {
    scene.client.start_pull_consumer(scene.now, "C").unwrap()
}

/// A scene whose broker has a slave, at `a:2`.
fn scene_with_a_slave() -> (Scene, PullConsumerId) {
    let mut scene = scene_of(&["a"]);
    scene.server("a:2");
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[0, 1])], 2, Permission(6)));
    let consumer = start(&mut scene);
    (scene, consumer)
}

fn suggesting(member: u64) -> impl FnMut(&Asked) -> Option<Reply> {
    move |asked| {
        let reply = Reply::code(ResponseCode::PULL_NOT_FOUND).field("nextBeginOffset", asked.field("queueOffset"));
        Some(reply.field("minOffset", 0).field("maxOffset", 9).field("suggestWhichBrokerId", member))
    }
}

#[test]
fn a_pull_says_all_that_the_broker_has_to_know() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    let options = PullOptions { max_messages: 7, max_bytes: 1000, ..PullOptions::default() };
    let operation = begin(&mut scene, consumer, 5, options.clone());
    scene.wait(operation).unwrap();
    let operation = begin(&mut scene, consumer, 5, PullOptions { wait: ms(1500), ..options });
    scene.wait(operation).unwrap();
    let asked = scene.asked_of("a:1", PULL);
    for (name, value) in [
        ("consumerGroup", "C"),
        ("topic", "T"),
        ("queueId", "1"),
        ("queueOffset", "5"),
        ("maxMsgNums", "7"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subscription", "a || b"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
        ("maxMsgBytes", "1000"),
        ("bname", "a"),
    ] {
        assert_eq!(asked[0].field(name), value, "the field {name}");
    }
    // To be held at the broker is asked for by a bit and a time.
    assert_eq!(
        (asked[1].field("sysFlag"), asked[1].field("suspendTimeoutMillis")),
        ("6".to_owned(), "1500".to_owned())
    );
}

#[test]
fn four_things_can_come_of_a_pull() {
    for (code, status, body) in [
        (ResponseCode::SUCCESS, PullStatus::Found, "the messages"),
        (ResponseCode::PULL_NOT_FOUND, PullStatus::NoNewMessage, ""),
        (ResponseCode::PULL_RETRY_IMMEDIATELY, PullStatus::NoMatchedMessage, ""),
        (ResponseCode::PULL_OFFSET_MOVED, PullStatus::OffsetIllegal, ""),
    ] {
        let mut scene = scene_of(&["a"]);
        let consumer = start(&mut scene);
        scene.on("a:1", PULL, move |_| {
            let reply = Reply::code(code).field("nextBeginOffset", 12).field("minOffset", 3).field("maxOffset", 20);
            Some(reply.body("the messages"))
        });
        let pulled = pull(&mut scene, consumer).unwrap();
        assert_eq!((pulled.status, pulled.next_offset, pulled.min_offset, pulled.max_offset), (status, 12, 3, 20));
        assert_eq!((&pulled.body[..], pulled.queue.queue_id), (body.as_bytes(), 1));
    }
}

#[test]
fn another_code_is_a_refusal_that_names_the_broker() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    scene.on("a:1", PULL, |_| Some(Reply::code(ResponseCode::NO_PERMISSION).remark("not readable")));
    let error = pull(&mut scene, consumer).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode::NO_PERMISSION)));
    assert_eq!((error.address(), error.broker_name()), (Some(&address("a:1")), Some("a")));
    assert_eq!(scene.asked_of("a:1", PULL).len(), 1);
}

#[test]
fn a_pull_that_is_held_has_the_time_of_both() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    scene.on("a:1", PULL, |asked| Some(nothing_new(asked).after(ms(20_500))));
    let options = || PullOptions { wait: ms(20_000), timeout: ms(1000), ..PullOptions::default() };
    let held = begin(&mut scene, consumer, 5, options());
    assert_eq!(scene.wait(held).unwrap().status, PullStatus::NoNewMessage);
    assert_eq!(millis(&scene), 20_500);
    scene.on("a:1", PULL, |_| None);
    let lost = begin(&mut scene, consumer, 5, options());
    assert_eq!((kind(scene.wait(lost)), millis(&scene)), (ErrorKind::Timeout, 20_500 + 21_000));
}

#[test]
fn a_held_pull_does_not_hold_up_the_others() {
    let mut scene = scene_of(&["a"]);
    let (consumer, producer) = (start(&mut scene), start_producer(&mut scene, ProducerConfig::default()));
    scene.on("a:1", PULL, |asked| Some(nothing_new(asked).after(ms(15_000))));
    let held = begin(&mut scene, consumer, 5, PullOptions { wait: ms(15_000), ..PullOptions::default() });
    scene.run_for(ms(100));
    assert!(send_and_wait(&mut scene, producer).is_ok());
    assert_eq!(millis(&scene), 100);
    assert!(scene.wait(held).is_ok());
}

#[test]
fn impossible_options_are_refused_at_once() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    for (max_messages, max_bytes) in [(0, 1), (1025, 1), (1, 0)] {
        let operation =
            begin(&mut scene, consumer, 0, PullOptions { max_messages, max_bytes, ..PullOptions::default() });
        assert_eq!(scene.outcome(operation).map(kind), Some(ErrorKind::InvalidArgument));
    }
    assert!(scene.opened.is_empty());
}

#[test]
fn a_closed_consumer_pulls_nothing_and_its_pulls_under_way_go_on() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    scene.on("a:1", PULL, |asked| Some(nothing_new(asked).after(ms(100))));
    let under_way = begin(&mut scene, consumer, 0, PullOptions::default());
    scene.client.close_pull_consumer(scene.now, consumer);
    let refused = begin(&mut scene, consumer, 0, PullOptions::default());
    assert_eq!(scene.outcome(refused).map(kind), Some(ErrorKind::Closed));
    assert!(scene.wait(under_way).is_ok());
}

#[test]
fn a_pull_whose_connection_breaks_is_repeated_as_often_as_that_helps() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    scene.on("a:1", PULL, |_| None);
    let operation = begin(&mut scene, consumer, 5, PullOptions::default());
    for _ in 0..2 {
        scene.run_for(ms(500));
        scene.cut("a:1", "reset");
    }
    scene.run_for(ms(500));
    assert!(scene.outcome(operation).is_none());
    assert_eq!(scene.asked_of("a:1", PULL).len(), 3);
    scene.cut("a:1", "reset again");
    let error = error(scene.wait(operation));
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert!(error.to_string().contains("reset again"), "{error}");
}

#[test]
fn a_pull_from_a_broker_that_is_down_ends_in_its_time_with_the_reason() {
    let mut scene = scene_of(&["a"]);
    let consumer = start(&mut scene);
    scene.server("a:1").reach = Reach::Refuses;
    for _ in 0..10 {
        let error = pull(&mut scene, consumer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectFailed);
        assert!(error.to_string().contains("connection refused"), "{error}");
    }
    assert!(millis(&scene) < 100_000);
}

#[test]
fn the_member_that_the_broker_suggests_is_pulled_from_next() {
    let (mut scene, consumer) = scene_with_a_slave();
    scene.on("a:1", PULL, suggesting(1));
    scene.on("a:2", PULL, suggesting(1));
    (0..3).for_each(|_| _ = pull(&mut scene, consumer).unwrap());
    assert_eq!((scene.asked_of("a:1", PULL).len(), scene.asked_of("a:2", PULL).len()), (1, 2));
    scene.on("a:2", PULL, suggesting(0));
    (0..2).for_each(|_| _ = pull(&mut scene, consumer).unwrap());
    assert_eq!((scene.asked_of("a:1", PULL).len(), scene.asked_of("a:2", PULL).len()), (2, 3));
    // What one consumer is told concerns no other one, and no other queue.
    let other = start(&mut scene);
    pull(&mut scene, other).unwrap();
    assert_eq!(scene.asked_of("a:1", PULL).len(), 3);
}

#[test]
fn a_suggested_member_that_cannot_be_reached_is_not_insisted_on() {
    let (mut scene, consumer) = scene_with_a_slave();
    scene.on("a:1", PULL, suggesting(1));
    scene.server("a:2").reach = Reach::Refuses;
    pull(&mut scene, consumer).unwrap();
    // The slave is suggested, the slave is dead, the master answers all the same.
    for _ in 0..100 {
        assert!(pull(&mut scene, consumer).is_ok());
        scene.run_for(ms(1000));
    }
    assert_eq!(millis(&scene), 100_000);
    // One that hangs costs one pull its time, and not the next one.
    scene.server("a:2").reach = Reach::Accepts;
    scene.run_for(ms(30_000));
    scene.server("a:2").is_mute = true;
    assert_eq!(pull(&mut scene, consumer).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(pull(&mut scene, consumer).is_ok());
}

/// A host may be late: its machine slept, or a thread held it up.
#[test]
fn a_pull_whose_time_is_over_when_its_member_fails_is_not_tried_at_another() {
    let (mut scene, consumer) = scene_with_a_slave();
    scene.on("a:1", PULL, suggesting(1));
    scene.server("a:2").reach = Reach::Vanishes;
    pull(&mut scene, consumer).unwrap();
    let operation = begin(&mut scene, consumer, 5, PullOptions::default());
    scene.settle();
    scene.now.mono = scene.now.mono + ms(20_000);
    scene.client.handle_timeout(scene.now);
    assert!(scene.client.poll_timeout().is_none_or(|next| next.at > scene.now.mono), "it is due and stays due");
    assert!(scene.outcome(operation).is_some_and(|outcome| outcome.is_err()));
    assert_eq!(scene.asked_of("a:1", PULL).len(), 1);
}

#[test]
fn without_a_master_a_slave_is_pulled_from() {
    let (mut scene, consumer) = scene_with_a_slave();
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[1])], 2, Permission(6)));
    assert!(pull(&mut scene, consumer).is_ok());
    assert_eq!(scene.asked_of("a:2", PULL).len(), 1);
}

#[test]
fn numbers_that_no_broker_would_give_do_no_harm() {
    let (mut scene, consumer) = scene_with_a_slave();
    for (offset, member) in [("-1", "-1"), ("-9223372036854775808", "9223372036854775807")] {
        scene.on("a:1", PULL, move |_| {
            let reply = Reply::code(ResponseCode::PULL_NOT_FOUND).field("nextBeginOffset", offset);
            Some(reply.field("minOffset", offset).field("maxOffset", offset).field("suggestWhichBrokerId", member))
        });
        (0..2).for_each(|_| _ = pull(&mut scene, consumer).unwrap());
    }
}
