//! Extension fields: the named values of a header, read and written as typed structs.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::command::{Head, HeaderCodec};
use super::dialect::Dialect;
use super::header;

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
    pub fn iter(&self) -> FieldIter<'_> {
        FieldIter(match self.codec {
            HeaderCodec::Json => Pairs::Json(header::json::Pairs::new(&self.raw)),
            HeaderCodec::Binary => Pairs::Binary(header::binary::Pairs::new(&self.raw)),
        })
    }

    /// The value of the field called `name`; the last one, should there be several, as in Java's maps.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter().filter(|(known, _)| known == name).last().map(|(_, value)| value)
    }
}

/// Iterator over extension fields.
#[derive(Clone, Debug)]
pub struct FieldIter<'a>(Pairs<'a>);

#[derive(Clone, Debug)]
enum Pairs<'a> {
    Json(header::json::Pairs<'a>),
    Binary(header::binary::Pairs<'a>),
}

impl<'a> Iterator for FieldIter<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Pairs::Json(pairs) => pairs.next(),
            Pairs::Binary(pairs) => pairs.next(),
        }
    }
}

/// Writes extension fields, in the codec of their command and with the names of its dialect.
#[derive(Debug)]
pub struct FieldWriter<'o> {
    out: &'o mut BytesMut,
    codec: HeaderCodec,
    /// Where the binary layout's length of all fields stands, or whether JSON needs a comma.
    state: usize,
}

impl<'o> FieldWriter<'o> {
    pub(super) fn begin(out: &'o mut BytesMut, codec: HeaderCodec, _: Dialect, head: &Head<'_>) -> Self {
        let state = match codec {
            HeaderCodec::Json => header::json::begin(out, head),
            HeaderCodec::Binary => header::binary::begin(out, head),
        };
        Self { out, codec, state }
    }

    pub(super) fn end(self, _: &Head<'_>) {
        match self.codec {
            HeaderCodec::Json => header::json::end(self.out),
            HeaderCodec::Binary => header::binary::end(self.out, self.state),
        }
    }

    /// Writes a text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.texts(name, &[value]);
    }

    /// Writes one text that lies in several pieces.
    pub fn texts(&mut self, name: &str, pieces: &[&str]) {
        match self.codec {
            HeaderCodec::Json => {
                self.json_name(name);
                self.out.put_u8(b'"');
                for piece in pieces {
                    header::json::escape(self.out, piece);
                }
                self.out.put_u8(b'"');
            }
            HeaderCodec::Binary => header::binary::pair(self.out, name, pieces),
        }
    }

    /// Writes a number, as text like every value.
    pub fn integer(&mut self, name: &str, value: i64) {
        let mut digits = [0; 20];
        let text = header::decimal(value, &mut digits);
        match self.codec {
            HeaderCodec::Json => {
                self.json_name(name);
                self.out.put_u8(b'"');
                self.out.put_slice(text.as_bytes());
                self.out.put_u8(b'"');
            }
            HeaderCodec::Binary => header::binary::pair(self.out, name, &[text]),
        }
    }

    fn json_name(&mut self, name: &str) {
        if self.state > 0 {
            self.out.put_u8(b',');
        }
        self.state = 1;
        self.out.put_u8(b'"');
        self.out.put_slice(name.as_bytes());
        self.out.put_slice(b"\":");
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
    fn read(name: &'static str, text: Option<Cow<'a, str>>) -> Result<Self, FieldError>;
}

impl<'a> FieldValue<'a> for Cow<'a, str> {
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        writer.text(name, self);
    }

    fn read(name: &'static str, text: Option<Self>) -> Result<Self, FieldError> {
        text.ok_or(FieldError::Missing { name })
    }
}

/// Names, topics and other texts that a caller has in several pieces, so that they need not be joined to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces<'a>(pub [Cow<'a, str>; 4]);

impl<'a> FieldValue<'a> for Pieces<'a> {
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        let [first, second, third, fourth] = &self.0;
        writer.texts(name, &[first, second, third, fourth]);
    }

    fn read(_: &'static str, text: Option<Cow<'a, str>>) -> Result<Self, FieldError> {
        const NONE: Cow<'_, str> = Cow::Borrowed("");
        Ok(Self([text.unwrap_or_default(), NONE, NONE, NONE]))
    }
}

macro_rules! parsed_value {
    ($($type:ty, $expected:literal, $write:expr;)*) => {$(
        impl<'a> FieldValue<'a> for $type {
            fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
                let write: fn(&mut FieldWriter<'_>, &'static str, $type) = $write;
                write(writer, name, *self);
            }

            fn read(name: &'static str, text: Option<Cow<'a, str>>) -> Result<Self, FieldError> {
                let text = text.ok_or(FieldError::Missing { name })?;
                text.parse().map_err(|_| FieldError::Invalid {
                    name,
                    expected: $expected,
                    value: text.chars().take(64).collect(),
                })
            }
        }
    )*};
}

parsed_value! {
    i32, "32-bit number", |writer, name, value| writer.integer(name, i64::from(value));
    i64, "64-bit number", |writer, name, value| writer.integer(name, value);
    bool, "truth value", |writer, name, value| writer.text(name, if value { "true" } else { "false" });
}

impl<'a, T: FieldValue<'a>> FieldValue<'a> for Option<T> {
    fn write(&self, name: &'static str, writer: &mut FieldWriter<'_>) {
        if let Some(value) = self {
            value.write(name, writer);
        }
    }

    fn read(name: &'static str, text: Option<Cow<'a, str>>) -> Result<Self, FieldError> {
        text.map(|text| T::read(name, Some(text))).transpose()
    }
}

#[cfg(test)]
mod tests;
