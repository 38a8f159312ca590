//! Extension fields on their way out.

use crate::wire::command::{Head, HeaderCodec};
use crate::wire::dialect::Dialect;
use crate::wire::header;
use crate::wire::header::decimal::decimal_length;
use crate::wire::header::writer::Writer;

/// Writes extension fields, in the codec of their command and with the names of its dialect.
#[derive(Debug)]
pub struct FieldWriter<'o> {
    out: Writer<'o>,
    codec: HeaderCodec,
    dialect: Dialect,
    /// Where the binary layout's length of all fields stands.
    length_at: usize,
}

impl<'o> FieldWriter<'o> {
    #[inline]
    pub(in crate::wire) fn begin(room: &'o mut [u8], codec: HeaderCodec, dialect: Dialect, head: &Head<'_>) -> Self {
        let mut out = Writer::new(room);
        let length_at = match codec {
            HeaderCodec::Json => {
                header::json::begin(&mut out, dialect, head);
                0
            }
            HeaderCodec::Binary => header::binary::begin(&mut out, head),
        };
        Self { out, codec, dialect, length_at }
    }

    /// How much has been written, and where in it the binary layout's length of all fields stands; `None` when the room
    /// was too little.
    #[inline]
    pub(in crate::wire) fn finish(self) -> Option<(usize, usize)> {
        Some((self.out.finish()?, self.length_at))
    }

    /// The dialect of the command.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Writes a text.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn text(&mut self, name: &str, value: &str) {
        match self.codec {
            HeaderCodec::Json if !header::json::is_plain(value) => self.escaped(name, value),
            _ => self.plain(name, value.as_bytes()),
        }
    }

    /// Writes a text under a name that somebody else has given. One that is longer than a name may be is left out.
    pub fn foreign(&mut self, name: &str, value: &str) {
        match self.codec {
            _ if name.len() > i16::MAX as usize => {}
            HeaderCodec::Json if !header::json::is_plain(name) => {
                self.out.put(b"\"");
                header::json::escape(&mut self.out, name);
                self.out.put(b"\":\"");
                header::json::escape(&mut self.out, value);
                header::json::end_field(&mut self.out);
            }
            _ => self.text(name, value),
        }
    }

    /// Writes one text that lies in several pieces.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn texts<const N: usize>(&mut self, name: &str, pieces: [Piece<'_>; N]) {
        let length = pieces.iter().map(|piece| piece.plain().len()).sum();
        self.field(name, length, |out, codec| pieces.iter().for_each(|piece| piece.write(out, codec)));
    }

    /// Writes a number, as text like every value.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn integer(&mut self, name: &str, value: i64) {
        match value {
            0..=9 => self.plain(name, &[b'0' + value as u8]),
            _ => self.field(name, decimal_length(value), |out, _| out.put_decimal(value)),
        }
    }

    /// Writes a truth value, as text like every value.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn truth(&mut self, name: &str, value: bool) {
        match value {
            true => self.plain(name, b"true"),
            false => self.plain(name, b"false"),
        }
    }

    /// Writes a field whose value JSON escapes nothing of.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn plain(&mut self, name: &str, value: &[u8]) {
        match self.codec {
            HeaderCodec::Json => header::json::put_plain_field(&mut self.out, self.dialect, name, value),
            HeaderCodec::Binary => header::binary::put_field(&mut self.out, name, value),
        }
    }

    #[cold]
    fn escaped(&mut self, name: &str, value: &str) {
        self.field(name, value.len(), |out, _| header::json::escape(out, value));
    }

    /// Writes a field whose value is `length` bytes long without escapes.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn field(&mut self, name: &str, length: usize, value: impl FnOnce(&mut Writer<'_>, HeaderCodec)) {
        let Self { out, codec, dialect, .. } = self;
        match codec {
            HeaderCodec::Json => {
                header::json::begin_field(out, *dialect, name);
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
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    const fn plain(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Plain(text) => text,
            Self::Constant { plain, .. } => plain.as_bytes(),
        }
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn write(&self, out: &mut Writer<'_>, codec: HeaderCodec) {
        match (self, codec) {
            (Self::Text(text), HeaderCodec::Json) => header::json::escape(out, text),
            (Self::Constant { json, .. }, HeaderCodec::Json) => out.put(json.as_bytes()),
            _ => out.put(self.plain()),
        }
    }
}
