//! `remoting.jsonl`: frames in both header layouts, and odd and malformed ones.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use line::{Line, bytes, integer, same, text};
use serde_json::Value;
use stgclient_core::wire::command::{Command, Head, HeaderCodec, encode as encode_command};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, Fields, Header};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameError, FrameReader};
use stgclient_core::wire::request::{PullMessage, SendMessage, SendMessageAnswer, SendMessageV1};

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "encode" => encode(line),
        "decode" => decode(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Any fields, by name.
#[derive(Debug, PartialEq)]
struct AllFields(BTreeMap<String, String>);

impl Header<'_> for AllFields {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in &self.0 {
            writer.text(name, value);
        }
    }

    fn read(fields: &Fields) -> Result<Self, FieldError> {
        Ok(Self(fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

/// The one command of a frame, read at once and byte by byte, which has to make no difference.
fn read_frame(frame: &[u8]) -> Result<Command, FrameError> {
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    reader.extend(frame);
    let at_once = reader.next_command();
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    let mut by_byte = Ok(None);
    for byte in frame.chunks(1) {
        reader.extend(byte);
        by_byte = reader.next_command();
    }
    assert_eq!(format!("{at_once:?}"), format!("{by_byte:?}"));
    at_once.map(|command| command.expect("a whole frame"))
}

fn write_frame<'h>(command: &Command, fields: &impl Header<'h>) -> Bytes {
    let head = Head {
        code: command.code,
        language: command.language,
        version: command.version,
        opaque: command.opaque,
        flag: command.flag,
        remark: command.remark.as_deref(),
    };
    let mut out = BytesMut::new();
    encode_command(&mut out, command.codec, Dialect::Apache, &head, fields, &command.body);
    out.freeze()
}

fn all_fields(command: &Command) -> Result<AllFields, String> {
    command.header().map_err(|error| error.to_string())
}

/// A command as Java shows it has to be ours.
fn compare(ours: &Command, java: &Value) -> Result<(), String> {
    let number = |name: &str| integer(&java[name]);
    same("code", i64::from(ours.code), number("code")?)?;
    // Java knows nothing of languages it does not list; to us these are OTHER.
    same("language", ours.language.name(), java["language"].as_str().unwrap_or("OTHER"))?;
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
        match codec {
            // A null is no field to us.
            HeaderCodec::Json if value.is_null() => {}
            // Nor an empty field: Java reads null, we read an empty text.
            HeaderCodec::Binary if value.is_null() => _ = expected.insert(name.clone(), String::new()),
            _ => _ = expected.insert(name.clone(), text(value)?.to_owned()),
        }
    }
    same("fields", fields.0, expected)
}

/// Written again, a command has to be what it was; in the binary layout up to the fields byte for byte. The order of
/// the fields, and in JSON of everything, is left open in Java.
fn rewrite(command: &Command, frame: &[u8]) -> Result<(), String> {
    let again = write_frame(command, &all_fields(command)?);
    if command.codec == HeaderCodec::Binary {
        let length_of_remark = command.remark.as_deref().map_or(0, str::len);
        let fixed_part = 8 + 17 + length_of_remark + 4;
        same("the fixed part", again.get(..fixed_part), frame.get(..fixed_part))?;
        same("the length", again.len(), frame.len())?;
    }
    let back = read_frame(&again).map_err(|error| error.to_string())?;
    let shown = |command: &Command| -> Result<String, String> {
        Ok(format!("{:?}, {:?}", Command { fields: Fields::default(), ..command.clone() }, all_fields(command)?))
    };
    same("what was written and read again", shown(&back)?, shown(command)?)
}

/// Read as a typed header and written again, the fields have to be the same.
fn typed<'a, H: Header<'a>>(command: &'a Command) -> Result<(), String> {
    let header: H = command.header().map_err(|error| error.to_string())?;
    let back = read_frame(&write_frame(command, &header)).map_err(|error| error.to_string())?;
    same("typed fields", all_fields(&back)?, all_fields(command)?)
}

fn encode(line: &Line) -> Result<(), String> {
    let frame = line.bytes("hex")?;
    let command = read_frame(&frame).map_err(|error| error.to_string())?;
    same("opaque", i64::from(command.opaque), integer(&line.value("cmd")["opaque"])?)?;
    compare(&command, line.value("cmd"))?;
    match command.header::<AllFields>() {
        Ok(AllFields(fields)) if fields.contains_key("producerGroup") => typed::<SendMessageV1<'_>>(&command)?,
        Ok(AllFields(fields)) if fields.contains_key("a") => typed::<SendMessage<'_>>(&command)?,
        Ok(AllFields(fields)) if fields.contains_key("consumerGroup") => typed::<PullMessage<'_>>(&command)?,
        Ok(AllFields(fields)) if fields.contains_key("msgId") => typed::<SendMessageAnswer<'_>>(&command)?,
        _ => {}
    }
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
