//! Extension fields that came: where they lie in their header, and as texts and numbers.

use core::fmt;
use core::ops::Range;
use std::borrow::Cow;

use bytes::Bytes;

use crate::wire::command::{HeaderCodec, Language};
use crate::wire::{header, json};

/// The extension fields of a received command, read when asked for.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// A JSON object, or pairs in the binary layout; checked when the command was decoded. Empty: no fields.
    raw: Bytes,
    codec: HeaderCodec,
    /// The names begin with capital letters, as smartgo writes them.
    is_capitalised: bool,
    spans: FieldSpans,
}

impl Fields {
    pub(in crate::wire) fn new(raw: Bytes, codec: HeaderCodec, spans: FieldSpans) -> Self {
        let fits = raw.len() < usize::from(ESCAPED);
        Self { raw, codec, is_capitalised: false, spans: if fits { spans } else { FieldSpans::UNKNOWN } }
    }

    /// The same, of a sender that speaks this language.
    pub(in crate::wire) fn written_in(self, language: Language) -> Self {
        Self { is_capitalised: language == Language::GOLANG, ..self }
    }

    /// How long they are as they came, in bytes.
    pub fn encoded_length(&self) -> usize {
        self.raw.len()
    }

    /// The same in bytes of their own.
    pub(in crate::wire) fn detach(&self) -> Self {
        Self { raw: Bytes::copy_from_slice(&self.raw), ..self.clone() }
    }

    pub(in crate::wire) const fn is_capitalised(&self) -> bool {
        self.is_capitalised
    }

    /// Shows every field, as it was written, to `take`.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn each<'a>(&'a self, mut take: impl FnMut(FieldText<'a>, FieldText<'a>)) {
        match self.spans.known() {
            Some(spans) => spans.iter().for_each(|[name, value]| take(name.of(&self.raw), value.of(&self.raw))),
            None => self.each_unknown(&mut take),
        }
    }

    /// As [`Fields::each`].
    #[cold]
    pub(in crate::wire) fn each_capitalised<'a>(&'a self, take: &mut dyn FnMut(FieldText<'a>, FieldText<'a>)) {
        self.texts().for_each(|(name, value)| take(name, value));
    }

    #[cold]
    fn each_unknown<'a>(&'a self, take: &mut dyn FnMut(FieldText<'a>, FieldText<'a>)) {
        self.texts().for_each(|(name, value)| take(name, value));
    }

    /// The fields in the order they came, nulls left out.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.texts().map(|(name, value)| (name.text(), value.text()))
    }

    /// The fields as they were written.
    #[inline]
    pub fn texts(&self) -> FieldTexts<'_> {
        match (self.spans.known(), self.codec) {
            (Some(spans), _) => FieldTexts::Known { raw: &self.raw, spans: spans.iter() },
            (None, HeaderCodec::Json) => FieldTexts::Json(header::json::Pairs::new(&self.raw)),
            (None, HeaderCodec::Binary) => FieldTexts::Binary(header::binary::Pairs::new(&self.raw)),
        }
    }

    /// The value of the field called `name`; the last one, should there be several, as in Java's maps.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let exact = self.texts().filter(|(known, _)| known.is(name)).last();
        let found = match exact {
            None if self.is_capitalised => self.texts().filter(|(known, _)| known.is_capital_of(name)).last(),
            exact => exact,
        };
        found.map(|(_, value)| value.text())
    }
}

/// Iterator over extension fields as they were written.
#[derive(Clone, Debug)]
#[allow(private_interfaces)]
#[doc(hidden)]
pub enum FieldTexts<'a> {
    Known { raw: &'a [u8], spans: core::slice::Iter<'a, [FieldSpan; 2]> },
    Json(header::json::Pairs<'a>),
    Binary(header::binary::Pairs<'a>),
}

impl<'a> Iterator for FieldTexts<'a> {
    type Item = (FieldText<'a>, FieldText<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Known { raw, spans } => spans.next().map(|[name, value]| (name.of(raw), value.of(raw))),
            Self::Json(pairs) => pairs.next(),
            Self::Binary(pairs) => pairs.next(),
        }
    }
}

/// How many fields are remembered by their places.
const REMEMBERED: usize = 8;

