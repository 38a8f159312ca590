//! A single-pass reader of a JSON header: names and values as slices, nothing built.

use core::ops::Range;

use super::eight;
use crate::wire::fields::FieldText;
use crate::wire::frame::FrameError;

/// How deep values may nest; the protocol itself nests two levels.
const MAX_DEPTH: u32 = 32;

/// A JSON value.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    /// A number or a truth value, as it is written.
    Literal(&'a [u8]),
    Text(FieldText<'a>),
    /// Where the object stands, its braces included.
    Object(Range<usize>),
    Array,
}

impl<'a> Value<'a> {
    /// The value as an extension field has it: a text, or a number or truth value as it is written.
    #[inline]
    pub(super) const fn text(&self) -> Option<FieldText<'a>> {
        match self {
            Self::Text(text) => Some(*text),
            Self::Literal(literal) => Some(FieldText::plain(literal)),
            Self::Null | Self::Object(_) | Self::Array => None,
        }
    }
}

/// Where it stands in a text, and what is wrong with that text. After a fault it stands at the end.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    fault: Option<(&'static str, usize)>,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, which has to be UTF-8.
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, fault: None }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    #[cold]
    fn fail(&mut self, what: &'static str, at: usize) {
        self.fault.get_or_insert((what, at));
        self.at = self.text.len();
    }

    /// The byte that stands here, space passed; zero at the end.
    #[inline]
    fn peek(&mut self) -> u8 {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &'static str) -> bool {
        let found = self.peek() == byte;
        if found {
            self.at += 1;
        } else {
            self.fail(what, self.at);
        }
        found
    }

    /// Enters the object that stands here.
    pub(super) fn open_object(&mut self) {
        self.expect(b'{', "no object");
    }

    /// The next name of the object we are in, its colon passed; `None` at the object's end. Commas may trail.
    #[inline]
    pub(super) fn name(&mut self) -> Option<FieldText<'a>> {
        loop {
            match self.peek() {
                b'"' => break,
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return None;
                }
                _ => {
                    self.fail("no name", self.at);
                    return None;
                }
            }
        }
        let name = self.string()?;
        self.expect(b':', "no colon").then_some(name)
    }

    /// The value that stands here; [`Value::Null`] after a fault.
    #[inline]
    pub(super) fn value(&mut self) -> Value<'a> {
        let byte = self.peek();
        let start = self.at;
        match byte {
            b'"' => self.string().map_or(Value::Null, Value::Text),
            b'{' => {
                self.skip_value(0);
                Value::Object(start..self.at)
            }
            b'[' => {
                self.skip_value(0);
                Value::Array
            }
            _ => self.literal(),
        }
    }

    /// Nothing but space may follow.
    pub(super) fn finish(&mut self) -> Result<(), FrameError> {
        if self.peek() != 0 || self.at < self.text.len() {
            self.fail("more than one object", self.at);
        }
        match self.fault {
            Some((what, at)) => Err(FrameError::MalformedHeader { what, at }),
            None => Ok(()),
        }
    }

    /// The string whose opening quote stands here.
    #[inline]
    fn string(&mut self) -> Option<FieldText<'a>> {
        let start = self.at + 1;
        let end = string_end(self.text, start);
        if self.text.get(end) != Some(&b'"') {
            return self.unusual_string(start, end);
        }
        self.at = end + 1;
        Some(FieldText::plain(&self.text[start..end]))
    }

    /// As [`Reader::string`], for one that has an escape at `at` or no end.
    #[cold]
    fn unusual_string(&mut self, start: usize, at: usize) -> Option<FieldText<'a>> {
        self.at = at;
        while self.text.get(self.at) == Some(&b'\\') {
            if !self.escape() {
                self.fail("a wrong escape", self.at);
                return None;
            }
            self.at = string_end(self.text, self.at);
        }
        if self.at >= self.text.len() {
            self.fail("a string without end", self.at);
            return None;
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Some(FieldText { raw, escaped: true })
    }

    /// Passes the escape that stands here, if it is one.
    fn escape(&mut self) -> bool {
        let length = match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return false;
                }
                6
            }
            _ => return false,
        };
        self.at += length;
        true
    }

    fn literal(&mut self) -> Value<'a> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        while matches!(self.text.get(self.at), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.')) {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            b"null" => Value::Null,
            literal @ (b"true" | b"false" | [b'-' | b'0'..=b'9', ..]) => Value::Literal(literal),
            _ => {
                self.fail("no value", start);
                Value::Null
            }
        }
    }

    /// Passes the value that stands here, checking it as it goes.
    fn skip_value(&mut self, depth: u32) {
        match self.peek() {
            b'"' => {
                self.string();
            }
            b'{' | b'[' if depth == MAX_DEPTH => self.fail("values nested too deeply", self.at),
            b'{' => {
                self.at += 1;
                while self.name().is_some() {
                    self.skip_value(depth + 1);
                }
            }
            b'[' => {
                self.at += 1;
                loop {
                    match self.peek() {
                        b',' => self.at += 1,
                        b']' => {
                            self.at += 1;
                            return;
                        }
                        _ if self.fault.is_some() => return,
                        _ => self.skip_value(depth + 1),
                    }
                }
            }
            _ => {
                self.literal();
            }
        }
    }
}

/// Where the next quote or backslash from `at` on stands, or else the end.
#[inline]
fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let found = eight::equal(word, b'"') | eight::equal(word, b'\\');
        if found != 0 {
            return at + eight::first(found);
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| !matches!(byte, b'"' | b'\\')) {
        at += 1;
    }
    at
}

/// Resolves the escapes of a checked string. A lone surrogate becomes U+FFFD.
pub(in crate::wire) fn unescape(raw: &str) -> String {
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
