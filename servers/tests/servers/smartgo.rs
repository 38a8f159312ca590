//! What smartgo's client, and Apache's that were refused, said to smartgo's servers, said to ours: they have to answer
//! as smartgo's did, frame by frame.
//!
//! Not the same are: the numbers of the broker's own requests, the moments at which messages are stored, and the client's
//! port in them. And there are these single frames.

use std::collections::BTreeMap;

use serde_json::Value;
use stgclient_core::wire::code::{RequestCode as Code, ResponseCode};
use stgclient_core::wire::command::{Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{StoredMessage, StoredMessages};
use stgclient_core::wire::request::{PULL_FLAG_SUBSCRIPTION, PULL_FLAG_SUSPEND, PullMessage};

use super::capture::{Captured, Exchange, Told, read, replay};
use super::client::encoded_in;

/// What brokers say of themselves, to Apache's administration tool.
const ABOUT_THEMSELVES: [Code; 2] = [Code::GET_BROKER_RUNTIME_INFO, Code::GET_BROKER_CONFIG];

#[test]
fn smartgos_frames_are_answered_as_smartgos_servers_did() {
    let mut captured = read("smartgo");
    captured.push(refused_pull(&captured));
    captured.sort_by_key(Captured::number);
    // A message came, and the waiting pulls were woken: some looked before it was in their queue, others in time.
    let [Told { answers, requests }, in_time] =
        [false, true].map(|in_time| replay(&captured, Dialect::Smartgo, |broker| broker.wakes_in_time = in_time));
    let asked: BTreeMap<Exchange, &Captured> =
        captured.iter().filter(|frame| frame.is_request()).map(|frame| (frame.exchange(), frame)).collect();
    let (mut same, mut woken_in_time) = (0, 0);
    for theirs in captured.iter().filter(|frame| frame.is_answer()) {
        // The capture keeps 25 frames of a kind: not every request is there.
        let Some(request) = asked.get(&theirs.exchange()) else {
            continue;
        };
        if ABOUT_THEMSELVES.contains(&Code(request.command.code)) {
            continue;
        }
        let said = |answer: &Command| (head(answer, request), fields(answer), body(answer));
        let ours = |told: &BTreeMap<Exchange, Command>| told.get(&theirs.exchange()).map(said);
        let theirs_said = Some(said(&theirs.command));
        if ours(&answers) != theirs_said {
            assert_eq!(ours(&in_time.answers), theirs_said, "{}", theirs.index);
            assert!(waits(&request.command), "only who waits may be woken: {}", theirs.index);
            woken_in_time += 1;
        }
        same += 1;
    }
    assert_eq!((same, woken_in_time), (165, 10));

    let theirs = captured.iter().filter(|frame| !frame.is_request() && !frame.is_answer());
    let theirs: Vec<_> = theirs.map(|frame| (frame.exchange().0, said(&frame.command))).collect();
    let ours: Vec<_> = requests.iter().map(|(connection, command)| (*connection, said(command))).collect();
    assert_eq!(ours, theirs);
}

/// A pull whose answer was kept and which was not: it can be told from what the broker stored because of it
/// ([`OFFSET_MOVED_EVENT`]), 273 bytes, after which it has stored everything else.
fn refused_pull(captured: &[Captured]) -> Captured {
    let answer = captured.iter().find(|frame| frame.command.code == ResponseCode::PULL_OFFSET_MOVED.0);
    let Captured { index, command } = answer.expect("the answer");
    let pull = PullMessage {
        consumer_group: "sgPull".into(),
        topic: "SgTopic".into(),
        queue_id: 0,
        queue_offset: 9999,
        max_msg_nums: 32,
        sys_flag: PULL_FLAG_SUBSCRIPTION,
        commit_offset: 0,
        suspend_timeout_millis: 0,
        subscription: Some("*".into()),
        sub_version: 0,
        expression_type: None,
        max_msg_bytes: None,
        broker_name: None,
    };
    let head = Head::request(Dialect::Smartgo, Code::PULL_MESSAGE, command.opaque);
    let mut index = index.clone();
    index["dir"] = "c2s".into();
    Captured { index, command: encoded_in(Dialect::Smartgo, &head, HeaderCodec::Json, &pull, &[]) }
}

/// Whether a request is a pull that the broker may hold.
fn waits(request: &Command) -> bool {
    request.header::<PullMessage<'_>>().is_ok_and(|pull| pull.sys_flag & PULL_FLAG_SUSPEND != 0)
}

/// Code, language, version, flag, remark. Of the fields that it does not know smartgo names any.
fn head(answer: &Command, request: &Captured) -> (i32, String, i32, i32, String) {
    let remark = answer.remark.as_deref().unwrap_or_default();
    let unknown = remark.strip_prefix("No such field: ").and_then(|rest| rest.strip_suffix(" in obj"));
    let remark = match unknown {
        Some(field) => {
            assert!(request.command.fields.get(field).is_some(), "{remark}");
            "No such field"
        }
        None => remark,
    };
    (answer.code, answer.language.name().to_owned(), answer.version, answer.flag, remark.to_owned())
}

fn fields(answer: &Command) -> BTreeMap<String, String> {
    answer.fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// What a body says: JSON, or messages.
fn body(answer: &Command) -> Vec<String> {
    if answer.body.is_empty() || answer.code != ResponseCode::SUCCESS.0 {
        return Vec::new();
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&answer.body) {
        return vec![value.to_string()];
    }
    let messages = StoredMessages::new(answer.body.clone(), Dialect::Smartgo);
    messages.map(|message| describe(message.expect("a message"))).collect()
}

fn describe(mut message: StoredMessage) -> String {
    let stored_at = message.fields.store_timestamp;
    assert!((stored_at - 1..=stored_at).contains(&message.fields.born_timestamp), "{:?}", message.fields);
    (message.fields.born_timestamp, message.fields.store_timestamp) = (0, 0);
    message.fields.born_host.set_port(0);
    let (topic, properties, body) = (message.topic(), message.properties().encoded(), message.body());
    format!("{:?} {topic} {properties:?} {body:?}", message.fields)
}

fn said(request: &Command) -> (i32, i32, String, i32, BTreeMap<String, String>) {
    let language = request.language.name().to_owned();
    (request.code, request.flag, language, request.version, fields(request))
}
