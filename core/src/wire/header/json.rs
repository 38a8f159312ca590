//! The JSON layout of a header (`RemotingSerializable` over `RemotingCommand`).

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};

use super::decimal;
use super::json_reader::{Reader, Value};
use crate::wire::command::{Command, Head, HeaderCodec, Language};
use crate::wire::fields::Fields;
use crate::wire::frame::FrameError;

/// Appends the fixed part and opens the fields. Returns the number of fields so far.
pub(in crate::wire) fn begin(out: &mut BytesMut, head: &Head<'_>) -> usize {
    let mut digits = [0; 20];
    out.reserve(256);
    out.put_slice(b"{\"code\":");
    out.put_slice(decimal(i64::from(head.code), &mut digits).as_bytes());
    out.put_slice(b",\"language\":\"");
    out.put_slice(head.language.name().as_bytes());
    out.put_slice(b"\",\"version\":");
    out.put_slice(decimal(i64::from(head.version), &mut digits).as_bytes());
    out.put_slice(b",\"opaque\":");
    out.put_slice(decimal(i64::from(head.opaque), &mut digits).as_bytes());
    out.put_slice(b",\"flag\":");
    out.put_slice(decimal(i64::from(head.flag), &mut digits).as_bytes());
    if let Some(remark) = head.remark {
        out.put_slice(b",\"remark\":\"");
        escape(out, remark);
        out.put_u8(b'"');
    }
    out.put_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"extFields\":{");
    0
}

/// Closes the fields and the header.
pub(in crate::wire) fn end(out: &mut BytesMut) {
    out.put_slice(b"}}");
}

/// Appends `text` as the inside of a JSON string.
pub(in crate::wire) fn escape(out: &mut BytesMut, text: &str) {
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.put_slice(&bytes[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.put_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.put_slice(&bytes[plain_from..]);
}

/// Reads a header: tolerant of unknown keys, of numbers written as texts and of trailing commas, as fastjson is.
pub(in crate::wire) fn decode(header: &Bytes, body: Bytes) -> Result<Command, FrameError> {
    let text = core::str::from_utf8(header)
        .map_err(|error| FrameError::MalformedHeader { what: "wrong UTF-8", at: error.valid_up_to() })?;
    let mut command = Command {
        code: 0,
        language: Language::JAVA,
        version: 0,
        opaque: 0,
        flag: 0,
        remark: None,
        codec: HeaderCodec::Json,
        fields: Fields::default(),
        body,
    };
    let mut reader = Reader::new(text);
    reader.open_object()?;
    while let Some(key) = reader.key()? {
        let at = reader.at();
        let value = reader.value()?;
        match key {
            "code" => command.code = integer(&value, at)?,
            "version" => command.version = integer(&value, at)?,
            "opaque" => command.opaque = integer(&value, at)?,
            "flag" => command.flag = integer(&value, at)?,
            "language" => command.language = value.text().map_or(Language::OTHER, |name| Language::from_name(&name)),
            "remark" => command.remark = value.text().map(|remark| remark.into_owned().into_boxed_str()),
            "extFields" => match value {
                Value::Object(range) => command.fields = Fields::new(header.slice(range), HeaderCodec::Json),
                Value::Null => {}
                _ => return Err(FrameError::MalformedHeader { what: "fields that are no object", at }),
            },
            _ => {}
        }
    }
    reader.finish()?;
    Ok(command)
}

fn integer(value: &Value<'_>, at: usize) -> Result<i32, FrameError> {
    match value {
        Value::Null => Some(0),
        Value::Literal(text) => text.parse().ok(),
        Value::Text(text) => text.decoded().parse().ok(),
        Value::Object(_) | Value::Array => None,
    }
    .ok_or(FrameError::MalformedHeader { what: "no number", at })
}

/// The fields of a checked header.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Pairs<'a>(Reader<'a>);

impl<'a> Pairs<'a> {
    pub(in crate::wire) fn new(raw: &'a [u8]) -> Self {
        let mut reader = Reader::new(core::str::from_utf8(raw).unwrap_or_default());
        // An empty header has no fields; every other was read as an object before.
        let _ = reader.open_object();
        Self(reader)
    }

    pub(in crate::wire) fn next(&mut self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        loop {
            let name = self.0.name().ok()??;
            // fastjson turns numbers and truth values into texts; what is nested is none of the protocol's.
            if let Some(value) = self.0.value().ok()?.text() {
                return Some((name.decoded(), value));
            }
        }
    }
}
