//! The layout of a stored message, which is what a pull brings (`MessageDecoder`).
//!
//! ```text
//! total i32 | magic i32 | body CRC i32 | queue id i32 | flag i32 | queue offset i64 | physical offset i64
//! | system flag i32 | born timestamp i64 | born host, 4 or 16 bytes and port i32 | store timestamp i64
//! | store host, 4 or 16 bytes and port i32 | reconsume times i32 | prepared transaction offset i64
//! | body, length i32 | topic, length i8 or by the second magic code i16 | properties, length i16
//! ```

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use bytes::{BufMut, Bytes, BytesMut};

use super::cursor::{Cursor, Span};
use super::error::{EncodeError, MessageError, MessageFault, Part};
use super::id::OffsetMessageId;
use super::properties::{self, PropertiesRef};
use super::sys_flag;
use crate::wire::dialect::Dialect;

/// The length of a message with IPv4 hosts and no body, topic and properties, in bytes.
pub const SMALLEST: usize = 91;
/// The longest topic that is written with a one-byte length, in bytes.
const LONGEST_SHORT_TOPIC: usize = i8::MAX as usize;
/// Where the queue offset stands, in bytes.
const QUEUE_OFFSET_AT: usize = 20;

/// The fields of a stored message that have a fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFields {
    /// The CRC-32 of the body as it was sent ([`Dialect::body_crc`]). Clients do not check it.
    pub body_crc: u32,
    /// The queue, numbered from 0 per broker.
    pub queue_id: i32,
    /// Bits that belong to the producer.
    pub flag: i32,
    /// The message's place in its queue.
    pub queue_offset: i64,
    /// The message's place in its broker's commit log, in bytes.
    pub physical_offset: i64,
    /// See [`sys_flag`].
    pub sys_flag: i32,
    /// When the producer made the message, in milliseconds since 1970.
    pub born_timestamp: i64,
    /// The producer.
    pub born_host: SocketAddr,
    /// When the broker stored the message, in milliseconds since 1970.
    pub store_timestamp: i64,
    /// The broker.
    pub store_host: SocketAddr,
    /// How often the message has been consumed before.
    pub reconsume_times: i32,
    /// The physical offset of a transaction's half message; 0 when there is none.
    pub prepared_transaction_offset: i64,
}

impl StoredFields {
    /// Appends a stored message of this topic, encoded properties and body, whose layout follows from the topic's
    /// length, and whose address bits follow from the hosts.
    ///
    /// # Errors
    /// The topic or the properties are longer than 32767 bytes, or the message longer than 2 GiB. Nothing is appended.
    pub fn encode(
        &self,
        out: &mut BytesMut,
        dialect: Dialect,
        topic: &str,
        properties: &str,
        body: &[u8],
    ) -> Result<(), EncodeError> {
        let topic_length = fitting(Part::Topic, topic.len(), i16::MAX as usize)? as i16;
        let properties_length = fitting(Part::Properties, properties.len(), properties::MAX_LENGTH)? as i16;
        let is_short = topic.len() <= LONGEST_SHORT_TOPIC;
        let magic = match (is_short, dialect.magic_v2()) {
            (true, _) => dialect.magic_v1(),
            (false, Some(magic)) => magic,
            (false, None) => {
                return Err(EncodeError { part: Part::Topic, length: topic.len(), limit: LONGEST_SHORT_TOPIC });
            }
        };
        let host_lengths = extra_bytes(self.born_host) + extra_bytes(self.store_host);
        let around_body = SMALLEST + host_lengths + usize::from(!is_short) + topic.len() + properties.len();
        let body_length = fitting(Part::Body, body.len(), i32::MAX as usize - around_body)? as i32;

        out.reserve(around_body + body.len());
        out.put_u32((around_body + body.len()) as u32);
        out.put_u32(magic);
        out.put_u32(self.body_crc);
        out.put_i32(self.queue_id);
        out.put_i32(self.flag);
        out.put_i64(self.queue_offset);
        out.put_i64(self.physical_offset);
        out.put_i32(self.sys_flag_for_hosts());
        out.put_i64(self.born_timestamp);
        put_host(out, self.born_host);
        out.put_i64(self.store_timestamp);
        put_host(out, self.store_host);
        out.put_i32(self.reconsume_times);
        out.put_i64(self.prepared_transaction_offset);
        out.put_i32(body_length);
        out.put_slice(body);
        if is_short {
            out.put_i8(topic_length as i8);
        } else {
            out.put_i16(topic_length);
        }
        out.put_slice(topic.as_bytes());
        out.put_i16(properties_length);
        out.put_slice(properties.as_bytes());
        Ok(())
    }

    const fn sys_flag_for_hosts(&self) -> i32 {
        let mut sys_flag = self.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6);
        if self.born_host.is_ipv6() {
            sys_flag |= sys_flag::BORN_HOST_V6;
        }
        if self.store_host.is_ipv6() {
            sys_flag |= sys_flag::STORE_HOST_V6;
        }
        sys_flag
    }

    /// The id that finds the message on its broker.
    pub const fn offset_id(&self) -> OffsetMessageId {
        OffsetMessageId::new(self.store_host, self.physical_offset.cast_unsigned())
    }
}

