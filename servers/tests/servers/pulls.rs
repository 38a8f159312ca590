//! Pulling.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{ConsumerData, HeartbeatData, Permission, SubscriptionData};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::request::{
    CreateTopic, DeleteTopicInBroker, Heartbeat, PULL_FLAG_COMMIT_OFFSET, PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND,
    PullMessage,
};
use stgclient_servers::{Peer, ServerId};

use super::client::{Bench, Pulled, code, create_topic, properties, pull, remark};

/// A topic "t" of 2 queues, with `tags` in queue 0, one message each.
fn filled(tags: &[&str]) -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 2);
    send_tags(&mut bench, peer, tags);
    (bench, peer)
}

fn send_tags(bench: &mut Bench, peer: Peer, tags: &[&str]) {
    for tag in tags {
        let properties = if tag.is_empty() { String::new() } else { properties(&[("TAGS", tag)]) };
        assert_eq!(
            code(&bench.send(peer, "t", 0, &properties, tag.as_bytes().first_chunk().unwrap_or(b"-"))),
            Code::SUCCESS
        );
    }
}

/// A pull that waits for 15 s.
fn patient(offset: i64, expression: &str) -> PullMessage<'_> {
    PullMessage {
        subscription: Some(expression.into()),
        sys_flag: PULL_FLAG_SUBSCRIPTION | PULL_FLAG_SUSPEND,
        ..pull("t", 0, offset)
    }
}

#[test]
fn messages_are_found_from_an_offset_on() {
    let (mut bench, peer) = filled(&["a", "b", "c"]);
    let pulled = bench.pull(peer, "t", 0, 1, "*");
    assert_eq!((pulled.code(), remark(&pulled.command)), (Code::SUCCESS, "FOUND"));
    assert_eq!(pulled.offsets(), [1, 2]);
    let header = pulled.header();
    assert_eq!((header.next_begin_offset, header.min_offset, header.max_offset), (3, 0, 3));
    assert_eq!((header.suggest_which_broker_id, header.offset_delta), (Some(0), None));
    let flags = ["topicSysFlag", "groupSysFlag"].map(|name| pulled.command.fields.get(name).map(String::from));
    assert_eq!(flags, [Some("0".to_owned()), Some("0".to_owned())]);
}

#[test]
fn an_empty_queue_has_nothing_at_0_and_every_other_offset_is_illegal() {
    let (mut bench, peer) = filled(&[]);
    for (offset, expected) in [(0, Code::PULL_NOT_FOUND), (7, Code::PULL_OFFSET_MOVED), (-1, Code::PULL_OFFSET_MOVED)] {
        let pulled = bench.pull(peer, "t", 1, offset, "*");
        assert_eq!((pulled.code(), pulled.next()), (expected, 0));
        assert_eq!(remark(&pulled.command), "NO_MESSAGE_IN_QUEUE");
    }
}

#[test]
fn at_the_end_there_is_nothing_new_and_beyond_it_the_offset_is_illegal() {
    let (mut bench, peer) = filled(&["a", "b"]);
    let pulled = bench.pull(peer, "t", 0, 2, "*");
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_NOT_FOUND, 2));
    assert_eq!(remark(&pulled.command), "OFFSET_OVERFLOW_ONE");
    let pulled = bench.pull(peer, "t", 0, 3, "*");
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_OFFSET_MOVED, 2));
    assert_eq!(remark(&pulled.command), "OFFSET_OVERFLOW_BADLY");
}

#[test]
fn before_the_beginning_the_offset_is_illegal_and_the_beginning_is_next() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.message_bytes = 1000);
    bench.create_topic(peer, "t", 1);
    for _ in 0..20 {
        bench.send(peer, "t", 0, "", b"x");
    }
    let (min_offset, max_offset) = bench.broker().offsets("t", 0).unwrap();
    assert!(min_offset > 0 && max_offset == 20);
    for offset in [-1, 0, min_offset - 1] {
        let pulled = bench.pull(peer, "t", 0, offset, "*");
        assert_eq!((pulled.code(), pulled.next()), (Code::PULL_OFFSET_MOVED, min_offset));
        assert_eq!(remark(&pulled.command), "OFFSET_TOO_SMALL");
        assert_eq!((pulled.header().min_offset, pulled.header().max_offset), (min_offset, max_offset));
    }
    assert_eq!(bench.pull(peer, "t", 0, min_offset, "*").code(), Code::SUCCESS);
}

