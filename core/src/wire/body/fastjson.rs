//! Writes JSON as fastjson does where strict JSON cannot be: keys that are objects stand without quotes.
//!
//! A key that begins with `{` is an object. No name in the protocol begins so.

use std::io::{self, Write};

use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

/// A compact formatter with such keys.
#[derive(Default)]
pub(super) struct ObjectKeys {
    place: Writing,
}

/// What is being written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Writing {
    /// A value, or a key that is a string.
    #[default]
    Plain,
    /// A key of which nothing has been written.
    KeyBegins,
    /// A key that is an object.
    ObjectKey,
}

impl ObjectKeys {
    /// Decides what the key is, by its first piece.
    fn begin_key<W: ?Sized + Write>(&mut self, writer: &mut W, is_object: bool) -> io::Result<()> {
        if self.place != Writing::KeyBegins {
            return Ok(());
        }
        if is_object {
            self.place = Writing::ObjectKey;
            return Ok(());
        }
        self.place = Writing::Plain;
        writer.write_all(b"\"")
    }
}

/// A key that is a number comes between the two calls for a string.
macro_rules! number_keys {
    ($($write:ident: $number:ty,)*) => {$(
        fn $write<W: ?Sized + Write>(&mut self, writer: &mut W, value: $number) -> io::Result<()> {
            self.begin_key(writer, false)?;
            CompactFormatter.$write(writer, value)
        }
    )*};
}

impl Formatter for ObjectKeys {
    number_keys! {
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64,
        write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64,
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.place = Writing::KeyBegins;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.place == Writing::KeyBegins { Ok(()) } else { writer.write_all(b"\"") }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        self.begin_key(writer, fragment.starts_with('{'))?;
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.begin_key(writer, false)?;
        match escape {
            CharEscape::Quote if self.place == Writing::ObjectKey => writer.write_all(b"\""),
            CharEscape::ReverseSolidus if self.place == Writing::ObjectKey => writer.write_all(b"\\"),
            // The text of an object has no other characters that need escaping.
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin_key(writer, false)?;
        if self.place == Writing::ObjectKey {
            self.place = Writing::Plain;
            return Ok(());
        }
        writer.write_all(b"\"")
    }
}
