//! What a pull brought is decompressed and taken apart within bounds of bytes and messages, however small it came: of what does not
//! fit beside what came before it nothing is given, so that it is fetched again. So no more than twice the bound is in memory.

use bytes::Bytes;

use crate::wire::compression::{self, CompressionError};
use crate::wire::message::{InnerMessages, StoredMessage, batch};

/// How many messages inner batches may have: as many as fit in the longest body that brokers take by default, which is 4 MiB.
const MOST_MESSAGES: usize = 4 * 1024 * 1024 / batch::SMALLEST;

/// How much more a pull may have.
#[derive(Debug)]
pub(super) struct Room {
    /// How long a body may be when it is decompressed, and how many bytes of that are left, for all of them.
    limit: usize,
    bytes: usize,
    messages: usize,
}

impl Room {
    /// Room for bodies of `limit` bytes in all.
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, bytes: limit, messages: MOST_MESSAGES }
    }

    /// Whether nothing has taken any of it.
    const fn is_all(&self) -> bool {
        self.bytes == self.limit && self.messages == MOST_MESSAGES
    }

    /// A message's body, decompressed; `None` if it does not fit beside those before it.
    ///
    /// # Errors
    /// It cannot be decompressed, or would be longer than a body may be.
    pub(super) fn body_of(&mut self, message: &StoredMessage) -> Option<Result<Bytes, CompressionError>> {
        if !message.is_compressed() {
            return Some(Ok(message.body_bytes()));
        }
        let body = match compression::decompress(message.body(), message.fields.sys_flag, self.limit) {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        self.bytes = self.bytes.checked_sub(body.len())?;
        Some(Ok(body))
    }

    /// Opens a batch; `None` if it does not fit beside what came before it.
    ///
    /// # Errors
    /// As [`Room::body_of`].
    pub(super) fn open(&mut self, batch: &StoredMessage) -> Option<Result<InnerMessages, CompressionError>> {
        let is_first = self.is_all();
        let body = match self.body_of(batch)? {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        let messages = batch.inner_messages(body, MOST_MESSAGES);
        let count = messages.clone().count();
        if count > self.messages && !is_first {
            return None;
        }
        self.messages = self.messages.saturating_sub(count);
        Some(Ok(messages))
    }
}
