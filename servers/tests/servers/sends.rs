//! Sending.

use bytes::{Bytes, BytesMut};
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::{Command, FLAG_ONEWAY, Head, HeaderCodec};
use stgclient_core::wire::java;
use stgclient_core::wire::message::{OffsetMessageId, batch, sys_flag};
use stgclient_core::wire::request::{CreateTopic, SendMessage, SendMessageAnswer, SendMessageV1, ViewMessage};
use stgclient_servers::{Force, Forced};

use super::client::{BEGINNING, Bench, DIALECT, Pulled, code, create_topic, encoded, properties, remark, send};

fn bench() -> (Bench, stgclient_servers::Peer) {
    Bench::with_broker(|_| {})
}

fn answer(answer: &Command) -> SendMessageAnswer<'_> {
    assert_eq!(code(answer), Code::SUCCESS, "{:?}", answer.remark);
    answer.header().expect("the header of a send's answer")
}

#[test]
fn a_message_is_stored_as_it_was_sent_and_answered_with_its_place() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 4);
    let sent = properties(&[("TAGS", "red"), ("KEYS", "k"), ("UNIQ_KEY", "ABC")]);
    bench.send(peer, "t", 2, &sent, b"first");
    let answered = bench.send(peer, "t", 2, &sent, b"second");
    let header = answer(&answered);
    assert_eq!((header.queue_id, header.queue_offset), (2, 1));
    assert_eq!(header.transaction_id.as_deref(), Some("ABC"));
    assert_eq!(answered.fields.get("MSG_REGION").as_deref(), Some("DefaultRegion"));
    assert_eq!(answered.fields.get("TRACE_ON").as_deref(), Some("true"));

    let pulled = bench.pull(peer, "t", 2, 1, "*");
    let [message] = &*pulled.messages else { panic!("{pulled:?}") };
    let fields = message.fields;
    assert_eq!((message.topic(), message.body()), ("t", &b"second"[..]));
    assert_eq!((fields.queue_id, fields.queue_offset, fields.flag), (2, 1, 7));
    assert_eq!((fields.born_timestamp, fields.store_timestamp), (1_600_000_000_000, BEGINNING as i64));
    assert_eq!(fields.born_host, "192.0.2.7:50000".parse().unwrap());
    assert_eq!(fields.store_host, "127.0.0.1:10911".parse().unwrap());
    assert_eq!(fields.body_crc, java::body_crc(b"second"));
    assert_eq!(fields.offset_id().to_hex().as_str(), header.msg_id.text());
    let stored = message.properties();
    for (name, value) in [("TAGS", "red"), ("KEYS", "k"), ("UNIQ_KEY", "ABC"), ("CLUSTER", "DefaultCluster")] {
        assert_eq!(stored.get(name), Some(value));
    }
    assert_eq!((stored.get("MSG_REGION"), stored.get("TRACE_ON")), (Some("DefaultRegion"), Some("true")));
}

#[test]
fn the_old_header_says_the_same() {
    let (mut bench, peer) = bench();
    let SendMessage { properties, .. } = send("t", 1, "TAGS\u{1}a\u{2}");
    let old = SendMessageV1 {
        producer_group: "p".into(),
        topic: "t".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 2,
        queue_id: 1,
        sys_flag: 0,
        born_timestamp: 5,
        flag: 6,
        properties,
        reconsume_times: None,
        unit_mode: None,
        batch: None,
        max_reconsume_times: None,
        broker_name: None,
    };
    let answered = bench.ask_with(peer, &old, b"x");
    assert_eq!(answer(&answered).queue_id, 1);
    let pulled = bench.pull(peer, "t", 1, 0, "a");
    assert_eq!((pulled.messages[0].fields.born_timestamp, pulled.messages[0].fields.flag), (5, 6));
}

#[test]
fn the_answer_is_written_as_the_request_was() {
    let (mut bench, peer) = bench();
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let opaque = bench.request_as(peer, RequestCode::SEND_MESSAGE_V2, codec, &send("t", 0, ""), b"x");
        let answered = bench.answer(peer, opaque).unwrap();
        assert_eq!((answered.codec, answered.opaque, answered.version), (codec, opaque, 493));
        answer(&answered);
    }
}

#[test]
fn a_oneway_send_is_stored_and_not_answered() {
    let (mut bench, peer) = bench();
    let head = Head::oneway(DIALECT, RequestCode::SEND_MESSAGE_V2, 9);
    bench.give(peer, &encoded(&head, HeaderCodec::Json, &send("t", 0, ""), b"x"));
    let refused = Head { flag: FLAG_ONEWAY, ..head };
    bench.give(peer, &encoded(&refused, HeaderCodec::Json, &send("a b", 0, ""), b"x"));
    assert!(bench.answers(peer).is_empty());
    assert_eq!(bench.broker().offsets("t", 0), Some((0, 1)));
}

