//! Messages that a consumer could not consume.

use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, Permission, QueueKey, QueueLockRequest, SubscriptionGroupConfig};
use stgclient_core::wire::code::ResponseCode as Code;
use stgclient_core::wire::command::{Head, HeaderCodec};
use stgclient_core::wire::message::{StoredMessage, property};
use stgclient_core::wire::request::{
    CreateTopic, GetRouteInfo, LockQueues, Request, SendBack, SendMessage, SendMessageAnswer, UpdateGroup,
};
use stgclient_servers::{Peer, ServerId};

use super::client::{self, Bench, DIALECT, code, create_topic, encoded, properties, remark};

/// A broker with one message in `t`.
fn with_message(sent: &[(&str, &str)]) -> (Bench, Peer, StoredMessage) {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    bench.send(peer, "t", 0, &properties(sent), b"body");
    let message = bench.pull(peer, "t", 0, 0, "*").messages.remove(0);
    (bench, peer, message)
}

fn back(message: &StoredMessage, delay_level: i32) -> SendBack<'static> {
    SendBack {
        offset: message.fields.physical_offset,
        group: "g".into(),
        delay_level,
        origin_msg_id: None,
        origin_topic: Some("t".into()),
        unit_mode: Some(false),
        max_reconsume_times: Some(16),
        broker_name: None,
    }
}

fn send_back(bench: &mut Bench, peer: Peer, request: &SendBack<'_>) {
    let answer = bench.ask(peer, request);
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
}

/// All messages of a queue.
fn all(bench: &mut Bench, peer: Peer, topic: &str) -> Vec<StoredMessage> {
    bench.pull(peer, topic, 0, 0, "*").messages
}

#[test]
fn a_message_comes_again_in_the_retry_topic_of_its_group() {
    let (mut bench, peer, message) = with_message(&[("TAGS", "a"), ("KEYS", "k"), ("UNIQ_KEY", "u")]);
    send_back(&mut bench, peer, &back(&message, 1));
    assert_eq!(all(&mut bench, peer, "%RETRY%g").len(), 0);
    bench.pass(Duration::from_secs(1));
    let again = all(&mut bench, peer, "%RETRY%g").remove(0);
    let get = |name| again.properties().get(name);
    assert_eq!((get(property::TAGS), get(property::KEYS), get(property::UNIQ_KEY)), (Some("a"), Some("k"), Some("u")));
    assert_eq!(
        (get(property::RETRY_TOPIC), get(property::WAIT), get(property::DELAY)),
        (Some("t"), Some("false"), Some("1"))
    );
    let id = message.fields.offset_id().to_hex().to_string();
    assert_eq!(get(property::ORIGIN_MESSAGE_ID), Some(&*id));
    assert_eq!(get(property::REAL_TOPIC), Some("%RETRY%g"));
    assert_eq!((again.body(), again.fields.reconsume_times), (&b"body"[..], 1));
    assert_eq!((again.fields.born_timestamp, again.fields.flag), (message.fields.born_timestamp, 7));
    assert_eq!(again.fields.born_host, message.fields.born_host);
}

#[test]
fn a_message_that_has_come_as_often_as_there_are_numbers_harms_nobody() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    let sent = SendMessage { reconsume_times: Some(i32::MAX), ..client::send("t", 0, "") };
    bench.ask_with(peer, &sent, b"body");
    let message = bench.pull(peer, "t", 0, 0, "*").messages.remove(0);
    let back = SendBack { max_reconsume_times: Some(i32::MAX), ..back(&message, 1) };
    bench.ask(peer, &back);
    let sent = SendMessage { max_reconsume_times: Some(i32::MAX), ..SendMessage { topic: "%RETRY%g".into(), ..sent } };
    bench.ask_with(peer, &sent, b"body");
    assert_eq!(bench.send(peer, "t", 0, "", b"body").code, Code::SUCCESS.0);
}

