//! The messages of a broker in the order they came, within a bound of bytes: the oldest give way.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{MessageError, StoredMessage};

use super::queue::Entry;
use crate::table::Key;

/// How much the log allocates at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// From this length on a message is allocated by itself: the rest of an allocation that it does not fit into is lost.
const LARGE: usize = CHUNK / 16;

/// What one message costs beside its own bytes: what lists its record and its entry may have room for twice as many.
const OVERHEAD: usize = 2 * (size_of::<Record>() + size_of::<Entry>());

/// A stored message and where it belongs.
#[derive(Debug)]
pub(super) struct Record {
    /// The message in the stored layout.
    pub(super) bytes: Bytes,
    /// Where it stands in the commit log, in bytes.
    pub(super) physical_offset: u64,
    /// When it was stored, in milliseconds since 1970.
    pub(super) store_timestamp: u64,
    pub(super) topic: Key,
    pub(super) queue_id: u32,
    /// What it takes in all, in bytes.
    cost: usize,
}

/// The commit log.
#[derive(Debug)]
pub(super) struct Log {
    /// Where new messages are written; what is written is split off, and shares this allocation.
    chunk: BytesMut,
    /// Where a large one is written.
    large: BytesMut,
    records: VecDeque<Record>,
    /// The number of the oldest record.
    first: u64,
    next_physical_offset: u64,
    kept: usize,
    limit: usize,
    dialect: Dialect,
}

impl Log {
    /// An empty log that keeps `limit` bytes.
    pub(super) fn new(dialect: Dialect, limit: usize) -> Self {
        let (chunk, large, records) = (BytesMut::new(), BytesMut::new(), VecDeque::new());
        Self { chunk, large, records, first: 0, next_physical_offset: 0, kept: 0, limit, dialect }
    }

    /// The message of a record.
    pub(super) fn decode(&self, record: &Record) -> Result<StoredMessage, MessageError> {
        StoredMessage::decode(record.bytes.clone(), self.dialect)
    }

    /// The physical offset of the next message.
    pub(super) const fn next_physical_offset(&self) -> u64 {
        self.next_physical_offset
    }

    /// The physical offset of the oldest message.
    pub(super) fn min_physical_offset(&self) -> u64 {
        self.records.front().map_or(self.next_physical_offset, |record| record.physical_offset)
    }

    /// The oldest message.
    pub(super) fn oldest(&self) -> Option<&Record> {
        self.records.front()
    }

    /// How many messages are kept.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// What is kept, in bytes, the cost of finding it included.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// Where to write the next message, with room for `length` bytes. [`Log::append`] takes it from there.
    pub(super) fn writer(&mut self, length: usize) -> &mut BytesMut {
        self.chunk.clear();
        if length >= LARGE {
            self.large = BytesMut::with_capacity(length);
            return &mut self.large;
        }
        if self.chunk.capacity() < length {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        &mut self.chunk
    }

    /// Appends the message that was written, which others need `extra` bytes to find, and returns the number of its record.
    pub(super) fn append(&mut self, store_timestamp: u64, topic: Key, queue_id: u32, extra: usize) -> u64 {
        let large = std::mem::take(&mut self.large);
        let bytes = if large.is_empty() { self.chunk.split() } else { large }.freeze();
        let physical_offset = self.next_physical_offset;
        self.next_physical_offset += bytes.len() as u64;
        let cost = bytes.len() + OVERHEAD + extra;
        self.kept += cost;
        self.records.push_back(Record { bytes, physical_offset, store_timestamp, topic, queue_id, cost });
        self.first + (self.records.len() as u64 - 1)
    }

    /// Takes out the oldest message while there is more than the bound, but never the newest one.
    pub(super) fn pop_surplus(&mut self) -> Option<Record> {
        if self.kept <= self.limit || self.records.len() <= 1 {
            return None;
        }
        let record = self.records.pop_front()?;
        self.first += 1;
        self.kept -= record.cost;
        Some(record)
    }

    /// The number of the oldest record.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The record of this number.
    pub(super) fn get(&self, record: u64) -> Option<&Record> {
        self.records.get(usize::try_from(record.checked_sub(self.first)?).ok()?)
    }

    /// The message that begins at `physical_offset`.
    pub(super) fn at(&self, physical_offset: u64) -> Option<&Record> {
        let index = self.records.binary_search_by_key(&physical_offset, |record| record.physical_offset).ok()?;
        self.records.get(index)
    }
}