#[test]
fn an_unknown_topic_inherits_from_the_default_topic() {
    let (mut bench, peer) = bench();
    let request = SendMessage { default_topic_queue_nums: 16, ..send("new", 7, "") };
    let answered = bench.ask_with(peer, &request, b"x");
    assert_eq!(answer(&answered).queue_id, 7);
    let beyond = SendMessage { queue_id: 8, ..request };
    assert_eq!(code(&bench.ask_with(peer, &beyond, b"x")), Code::INVALID_PARAMETER, "the broker gives 8 at most");
    let request = SendMessage { default_topic_queue_nums: 2, ..send("few", 2, "") };
    assert_eq!(code(&bench.ask_with(peer, &request, b"x")), Code::INVALID_PARAMETER);
    let request = SendMessage { default_topic: "SELF_TEST_TOPIC".into(), ..send("other", 0, "") };
    assert_eq!(code(&bench.ask_with(peer, &request, b"x")), Code::TOPIC_NOT_EXIST, "it cannot be inherited");
}

#[test]
fn an_unknown_topic_is_refused_where_none_is_created() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.auto_create_topics = false);
    let answered = bench.send(peer, "new", 0, "", b"x");
    assert_eq!(code(&answered), Code::TOPIC_NOT_EXIST);
    assert!(remark(&answered).starts_with("topic[new] not exist, apply first please!"), "{answered:?}");
    assert_eq!(answered.fields.get("MSG_REGION").as_deref(), Some("DefaultRegion"));
}

#[test]
fn a_queue_beyond_the_topics_is_refused_and_any_queue_takes_turns() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 3);
    let answered = bench.send(peer, "t", 3, "", b"x");
    assert_eq!(code(&answered), Code::INVALID_PARAMETER);
    assert!(remark(&answered).starts_with("request queueId[3] is illegal, TopicConfig [topicName=t,"));
    let queues: Vec<i32> = (0..4).map(|_| answer(&bench.send(peer, "t", -1, "", b"x")).queue_id).collect();
    assert_eq!(queues, [0, 1, 2, 0]);
}

#[test]
fn a_broker_that_may_not_be_written_refuses_ordered_topics() {
    let (mut bench, peer) =
        Bench::with_broker(|broker| broker.permission = stgclient_core::wire::body::Permission::READ);
    let ordered = CreateTopic { order: true, ..create_topic("t", 1) };
    assert_eq!(code(&bench.ask(peer, &ordered)), Code::SUCCESS);
    let answered = bench.send(peer, "t", 0, "", b"x");
    assert_eq!(code(&answered), Code::NO_PERMISSION);
    assert_eq!(remark(&answered), "the broker[127.0.0.1] sending message is forbidden");
}

#[test]
fn system_topics_and_illegal_names_cannot_be_sent_to() {
    let (mut bench, peer) = bench();
    let answered = bench.send(peer, "SELF_TEST_TOPIC", 0, "", b"x");
    assert_eq!(code(&answered), Code::NO_PERMISSION);
    assert_eq!(remark(&answered), "Sending message to topic[SELF_TEST_TOPIC] is forbidden.");
    assert_eq!(code(&bench.send(peer, "a b", 0, "", b"x")), Code::INVALID_PARAMETER);
    assert_eq!(code(&bench.send(peer, &"x".repeat(128), 0, "", b"x")), Code::INVALID_PARAMETER);
}

#[test]
fn bodies_and_properties_have_limits() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.max_body_length = 100);
    answer(&bench.send(peer, "t", 0, "", &[1; 100]));
    assert_eq!(code(&bench.send(peer, "t", 0, "", &[1; 101])), Code::MESSAGE_ILLEGAL);
    // Where Java runs, no body is null.
    assert_eq!(code(&bench.send(peer, "t", 0, "", &[])), Code::SYSTEM_ERROR);
    let long = properties(&[("p", &"x".repeat(32_767))]);
    let answered = bench.send(peer, "t", 0, &long, b"x");
    assert_eq!(code(&answered), Code::MESSAGE_ILLEGAL);
    assert!(remark(&answered).contains("msg body length limit 100B, msg properties length limit 32KB"));
}

#[test]
fn a_message_without_a_unique_key_gets_one() {
    let (mut bench, peer) = bench();
    let answered = bench.send(peer, "t", 0, "", b"x");
    let header = answer(&answered);
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!(pulled.messages[0].properties().get("UNIQ_KEY"), header.transaction_id.as_deref());
}

