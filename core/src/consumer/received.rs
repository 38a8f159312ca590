//! Messages as an application gets them: taken apart, decompressed, filtered by the exact tag.

use bytes::Bytes;
use core::net::SocketAddr;

use super::inner_batches::Room;
use super::pull::{PullStatus, Pulled};
use crate::producer::Message;
use crate::queue::MessageQueue;
use crate::wire::compression::{self, CompressionError};
use crate::wire::dialect::Dialect;
use crate::wire::message::{MessageError, OffsetMessageId, PropertiesRef, StoredMessage, StoredMessages, property};

/// A message that a broker delivered. Cheap to clone. It shares the memory of what was read with it:
/// [`detach`](Self::detach) copies one that is kept for long.
#[derive(Clone, Debug)]
pub struct ReceivedMessage {
    stored: StoredMessage,
    body: Bytes,
    queue: MessageQueue,
}

/// A message that came and cannot be read; those beside it are not affected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedMessage {
    /// Its offset in the queue, when it is long enough to have one.
    pub queue_offset: Option<u64>,
    /// What is wrong with it.
    pub reason: RefusedReason,
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// Its bytes are no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Its body cannot be decompressed, or would be too large.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// What came of a pull.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PullBatch {
    /// What came of it.
    pub status: PullStatus,
    /// Where to pull next.
    pub next_offset: u64,
    /// The first offset that the queue has.
    pub min_offset: u64,
    /// One past the last offset that the queue has.
    pub max_offset: u64,
    /// The wanted messages, by offset.
    pub messages: Vec<ReceivedMessage>,
    /// What came and cannot be read.
    pub refused: Vec<RefusedMessage>,
}

impl Pulled {
    /// Reads the messages. A body that would be longer than `limit` bytes when decompressed is refused. As many are read as have no more
    /// than that together, and inner batches no more than 190,650 messages; the next pull brings the others.
    ///
    /// When messages came but none is wanted, the status is [`PullStatus::NoMatchedMessage`]: brokers compare hashes
    /// of tags, and a hash may fit two.
    pub fn into_batch(self, dialect: Dialect, limit: usize) -> PullBatch {
        let mut batch = PullBatch {
            status: self.status,
            next_offset: self.next_offset,
            min_offset: self.min_offset,
            max_offset: self.max_offset,
            messages: Vec::new(),
            refused: Vec::new(),
        };
        let mut room = Room::new(limit);
        let mut following = 0;
        for stored in StoredMessages::new(self.body.clone(), dialect) {
            match stored {
                Ok(stored) => {
                    let offset = u64::try_from(stored.fields.queue_offset).unwrap_or_default();
                    if !self.take(&stored, &mut room, &mut batch) {
                        // Never back to what was read.
                        batch.next_offset = offset.max(following);
                        break;
                    }
                    following = following.max(offset + 1).max(batch.end());
                }
                Err(error) => {
                    if error.queue_offset.is_none() && following > 0 {
                        // Its length is impossible: those behind it are pulled again, without it.
                        batch.next_offset = batch.next_offset.min(following + 1);
                    }
                    batch.refuse(error.queue_offset, error.into());
                }
            }
        }
        if batch.status == PullStatus::Found && batch.messages.is_empty() && batch.refused.is_empty() {
            batch.status = PullStatus::NoMatchedMessage;
        }
        batch
    }

    /// Takes a message, or those of an inner batch. False if there is no room for it beside those before it.
    fn take(&self, stored: &StoredMessage, room: &mut Room, batch: &mut PullBatch) -> bool {
        let queue_offset = Some(stored.fields.queue_offset);
        if !stored.is_inner_batch() {
            match room.body_of(stored) {
                None => return false,
                Some(Ok(body)) => self.keep(stored.clone(), body, batch),
                Some(Err(error)) => batch.refuse(queue_offset, error.into()),
            }
            return true;
        }
        let messages = match room.open(stored) {
            None => return false,
            Some(Ok(messages)) => messages,
            Some(Err(error)) => {
                batch.refuse(queue_offset, error.into());
                return true;
            }
        };
        for inner in messages {
            match inner {
                Ok(inner) => {
                    let body = inner.body_bytes();
                    self.keep(inner, body, batch);
                }
                Err(error) => batch.refuse(error.queue_offset, error.into()),
            }
        }
        true
    }

    fn keep(&self, stored: StoredMessage, body: Bytes, batch: &mut PullBatch) {
        if self.expression.matches(stored.properties().get(property::TAGS)) {
            batch.messages.push(ReceivedMessage { stored, body, queue: self.queue.clone() });
        }
    }
}

