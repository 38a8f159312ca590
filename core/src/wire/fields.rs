//! Extension fields: the named values of a header, read and written as typed structs.

use std::borrow::Cow;

use bytes::Bytes;
use thiserror::Error;

use super::command::{Head, HeaderCodec};
use super::dialect::Dialect;
use super::header;
use super::header::decimal::decimal_length;
use super::header::writer::Writer;

/// Why a header's extension fields are not what a typed header needs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A required field is not there.
    #[error("the field {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A field's value is not of its type.
    #[error("the field {name} is no {expected}: {value:?}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// Its type.
        expected: &'static str,
        /// What it says, cut to 64 characters.
        value: String,
    },
}

/// A struct that travels as extension fields.
pub trait Header<'a>: Sized {
    /// Writes every field that has a value.
    fn write(&self, writer: &mut FieldWriter<'_>);

    /// Reads the fields; unknown ones are passed over.
    ///
    /// # Errors
    /// A required field is missing, or a field's value is not of its type.
    fn read(fields: &'a Fields) -> Result<Self, FieldError>;
}

/// No extension fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoFields;

impl Header<'_> for NoFields {
    fn write(&self, _: &mut FieldWriter<'_>) {}

    fn read(_: &Fields) -> Result<Self, FieldError> {
        Ok(Self)
    }
}

/// The extension fields of a received command, parsed when asked for.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// A JSON object, or pairs in the binary layout; checked when the command was decoded. Empty: no fields.
    raw: Bytes,
    codec: HeaderCodec,
}

impl Fields {
    pub(super) const fn new(raw: Bytes, codec: HeaderCodec) -> Self {
        Self { raw, codec }
    }

    /// The fields in the order they came, nulls left out.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.texts().map(|(name, value)| (name.text(), value.text()))
    }

    /// The fields as they were written.
    #[inline]
    pub fn texts(&self) -> FieldTexts<'_> {
        match self.codec {
            HeaderCodec::Json => FieldTexts::Json(header::json::Pairs::new(&self.raw)),
            HeaderCodec::Binary => FieldTexts::Binary(header::binary::Pairs::new(&self.raw)),
        }
    }

    /// The value of the field called `name`; the last one, should there be several, as in Java's maps.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.texts().filter(|(known, _)| known.is(name)).last().map(|(_, value)| value.text())
    }
}

/// Iterator over extension fields as they were written.
#[derive(Clone, Debug)]
#[allow(private_interfaces)]
#[doc(hidden)]
pub enum FieldTexts<'a> {
    Json(header::json::Pairs<'a>),
    Binary(header::binary::Pairs<'a>),
}

impl<'a> Iterator for FieldTexts<'a> {
    type Item = (FieldText<'a>, FieldText<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Json(pairs) => pairs.next(),
            Self::Binary(pairs) => pairs.next(),
        }
    }
}

/// A name or a value as it was written: UTF-8, as was checked when its command was decoded, and perhaps with JSON's
/// escapes.
#[derive(Clone, Copy, Debug)]
pub struct FieldText<'a> {
    pub(super) raw: &'a [u8],
    pub(super) escaped: bool,
}

