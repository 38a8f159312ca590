//! The ROCKETMQ binary layout of a header (`RocketMQSerializable`).

use bytes::{Buf, Bytes};

use super::writer::Writer;
use crate::wire::command::{Command, Head, HeaderCodec, Language};
use crate::wire::fields::{FieldSpans, FieldText, Fields};
use crate::wire::frame::FrameError;
use crate::wire::odd::Odd;

/// Writes the fixed part and the remark. Gives where the length of all fields has to be written.
#[inline]
pub(in crate::wire) fn begin(out: &mut Writer<'_>, head: &Head<'_>) -> usize {
    let remark = head.remark.unwrap_or_default();
    out.put_all(&[
        &(head.code as i16).to_be_bytes(),
        &[head.language.0],
        &(head.version as i16).to_be_bytes(),
        &head.opaque.to_be_bytes(),
        &head.flag.to_be_bytes(),
        &(remark.len() as i32).to_be_bytes(),
    ]);
    out.put(remark.as_bytes());
    let length_at = out.written();
    out.put(&[0; 4]);
    length_at
}

/// Writes the name of a field and the length of its value, which follows.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(in crate::wire) fn begin_field(out: &mut Writer<'_>, name: &str, length: usize) {
    out.put_all(&[&(name.len() as i16).to_be_bytes(), name.as_bytes(), &(length as i32).to_be_bytes()]);
}

/// Writes a field.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(in crate::wire) fn put_field(out: &mut Writer<'_>, name: &str, value: &[u8]) {
    let lengths = ((name.len() as i16).to_be_bytes(), (value.len() as i32).to_be_bytes());
    out.put_all(&[&lengths.0, name.as_bytes(), &lengths.1, value]);
}

/// Writes the length of all fields to where [`begin`] said.
pub(in crate::wire) fn end(header: &mut [u8], length_at: usize) {
    let length = (header.len() - length_at - 4) as u32;
    header[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Reads a header, checking all of its lengths and texts.
pub(in crate::wire) fn decode(mut header: Bytes, body: Bytes) -> Result<Command, FrameError> {
    let mut cursor = Cursor { rest: &header, length: header.len() };
    let [c0, c1] = cursor.array("code")?;
    let [language] = cursor.array("language")?;
    let [v0, v1] = cursor.array("version")?;
    let opaque = i32::from_be_bytes(cursor.array("opaque")?);
    let flag = i32::from_be_bytes(cursor.array("flag")?);
    let remark_length = i32::from_be_bytes(cursor.array("remark length")?);
    // `RocketMQSerializable.readStr` reads a length of zero as null.
    let remark = cursor.text(remark_length, "remark")?;
    let remark = (!remark.is_empty()).then(|| remark.into());
    let fields_length = i32::from_be_bytes(cursor.array("fields length")?);
    let at = cursor.at();
    let fields = cursor.bytes(fields_length, "fields")?;
    let spans = read_fields(fields, at + fields.len())?;
    let end = at + fields.len();
    header.truncate(end);
    header.advance(at);
    Ok(Command {
        code: i32::from(i16::from_be_bytes([c0, c1])),
        language: Language(language),
        version: i32::from(i16::from_be_bytes([v0, v1])),
        opaque,
        flag,
        remark,
        codec: HeaderCodec::Binary,
        fields: Fields::new(header, HeaderCodec::Binary, spans),
        body,
        odd: Odd::default(),
    })
}

/// Checks the pairs of a header in which they end at `end`. Gives where they lie, but for those without a value, which
/// are null where Java runs (`RocketMQSerializable.readStr`).
fn read_fields(fields: &[u8], end: usize) -> Result<FieldSpans, FrameError> {
    let mut spans = FieldSpans::default();
    // The usual case, decided at once for all texts; only long lengths are no ASCII.
    let is_ascii = fields.is_ascii();
    let mut cursor = Cursor { rest: fields, length: end };
    while !cursor.rest.is_empty() {
        let start = fields.len() - cursor.rest.len() + 2;
        let at = cursor.at() + 2;
        let (name, value) = cursor.pair()?;
        let value_start = start + name.len() + 4;
        if !is_ascii {
            check_text(name, "field name", at)?;
            check_text(value, "field value", at + name.len() + 4)?;
        }
        if !value.is_empty() {
            spans.push((start..start + name.len(), false), (value_start..value_start + value.len(), false));
        }
    }
    Ok(spans)
}

fn check_text(text: &[u8], what: &'static str, at: usize) -> Result<(), FrameError> {
    str::from_utf8(text).map(drop).map_err(|_| FrameError::MalformedHeader { what, at })
}

/// The unread rest of a header, which knows where it is.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Cursor<'a> {
    const fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    #[cold]
    const fn malformed(&self, what: &'static str) -> FrameError {
        FrameError::MalformedHeader { what, at: self.at() }
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FrameError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.malformed(what));
        };
        self.rest = rest;
        Ok(*array)
    }

    #[inline]
    fn bytes(&mut self, length: i32, what: &'static str) -> Result<&'a [u8], FrameError> {
        // A negative length counts as zero, as in `RocketMQSerializable`.
        let length = usize::try_from(length).unwrap_or(0);
        let Some((bytes, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.malformed(what));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn text(&mut self, length: i32, what: &'static str) -> Result<&'a str, FrameError> {
        let at = self.at();
        str::from_utf8(self.bytes(length, what)?).map_err(|_| FrameError::MalformedHeader { what, at })
    }

    #[inline]
    fn pair(&mut self) -> Result<(&'a [u8], &'a [u8]), FrameError> {
        let name_length = i16::from_be_bytes(self.array("field name length")?);
        let name = self.bytes(i32::from(name_length), "field name")?;
        let value_length = i32::from_be_bytes(self.array("field value length")?);
        let value = self.bytes(value_length, "field value")?;
        Ok((name, value))
    }
}

/// The fields of a checked header that have a value.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Pairs<'a>(Cursor<'a>);

impl<'a> Pairs<'a> {
    pub(in crate::wire) const fn new(raw: &'a [u8]) -> Self {
        Self(Cursor { rest: raw, length: raw.len() })
    }

    #[inline]
    pub(in crate::wire) fn next(&mut self) -> Option<(FieldText<'a>, FieldText<'a>)> {
        loop {
            let (name, value) = self.0.pair().ok()?;
            if !value.is_empty() {
                return Some((FieldText::plain(name), FieldText::plain(value)));
            }
        }
    }
}
