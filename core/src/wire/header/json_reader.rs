//! A single-pass reader of a JSON header: names and values as slices, nothing built.

use core::ops::Range;
use std::borrow::Cow;

use crate::wire::frame::FrameError;

/// How deep values may nest; the protocol itself nests two levels.
const MAX_DEPTH: u32 = 32;

/// A JSON string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawText<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> RawText<'a> {
    /// The text, its escapes resolved. A lone surrogate becomes U+FFFD.
    pub(super) fn decoded(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// A JSON value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    /// A number or a truth value, as it is written.
    Literal(&'a str),
    Text(RawText<'a>),
    /// Where the object stands, its braces included.
    Object(Range<usize>),
    Array,
}

impl<'a> Value<'a> {
    /// The value as an extension field has it: a text, or a number or truth value as it is written.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.decoded()),
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::Null | Self::Object(_) | Self::Array => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    const fn malformed(&self, what: &'static str) -> FrameError {
        FrameError::MalformedHeader { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Enters the object that stands here.
    pub(super) fn open_object(&mut self) -> Result<(), FrameError> {
        if self.take(b'{') { Ok(()) } else { Err(self.malformed("no object")) }
    }

    /// The next name of the object we are in, its colon passed; `None` at the object's end. Commas may trail.
    pub(super) fn name(&mut self) -> Result<Option<RawText<'a>>, FrameError> {
        while self.take(b',') {}
        if self.take(b'}') {
            return Ok(None);
        }
        if !self.take(b'"') {
            return Err(self.malformed("no name"));
        }
        let name = self.string()?;
        if self.take(b':') { Ok(Some(name)) } else { Err(self.malformed("no colon")) }
    }

    /// As [`Reader::name`], for names that need no resolving: the protocol's own.
    pub(super) fn key(&mut self) -> Result<Option<&'a str>, FrameError> {
        Ok(self.name()?.map(|name| name.raw))
    }

    /// The value that stands here.
    pub(super) fn value(&mut self) -> Result<Value<'a>, FrameError> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(Value::Text)
            }
            Some(b'{') => {
                let start = self.at;
                self.skip_nested()?;
                Ok(Value::Object(start..self.at))
            }
            Some(b'[') => {
                self.skip_nested()?;
                Ok(Value::Array)
            }
            _ => self.literal(),
        }
    }

    /// Nothing but space may follow.
    pub(super) fn finish(&mut self) -> Result<(), FrameError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.malformed("more than one object")) }
    }

    /// The rest of the string whose opening quote has been passed.
    fn string(&mut self) -> Result<RawText<'a>, FrameError> {
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => self.at += 1,
                None => return Err(self.malformed("a string without end")),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(RawText { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), FrameError> {
        let length = match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.malformed("a wrong escape"));
                }
                5
            }
            _ => return Err(self.malformed("a wrong escape")),
        };
        self.at += length;
        Ok(())
    }

    fn literal(&mut self) -> Result<Value<'a>, FrameError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.')) {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "null" => Ok(Value::Null),
            text @ ("true" | "false") => Ok(Value::Literal(text)),
            text if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(Value::Literal(text)),
            _ => Err(FrameError::MalformedHeader { what: "no value", at: start }),
        }
    }

    /// Passes the object or array that stands here, checking it as it goes.
    fn skip_nested(&mut self) -> Result<(), FrameError> {
        // One bit a level: set where the level is an object.
        let mut levels = 0_u64;
        let mut depth = 0;
        loop {
            if depth > 0 {
                while self.take(b',') {}
            }
            self.skip_space();
            let in_object = levels & 1 != 0;
            match self.peek() {
                Some(close @ (b'}' | b']')) if depth > 0 && in_object == (close == b'}') => {
                    self.at += 1;
                    depth -= 1;
                    levels >>= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                    continue;
                }
                Some(b'"') if in_object && depth > 0 => {
                    self.at += 1;
                    self.string()?;
                    if !self.take(b':') {
                        return Err(self.malformed("no colon"));
                    }
                    self.skip_space();
                }
                _ if in_object && depth > 0 => return Err(self.malformed("no name")),
                _ => {}
            }
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(self.malformed("values nested too deeply"));
                    }
                    self.at += 1;
                    depth += 1;
                    levels = (levels << 1) | u64::from(open == b'{');
                }
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                _ => {
                    self.literal()?;
                }
            }
        }
    }
}

/// Resolves the escapes of a checked string.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, tail)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                let (character, after) = unicode_escape(characters.as_str());
                text.push(character);
                rest = after;
                continue;
            }
            Some(other) => text.push(other),
            None => {}
        }
        rest = characters.as_str();
    }
    text.push_str(rest);
    text
}

/// The character of the escape whose four digits stand at the front, a surrogate pair joined, and what follows it.
fn unicode_escape(digits: &str) -> (char, &str) {
    fn unit(text: &str) -> Option<(u16, &str)> {
        let unit = u16::from_str_radix(text.get(..4)?, 16).ok()?;
        Some((unit, &text[4..]))
    }
    let Some((first, rest)) = unit(digits) else {
        return (char::REPLACEMENT_CHARACTER, "");
    };
    let second = rest.strip_prefix("\\u").and_then(unit);
    let pair = second.and_then(|(second, after)| {
        let character = char::decode_utf16([first, second]).next()?.ok()?;
        (u32::from(character) > 0xFFFF).then_some((character, after))
    });
    let single = char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER);
    pair.unwrap_or((single, rest))
}
