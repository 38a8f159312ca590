//! What a broker asks members of a group on behalf of administrators.

use stgclient_core::sorted::SortedMap;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{
    self, ConsumerData, ConsumerOffsets, ConsumerStatus, HeartbeatData, QueueKey, ResetOffsets, SubscriptionData,
};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::{Command, Head, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, NoFields, WriteHeader};
use stgclient_core::wire::message::StoredMessage;
use stgclient_core::wire::request::{
    ConsumeDirectly, GetConsumerRunningInfo, GetConsumerStatus, Heartbeat, InvokeConsumerStatus, InvokeResetOffset,
    Request, ResetConsumerOffset, UpdateConsumerOffset,
};
use stgclient_servers::{BrokerConfig, ClusterConfig, Peer, ServerId};

use super::client::{Bench, DIALECT, code, encoded, remark};

/// An administrator and two members of the group `g`, `one` and `two`.
fn group(change: impl FnOnce(&mut BrokerConfig)) -> (Bench, Peer, [Peer; 2]) {
    group_of(|config| change(&mut config.brokers[0]))
}

fn group_of(change: impl FnOnce(&mut ClusterConfig)) -> (Bench, Peer, [Peer; 2]) {
    let (mut bench, administrator) = Bench::with_config(change);
    let members = [bench.connect(ServerId::Broker(0)), bench.connect(ServerId::Broker(0))];
    bench.create_topic(administrator, "t", 2);
    for (peer, client_id) in members.into_iter().zip(["one", "two"]) {
        let group = ConsumerData {
            group_name: "g".into(),
            subscription_data_set: vec![SubscriptionData::by_tags("t", "*").unwrap()],
            ..ConsumerData::default()
        };
        let data =
            HeartbeatData { client_id: client_id.into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
        bench.ask_with(peer, &Heartbeat {}, &body::to_vec(&data));
    }
    members.iter().for_each(|peer| drop(bench.answers(*peer)));
    (bench, administrator, members)
}

/// What the broker asks a member.
fn asked(bench: &mut Bench, member: Peer, code: RequestCode) -> Command {
    let mut requests = bench.answers(member);
    assert_eq!(requests.len(), 1, "{requests:?}");
    let request = requests.remove(0);
    assert_eq!((RequestCode(request.code), request.is_response()), (code, false));
    request
}

/// A member answers what it was asked.
fn answer(bench: &mut Bench, member: Peer, request: &Command, code: Code, remark: Option<&str>, body: &[u8]) {
    let head = Head::response(DIALECT, code, request.opaque, remark);
    let answer = encoded(&head, request.codec, &NoFields, body);
    bench.give(member, &answer);
}

fn running_info(client: &'static str) -> GetConsumerRunningInfo<'static> {
    GetConsumerRunningInfo { consumer_group: "g".into(), client_id: client.into(), jstack_enable: Some(true) }
}

#[test]
fn a_members_answer_is_handed_on_as_it_is() {
    let (mut bench, administrator, [one, two]) = group(|_| {});
    let waiting = bench.request_as(
        administrator,
        RequestCode::GET_CONSUMER_RUNNING_INFO,
        HeaderCodec::Binary,
        &running_info("two"),
        &[],
    );
    let request = asked(&mut bench, two, RequestCode::GET_CONSUMER_RUNNING_INFO);
    assert_eq!((request.is_oneway(), request.codec), (false, HeaderCodec::Json));
    assert_eq!(request.header(), Ok(running_info("two")));
    assert!(bench.answers(one).is_empty() && bench.answer(administrator, waiting).is_none());
    answer(&mut bench, two, &request, Code::SYSTEM_ERROR, Some("no"), b"{}");
    let handed_on = bench.answer(administrator, waiting).unwrap();
    assert_eq!((code(&handed_on), remark(&handed_on), &*handed_on.body), (Code::SYSTEM_ERROR, "no", &b"{}"[..]));
    assert_eq!((handed_on.codec, handed_on.language.name()), (HeaderCodec::Binary, "RUST"));
}

#[test]
fn a_field_of_any_name_is_handed_on_and_breaks_nothing() {
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let (mut bench, administrator, [member, _]) = group(|_| {});
        let names = ["a\"b", "c\\", "\n", "plain"];
        let head = Head::request(DIALECT, RequestCode::GET_CONSUMER_RUNNING_INFO, 7);
        let mut request = encoded(&head, codec, &Fields(&[("consumerGroup", "g"), ("clientId", "one")], &names), b"");
        request.opaque = 7;
        bench.give(administrator, &request);
        let asked = asked(&mut bench, member, RequestCode::GET_CONSUMER_RUNNING_INFO);
        assert_eq!(names.map(|name| asked.fields.get(name).as_deref() == Some("\"v")), [true; 4], "{codec:?}");
        answer(&mut bench, member, &asked, Code::SUCCESS, None, b"{}");
        assert!(bench.answer(administrator, 7).is_some());
    }
}

/// Fields, and others whose value is `"v`.
struct Fields<'a>(&'a [(&'a str, &'a str)], &'a [&'a str]);