/// Where the fields of a command lie, noted when it is decoded so that they need not be searched again. When there are
/// more than are remembered, or when they lie too far behind, nothing is known.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct FieldSpans {
    spans: [[FieldSpan; 2]; REMEMBERED],
    /// How many there are; nothing is known of more than are remembered.
    count: usize,
}

impl Default for FieldSpans {
    fn default() -> Self {
        Self { spans: [[FieldSpan::default(); 2]; REMEMBERED], count: 0 }
    }
}

impl FieldSpans {
    /// Nothing is known.
    pub(in crate::wire) const UNKNOWN: Self =
        Self { spans: [[FieldSpan { start: 0, length: 0 }; 2]; REMEMBERED], count: REMEMBERED + 1 };

    /// Notes a name and a value, each by its place and whether it has escapes.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(in crate::wire) fn push(&mut self, name: (Range<usize>, bool), value: (Range<usize>, bool)) {
        if let Some(place) = self.spans.get_mut(self.count) {
            *place = [FieldSpan::new(name), FieldSpan::new(value)];
        }
        self.count = self.count.saturating_add(1);
    }

    #[inline]
    fn known(&self) -> Option<&[[FieldSpan; 2]]> {
        self.spans.get(..self.count)
    }
}

/// Where a name or a value lies, in four bytes; [`Fields::new`] sees to it that they are enough.
#[derive(Clone, Copy, Debug, Default)]
#[doc(hidden)]
pub struct FieldSpan {
    start: u16,
    /// The length, and whether there are escapes.
    length: u16,
}

/// The bit of a length that says that there are escapes.
const ESCAPED: u16 = 1 << 15;

impl FieldSpan {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn new((place, escaped): (Range<usize>, bool)) -> Self {
        let length = (place.end - place.start) as u16 | if escaped { ESCAPED } else { 0 };
        Self { start: place.start as u16, length }
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn of(self, raw: &[u8]) -> FieldText<'_> {
        let start = usize::from(self.start);
        let end = start + usize::from(self.length & !ESCAPED);
        FieldText { raw: raw.get(start..end).unwrap_or_default(), escaped: self.length & ESCAPED != 0 }
    }
}

/// A name or a value as it was written: UTF-8, as was checked when its command was decoded, and perhaps with JSON's
/// escapes.
#[derive(Clone, Copy)]
pub struct FieldText<'a> {
    pub(in crate::wire) raw: &'a [u8],
    pub(in crate::wire) escaped: bool,
}

/// Two are equal when they say the same, however each is written: JSON may escape what it need not.
impl PartialEq for FieldText<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.plain_bytes(), other.plain_bytes()) {
            (Some(one), Some(other)) => one == other,
            _ => self.text() == other.text(),
        }
    }
}

impl Eq for FieldText<'_> {}

impl fmt::Debug for FieldText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl<'a> From<&'a str> for FieldText<'a> {
    fn from(text: &'a str) -> Self {
        Self::plain(text.as_bytes())
    }
}

impl<'a> FieldText<'a> {
    pub(in crate::wire) const fn plain(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false }
    }

    /// The text, its escapes resolved.
    #[inline]
    pub fn text(self) -> Cow<'a, str> {
        let raw = str::from_utf8(self.raw).unwrap_or_default();
        if self.escaped { Cow::Owned(json::unescape(raw)) } else { Cow::Borrowed(raw) }
    }

    /// The bytes of a text without escapes.
    pub(in crate::wire) const fn plain_bytes(self) -> Option<&'a [u8]> {
        if self.escaped { None } else { Some(self.raw) }
    }

    /// Whether it says `text`.
    #[inline]
    pub fn is(self, text: &str) -> bool {
        if self.escaped { self.text() == text } else { self.raw == text.as_bytes() }
    }

    /// Whether it is `name` with a capital letter, as smartgo writes names.
    pub(in crate::wire) fn is_capital_of(self, name: &str) -> bool {
        match (self.raw, name.as_bytes()) {
            ([first, raw @ ..], [known, name @ ..]) => {
                !self.escaped && raw == name && *first == known.to_ascii_uppercase()
            }
            _ => false,
        }
    }

    /// The number it says in decimal, if that is of this type.
    #[inline]
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
