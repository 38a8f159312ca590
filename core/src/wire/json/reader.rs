//! A single-pass reader of JSON: names and values as places in the text, nothing built.
//!
//! What nearly every writer writes, no space and no escapes, takes the short way; everything else takes the functions
//! called unusual.

use core::ops::Range;

use crate::wire::eight;
use crate::wire::fields::FieldText;

/// How deep values may nest; the protocol itself nests five levels.
const MAX_DEPTH: u32 = 32;

/// A string or a literal, by its place: a string's is the one between its quotes.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Token {
    pub(in crate::wire) place: Range<usize>,
    pub(in crate::wire) escaped: bool,
}

impl Token {
    const fn plain(place: Range<usize>) -> Self {
        Self { place, escaped: false }
    }
}

/// A JSON value.
#[derive(Clone, Debug)]
pub(in crate::wire) enum Value {
    Null,
    /// A number or a truth value, as it is written.
    Literal(Token),
    Text(Token),
    /// Where the object stands, its braces included.
    Object(Range<usize>),
    /// Where the array stands, its brackets included.
    Array(Range<usize>),
}

impl Value {
    /// The value as an extension field has it: a text, or whatever else there is as it is written, as fastjson makes a text of it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn token(self) -> Option<Token> {
        match self {
            Self::Text(token) | Self::Literal(token) => Some(token),
            Self::Object(place) | Self::Array(place) => Some(Token::plain(place)),
            Self::Null => None,
        }
    }
}