#[test]
fn a_message_that_comes_back_twice_still_names_its_first_topic_and_id() {
    let (mut bench, peer, message) = with_message(&[]);
    send_back(&mut bench, peer, &back(&message, 1));
    bench.pass(Duration::from_secs(1));
    let again = all(&mut bench, peer, "%RETRY%g").remove(0);
    send_back(&mut bench, peer, &back(&again, 1));
    bench.pass(Duration::from_secs(1));
    let third = all(&mut bench, peer, "%RETRY%g").remove(1);
    let id = message.fields.offset_id().to_hex().to_string();
    assert_eq!(third.properties().get(property::ORIGIN_MESSAGE_ID), Some(&*id));
    assert_eq!(third.properties().get(property::RETRY_TOPIC), Some("t"));
    assert_eq!(third.fields.reconsume_times, 2);
}

#[test]
fn without_a_level_it_comes_later_each_time() {
    let (mut bench, peer, mut message) = with_message(&[]);
    // Levels 3 and 4.
    for (index, seconds) in [10, 30].into_iter().enumerate() {
        send_back(&mut bench, peer, &back(&message, 0));
        bench.pass(Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(all(&mut bench, peer, "%RETRY%g").len(), index);
        bench.pass(Duration::from_millis(1));
        message = all(&mut bench, peer, "%RETRY%g").remove(index);
    }
}

#[test]
fn a_message_that_has_come_too_often_ends_among_the_dead_letters() {
    let (mut bench, peer, message) = with_message(&[("TAGS", "a")]);
    send_back(&mut bench, peer, &SendBack { max_reconsume_times: Some(1), ..back(&message, 1) });
    bench.pass(Duration::from_secs(1));
    let again = all(&mut bench, peer, "%RETRY%g").remove(0);
    send_back(&mut bench, peer, &SendBack { max_reconsume_times: Some(1), ..back(&again, 1) });
    let dead = all(&mut bench, peer, "%DLQ%g").remove(0);
    let get = |name| dead.properties().get(name);
    assert_eq!(
        (get(property::TAGS), get(property::RETRY_TOPIC), get(property::DELAY)),
        (Some("a"), Some("t"), Some("0"))
    );
    assert_eq!((dead.fields.reconsume_times, dead.fields.queue_id), (2, 0));
    let name_server = bench.connect(ServerId::NameServer(0));
    let route = GetRouteInfo { topic: "%DLQ%g".into(), accept_standard_json_only: None };
    assert_eq!(code(&bench.ask(name_server, &route)), Code::SUCCESS);
}

#[test]
fn a_negative_level_is_a_dead_letter_at_once() {
    let (mut bench, peer, message) = with_message(&[]);
    send_back(&mut bench, peer, &back(&message, -1));
    assert_eq!(all(&mut bench, peer, "%DLQ%g").len(), 1);
}

#[test]
fn an_old_client_has_no_say_in_how_often_and_the_group_has() {
    let (mut bench, peer, message) = with_message(&[]);
    let group =
        SubscriptionGroupConfig { group_name: "g".into(), retry_max_times: 0, ..SubscriptionGroupConfig::default() };
    bench.ask_with(peer, &UpdateGroup {}, &body::to_vec(&group));
    let mut head = Head::request(DIALECT, SendBack::CODE, 1000);
    head.version = 120;
    let request = encoded(&head, HeaderCodec::Json, &back(&message, 1), &[]);
    bench.give(peer, &request);
    assert_eq!(all(&mut bench, peer, "%DLQ%g").len(), 1);
    send_back(&mut bench, peer, &SendBack { max_reconsume_times: None, ..back(&message, 1) });
    assert_eq!(all(&mut bench, peer, "%DLQ%g").len(), 2);
    send_back(&mut bench, peer, &back(&message, 1));
    assert_eq!(all(&mut bench, peer, "%DLQ%g").len(), 2);
}

#[test]
fn what_cannot_come_back_is_refused() {
    let (mut bench, peer, message) = with_message(&[]);
    let mut refused = |request: SendBack<'_>| {
        let answer = bench.ask(peer, &request);
        (code(&answer), remark(&answer).to_owned())
    };
    let (code, text) = refused(SendBack { group: "no name".into(), ..back(&message, 1) });
    assert_eq!(code, Code::SUBSCRIPTION_GROUP_NOT_EXIST);
    assert!(text.starts_with("subscription group not exist, no name "), "{text}");
    let (code, text) = refused(SendBack { offset: 1, ..back(&message, 1) });
    assert_eq!((code, &*text), (Code::SYSTEM_ERROR, "look message by offset failed, 1"));
    bench.ask(peer, &CreateTopic { perm: 4, ..create_topic("%RETRY%g", 1) });
    let answer = bench.ask(peer, &back(&message, 1));
    assert_eq!(client::code(&answer), Code::NO_PERMISSION);
    assert_eq!(remark(&answer), "the topic[%RETRY%g] sending message is forbidden");

    let (mut bench, peer) = Bench::with_broker(|broker| broker.permission = Permission::READ);
    let answer = bench.ask(peer, &back(&message, 1));
    assert_eq!(client::code(&answer), Code::NO_PERMISSION);
}

