//! Messages that are held back by levels.

use stgclient_core::time::Duration;
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::message::property;
use stgclient_core::wire::request::SendMessageAnswer;
use stgclient_core::wire::request::{DeleteTopicInBroker, PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage};
use stgclient_servers::{Memory, Peer, ServerId};

use super::client::{Bench, Pulled, code, properties, pull, remark};

/// What the topic's queue 1 has, by bodies.
fn bodies(bench: &mut Bench, peer: Peer) -> Vec<String> {
    let pulled = bench.pull(peer, "t", 1, 0, "*");
    pulled.messages.iter().map(|message| String::from_utf8(message.body().to_vec()).unwrap()).collect()
}

fn send(bench: &mut Bench, peer: Peer, level: &str, body: &str) {
    let answer = bench.send(peer, "t", 1, &properties(&[("DELAY", level), ("TAGS", "a")]), body.as_bytes());
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
    let header: SendMessageAnswer<'_> = answer.header().unwrap();
    assert_eq!(header.queue_id, 1, "the queue that was asked for");
}

fn delayed() -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    (bench, peer)
}

#[test]
fn a_message_shows_up_when_the_time_of_its_level_is_over() {
    let levels = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
    for (level, seconds) in (1..).zip(levels) {
        let (mut bench, peer) = delayed();
        send(&mut bench, peer, &level.to_string(), "late");
        bench.pass(Duration::from_millis(seconds * 1000 - 1));
        assert!(bodies(&mut bench, peer).is_empty(), "{level}");
        bench.pass(Duration::from_millis(1));
        assert_eq!(bodies(&mut bench, peer), ["late"], "{level}");
        assert_eq!(bench.cluster.poll_timeout(), None);
    }
}

#[test]
fn a_level_above_the_last_one_is_the_last_one_and_a_negative_one_is_none() {
    let (mut bench, peer) = delayed();
    send(&mut bench, peer, "99", "late");
    send(&mut bench, peer, "0", "now");
    send(&mut bench, peer, "-1", "also now");
    assert_eq!(bodies(&mut bench, peer), ["now", "also now"]);
    bench.pass(Duration::from_secs(7200));
    assert_eq!(bodies(&mut bench, peer), ["now", "also now", "late"]);
    let answer = bench.send(peer, "t", 1, &properties(&[("DELAY", "soon")]), b"x");
    assert_eq!(code(&answer), Code::SYSTEM_ERROR);
    assert!(remark(&answer).contains("NumberFormatException"));
}

#[test]
fn messages_of_several_levels_come_in_the_order_of_their_times() {
    let (mut bench, peer) = delayed();
    send(&mut bench, peer, "2", "third");
    send(&mut bench, peer, "1", "first");
    bench.pass(Duration::from_millis(500));
    send(&mut bench, peer, "1", "second");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bodies(&mut bench, peer), ["first", "second"]);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bodies(&mut bench, peer), ["first", "second", "third"]);
}

#[test]
fn a_delayed_message_keeps_what_it_was_sent_with() {
    let (mut bench, peer) = delayed();
    let born = bench.now.unix_ms;
    send(&mut bench, peer, "1", "late");
    let held = bench.pull(peer, "SCHEDULE_TOPIC_XXXX", 0, 0, "*").messages.remove(0);
    assert_eq!(held.properties().get(property::DELAY), Some("1"));
    bench.pass(Duration::from_secs(1));
    let pulled = bench.pull(peer, "t", 1, 0, "a");
    let [message] = &pulled.messages[..] else { panic!("{pulled:?}") };
    let get = |name| message.properties().get(name);
    assert_eq!((get(property::TAGS), get(property::DELAY)), (Some("a"), Some("1")));
    assert_eq!((get(property::REAL_TOPIC), get(property::REAL_QUEUE_ID)), (Some("t"), Some("1")));
    assert_eq!(get(property::UNIQ_KEY), held.properties().get(property::UNIQ_KEY));
    let (fields, before) = (message.fields, held.fields);
    assert_eq!((fields.born_timestamp, fields.born_host, fields.flag), (1_600_000_000_000, before.born_host, 7));
    assert_eq!(fields.store_timestamp, born as i64 + 1000);
}

#[test]
fn a_pull_that_waits_is_woken_by_a_message_whose_time_has_come() {
    let (mut bench, peer) = delayed();
    send(&mut bench, peer, "1", "late");
    let request = PullMessage {
        subscription: Some("a".into()),
        sys_flag: PULL_FLAG_SUBSCRIPTION | PULL_FLAG_SUSPEND,
        ..pull("t", 1, 0)
    };
    let waiting = bench.request(peer, &request, &[]);
    bench.pass(Duration::from_millis(999));
    assert!(bench.answer(peer, waiting).is_none());
    bench.pass(Duration::from_millis(1));
    assert_eq!(Pulled::new(bench.answer(peer, waiting).unwrap()).offsets(), [0]);
}

#[test]
fn messages_that_became_due_while_their_broker_was_stopped_come_when_it_is_started() {
    let (mut bench, peer) = delayed();
    send(&mut bench, peer, "1", "late");
    let server = ServerId::Broker(0);
    bench.cluster.stop(bench.now, server);
    bench.pass(Duration::from_secs(60));
    bench.cluster.start(bench.now, server, Memory::Kept);
    let peer = bench.connect(server);
    bench.pass(Duration::ZERO);
    assert_eq!(bodies(&mut bench, peer), ["late"]);
}

#[test]
fn delayed_messages_of_a_topic_that_is_gone_are_gone() {
    let (mut bench, peer) = delayed();
    send(&mut bench, peer, "1", "late");
    bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() });
    bench.pass(Duration::from_secs(2));
    bench.create_topic(peer, "t", 2);
    assert!(bodies(&mut bench, peer).is_empty());
}

#[test]
fn delayed_messages_give_way_when_the_broker_is_full_and_the_others_still_come() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 3700);
    bench.create_topic(peer, "t", 2);
    send(&mut bench, peer, "1", "lost");
    bench.send(peer, "t", 0, "", &[1; 3000]);
    send(&mut bench, peer, "1", "late");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bodies(&mut bench, peer), ["late"]);
    assert_eq!(bench.cluster.poll_timeout(), None);
}

#[test]
fn a_level_makes_the_exact_times_of_a_message_void() {
    let (mut bench, peer) = delayed();
    let answer = bench.send(
        peer,
        "t",
        1,
        &properties(&[("DELAY", "1"), ("TIMER_DELAY_MS", "5"), ("TIMER_DELAY_SEC", "5")]),
        b"x",
    );
    assert_eq!(code(&answer), Code::SUCCESS);
    bench.pass(Duration::from_secs(1));
    let pulled = bench.pull(peer, "t", 1, 0, "*");
    assert_eq!(pulled.messages[0].properties().get(property::TIMER_DELAY_MS), None);
}