/// `length`, when it is at most `limit`.
pub(super) const fn fitting(part: Part, length: usize, limit: usize) -> Result<usize, EncodeError> {
    if length <= limit { Ok(length) } else { Err(EncodeError { part, length, limit }) }
}

/// By how much an address is longer than an IPv4 address.
const fn extra_bytes(host: SocketAddr) -> usize {
    if host.is_ipv6() { 12 } else { 0 }
}

fn put_host(out: &mut BytesMut, host: SocketAddr) {
    match host.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
    out.put_u32(u32::from(host.port()));
}

fn read_host(cursor: &mut Cursor<'_>, part: Part, is_v6: bool) -> Result<SocketAddr, MessageFault> {
    if is_v6 {
        let ip = Ipv6Addr::from(cursor.array(part)?);
        Ok(SocketAddr::V6(SocketAddrV6::new(ip, read_port(cursor, part)?, 0, 0)))
    } else {
        let ip = Ipv4Addr::from_bits(cursor.u32(part)?);
        Ok(SocketAddr::V4(SocketAddrV4::new(ip, read_port(cursor, part)?)))
    }
}

fn read_port(cursor: &mut Cursor<'_>, part: Part) -> Result<u16, MessageFault> {
    let port = cursor.u32(part)?;
    u16::try_from(port).map_err(|_| MessageFault::Port { part, port })
}

/// A stored message: its fields, and the rest where it lies in the bytes that brought it.
///
/// Clones share these bytes, and a clone that is kept keeps all of them.
#[derive(Clone)]
pub struct StoredMessage {
    /// The fields of fixed size.
    pub fields: StoredFields,
    bytes: Bytes,
    parts: Parts,
    /// What the topic lies in, when that is not `bytes`: the message whose inner batch this one comes from.
    topic_in: Option<Bytes>,
}

/// Where the parts of variable size lie.
#[derive(Clone, Copy)]
struct Parts {
    body: Span,
    topic: Span,
    properties: Span,
}

impl StoredMessage {
    /// Reads one message, which has to fill `bytes` exactly.
    ///
    /// # Errors
    /// What is wrong with it. [`MessageError::at`] is 0.
    #[inline]
    pub fn decode(bytes: Bytes, dialect: Dialect) -> Result<Self, MessageError> {
        match read(&bytes, dialect) {
            Ok((fields, parts)) => Ok(Self { fields, bytes, parts, topic_in: None }),
            Err(fault) => Err(MessageError { at: 0, queue_offset: queue_offset_of(&bytes), fault }),
        }
    }

    /// One message of an inner batch: its parts but for the topic lie in `record`.
    pub(super) fn of_inner_batch(&self, fields: StoredFields, record: Bytes, body: Span, properties: Span) -> Self {
        let topic_in = self.topic_in.as_ref().unwrap_or(&self.bytes).clone();
        let parts = Parts { body, topic: self.parts.topic, properties };
        Self { fields, bytes: record, parts, topic_in: Some(topic_in) }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        self.parts.topic.text_of(self.topic_in.as_ref().unwrap_or(&self.bytes))
    }

    /// The properties.
    pub fn properties(&self) -> PropertiesRef<'_> {
        PropertiesRef::new(self.parts.properties.text_of(&self.bytes))
    }

    /// The body as it was stored, compressed if [`sys_flag::COMPRESSED`] is set.
    pub fn body(&self) -> &[u8] {
        self.parts.body.of(&self.bytes)
    }

    /// [`StoredMessage::body`] as a value of its own, which shares the message's bytes.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.parts.body.range())
    }

    /// A copy in memory of its own, which keeps nothing else of what it was read with.
    #[must_use]
    pub fn detach(&self) -> Self {
        let mut detached = Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() };
        if self.topic_in.is_some() {
            // Only the topic of the batch that it was in.
            detached.parts.topic = Span::whole(self.topic().len());
            detached.topic_in = Some(Bytes::copy_from_slice(self.topic().as_bytes()));
        }
        detached
    }

    /// The length of the whole message, in bytes.
    pub const fn stored_length(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the body is compressed.
    pub const fn is_compressed(&self) -> bool {
        self.fields.sys_flag & sys_flag::COMPRESSED != 0
    }
}

impl fmt::Debug for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessage")
            .field("topic", &self.topic())
            .field("fields", &self.fields)
            .field("properties", &self.properties())
            .field("body_length", &self.body().len())
            .finish()
    }
}

