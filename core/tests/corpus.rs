//! What the Java client and broker really said to each other: every captured frame is read, compared with what Java
//! read, and written again; and so are the headers, bodies and messages in it that we have types for.

#[path = "corpus/bodies.rs"]
mod bodies;
#[path = "corpus/capture.rs"]
mod capture;
#[path = "corpus/headers.rs"]
mod headers;
#[path = "vectors/rewrite.rs"]
mod rewrite;

use std::collections::BTreeMap;

use bodies::Seen;
use capture::Captured;
use rewrite::{all_fields, rewrite};
use stgclient_core::wire::command::HeaderCodec;

#[test]
fn json_frames() {
    assert_eq!(frames("json"), 1083);
}

#[test]
fn binary_frames() {
    assert_eq!(frames("rocketmq"), 1054);
}

#[test]
fn frames_of_smartgo() {
    assert_eq!(frames("smartgo"), 401);
}

/// Checks every frame of a folder and returns how many there were.
fn frames(folder: &str) -> usize {
    let frames = capture::read(folder);
    for frame in &frames {
        compare(frame);
        rewrite(&frame.command, &frame.bytes).unwrap_or_else(|error| panic!("{}: {error}", frame.index));
    }
    frames.len()
}

fn compare(frame: &Captured) {
    let Captured { command, index, .. } = frame;
    let codec = if index["serialize"] == "JSON" { HeaderCodec::Json } else { HeaderCodec::Binary };
    assert_eq!(command.codec, codec, "{index}");
    assert_eq!(Some(i64::from(command.code)), index["code"].as_i64(), "{index}");
    assert_eq!(Some(command.language.name()), index["language"].as_str(), "{index}");
    assert_eq!(Some(i64::from(command.version)), index["version"].as_i64(), "{index}");
    assert_eq!(Some(i64::from(command.opaque)), index["opaque"].as_i64(), "{index}");
    assert_eq!(Some(i64::from(command.flag)), index["flag"].as_i64(), "{index}");
    assert_eq!(command.remark.as_deref(), index["remark"].as_str(), "{index}");
    assert_eq!(Some(command.body.len() as u64), index["bodyLen"].as_u64(), "{index}");
    let kind = match (command.is_response(), command.is_oneway()) {
        (false, false) => "request",
        (false, true) => "oneway",
        (true, _) => "response",
    };
    assert_eq!(Some(kind), index["type"].as_str(), "{index}");
    let expected: BTreeMap<String, String> = index["ext"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
        // An empty value is null where Java reads this codec.
        .filter(|(_, value)| command.codec == HeaderCodec::Json || !value.is_empty())
        .collect();
    assert_eq!(all_fields(command).expect("fields"), expected, "{index}");
}

#[test]
fn headers_that_have_a_type() {
    assert_eq!(["json", "rocketmq"].map(|folder| headers::rewritten(folder, &headers::LEFT_OUT)), [580, 588]);
}

/// Whatever its client and its servers write, we write for the same values, name for name. What is left out comes from
/// Apache's clients, which its servers turned away.
#[test]
fn headers_of_smartgo() {
    assert_eq!(headers::rewritten("smartgo", &["ReqT", "force"]), 272);
}

#[test]
fn bodies_of_smartgo() {
    let seen = Seen { none: 293, typed: 69, stored: 21, messages: 39, opaque: 18, ..Seen::default() };
    assert_eq!(bodies::read("smartgo"), seen);
}

#[test]
fn bodies_in_json_frames() {
    let seen =
        Seen { none: 754, typed: 156, untyped: 57, stored: 64, messages: 554, batches: 1, records: 50, opaque: 51 };
    assert_eq!(bodies::read("json"), seen);
}

#[test]
fn bodies_in_binary_frames() {
    let seen =
        Seen { none: 744, typed: 151, untyped: 57, stored: 50, messages: 453, batches: 1, records: 50, opaque: 51 };
    assert_eq!(bodies::read("rocketmq"), seen);
}