#[test]
fn what_only_a_broker_may_set_is_not_taken_from_a_producer() {
    let (mut bench, peer) = bench();
    let sent = properties(&[("POP_CK", "0 0"), ("CLUSTER", "other"), ("MSG_REGION", "other"), ("a", "b")]);
    bench.send(peer, "t", 0, &sent, b"x");
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    let stored = pulled.messages[0].properties();
    assert_eq!((stored.get("POP_CK"), stored.get("a")), (None, Some("b")));
    assert_eq!((stored.get("CLUSTER"), stored.get("MSG_REGION")), (Some("DefaultCluster"), Some("DefaultRegion")));
    assert_eq!(stored.iter().filter(|(name, _)| *name == "CLUSTER").count(), 1);
}

#[test]
fn what_this_broker_cannot_do_yet_it_refuses() {
    let (mut bench, peer) = bench();
    for (name, value, expected) in
        [("TRAN_MSG", "true", Code::NO_PERMISSION), ("TIMER_DELAY_SEC", "3", Code::SYSTEM_ERROR)]
    {
        assert_eq!(code(&bench.send(peer, "t", 0, &properties(&[(name, value)]), b"x")), expected, "{name}");
    }
    answer(&bench.send(peer, "t", 0, &properties(&[("DELAY", "0"), ("TRAN_MSG", "false")]), b"x"));
}

#[test]
fn a_batch_becomes_messages_of_their_own() {
    let (mut bench, peer) = bench();
    let mut body = BytesMut::new();
    for (number, tag) in ["a", "b", "a"].into_iter().enumerate() {
        let properties = properties(&[("TAGS", tag), ("UNIQ_KEY", &number.to_string())]);
        batch::encode(&mut body, number as i32, &properties, &[b'0' + number as u8]).unwrap();
    }
    let whole = properties(&[("UNIQ_KEY", "whole")]);
    let request = SendMessage { batch: Some(true), ..send("t", 1, &whole) };
    let opaque = bench.request_as(peer, RequestCode::SEND_BATCH_MESSAGE, HeaderCodec::Json, &request, &body);
    let answered = bench.answer(peer, opaque).unwrap();
    let header = answer(&answered);
    let ids: Vec<OffsetMessageId> = header.msg_id.text().split(',').map(|id| id.parse().unwrap()).collect();
    assert_eq!((header.queue_offset, header.transaction_id.as_deref(), ids.len()), (0, Some("whole"), 3));

    let pulled = bench.pull(peer, "t", 1, 0, "a");
    assert_eq!(pulled.offsets(), [0, 2]);
    let last = &pulled.messages[1];
    assert_eq!((last.body(), last.fields.flag), (&b"2"[..], 2));
    assert_eq!(last.properties().encoded(), properties(&[("TAGS", "a"), ("UNIQ_KEY", "2")]));
    assert_eq!(last.fields.physical_offset as u64, ids[2].physical_offset());
}

#[test]
fn a_batch_that_cannot_be_read_is_stored_not_even_in_part() {
    let (mut bench, peer) = bench();
    let mut body = BytesMut::new();
    batch::encode(&mut body, 0, "", b"good").unwrap();
    body.extend_from_slice(&[0, 0, 0, 99, 1]);
    let request = SendMessage { batch: Some(true), ..send("t", 0, "") };
    // An exception where Java runs (`MessageDecoder`).
    assert_eq!(code(&bench.ask_with(peer, &request, &body)), Code::SYSTEM_ERROR);
    assert_eq!(bench.broker().offsets("t", 0), Some((0, 0)));
    let retry = SendMessage { batch: Some(true), ..send("%RETRY%g", 0, "") };
    assert_eq!(code(&bench.ask_with(peer, &retry, &body[..body.len() - 5])), Code::MESSAGE_ILLEGAL);
}

#[test]
fn an_ipv6_broker_stores_messages_in_a_layout_of_its_own() {
    let (mut bench, peer) = Bench::with_broker(|broker| broker.address = "[2001:db8::1]:10911".into());
    let answered = bench.send(peer, "t", 0, "", b"x");
    assert_eq!(answer(&answered).msg_id.text().len(), 56);
    let pulled = bench.pull(peer, "t", 0, 0, "*");
    assert_eq!(pulled.messages[0].fields.sys_flag & sys_flag::STORE_HOST_V6, sys_flag::STORE_HOST_V6);
}

#[test]
fn a_topic_of_more_than_127_characters_takes_no_messages_though_it_may_be_called_so() {
    let (mut bench, peer) = bench();
    let topic = format!("%DLQ%{}", "g".repeat(123));
    bench.create_topic(peer, &topic, 1);
    assert_eq!(code(&bench.send(peer, &topic, 0, "", b"x")), Code::MESSAGE_ILLEGAL);
    let topic = format!("%DLQ%{}", "g".repeat(122));
    answer(&bench.send(peer, &topic, 0, "", b"x"));
}