#[test]
fn tags_are_compared_by_their_hashes() {
    let (mut bench, peer) = filled(&["a", "b", "", "a", "AaAa", "BBBB"]);
    assert_eq!(bench.pull(peer, "t", 0, 0, "a").offsets(), [0, 3]);
    assert_eq!(bench.pull(peer, "t", 0, 0, "a || b").offsets(), [0, 1, 3]);
    assert_eq!(bench.pull(peer, "t", 0, 0, "").offsets(), [0, 1, 2, 3, 4, 5]);
    // Java's hash of both is the same, and a broker sees nothing else.
    assert_eq!(bench.pull(peer, "t", 0, 0, "BBBB").offsets(), [4, 5]);
    let pulled = bench.pull(peer, "t", 0, 0, "nobody");
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_RETRY_IMMEDIATELY, 6));
    assert_eq!(remark(&pulled.command), "NO_MATCHED_MESSAGE");
    assert_eq!(bench.pull(peer, "t", 0, 0, "||").code(), Code::SUBSCRIPTION_PARSE_FAILED);
}

#[test]
fn a_pull_looks_at_800_messages_for_one_that_matches() {
    let (mut bench, peer) = filled(&[]);
    for _ in 0..801 {
        bench.send(peer, "t", 0, "", b"x");
    }
    send_tags(&mut bench, peer, &["a"]);
    let pulled = bench.pull(peer, "t", 0, 0, "a");
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_RETRY_IMMEDIATELY, 800));
    assert_eq!(bench.pull(peer, "t", 0, 800, "a").offsets(), [801]);
}

#[test]
fn a_pull_brings_at_most_32_messages_and_256_kib_but_at_least_one() {
    let (mut bench, peer) = filled(&[""; 40]);
    assert_eq!(bench.pull(peer, "t", 0, 0, "*").next(), 32);
    let request = PullMessage { max_msg_nums: 5, ..patient(0, "*") };
    assert_eq!(Pulled::new(bench.ask(peer, &request)).offsets(), [0, 1, 2, 3, 4]);
    let request = PullMessage { max_msg_nums: 0, ..patient(0, "*") };
    assert_eq!(Pulled::new(bench.ask(peer, &request)).offsets(), [0]);
    for length in [300_000, 100_000, 100_000, 100_000] {
        bench.send(peer, "t", 1, "", &vec![1; length]);
    }
    assert_eq!(bench.pull(peer, "t", 1, 0, "*").offsets(), [0]);
    assert_eq!(bench.pull(peer, "t", 1, 1, "*").offsets(), [1, 2]);
}

#[test]
fn a_large_message_travels_in_the_frame_it_belongs_to() {
    let (mut bench, peer) = filled(&["a"]);
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    bench.send(peer, "t", 0, "", &body);
    send_tags(&mut bench, peer, &["b"]);
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!(pulled.offsets(), [0, 1, 2]);
    assert_eq!(pulled.messages[1].body(), body);
}