fn retry(reconsume_times: i32, max_reconsume_times: Option<i32>, sent: &str) -> SendMessage<'_> {
    SendMessage { reconsume_times: Some(reconsume_times), max_reconsume_times, ..client::send("%RETRY%g", 0, sent) }
}

fn send(bench: &mut Bench, peer: Peer, message: &SendMessage<'_>) -> i32 {
    let answer = bench.ask_with(peer, message, b"body");
    assert_eq!(code(&answer), Code::SUCCESS, "{:?}", answer.remark);
    answer.header::<SendMessageAnswer<'_>>().unwrap().queue_id
}

#[test]
fn a_message_sent_to_a_retry_topic_is_a_dead_letter_above_its_maximum() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let delayed = properties(&[("DELAY", "1"), ("TAGS", "a")]);
    send(&mut bench, peer, &retry(2, Some(2), &delayed));
    send(&mut bench, peer, &retry(16, None, &delayed));
    bench.pass(Duration::from_secs(1));
    let again = all(&mut bench, peer, "%RETRY%g");
    assert_eq!(again.iter().map(|message| message.fields.reconsume_times).collect::<Vec<_>>(), [2, 16]);
    send(&mut bench, peer, &retry(3, Some(2), &delayed));
    send(&mut bench, peer, &retry(17, None, &delayed));
    let dead = all(&mut bench, peer, "%DLQ%g");
    assert_eq!(dead.iter().map(|message| message.fields.reconsume_times).collect::<Vec<_>>(), [3, 17]);
    assert_eq!(dead[0].properties().get(property::DELAY), Some("-1"));
    assert_eq!(dead[0].properties().get(property::TAGS), Some("a"));
}

#[test]
fn a_message_sent_to_the_retry_topic_of_a_group_with_locks_is_a_dead_letter_at_once() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    let lock = QueueLockRequest {
        client_id: "c".into(),
        consumer_group: "g".into(),
        mq_set: [QueueKey { broker_name: "broker-a".into(), queue_id: 0, topic: "t".into() }].into(),
        only_this_broker: false,
    };
    bench.ask_with(peer, &LockQueues {}, &body::to_vec(&lock));
    send(&mut bench, peer, &retry(1, Some(16), ""));
    assert_eq!(all(&mut bench, peer, "%DLQ%g").len(), 1);
    bench.pass(Duration::from_millis(60_001));
    send(&mut bench, peer, &retry(1, Some(16), ""));
    assert_eq!((all(&mut bench, peer, "%DLQ%g").len(), all(&mut bench, peer, "%RETRY%g").len()), (1, 1));
}

#[test]
fn a_message_cannot_be_sent_to_the_retry_topic_of_what_is_no_group() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.auto_create_groups = false);
    let answer = bench.ask_with(peer, &retry(1, None, ""), b"body");
    assert_eq!(code(&answer), Code::SUBSCRIPTION_GROUP_NOT_EXIST);
}

#[test]
fn a_message_that_came_back_two_thousand_million_times_comes_back_once_more() {
    let (mut bench, peer) = Bench::with_broker(|_| {});
    bench.create_topic(peer, "t", 1);
    let sent = SendMessage { reconsume_times: Some(i32::MAX - 1), ..client::send("t", 0, "") };
    assert_eq!(code(&bench.ask_with(peer, &sent, b"x")), Code::SUCCESS);
    let most = i32::MAX.to_string();
    let fields =
        [("offset", "0"), ("group", "g"), ("delayLevel", "0"), ("maxReconsumeTimes", &most), ("originTopic", "t")];
    assert_eq!(
        code(&bench.ask_fields(peer, stgclient_core::wire::code::RequestCode::CONSUMER_SEND_MSG_BACK, &fields, "")),
        Code::SUCCESS
    );
}