#[test]
fn a_message_is_found_by_its_id() {
    let (mut bench, peer) = bench();
    bench.send(peer, "t", 0, "", b"one");
    let answered = bench.send(peer, "t", 1, "", b"two");
    let id: OffsetMessageId = answer(&answered).msg_id.text().parse().unwrap();
    let offset = id.physical_offset() as i64;
    let viewed = Pulled::new(bench.ask(peer, &ViewMessage { topic: None, offset }));
    assert_eq!(viewed.messages[0].body(), b"two");
    let answered = bench.ask(peer, &ViewMessage { topic: None, offset: offset + 1 });
    assert_eq!(
        (code(&answered), remark(&answered)),
        (Code::SYSTEM_ERROR, &*format!("can not find message by the offset, {}", offset + 1))
    );
}

#[test]
fn a_header_that_lacks_a_field_is_a_system_error() {
    let (mut bench, peer) = bench();
    let answered = bench.ask_code(peer, RequestCode::SEND_MESSAGE_V2);
    assert_eq!(code(&answered), Code::SYSTEM_ERROR);
    assert_eq!(remark(&answered), "RemotingCommandException: the field topic is missing");
}

#[test]
fn the_statuses_of_a_send_come_on_demand_and_the_message_is_stored_all_the_same() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 1);
    for (forced, expected) in [
        (Forced::FlushDiskTimeout, Code::FLUSH_DISK_TIMEOUT),
        (Forced::FlushSlaveTimeout, Code::FLUSH_SLAVE_TIMEOUT),
        (Forced::SlaveNotAvailable, Code::SLAVE_NOT_AVAILABLE),
    ] {
        let before = bench.broker().offsets("t", 0).unwrap().1;
        bench.broker().force(Force::sends(forced).times(2));
        for _ in 0..2 {
            let answered = bench.send(peer, "t", 0, "", b"x");
            assert_eq!(code(&answered), expected);
            assert!(answered.header::<SendMessageAnswer<'_>>().is_ok());
        }
        answer(&bench.send(peer, "t", 0, "", b"x"));
        assert_eq!(bench.broker().offsets("t", 0), Some((0, before + 3)));
    }
}

#[test]
fn refusals_come_on_demand_and_nothing_is_stored() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 1);
    bench.create_topic(peer, "other", 1);
    for (forced, expected) in [
        (Forced::busy(), Code::SYSTEM_BUSY),
        (Forced::no_permission(), Code::NO_PERMISSION),
        (Forced::service_not_available(), Code::SERVICE_NOT_AVAILABLE),
    ] {
        bench.broker().force(Force::sends(forced).on_topic("t"));
        assert_eq!(code(&bench.send(peer, "t", 0, "", b"x")), expected);
        assert_eq!(code(&bench.send(peer, "t", 0, "", b"x")), expected, "until it is taken back");
        answer(&bench.send(peer, "other", 0, "", b"x"));
        bench.broker().clear_forces();
    }
    assert_eq!(bench.broker().offsets("t", 0), Some((0, 0)));
}

#[test]
fn answers_are_lost_late_or_garbage_on_demand() {
    let (mut bench, peer) = bench();
    bench.create_topic(peer, "t", 1);
    let send_once = |bench: &mut Bench, forced| {
        bench.broker().force(Force::sends(forced).times(1));
        bench.request(peer, &send("t", 0, ""), b"x")
    };
    let lost = send_once(&mut bench, Forced::Lost);
    let unanswered = send_once(&mut bench, Forced::Unanswered);
    let late = send_once(&mut bench, Forced::Delay(Duration::from_secs(3)));
    assert_eq!(bench.broker().offsets("t", 0), Some((0, 2)), "all but the lost one");
    bench.pass(Duration::from_millis(2999));
    assert!(bench.answer(peer, late).is_none());
    bench.pass(Duration::from_millis(1));
    assert!(bench.answer(peer, late).is_some());
    bench.pass(Duration::from_secs(60));
    assert!(bench.answer(peer, lost).is_none() && bench.answer(peer, unanswered).is_none());

    let raw = Bytes::from_static(b"\0\0\0\x0c\0\0\0\x08{\"code\"}");
    bench.broker().force(Force::sends(Forced::Bytes(raw.clone())));
    let command =
        encoded(&Head::request(DIALECT, RequestCode::SEND_MESSAGE_V2, 1), HeaderCodec::Json, &send("t", 0, ""), b"x");
    bench.cluster.receive(bench.now, peer, &command);
    assert_eq!(bench.cluster.poll_output(), Some((peer, raw)));
}