#[test]
fn what_may_not_be_pulled_is_refused() {
    let (mut bench, peer) = filled(&["a"]);
    let pulled = bench.pull(peer, "none", 0, 0, "*");
    assert_eq!(pulled.code(), Code::TOPIC_NOT_EXIST);
    let pulled = bench.pull(peer, "t", 2, 0, "*");
    assert_eq!(pulled.code(), Code::INVALID_PARAMETER);
    assert!(remark(&pulled.command).starts_with("queueId[2] is illegal, topic:[t] topicConfig.readQueueNums:[2]"));
    assert_eq!(bench.pull(peer, "t", -1, 0, "*").code(), Code::INVALID_PARAMETER);
    bench.ask(peer, &CreateTopic { perm: 2, ..create_topic("t", 2) });
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!(
        (pulled.code(), remark(&pulled.command)),
        (Code::NO_PERMISSION, "the topic[t] pulling message is forbidden")
    );

    let (mut bench, peer) = Bench::with_broker(|broker| broker.permission = Permission::WRITE);
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!(pulled.code(), Code::NO_PERMISSION);
    assert_eq!(remark(&pulled.command), "the broker[127.0.0.1] pulling message is forbidden");

    let (mut bench, peer) = Bench::with_broker(|broker| broker.auto_create_groups = false);
    assert_eq!(bench.pull(peer, "TBW102", 0, 0, "*").code(), Code::SUBSCRIPTION_GROUP_NOT_EXIST);
}

#[test]
fn sql_needs_a_broker_that_is_configured_for_it() {
    let (mut bench, peer) = filled(&["a"]);
    let request = PullMessage { expression_type: Some("SQL92".into()), ..patient(0, "a > 1") };
    let answered = bench.ask(peer, &request);
    assert_eq!(code(&answered), Code::SYSTEM_ERROR);
    assert_eq!(remark(&answered), "The broker does not support consumer to filter message by SQL92");
}

/// A broker that filters by SQL, with four messages whose `n` counts from 0.
fn numbered() -> (Bench, Peer) {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.property_filter = true);
    bench.create_topic(peer, "t", 1);
    for number in ["0", "1", "2", "3"] {
        bench.send(peer, "t", 0, &properties(&[("n", number), ("TAGS", "a")]), b"x");
    }
    (bench, peer)
}

fn sql(expression: &str) -> SubscriptionData {
    SubscriptionData { sub_version: 1, ..SubscriptionData::by_sql("t", expression).unwrap() }
}

