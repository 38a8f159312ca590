//! Batch records: several messages of one topic in one body, as SEND_BATCH_MESSAGE carries them and inner batches
//! store them (`MessageDecoder.encodeMessage`).
//!
//! ```text
//! total i32 | magic i32 | body CRC i32 | flag i32 | body, length i32 | properties, length i16
//! ```
//! Magic and CRC are 0 and nobody reads them.

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::{Cursor, Span};
use super::error::{EncodeError, MessageError, MessageFault, Part};
use super::properties::{self, PropertiesRef};
use super::stored::{fitting, split_record};

/// The length of a record without body and properties, in bytes.
pub const SMALLEST: usize = 22;

/// The length of a record with these encoded properties and this body, in bytes.
pub const fn encoded_length(properties: &str, body: &[u8]) -> usize {
    SMALLEST + properties.len() + body.len()
}

/// Appends a record.
///
/// # Errors
/// The properties are longer than 32767 bytes, or the record longer than 2 GiB. Nothing is appended.
pub fn encode(out: &mut BytesMut, flag: i32, properties: &str, body: &[u8]) -> Result<(), EncodeError> {
    let properties_length = fitting(Part::Properties, properties.len(), properties::MAX_LENGTH)? as i16;
    let limit = i32::MAX as usize - SMALLEST - properties.len();
    let body_length = fitting(Part::Body, body.len(), limit)? as i32;

    out.reserve(encoded_length(properties, body));
    out.put_u32(encoded_length(properties, body) as u32);
    out.put_u32(0);
    out.put_u32(0);
    out.put_i32(flag);
    out.put_i32(body_length);
    out.put_slice(body);
    out.put_i16(properties_length);
    out.put_slice(properties.as_bytes());
    Ok(())
}

/// One message of a batch, where it lies in the bytes that brought it.
#[derive(Clone, Debug)]
pub struct BatchRecord {
    /// Bits that belong to the producer.
    pub flag: i32,
    bytes: Bytes,
    body: Span,
    properties: Span,
}

impl BatchRecord {
    fn decode(bytes: Bytes) -> Result<Self, MessageFault> {
        let mut cursor = Cursor::new(&bytes);
        cursor.array::<12>(Part::Numbers)?;
        let flag = cursor.i32(Part::Numbers)?;
        let body_length = cursor.i32(Part::Body)?;
        let body = cursor.span(Part::Body, body_length)?;
        let properties_length = cursor.length_16(Part::Properties)?;
        let properties = cursor.text(Part::Properties, properties_length)?;
        cursor.end()?;
        Ok(Self { flag, bytes, body, properties })
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.body.of(&self.bytes)
    }

    /// [`BatchRecord::body`] as a value of its own, which shares the record's bytes.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.body.range())
    }

    /// The properties.
    pub fn properties(&self) -> PropertiesRef<'_> {
        PropertiesRef::new(self.properties.text_of(&self.bytes))
    }

    pub(super) fn into_parts(self) -> (Bytes, Span, Span) {
        (self.bytes, self.body, self.properties)
    }
}

/// The records of a batch, one after the other.
///
/// A record that cannot be read is an error, and the next one follows. A total length that is impossible or cut ends
/// the iteration after its error.
#[derive(Clone, Debug)]
pub struct BatchRecords {
    rest: Bytes,
    at: usize,
}

impl BatchRecords {
    /// The records of `body`, which is not compressed.
    pub const fn new(body: Bytes) -> Self {
        Self { rest: body, at: 0 }
    }
}

impl Iterator for BatchRecords {
    type Item = Result<BatchRecord, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let record = split_record(&mut self.rest, SMALLEST)?.and_then(|bytes| {
            self.at += bytes.len();
            BatchRecord::decode(bytes)
        });
        Some(record.map_err(|fault| MessageError { at, queue_offset: None, fault }))
    }
}