impl PullBatch {
    /// The offset behind the last message that was read.
    fn end(&self) -> u64 {
        let read = self.messages.last().map(ReceivedMessage::queue_offset);
        let refused = self.refused.last().and_then(|refused| refused.queue_offset);
        read.max(refused).map_or(0, |last| last + 1)
    }

    fn refuse(&mut self, queue_offset: Option<i64>, reason: RefusedReason) {
        let queue_offset = queue_offset.and_then(|offset| u64::try_from(offset).ok());
        self.refused.push(RefusedMessage { queue_offset, reason });
    }
}

impl ReceivedMessage {
    /// A stored message of `queue`, its body decompressed, that was delivered in vain `failures` times without its broker
    /// knowing of it.
    ///
    /// # Errors
    /// The body cannot be decompressed, or would be longer than `limit` bytes.
    pub fn open(
        mut stored: StoredMessage,
        queue: MessageQueue,
        failures: u32,
        limit: usize,
    ) -> Result<Self, CompressionError> {
        let body = if stored.is_compressed() && !stored.is_inner_batch() {
            compression::decompress(stored.body(), stored.fields.sys_flag, limit)?
        } else {
            stored.body_bytes()
        };
        let failures = i32::try_from(failures).unwrap_or(i32::MAX);
        stored.fields.reconsume_times = stored.fields.reconsume_times.saturating_add(failures);
        Ok(Self { stored, body, queue })
    }

    /// The topic; of a message that is consumed again, the one that it was sent to
    /// (`DefaultMQPushConsumerImpl.resetRetryAndNamespace`).
    pub fn topic(&self) -> &str {
        let stored = self.stored.topic();
        if !stored.starts_with("%RETRY%") {
            return stored;
        }
        self.property(property::RETRY_TOPIC).unwrap_or(stored)
    }

    /// The body, decompressed.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The queue it is in.
    pub const fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// Its offset there.
    pub fn queue_offset(&self) -> u64 {
        u64::try_from(self.stored.fields.queue_offset).unwrap_or(0)
    }

    /// The id that its producer gave it, or where the broker stored it when the producer gave none.
    pub fn message_id(&self) -> String {
        match self.property(property::UNIQ_KEY) {
            Some(id) => id.to_owned(),
            None => self.offset_message_id().to_string(),
        }
    }

    /// Where the broker stored it.
    pub const fn offset_message_id(&self) -> OffsetMessageId {
        self.stored.fields.offset_id()
    }

    /// Its tag.
    pub fn tag(&self) -> Option<&str> {
        self.property(property::TAGS)
    }

    /// Its keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.property(property::KEYS).unwrap_or_default().split(' ').filter(|key| !key.is_empty())
    }

    /// The property called `name`.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.stored.properties().get(name)
    }

    /// All properties, the protocol's own among them.
    pub fn properties(&self) -> PropertiesRef<'_> {
        self.stored.properties()
    }

    /// The application's own number beside the body.
    pub const fn flag(&self) -> i32 {
        self.stored.fields.flag
    }

    /// When its producer made it, milliseconds since 1970 UTC by the producer's clock.
    pub const fn born_timestamp(&self) -> i64 {
        self.stored.fields.born_timestamp
    }

    /// Where its producer was.
    pub const fn born_host(&self) -> SocketAddr {
        self.stored.fields.born_host
    }

    /// When the broker stored it, milliseconds since 1970 UTC by the broker's clock.
    pub const fn store_timestamp(&self) -> i64 {
        self.stored.fields.store_timestamp
    }

    /// How often it has been consumed in vain.
    pub const fn reconsume_times(&self) -> i32 {
        self.stored.fields.reconsume_times
    }

    /// Its content, to be sent once more: to the topic that it was first sent to, also if it is a dead letter, without a delay, and with
    /// a new id.
    fn again(&self) -> Message {
        let stored = self.stored.topic();
        let is_moved = ["%RETRY%", "%DLQ%"].iter().any(|prefix| stored.starts_with(prefix));
        let topic = self.property(property::RETRY_TOPIC).filter(|_| is_moved).unwrap_or(stored);
        Message::again(topic, self.body.clone(), self.flag(), self.properties().iter())
    }

    /// The message as it was stored.
    pub const fn stored(&self) -> &StoredMessage {
        &self.stored
    }

    /// A copy in memory of its own. A message shares the memory of everything that was read with it, so one that is
    /// kept for long is better detached.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), stored: self.stored.detach(), queue: self.queue.clone() }
    }
}

/// To send its content once more, such as that of a dead letter.
impl From<&ReceivedMessage> for Message {
    fn from(received: &ReceivedMessage) -> Self {
        received.again()
    }
}

/// As of a reference to it.
impl From<ReceivedMessage> for Message {
    fn from(received: ReceivedMessage) -> Self {
        received.again()
    }
}

#[cfg(test)]
mod tests;