#[inline]
fn read(bytes: &[u8], dialect: Dialect) -> Result<(StoredFields, Parts), MessageFault> {
    use Part::Numbers;
    let mut cursor = Cursor::new(bytes);
    let total = cursor.u32(Part::Total)?;
    if total as usize != bytes.len() {
        return Err(MessageFault::Total { total, smallest: SMALLEST, left: bytes.len() });
    }
    let magic = cursor.u32(Numbers)?;
    let is_short = magic == dialect.magic_v1();
    if !is_short && Some(magic) != dialect.magic_v2() {
        return Err(MessageFault::Magic { magic });
    }
    let body_crc = cursor.u32(Numbers)?;
    let queue_id = cursor.i32(Numbers)?;
    let flag = cursor.i32(Numbers)?;
    let queue_offset = cursor.i64(Numbers)?;
    let physical_offset = cursor.i64(Numbers)?;
    let sys_flag = cursor.i32(Numbers)?;
    let fields = StoredFields {
        body_crc,
        queue_id,
        flag,
        queue_offset,
        physical_offset,
        sys_flag,
        born_timestamp: cursor.i64(Numbers)?,
        born_host: read_host(&mut cursor, Part::BornHost, sys_flag & sys_flag::BORN_HOST_V6 != 0)?,
        store_timestamp: cursor.i64(Numbers)?,
        store_host: read_host(&mut cursor, Part::StoreHost, sys_flag & sys_flag::STORE_HOST_V6 != 0)?,
        reconsume_times: cursor.i32(Numbers)?,
        prepared_transaction_offset: cursor.i64(Numbers)?,
    };
    let body_length = cursor.i32(Part::Body)?;
    let body = cursor.span(Part::Body, body_length)?;
    let topic_length = if is_short { cursor.length_8(Part::Topic)? } else { cursor.length_16(Part::Topic)? };
    let topic = cursor.text(Part::Topic, topic_length)?;
    let properties_length = cursor.length_16(Part::Properties)?;
    let properties = cursor.text(Part::Properties, properties_length)?;
    cursor.end()?;
    Ok((fields, Parts { body, topic, properties }))
}

/// The queue offset of a message that cannot be read, as far as its bytes reach.
fn queue_offset_of(bytes: &[u8]) -> Option<i64> {
    bytes.get(QUEUE_OFFSET_AT..)?.first_chunk().copied().map(i64::from_be_bytes)
}

/// The messages of a pull's body, one after the other.
///
/// A message that cannot be read is an error, and the next one follows. A total length that is impossible or cut
/// ends the iteration after its error, since nobody can say where the next message begins. (Java ends quietly at the
/// first message of either kind.) Inner batches come as they are stored: see [`StoredMessage::inner_messages`].
#[derive(Clone, Debug)]
pub struct StoredMessages {
    rest: Bytes,
    at: usize,
    dialect: Dialect,
}

impl StoredMessages {
    /// The messages of `body`.
    pub const fn new(body: Bytes, dialect: Dialect) -> Self {
        Self { rest: body, at: 0, dialect }
    }
}

impl StoredMessages {
    /// Where the next message begins in the body, in bytes.
    pub const fn position(&self) -> usize {
        self.at
    }
}

impl Iterator for StoredMessages {
    type Item = Result<StoredMessage, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let message = match split_record(&mut self.rest, SMALLEST)? {
            Ok(message) => message,
            Err(fault) => return Some(Err(MessageError { at, queue_offset: None, fault })),
        };
        self.at += message.len();
        Some(StoredMessage::decode(message, self.dialect).map_err(|error| MessageError { at, ..error }))
    }
}

/// Splits off the bytes that begin with their own length; after an impossible one nothing is left.
pub(super) fn split_record(rest: &mut Bytes, smallest: usize) -> Option<Result<Bytes, MessageFault>> {
    let left = rest.len();
    if left == 0 {
        return None;
    }
    let Some(total) = rest.first_chunk().copied().map(u32::from_be_bytes) else {
        rest.clear();
        return Some(Err(MessageFault::Cut { part: Part::Total, needed: 4, left }));
    };
    if (total as usize) < smallest || total as usize > left {
        rest.clear();
        return Some(Err(MessageFault::Total { total, smallest, left }));
    }
    Some(Ok(rest.split_to(total as usize)))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::message::batch;

    #[test]
    fn a_detached_message_of_an_inner_batch_keeps_its_own_bytes_and_its_topic_only() {
        let mut records = BytesMut::new();
        (0..100).for_each(|_| batch::encode(&mut records, 0, "KEYS\u{1}k\u{2}", &[b'x'; 10_000]).unwrap());
        let host = SocketAddr::from(([127, 0, 0, 1], 1));
        let fields = StoredFields {
            body_crc: 0,
            queue_id: 0,
            flag: 0,
            queue_offset: 0,
            physical_offset: 0,
            sys_flag: sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP,
            born_timestamp: 0,
            born_host: host,
            store_timestamp: 0,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        let mut out = BytesMut::new();
        fields.encode(&mut out, Dialect::Apache, "topic", "", &records).unwrap();
        let whole = StoredMessage::decode(out.freeze(), Dialect::Apache).unwrap();
        let inner = whole.inner_messages(whole.body_bytes(), 100).nth(7).unwrap().unwrap();
        let detached = inner.detach();
        assert_eq!((detached.topic(), detached.body()), ("topic", inner.body()));
        assert_eq!(detached.properties().get("KEYS"), Some("k"));
        let kept = detached.bytes.len() + detached.topic_in.as_ref().map_or(0, Bytes::len);
        assert_eq!(kept, detached.stored_length() + "topic".len());
        assert_eq!(detached.detach().topic(), "topic");
    }
}