impl WriteHeader for Fields<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.text(name, value));
        self.1.iter().for_each(|name| writer.foreign(name, "\"v"));
    }
}

#[test]
fn a_member_that_is_not_there_cannot_be_asked() {
    let (mut bench, administrator, [one, _]) = group(|_| {});
    let refused = bench.ask(administrator, &running_info("three"));
    assert_eq!((code(&refused), remark(&refused)), (Code::SYSTEM_ERROR, "The Consumer <g> <three> not online"));
    bench.close(one);
    assert_eq!(remark(&bench.ask(administrator, &running_info("one"))), "The Consumer <g> <one> not online");
}

#[test]
fn a_member_that_is_too_old_is_not_asked() {
    let (mut bench, administrator) = Bench::with_broker(|_| {});
    let member = bench.connect(ServerId::Broker(0));
    let group = ConsumerData { group_name: "g".into(), ..ConsumerData::default() };
    let data = HeartbeatData { client_id: "one".into(), consumer_data_set: vec![group], ..HeartbeatData::default() };
    let mut beat = |version, opaque| {
        let mut head = Head::request(DIALECT, Heartbeat::CODE, opaque);
        head.version = version;
        bench.give(member, &encoded(&head, HeaderCodec::Json, &Heartbeat {}, &body::to_vec(&data)));
        bench.answers(member);
        let waiting =
            [bench.request(administrator, &running_info("one"), &[]), bench.request(administrator, &status(None), &[])];
        waiting
            .map(|opaque| bench.answer(administrator, opaque).is_some_and(|answer| code(&answer) == Code::SYSTEM_ERROR))
    };
    assert_eq!(beat(27, 1001), [true, true]);
    assert_eq!(beat(61, 1002), [true, false]);
    assert_eq!(beat(62, 1003), [false, false]);
}

#[test]
fn a_member_that_says_nothing_is_waited_for_10_seconds() {
    let (mut bench, administrator, [one, _]) = group(|_| {});
    let waiting = bench.request(administrator, &running_info("one"), &[]);
    let request = asked(&mut bench, one, RequestCode::GET_CONSUMER_RUNNING_INFO);
    bench.pass(Duration::from_millis(9_999));
    assert!(bench.answer(administrator, waiting).is_none());
    bench.pass(Duration::from_millis(1));
    let late = bench.answer(administrator, waiting).unwrap();
    assert_eq!(code(&late), Code::CONSUME_MSG_TIMEOUT);
    assert!(remark(&late).starts_with("consumer <g> <one> Timeout: "), "{}", remark(&late));
    answer(&mut bench, one, &request, Code::SUCCESS, None, b"{}");
    assert!(bench.answers(administrator).is_empty(), "an answer that comes too late is nobody's");
}

#[test]
fn an_answer_counts_only_from_whom_was_asked() {
    let (mut bench, administrator, [one, two]) = group(|_| {});
    let waiting = bench.request(administrator, &running_info("one"), &[]);
    let request = asked(&mut bench, one, RequestCode::GET_CONSUMER_RUNNING_INFO);
    answer(&mut bench, two, &request, Code::SUCCESS, None, b"wrong");
    assert!(bench.answer(administrator, waiting).is_none());
    answer(&mut bench, one, &request, Code::SUCCESS, None, b"right");
    assert_eq!(&*bench.answer(administrator, waiting).unwrap().body, b"right");
}

#[test]
fn only_so_many_answers_are_waited_for() {
    let (mut bench, administrator, _) = group_of(|config| config.state_bytes = 50_000);
    for _ in 0..100 {
        bench.request(administrator, &running_info("one"), &[]);
    }
    let refused = bench.ask(administrator, &running_info("two"));
    assert_eq!(remark(&refused), "this broker keeps at most 50000 bytes besides messages");
    bench.pass(Duration::from_secs(10));
    let waiting = bench.request(administrator, &running_info("two"), &[]);
    assert!(bench.answer(administrator, waiting).is_none());
}

