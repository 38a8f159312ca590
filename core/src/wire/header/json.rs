//! The JSON layout of a header (`RemotingSerializable` over `RemotingCommand`).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::writer::{Writer, put_front};
use crate::wire::command::{Command, Head, HeaderCodec, Language};
use crate::wire::dialect::Dialect;
use crate::wire::eight;
use crate::wire::fields::{FieldSpans, FieldText, Fields};
use crate::wire::frame::FrameError;
use crate::wire::json::{Json, Readable, Reader, Token, Value};
use crate::wire::odd::{Odd, OddIn};

/// Writes the fixed part and opens the fields.
#[inline]
pub(in crate::wire) fn begin(out: &mut Writer<'_>, dialect: Dialect, head: &Head<'_>) {
    out.put(b"{\"code\":");
    put_integer(out, head.code);
    out.put(b",\"language\":\"");
    out.put(head.language.name().as_bytes());
    out.put(b"\",\"version\":");
    put_integer(out, head.version);
    out.put(b",\"opaque\":");
    put_integer(out, head.opaque);
    out.put(b",\"flag\":");
    put_integer(out, head.flag);
    match (head.remark, dialect) {
        (None, Dialect::Apache) => {}
        (remark, _) => {
            out.put(b",\"remark\":\"");
            escape(out, remark.unwrap_or_default());
            out.put(b"\"");
        }
    }
    match dialect {
        Dialect::Apache => out.put(b",\"serializeTypeCurrentRPC\":\"JSON\",\"extFields\":{"),
        Dialect::Smartgo => out.put(b",\"extFields\":{"),
    }
}

#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn put_integer(out: &mut Writer<'_>, value: i32) {
    out.put_decimal(i64::from(value));
}

/// Opens a field; its value follows.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(in crate::wire) fn begin_field(out: &mut Writer<'_>, dialect: Dialect, name: &str) {
    match dialect {
        Dialect::Apache => out.put_all(&[b"\"", name.as_bytes(), b"\":\""]),
        Dialect::Smartgo => begin_capital_field(out, name),
    }
}

#[cold]
fn begin_capital_field(out: &mut Writer<'_>, name: &str) {
    if let Some((first, rest)) = name.as_bytes().split_first() {
        out.put_all(&[b"\"", &[first.to_ascii_uppercase()], rest, b"\":\""]);
    }
}

/// Writes a field whose value nothing is escaped of, with the comma that another one needs.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(in crate::wire) fn put_plain_field(out: &mut Writer<'_>, dialect: Dialect, name: &str, value: &[u8]) {
    match dialect {
        Dialect::Apache => {
            if let Some(place) = out.take(name.len() + value.len() + 6) {
                let place = put_front(place, b"\"");
                let place = put_front(place, name.as_bytes());
                let place = put_front(place, b"\":\"");
                let place = put_front(place, value);
                put_front(place, b"\",");
            }
        }
        Dialect::Smartgo => {
            begin_capital_field(out, name);
            out.put(value);
            end_field(out);
        }
    }
}

/// Closes a field, with the comma that another one needs.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(in crate::wire) fn end_field(out: &mut Writer<'_>) {
    out.put(b"\",");
}

/// Closes the fields and the header.
#[inline]
pub(in crate::wire) fn end(out: &mut BytesMut) {
    match out.last_mut() {
        // The last field needs none.
        Some(comma @ b',') => {
            *comma = b'}';
            out.put_slice(b"}");
        }
        _ => out.put_slice(b"}}"),
    }
}

/// What stands for each control character in a JSON string.
const CONTROLS: [[u8; 6]; 0x20] = {
    let mut escapes = [*b"\\u0000"; 0x20];
    let mut byte = 0;
    while byte < escapes.len() {
        escapes[byte][4] = b'0' + (byte >> 4) as u8;
        escapes[byte][5] = b"0123456789abcdef"[byte & 15];
        byte += 1;
    }
    escapes
};

/// Writes `text` as the inside of a JSON string.
pub(in crate::wire) fn escape(out: &mut Writer<'_>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_length(rest));
        out.put(plain);
        let Some((&byte, after)) = special.split_first() else {
            break;
        };
        match CONTROLS.get(usize::from(byte)) {
            Some(escape) => out.put(escape),
            None => out.put(&[b'\\', byte]),
        }
        rest = after;
    }
}

/// Whether a text stands for itself in a JSON string.
#[inline]
pub(in crate::wire) fn is_plain(text: &str) -> bool {
    plain_length(text.as_bytes()) == text.len()
}

/// How many bytes at the front stand for themselves in a JSON string.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = specials(*word);
        if found != 0 {
            return 8 * index + eight::first(found);
        }
    }
    // Not by way of an array: reading together what was written in parts stalls a processor.
    let last = rest.iter().rev().fold(ALL_PLAIN, |word, byte| word << 8 | u64::from(*byte));
    let found = specials(last.to_le_bytes());
    8 * words.len() + if found == 0 { rest.len() } else { eight::first(found) }
}

