//! What smartgo's client, and Apache's that were refused, said to smartgo's servers, said to ours: they have to answer
//! as smartgo's did, frame by frame.
//!
//! Not the same are: the numbers of the broker's own requests, the moments at which messages are stored, and the client's
//! port in them. And there are these single frames.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use stgclient_core::wire::code::{RequestCode as Code, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{StoredMessage, StoredMessages};

use super::capture::{Captured, Exchange, Told, read, replay};

/// A message came, the waiting pulls were woken, and these looked before it was in their queue, which happens where
/// there are threads.
const WOKEN_TOO_SOON: [u64; 2] = [170, 189];

/// What brokers say of themselves, to Apache's administration tool.
const ABOUT_THEMSELVES: [Code; 2] = [Code::GET_BROKER_RUNTIME_INFO, Code::GET_BROKER_CONFIG];

/// Once a pull had been refused for its offset, the broker stored a message about that, of this many bytes. Nobody reads
/// it, and ours does not.
const OFFSET_MOVED_EVENT: (u64, u64) = (203, 273);

#[test]
fn smartgos_frames_are_answered_as_smartgos_servers_did() {
    let captured = read("smartgo");
    let Told { answers, requests } = replay(&captured, Dialect::Smartgo);
    let asked: BTreeMap<Exchange, &Captured> =
        captured.iter().filter(|frame| frame.is_request()).map(|frame| (frame.exchange(), frame)).collect();
    let mut same = 0;
    for theirs in captured.iter().filter(|frame| frame.is_answer()) {
        // The capture keeps 25 frames of a kind: not every request is there.
        let Some(request) = asked.get(&theirs.exchange()) else {
            continue;
        };
        if WOKEN_TOO_SOON.contains(&theirs.number()) || ABOUT_THEMSELVES.contains(&Code(request.command.code)) {
            continue;
        }
        let ours = answers.get(&theirs.exchange()).unwrap_or_else(|| panic!("{} is not answered", theirs.index));
        assert_eq!(head(ours, request), head(&theirs.command, request), "{}", theirs.index);
        let moved = if theirs.number() > OFFSET_MOVED_EVENT.0 { OFFSET_MOVED_EVENT.1 } else { 0 };
        assert_eq!(fields(ours, moved), fields(&theirs.command, 0), "{}", theirs.index);
        assert_eq!(body(ours, moved), body(&theirs.command, 0), "{}", theirs.index);
        same += 1;
    }
    assert_eq!(same, 162);

    let theirs = captured.iter().filter(|frame| !frame.is_request() && !frame.is_answer());
    let theirs: Vec<_> = theirs.map(|frame| (frame.exchange().0, said(&frame.command))).collect();
    let ours: Vec<_> = requests.iter().map(|(connection, command)| (*connection, said(command))).collect();
    assert_eq!(ours, theirs);
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

fn fields(answer: &Command, moved: u64) -> BTreeMap<String, String> {
    let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        let value = match &*name {
            // The last half is the place in the log.
            "MsgId" => {
                let (host, offset) = value.split_at(16);
                let offset = u64::from_str_radix(offset, 16).expect("an offset");
                format!("{host}{:016X}", offset + moved)
            }
            _ => value.into_owned(),
        };
        (name.into_owned(), value)
    };
    answer.fields.iter().map(owned).collect()
}

/// What a body says: JSON, or messages.
fn body(answer: &Command, moved: u64) -> Vec<String> {
    if answer.body.is_empty() || answer.code != ResponseCode::SUCCESS.0 {
        return Vec::new();
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&answer.body) {
        return vec![value.to_string()];
    }
    let messages = StoredMessages::new(answer.body.clone(), Dialect::Smartgo);
    messages.map(|message| describe(message.expect("a message"), moved)).collect()
}

fn describe(mut message: StoredMessage, moved: u64) -> String {
    let stored_at = message.fields.store_timestamp;
    assert!((stored_at - 1..=stored_at).contains(&message.fields.born_timestamp), "{:?}", message.fields);
    (message.fields.born_timestamp, message.fields.store_timestamp) = (0, 0);
    message.fields.physical_offset += moved as i64;
    message.fields.born_host.set_port(0);
    let (topic, properties, body) = (message.topic(), message.properties().encoded(), message.body());
    format!("{:?} {topic} {properties:?} {body:?}", message.fields)
}

fn said(request: &Command) -> (i32, i32, String, i32, BTreeMap<String, String>) {
    let language = request.language.name().to_owned();
    (request.code, request.flag, language, request.version, fields(request, 0))
}
