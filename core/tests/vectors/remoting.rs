//! `remoting.jsonl`: frames in both header layouts, and odd and malformed ones.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;
#[path = "rewrite.rs"]
mod rewrite;

use std::collections::BTreeMap;

use line::{Line, bytes, integer, same, text};
use rewrite::{all_fields, read_frame, rewrite, rewrite_header};
use serde_json::Value;
use stgclient_core::wire::command::{Command, HeaderCodec, Language};
use stgclient_core::wire::request::{PullMessage, SendMessage, SendMessageAnswer, SendMessageV1};

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "encode" => encode(line),
        "decode" => decode(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// A command as Java shows it has to be ours.
fn compare(ours: &Command, java: &Value) -> Result<(), String> {
    let number = |name: &str| integer(&java[name]);
    same("code", i64::from(ours.code), number("code")?)?;
    // Java knows nothing of languages it does not list; to us these are OTHER, but for smartgo's.
    let language = Language::from_name(java["language"].as_str().unwrap_or("OTHER"));
    let is_smartgos = matches!(ours.language, Language::GOLANG | Language::NONE);
    same("language", if is_smartgos { Language::OTHER } else { ours.language }.name(), language.name())?;
    same("version", i64::from(ours.version), number("version")?)?;
    same("flag", i64::from(ours.flag), number("flag")?)?;
    same("body", &*ours.body, &*bytes(&java["bodyHex"])?)?;
    let codec = if text(&java["serialize"])? == "JSON" { HeaderCodec::Json } else { HeaderCodec::Binary };
    same("codec", ours.codec, codec)?;
    // The binary layout cannot tell an empty remark from none.
    let remark = java["remark"].as_str().filter(|remark| codec == HeaderCodec::Json || !remark.is_empty());
    same("remark", ours.remark.as_deref(), remark)?;
    let fields = all_fields(ours)?;
    let mut expected = BTreeMap::new();
    for (name, value) in java["ext"].as_object().into_iter().flatten() {
        // A null is no field to us, nor is an empty value in the binary layout, which Java reads as null.
        if !value.is_null() && (codec == HeaderCodec::Json || value != "") {
            expected.insert(name.clone(), text(value)?.to_owned());
        }
    }
    same("fields", fields, expected)
}

fn encode(line: &Line) -> Result<(), String> {
    let frame = line.bytes("hex")?;
    let command = read_frame(&frame).map_err(|error| error.to_string())?;
    same("opaque", i64::from(command.opaque), integer(&line.value("cmd")["opaque"])?)?;
    compare(&command, line.value("cmd"))?;
    let fields = all_fields(&command)?;
    let dropped = if fields.contains_key("producerGroup") {
        rewrite_header::<SendMessageV1<'_>>(&command, &frame)?
    } else if fields.contains_key("a") {
        rewrite_header::<SendMessage<'_>>(&command, &frame)?
    } else if fields.contains_key("consumerGroup") {
        rewrite_header::<PullMessage<'_>>(&command, &frame)?
    } else if fields.contains_key("msgId") {
        rewrite_header::<SendMessageAnswer<'_>>(&command, &frame)?
    } else {
        Vec::new()
    };
    same("fields that the typed header does not know", dropped, Vec::new())?;
    rewrite(&command, &frame)
}

fn decode(line: &Line) -> Result<(), String> {
    let frame = line.bytes("hex")?;
    let ours = read_frame(&frame);
    if !line.value("error").is_null() {
        return same("whether it is refused", ours.is_err(), true);
    }
    let ours = ours.map_err(|error| error.to_string())?;
    let java = line.value("cmd");
    // Java makes an opaque up where there is none; 0 is no worse, since nothing of ours waits for it.
    if frame.ends_with(b"{}") {
        same("opaque", ours.opaque, 0)?;
    } else {
        same("opaque", i64::from(ours.opaque), integer(&java["opaque"])?)?;
    }
    compare(&ours, java)?;
    rewrite(&ours, &frame)
}