fn beat(bench: &mut Bench, peer: Peer, subscription: SubscriptionData) {
    let group = ConsumerData {
        group_name: "consumers".into(),
        subscription_data_set: vec![subscription],
        ..ConsumerData::default()
    };
    let data = HeartbeatData { client_id: "c".into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
    let answered = bench.ask_with(peer, &Heartbeat {}, &stgclient_core::wire::body::to_vec(&data));
    assert_eq!(code(&answered), Code::SUCCESS);
}

#[test]
fn sql_filters_by_properties() {
    let (mut bench, peer) = numbered();
    let request =
        PullMessage { expression_type: Some("SQL92".into()), ..patient(0, "n >= 1 AND TAGS = 'a' AND n < 3") };
    let pulled = Pulled::new(bench.ask(peer, &request));
    assert_eq!((pulled.offsets(), pulled.next()), (vec![1, 2], 4));
    let request = PullMessage { expression_type: Some("SQL92".into()), ..patient(0, "") };
    assert_eq!(code(&bench.ask(peer, &request)), Code::SUBSCRIPTION_PARSE_FAILED);
    let request = PullMessage { expression_type: Some("SQL92".into()), ..patient(0, "n >") };
    assert_eq!(Pulled::new(bench.ask(peer, &request)).offsets(), [0, 1, 2, 3], "what cannot be read filters nothing");
}

#[test]
fn sql_of_the_heartbeat_filters_and_sql_that_cannot_be_read_is_no_filter() {
    let (mut bench, peer) = numbered();
    let request = PullMessage { sub_version: 1, ..pull("t", 0, 0) };
    beat(&mut bench, peer, sql("n IN ('1', '3')"));
    assert_eq!(Pulled::new(bench.ask(peer, &request)).offsets(), [1, 3]);
    beat(&mut bench, peer, SubscriptionData { sub_version: 2, ..sql("n IN (1") });
    let answered = bench.ask(peer, &request);
    assert_eq!(code(&answered), Code::FILTER_DATA_NOT_EXIST);
    let expected = "The broker's consumer filter data is not exist!Your expression may be wrong!";
    assert_eq!(remark(&answered), expected);
}

#[test]
fn a_patient_pull_by_sql_waits_until_a_message_comes_that_it_wants() {
    let (mut bench, peer) = numbered();
    beat(&mut bench, peer, sql("n = 9"));
    let request = PullMessage { sub_version: 1, sys_flag: PULL_FLAG_SUSPEND, ..pull("t", 0, 4) };
    let waiting = bench.request(peer, &request, &[]);
    bench.send(peer, "t", 0, &properties(&[("n", "8")]), b"x");
    assert!(bench.answer(peer, waiting).is_none());
    bench.send(peer, "t", 0, &properties(&[("n", "9")]), b"x");
    assert_eq!(Pulled::new(bench.answer(peer, waiting).unwrap()).offsets(), [5]);
}

#[test]
fn a_pull_that_has_waited_is_looked_at_as_if_it_had_just_come() {
    let (mut bench, peer) = numbered();
    beat(&mut bench, peer, sql("n = 9"));
    let request = PullMessage { sub_version: 1, sys_flag: PULL_FLAG_SUSPEND, ..pull("t", 0, 4) };
    let waiting = bench.request(peer, &request, &[]);
    let topic = SubscriptionData { topic: "u".into(), ..sql("n = 9") };
    beat(&mut bench, peer, topic);
    bench.send(peer, "t", 0, &properties(&[("n", "9")]), b"x");
    assert_eq!(code(&bench.answer(peer, waiting).unwrap()), Code::SUBSCRIPTION_NOT_EXIST);
}

#[test]
fn without_a_subscription_the_one_of_the_heartbeat_counts() {
    let (mut bench, peer) = filled(&["a", "b"]);
    let request = PullMessage { sub_version: 10, ..pull("t", 0, 0) };
    assert_eq!(code(&bench.ask(peer, &request)), Code::SUBSCRIPTION_NOT_EXIST, "no such group");
    let heartbeat = |bench: &mut Bench, topic, sub_version| {
        let subscription = SubscriptionData { sub_version, ..SubscriptionData::by_tags(topic, "b").unwrap() };
        let group = ConsumerData {
            group_name: "consumers".into(),
            subscription_data_set: vec![subscription],
            ..ConsumerData::default()
        };
        let data = HeartbeatData { client_id: "c".into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
        let answered = bench.ask_with(peer, &Heartbeat {}, &stgclient_core::wire::body::to_vec(&data));
        assert_eq!(code(&answered), Code::SUCCESS);
    };
    heartbeat(&mut bench, "other", 10);
    assert_eq!(code(&bench.ask(peer, &request)), Code::SUBSCRIPTION_NOT_EXIST, "no such topic");
    heartbeat(&mut bench, "t", 9);
    assert_eq!(code(&bench.ask(peer, &request)), Code::SUBSCRIPTION_NOT_LATEST);
    heartbeat(&mut bench, "t", 10);
    assert_eq!(Pulled::new(bench.ask(peer, &request)).offsets(), [1]);
    heartbeat(&mut bench, "other", 11);
    assert_eq!(code(&bench.ask(peer, &request)), Code::SUBSCRIPTION_NOT_EXIST, "no longer subscribed to");
}

#[test]
fn an_offset_is_committed_with_a_pull() {
    let (mut bench, peer) = filled(&["a"]);
    let request = PullMessage {
        sys_flag: PULL_FLAG_SUBSCRIPTION | PULL_FLAG_COMMIT_OFFSET | PULL_FLAG_SUSPEND,
        commit_offset: 1,
        ..patient(1, "*")
    };
    bench.request(peer, &request, &[]);
    assert_eq!(bench.broker().committed("consumers", "t", 0), Some(1));
    bench.request(peer, &PullMessage { commit_offset: 5, ..patient(1, "*") }, &[]);
    assert_eq!(bench.broker().committed("consumers", "t", 0), Some(1), "without the flag it is not");
}

#[test]
fn a_patient_pull_waits_until_a_message_comes_that_it_wants() {
    let (mut bench, peer) = filled(&["a"]);
    let waiting = bench.request(peer, &patient(1, "b"), &[]);
    let lite = bench.request_as(peer, RequestCode::LITE_PULL_MESSAGE, HeaderCodec::Binary, &patient(1, "*"), &[]);
    let elsewhere = bench.request(peer, &PullMessage { queue_id: 1, ..patient(0, "*") }, &[]);
    assert_eq!(bench.broker().usage().held_pulls, 3);
    bench.pass(Duration::from_secs(1));
    send_tags(&mut bench, peer, &["a"]);
    assert!(bench.answer(peer, waiting).is_none());
    assert_eq!(Pulled::new(bench.answer(peer, lite).unwrap()).offsets(), [1]);
    send_tags(&mut bench, peer, &["b"]);
    let pulled = Pulled::new(bench.answer(peer, waiting).unwrap());
    assert_eq!((pulled.offsets(), pulled.next()), (vec![2], 3));
    assert!(bench.answer(peer, elsewhere).is_none());
}

#[test]
fn a_patient_pull_is_answered_when_its_time_is_up() {
    let (mut bench, peer) = filled(&["a"]);
    let waiting = bench.request(peer, &patient(1, "*"), &[]);
    bench.pass(Duration::from_millis(14_999));
    assert!(bench.answer(peer, waiting).is_none());
    bench.pass(Duration::from_millis(1));
    let pulled = Pulled::new(bench.answer(peer, waiting).unwrap());
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_NOT_FOUND, 1));
    assert_eq!(bench.broker().usage().held_pulls, 0);
}