/// Where it stands in a text, and what is wrong with that text. After a fault it stands at the end.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// How many of the values that are being passed lie in each other.
    depth: u32,
    fault: Option<(&'static str, usize)>,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, which has to be UTF-8.
    pub(in crate::wire) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0, fault: None }
    }

    pub(in crate::wire) const fn at(&self) -> usize {
        self.at
    }

    /// What stands at a token's place.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn text(&self, token: &Token) -> FieldText<'a> {
        FieldText { raw: self.text.get(token.place.clone()).unwrap_or_default(), escaped: token.escaped }
    }

    #[cold]
    fn fail(&mut self, what: &'static str, at: usize) {
        self.fault.get_or_insert((what, at));
        self.at = self.text.len();
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn stands_at(&self, byte: u8) -> bool {
        self.text.get(self.at) == Some(&byte)
    }

    /// The byte that stands here, space passed; zero at the end.
    fn peek(&mut self) -> u8 {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// Enters the object that stands here.
    pub(in crate::wire) fn open_object(&mut self) {
        match self.peek() {
            b'{' => self.at += 1,
            _ => self.fail("no object", self.at),
        }
    }

    /// The next name of the object we are in, its colon passed; `None` at the object's end. Commas may trail.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn name(&mut self) -> Option<Token> {
        self.at += usize::from(self.stands_at(b','));
        let name = if self.stands_at(b'"') { self.string()? } else { self.unusual_name()? };
        if !self.stands_at(b':') && self.peek() != b':' {
            self.fail("no colon", self.at);
            return None;
        }
        self.at += 1;
        Some(name)
    }

    /// The next name, wherever it stands; `None` at the object's end. fastjson writes the keys of Java's maps as values: numbers
    /// and objects.
    fn unusual_name(&mut self) -> Option<Token> {
        loop {
            let byte = self.peek();
            let start = self.at;
            match byte {
                b'"' => return self.string(),
                b'\'' => return self.quoted(b'\''),
                b',' => self.at += 1,
                b'{' => {
                    self.skip_value();
                    return Some(Token::plain(start..self.at));
                }
                b'}' => {
                    self.at += 1;
                    return None;
                }
                byte if is_bare(byte) => {
                    self.at += self.text[start..].iter().take_while(|byte| is_bare(**byte)).count();
                    return Some(Token::plain(start..self.at));
                }
                _ => {
                    self.fail("no name", start);
                    return None;
                }
            }
        }
    }

    /// The value that stands here; [`Value::Null`] after a fault.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn value(&mut self) -> Value {
        if self.stands_at(b'"') { self.string().map_or(Value::Null, Value::Text) } else { self.unusual_value() }
    }

    /// As [`Reader::value`], for anything.
    fn unusual_value(&mut self) -> Value {
        let byte = self.peek();
        let start = self.at;
        match byte {
            b'"' => self.string().map_or(Value::Null, Value::Text),
            b'\'' => self.quoted(b'\'').map_or(Value::Null, Value::Text),
            b'{' => {
                self.skip_value();
                Value::Object(start..self.at)
            }
            b'[' => {
                self.skip_value();
                Value::Array(start..self.at)
            }
            _ => self.literal(),
        }
    }

    /// Nothing but space may follow. Otherwise, or if something was wrong before: what, and at which byte.
    pub(in crate::wire) fn finish(&mut self) -> Result<(), (&'static str, usize)> {
        if self.peek() != 0 || self.at < self.text.len() {
            self.fail("more than one value", self.at);
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// The string whose opening quote stands here.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn string(&mut self) -> Option<Token> {
        let start = self.at + 1;
        let mut end = start;
        while let Some(word) = self.text.get(end..).and_then(<[u8]>::first_chunk::<8>) {
            let word = u64::from_le_bytes(*word);
            let found = eight::equal(word, b'"') | eight::equal(word, b'\\');
            if found != 0 {
                end += eight::first(found);
                break;
            }
            end += 8;
        }
        if self.text.get(end) != Some(&b'"') {
            return self.unusual_string(start, end, b'"');
        }
        self.at = end + 1;
        Some(Token::plain(start..end))
    }

    /// The string whose opening quote, of this kind, stands here.
    fn quoted(&mut self, quote: u8) -> Option<Token> {
        self.unusual_string(self.at + 1, self.at + 1, quote)
    }

    /// As [`Reader::string`], for one with escapes, one at the very end of the text, or one without end.
    fn unusual_string(&mut self, start: usize, at: usize, quote: u8) -> Option<Token> {
        let mut escaped = false;
        self.at = at;
        loop {
            match self.text.get(self.at) {
                Some(byte) if *byte == quote => break,
                Some(b'\\') if self.escape() => escaped = true,
                Some(b'\\') => {
                    self.fail("a wrong escape", self.at);
                    return None;
                }
                Some(_) => self.at += 1,
                None => {
                    self.fail("a string without end", self.at);
                    return None;
                }
            }
        }
        self.at += 1;
        Some(Token { place: start..self.at - 1, escaped })
    }

    /// Passes the escape that stands here, if it is one.
    fn escape(&mut self) -> bool {
        let length = match self.text.get(self.at + 1) {
            Some(b'"' | b'\'' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
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

    fn literal(&mut self) -> Value {
        let start = self.at;
        let mut end = start;
        while matches!(self.text.get(end), Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'+' | b'.')) {
            end += 1;
        }
        self.at = end;
        match &self.text[start..end] {
            b"true" | b"false" | [b'-' | b'+' | b'0'..=b'9', ..] => Value::Literal(Token::plain(start..end)),
            b"null" => Value::Null,
            _ => {
                self.fail("no value", start);
                Value::Null
            }
        }
    }

    /// Passes the value that stands here, checking it as it goes.
    fn skip_value(&mut self) {
        match self.peek() {
            b'"' => {
                self.string();
            }
            b'\'' => {
                self.quoted(b'\'');
            }
            b'{' | b'[' if self.depth == MAX_DEPTH => self.fail("values nested too deeply", self.at),
            bracket @ (b'{' | b'[') => {
                self.at += 1;
                self.depth += 1;
                if bracket == b'{' {
                    self.skip_members()
                } else {
                    self.skip_elements()
                }
                self.depth -= 1;
            }
            _ => {
                self.literal();
            }
        }
    }

    fn skip_members(&mut self) {
        while self.name().is_some() {
            self.skip_value();
        }
    }

    fn skip_elements(&mut self) {
        while self.finds_element() {
            self.skip_value();
        }
    }

    /// Enters the array that stands here.
    pub(in crate::wire) fn open_array(&mut self) {
        match self.peek() {
            b'[' => self.at += 1,
            _ => self.fail("no array", self.at),
        }
    }

    /// Goes to the next element of the array we are in; false at its end.
    pub(in crate::wire) fn finds_element(&mut self) -> bool {
        loop {
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return false;
                }
                _ => return self.fault.is_none(),
            }
        }
    }
}

/// Whether a name without quotes may have this byte: such are numbers.
const fn is_bare(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-')
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