impl<'a> FieldText<'a> {
    pub(super) const fn plain(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// The text, its escapes resolved.
    #[inline]
    pub fn text(self) -> Cow<'a, str> {
        let raw = str::from_utf8(self.raw).unwrap_or_default();
        if self.escaped { Cow::Owned(header::unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    /// Whether it says `text`.
    #[inline]
    pub fn is(self, text: &str) -> bool {
        if self.escaped { self.text() == text } else { self.raw == text.as_bytes() }
    }

    /// The number it says in decimal, if that is of this type.
    pub fn integer<N: TryFrom<i64>>(self) -> Option<N> {
        let number = match self.raw {
            // Not longer than what cannot overflow.
            [first @ b'0'..=b'9', rest @ ..] if rest.len() < 18 => {
                let mut number = i64::from(first - b'0');
                for byte in rest {
                    let digit = byte.wrapping_sub(b'0');
                    if digit > 9 {
                        return self.unusual_integer();
                    }
                    number = 10 * number + i64::from(digit);
                }
                number
            }
            _ => return self.unusual_integer(),
        };
        N::try_from(number).ok()
    }

    #[cold]
    fn unusual_integer<N: TryFrom<i64>>(self) -> Option<N> {
        self.text().parse().ok().and_then(|number: i64| N::try_from(number).ok())
    }
}

/// Writes extension fields, in the codec of their command and with the names of its dialect.
#[derive(Debug)]
pub struct FieldWriter<'o> {
    out: Writer<'o>,
    codec: HeaderCodec,
    /// Where the binary layout's length of all fields stands.
    length_at: usize,
}

impl<'o> FieldWriter<'o> {
    #[inline]
    pub(super) fn begin(room: &'o mut [u8], codec: HeaderCodec, _: Dialect, head: &Head<'_>) -> Self {
        let mut out = Writer::new(room);
        let length_at = match codec {
            HeaderCodec::Json => {
                header::json::begin(&mut out, head);
                0
            }
            HeaderCodec::Binary => header::binary::begin(&mut out, head),
        };
        Self { out, codec, length_at }
    }

    /// How much has been written, and where in it the binary layout's length of all fields stands; `None` when the room
    /// was too little.
    #[inline]
    pub(super) fn finish(self) -> Option<(usize, usize)> {
        Some((self.out.finish()?, self.length_at))
    }

    /// Writes a text.
    #[inline(always)]
    pub fn text(&mut self, name: &str, value: &str) {
        self.field(name, value.len(), |out, codec| Piece::Text(value).write(out, codec));
    }

    /// Writes one text that lies in several pieces.
    #[inline(always)]
    pub fn texts<const N: usize>(&mut self, name: &str, pieces: [Piece<'_>; N]) {
        let length = pieces.iter().map(|piece| piece.plain().len()).sum();
        self.field(name, length, |out, codec| pieces.iter().for_each(|piece| piece.write(out, codec)));
    }

    /// Writes a number, as text like every value.
    #[inline(always)]
    pub fn integer(&mut self, name: &str, value: i64) {
        self.field(name, decimal_length(value), |out, _| out.put_decimal(value));
    }

    /// Writes a truth value, as text like every value.
    #[inline(always)]
    pub fn truth(&mut self, name: &str, value: bool) {
        match value {
            true => self.field(name, 4, |out, _| out.put(b"true")),
            false => self.field(name, 5, |out, _| out.put(b"false")),
        }
    }

    /// Writes a field whose value is `length` bytes long without escapes.
    #[inline(always)]
    fn field(&mut self, name: &str, length: usize, value: impl FnOnce(&mut Writer<'_>, HeaderCodec)) {
        let Self { out, codec, .. } = self;
        match codec {
            HeaderCodec::Json => {
                header::json::begin_field(out, name);
                value(out, HeaderCodec::Json);
                header::json::end_field(out);
            }
            HeaderCodec::Binary => {
                header::binary::begin_field(out, name, length);
                value(out, HeaderCodec::Binary);
            }
        }
    }
}

/// A piece of a text.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Any text.
    Text(&'a str),
    /// One that JSON escapes nothing of.
    Plain(&'a [u8]),
    /// One that is known beforehand.
    Constant {
        /// As it is.
        plain: &'static str,
        /// As JSON writes it.
        json: &'static str,
    },
}

impl Piece<'_> {
    #[inline(always)]
    const fn plain(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Plain(text) => text,
            Self::Constant { plain, .. } => plain.as_bytes(),
        }
    }

    #[inline(always)]
    fn write(&self, out: &mut Writer<'_>, codec: HeaderCodec) {
        match (self, codec) {
            (Self::Text(text), HeaderCodec::Json) => header::json::escape(out, text),
            (Self::Constant { json, .. }, HeaderCodec::Json) => out.put(json.as_bytes()),
            _ => out.put(self.plain()),
        }
    }
}

/// A value of an extension field.
pub trait FieldValue<'a>: Sized {
    /// Writes the value under `name`; an absent one writes nothing.
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>);

    /// Reads what stands under `name`.
    ///
    /// # Errors
    /// The value is required and missing, or not of this type.
    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError>;
}

impl<'a> FieldValue<'a> for Cow<'a, str> {
    #[inline(always)]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, self);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError> {
        text.map(FieldText::text).ok_or(FieldError::Missing { name })
    }
}

/// A value that is not of its type, shown but not at any length.
#[cold]
fn invalid(name: &'static str, expected: &'static str, value: FieldText<'_>) -> FieldError {
    FieldError::Invalid { name, expected, value: value.text().chars().take(64).collect() }
}

impl<'a> FieldValue<'a> for i32 {
    #[inline(always)]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, i64::from(*self));
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError::Missing { name })?;
        text.integer().ok_or_else(|| invalid(name, "32-bit number", text))
    }
}

impl<'a> FieldValue<'a> for i64 {
    #[inline(always)]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.integer(name, *self);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError::Missing { name })?;
        text.integer().ok_or_else(|| invalid(name, "64-bit number", text))
    }
}

impl<'a> FieldValue<'a> for bool {
    #[inline(always)]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.truth(name, *self);
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError> {
        let text = text.ok_or(FieldError::Missing { name })?;
        match (text.is("true"), text.is("false")) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(invalid(name, "truth value", text)),
        }
    }
}

impl<'a, T: FieldValue<'a>> FieldValue<'a> for Option<T> {
    #[inline(always)]
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        if let Some(value) = self {
            value.write(name, writer);
        }
    }

    fn read(name: &'static str, text: Option<FieldText<'a>>) -> Result<Self, FieldError> {
        text.map(|text| T::read(name, Some(text))).transpose()
    }
}

#[cfg(test)]
mod tests;