#[test]
fn a_patient_pull_learns_within_5_seconds_of_messages_that_it_does_not_want() {
    let (mut bench, peer) = filled(&["a"]);
    let waiting = bench.request(peer, &patient(1, "b"), &[]);
    bench.pass(Duration::from_secs(1));
    send_tags(&mut bench, peer, &["a"]);
    bench.pass(Duration::from_secs(4));
    let pulled = Pulled::new(bench.answer(peer, waiting).unwrap());
    assert_eq!((pulled.code(), pulled.next()), (Code::PULL_RETRY_IMMEDIATELY, 2));
}

#[test]
fn a_pull_that_finds_its_offset_illegal_does_not_wait() {
    let (mut bench, peer) = filled(&["a"]);
    assert_eq!(code(&bench.ask(peer, &patient(5, "*"))), Code::PULL_OFFSET_MOVED);
    assert_eq!(code(&bench.ask(peer, &patient(0, "b"))), Code::PULL_RETRY_IMMEDIATELY);
}

#[test]
fn a_deleted_topic_ends_the_wait() {
    let (mut bench, peer) = filled(&["a"]);
    let waiting = bench.request(peer, &patient(1, "*"), &[]);
    bench.ask(peer, &DeleteTopicInBroker { topic: "t".into() });
    assert_eq!(code(&bench.answer(peer, waiting).unwrap()), Code::TOPIC_NOT_EXIST);
}

#[test]
fn nobody_waits_for_a_peer_that_is_gone() {
    let (mut bench, peer) = filled(&["a"]);
    let other = bench.connect(ServerId::Broker(0));
    bench.request(other, &patient(1, "*"), &[]);
    bench.close(other);
    assert_eq!(bench.broker().usage().held_pulls, 0);
    send_tags(&mut bench, peer, &["a"]);
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.cluster.poll_timeout(), None);
}

#[test]
fn only_so_many_pulls_wait_and_a_further_one_is_answered_at_once() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.limits.held_pulls = 2);
    bench.create_topic(peer, "t", 1);
    bench.request(peer, &patient(0, "*"), &[]);
    bench.request(peer, &patient(0, "*"), &[]);
    assert_eq!(code(&bench.ask(peer, &patient(0, "*"))), Code::PULL_NOT_FOUND);
}