const ALL_PLAIN: u64 = u64::from_le_bytes([b' '; 8]);

#[inline]
const fn specials(word: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(word);
    eight::below(word, 0x20) | eight::equal(word, b'"') | eight::equal(word, b'\\')
}

/// Reads a header: tolerant of unknown keys, of numbers written as texts and of trailing commas, as fastjson is.
pub(in crate::wire) fn decode(mut header: Bytes, body: Bytes) -> Result<Command, FrameError> {
    if !header.is_ascii()
        && let Err(error) = str::from_utf8(&header)
    {
        return Err(FrameError::MalformedHeader { what: "wrong UTF-8", at: error.valid_up_to() });
    }
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
        odd: Odd::default(),
    };
    let mut fields = 0..0;
    let mut spans = FieldSpans::default();
    let mut reader = Reader::new(&header);
    reader.open_object();
    while let Some(key) = reader.name() {
        let name = reader.text(&key);
        let key = if name.escaped { unescaped_name(name) } else { name.raw };
        let at = reader.at();
        if key == b"extFields" && header.get(at) == Some(&b'{') {
            spans = read_fields(&mut reader);
            fields = at..reader.at();
            continue;
        }
        let value = reader.value();
        let integer = |value| integer(&reader, value, at);
        match key {
            b"code" => command.code = integer(value)?,
            b"version" => command.version = integer(value)?,
            b"opaque" => command.opaque = integer(value)?,
            b"flag" => command.flag = integer(value)?,
            b"language" => command.language = language(&reader, value),
            b"remark" => command.remark = value.token().map(|remark| reader.text(&remark).text().into()),
            b"extFields" => match value {
                Value::Object(place) => (fields, spans) = (place, FieldSpans::UNKNOWN),
                Value::Null => (fields, spans) = (0..0, FieldSpans::default()),
                Value::Text(text) if text.place.is_empty() => (fields, spans) = (0..0, FieldSpans::default()),
                _ => return Err(FrameError::MalformedHeader { what: "fields that are no object", at }),
            },
            _ => {}
        }
    }
    reader.finish().map_err(|(what, at)| FrameError::MalformedHeader { what, at })?;
    header.truncate(fields.end);
    header.advance(fields.start);
    command.fields = Fields::new(header, HeaderCodec::Json, spans).written_in(command.language);
    Ok(command)
}

/// Passes the fields that stand here. Gives where they lie, counted from the opening brace.
fn read_fields(reader: &mut Reader<'_>) -> FieldSpans {
    let mut spans = FieldSpans::default();
    let start = reader.at();
    reader.open_object();
    while let Some(name) = reader.name() {
        if let Some(value) = reader.value().token() {
            let counted = |token: Token| (token.place.start - start..token.place.end - start, token.escaped);
            spans.push(counted(name), counted(value));
        }
    }
    spans
}

/// The name of the fixed part that is written with escapes; nothing if it is none.
#[cold]
fn unescaped_name(name: FieldText<'_>) -> &'static [u8] {
    let known = ["code", "version", "opaque", "flag", "language", "remark", "extFields"];
    known.into_iter().find(|known| name.is(known)).unwrap_or_default().as_bytes()
}

#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn integer(reader: &Reader<'_>, value: Value, at: usize) -> Result<i32, FrameError> {
    if let Value::Literal(token) = &value
        && let Some(number) = reader.text(token).integer()
    {
        return Ok(number);
    }
    unusual_integer(reader, value, at)
}

/// A number, as fastjson takes it.
#[cold]
fn unusual_integer(reader: &Reader<'_>, value: Value, at: usize) -> Result<i32, FrameError> {
    let odd = Odd::default();
    let number = i32::read(Json::of(reader, value), OddIn::new(&odd, "header")).unwrap_or_default();
    if odd.count() > 0 { Err(FrameError::MalformedHeader { what: "no number", at }) } else { Ok(number) }
}

/// A language by its name, or by its number.
fn language(reader: &Reader<'_>, value: Value) -> Language {
    match value {
        Value::Literal(token) => reader
            .text(&token)
            .integer::<u32>()
            .map_or(Language::OTHER, |number| Language::from_number(number as usize)),
        Value::Text(name) => Language::from_name(&reader.text(&name).text()),
        Value::Null | Value::Object(_) | Value::Array(_) => Language::OTHER,
    }
}

/// The fields of a checked header.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Pairs<'a>(Reader<'a>);

impl<'a> Pairs<'a> {
    pub(in crate::wire) fn new(raw: &'a [u8]) -> Self {
        let mut reader = Reader::new(raw);
        // An empty header has no fields; every other was read as an object before.
        reader.open_object();
        Self(reader)
    }

    pub(in crate::wire) fn next(&mut self) -> Option<(FieldText<'a>, FieldText<'a>)> {
        loop {
            let name = self.0.name()?;
            if let Some(value) = self.0.value().token() {
                return Some((self.0.text(&name), self.0.text(&value)));
            }
        }
    }
}