#[test]
fn a_member_consumes_a_message_directly() {
    let (mut bench, administrator, [one, _]) = group(|_| {});
    bench.send(administrator, "t", 1, "", b"body");
    let message = bench.pull(administrator, "t", 1, 0, "*").messages.remove(0);
    let id = message.fields.offset_id().to_hex().to_string();
    let request = |id: String| ConsumeDirectly {
        consumer_group: "g".into(),
        client_id: Some("one".into()),
        msg_id: Some(id.into()),
        broker_name: None,
        topic: Some("t".into()),
        topic_sys_flag: None,
        group_sys_flag: None,
    };
    let waiting = bench.request(administrator, &request(id.clone()), &[]);
    let asked = asked(&mut bench, one, RequestCode::CONSUME_MESSAGE_DIRECTLY);
    let header: ConsumeDirectly<'_> = asked.header().unwrap();
    assert_eq!(header.msg_id.as_deref(), Some(&*id));
    assert_eq!((header.broker_name.as_deref(), header.topic_sys_flag), (Some("broker-a"), Some(0)));
    assert_eq!(header.group_sys_flag, Some(0));
    assert_eq!(StoredMessage::decode(asked.body.clone(), DIALECT).unwrap().body(), b"body");
    answer(&mut bench, one, &asked, Code::SUCCESS, None, br#"{"consumeResult":"CR_SUCCESS"}"#);
    assert_eq!(code(&bench.answer(administrator, waiting).unwrap()), Code::SUCCESS);
    for wrong in ["x".to_owned(), "0".repeat(31) + "1"] {
        assert_eq!(code(&bench.ask(administrator, &request(wrong))), Code::SYSTEM_ERROR);
    }
}

fn status(client: Option<&'static str>) -> InvokeConsumerStatus<'static> {
    InvokeConsumerStatus { topic: "t".into(), group: "g".into(), client_addr: client.map(Into::into) }
}

fn offsets(offset: i64) -> SortedMap<QueueKey, i64> {
    [(QueueKey { broker_name: "broker-a".into(), queue_id: 0, topic: "t".into() }, offset)].into()
}

#[test]
fn members_tell_their_offsets_one_after_the_other() {
    let (mut bench, administrator, members) = group(|_| {});
    let waiting = bench.request(administrator, &status(None), &[]);
    for (offset, member) in (7..).zip(members) {
        let request = asked(&mut bench, member, RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT);
        let expected = GetConsumerStatus { topic: "t".into(), group: "g".into(), client_addr: None };
        assert_eq!(request.header(), Ok(expected));
        assert!(bench.answer(administrator, waiting).is_none());
        let told = ConsumerStatus { message_queue_table: offsets(offset), ..ConsumerStatus::default() };
        answer(&mut bench, member, &request, Code::SUCCESS, None, &body::to_vec(&told));
    }
    let told: ConsumerStatus = body::from_slice(&bench.answer(administrator, waiting).unwrap().body).unwrap();
    let expected = [("one".to_owned(), ConsumerOffsets(offsets(7))), ("two".to_owned(), ConsumerOffsets(offsets(8)))];
    assert_eq!(told.consumer_table, expected.into());
}

#[test]
fn one_member_may_be_asked_for_its_offsets_and_those_that_say_nothing_in_5_seconds_are_left_out() {
    let (mut bench, administrator, [one, two]) = group(|_| {});
    let waiting = bench.request(administrator, &status(Some("two")), &[]);
    assert!(bench.answers(one).is_empty());
    let request = asked(&mut bench, two, RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT);
    answer(&mut bench, two, &request, Code::SUCCESS, None, b"{}");
    let told: ConsumerStatus = body::from_slice(&bench.answer(administrator, waiting).unwrap().body).unwrap();
    assert!(told.consumer_table.keys().eq(["two"]));

    let waiting = bench.request(administrator, &status(None), &[]);
    bench.pass(Duration::from_secs(5));
    let request = asked(&mut bench, two, RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT);
    answer(&mut bench, two, &request, Code::SUCCESS, None, b"{}");
    let told: ConsumerStatus = body::from_slice(&bench.answer(administrator, waiting).unwrap().body).unwrap();
    assert!(told.consumer_table.keys().eq(["two"]));
}

#[test]
fn a_broker_of_the_old_kind_has_members_set_their_offsets() {
    let (mut bench, administrator, members) = group(|broker| broker.server_side_reset_offset = false);
    for body in ["a", "b", "c"] {
        bench.send(administrator, "t", 0, "", body.as_bytes());
    }
    let reset = |is_force| InvokeResetOffset {
        topic: "t".into(),
        group: "g".into(),
        queue_id: Some(-1),
        offset: None,
        timestamp: -1,
        is_force,
    };
    let refused = bench.ask(administrator, &reset(true));
    assert_eq!((code(&refused), remark(&refused)), (Code::SYSTEM_ERROR, "THe consumer group <g> not exist"));
    for queue_id in [0, 1] {
        let commit = UpdateConsumerOffset {
            consumer_group: "g".into(),
            topic: "t".into(),
            queue_id,
            commit_offset: 1,
            broker_name: None,
        };
        bench.ask(administrator, &commit);
    }
    for (is_force, expected) in [(true, [3, 0]), (false, [1, 0])] {
        let answered = bench.ask(administrator, &reset(is_force));
        let told: ResetOffsets = body::from_slice(&answered.body).unwrap();
        assert!(told.offset_table.values().eq(&expected));
        for member in members {
            let request = asked(&mut bench, member, RequestCode::RESET_CONSUMER_CLIENT_OFFSET);
            assert!(request.is_oneway());
            let header: ResetConsumerOffset<'_> = request.header().unwrap();
            assert_eq!((&*header.topic, &*header.group, header.timestamp), ("t", "g", -1));
            assert_eq!(body::from_slice::<ResetOffsets>(&request.body).as_ref(), Ok(&told));
        }
    }
    members.iter().for_each(|member| bench.close(*member));
    assert_eq!(code(&bench.ask(administrator, &reset(true))), Code::CONSUMER_NOT_ONLINE);
    assert_eq!(bench.broker().committed("g", "t", 0), Some(1), "the broker itself sets nothing");
}
