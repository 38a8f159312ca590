//! Reads big-endian numbers and slices from the front of bytes, never past their end.

use core::ops::Range;

use super::error::{MessageFault, Part};

/// Where a part lies in the bytes of its message. Half the size of a range, since messages are shorter than 4 GiB.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// All of so many bytes.
    pub(super) const fn whole(length: usize) -> Self {
        Self { start: 0, end: length as u32 }
    }

    pub(super) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The part of `bytes`, which are those the span was read from.
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    /// The part of `bytes`, which was checked to be UTF-8 when it was read.
    pub(super) fn text_of(self, bytes: &[u8]) -> &str {
        str::from_utf8(self.of(bytes)).unwrap_or_default()
    }
}

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self, part: Part) -> Result<[u8; N], MessageFault> {
        let Some((array, rest)) = self.rest.split_first_chunk() else {
            return Err(MessageFault::Cut { part, needed: N, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn u32(&mut self, part: Part) -> Result<u32, MessageFault> {
        self.array(part).map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self, part: Part) -> Result<i32, MessageFault> {
        self.array(part).map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, part: Part) -> Result<i64, MessageFault> {
        self.array(part).map(i64::from_be_bytes)
    }

    /// A length of one byte, which Java reads as a signed number.
    pub(super) fn length_8(&mut self, part: Part) -> Result<i32, MessageFault> {
        self.array(part).map(|byte| i32::from(i8::from_be_bytes(byte)))
    }

    /// A length of two bytes, which Java reads as a signed number.
    pub(super) fn length_16(&mut self, part: Part) -> Result<i32, MessageFault> {
        self.array(part).map(|bytes| i32::from(i16::from_be_bytes(bytes)))
    }

    /// The next `length` bytes.
    pub(super) fn span(&mut self, part: Part, length: i32) -> Result<Span, MessageFault> {
        let needed = usize::try_from(length).map_err(|_| MessageFault::Length { part, length })?;
        let start = self.bytes.len() - self.rest.len();
        let Some(rest) = self.rest.get(needed..) else {
            return Err(MessageFault::Cut { part, needed, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(Span { start: start as u32, end: (start + needed) as u32 })
    }

    /// The next `length` bytes, which have to be UTF-8.
    // Inlined by force: a span that is returned through memory stalls what reads it, for a sixth of a message's time.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn text(&mut self, part: Part, length: i32) -> Result<Span, MessageFault> {
        let span = self.span(part, length)?;
        check_text(part, span.of(self.bytes))?;
        Ok(span)
    }

    /// Nothing may be left.
    pub(super) const fn end(self) -> Result<(), MessageFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(MessageFault::Surplus { left: self.rest.len() }) }
    }
}

fn check_text(part: Part, text: &[u8]) -> Result<(), MessageFault> {
    // Nearly every text is ASCII, and that is found out many times faster.
    if text.is_ascii() {
        return Ok(());
    }
    match str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(MessageFault::Text { part, valid: error.valid_up_to() }),
    }
}
