//! Messages that administrators look for by their ids and keys: what is asked, and how the answers are read.

use core::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use crate::consumer::ReceivedMessage;
use crate::error::{Error, ErrorKind};
use crate::producer::check_topic;
use crate::queue::MessageQueue;
use crate::sorted::sort;
use crate::wire::dialect::Dialect;
use crate::wire::message::{OffsetMessageId, StoredMessage, StoredMessages, property};

/// How many messages one query may ask for.
const MOST_MESSAGES: u32 = 1024;
/// How long the answers to one query may be together, in bytes of stored messages.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// What stands between two keys of a message (`MessageConst.KEY_SEPARATOR`).
const KEY_SEPARATOR: char = ' ';

/// Which messages of a topic are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageQuery {
    /// The topic that they are stored in.
    pub topic: String,
    /// What they are looked for by.
    pub key: String,
    /// Whether that is the id which a producer gave, rather than one of a message's keys.
    pub is_unique_key: bool,
    /// How many at the most, the newest of them, 1 to 1024. 32 by default. Brokers give 64 each by default, whatever is asked.
    pub max: u32,
    /// When they were stored, milliseconds since 1970 UTC; at any time by default.
    pub stored: RangeInclusive<u64>,
}

impl MessageQuery {
    /// Messages that have this key.
    pub fn by_key(topic: impl Into<String>, key: impl Into<String>) -> Self {
        let (topic, key) = (topic.into(), key.into());
        Self { topic, key, is_unique_key: false, max: 32, stored: 0..=u64::MAX }
    }

    /// The message that has this id of its producer's.
    pub fn by_unique_key(topic: impl Into<String>, id: impl Into<String>) -> Self {
        Self { is_unique_key: true, ..Self::by_key(topic, id) }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: String| Err(Error::new(ErrorKind::InvalidArgument, why));
        check_topic(&self.topic)?;
        if self.key.is_empty() || self.key.contains(KEY_SEPARATOR) {
            return wrong(format!("the key {:?}; no message can have one that is empty or has a space", self.key));
        }
        if !(1..=MOST_MESSAGES).contains(&self.max) {
            return wrong(format!("{} messages; 1 to {MOST_MESSAGES} are allowed", self.max));
        }
        if self.stored.is_empty() {
            return wrong(format!("from {} to {}, which is no time", self.stored.start(), self.stored.end()));
        }
        Ok(())
    }

    /// Whether a message is one that is looked for. Brokers find messages by hashes, which may fit others too, and times by the
    /// second (`MQAdminImpl.queryMessage`, `IndexFile.selectPhyOffset`).
    fn is_met_by(&self, message: &StoredMessage) -> bool {
        let properties = message.properties();
        let has_key = if self.is_unique_key {
            properties.get(property::UNIQ_KEY) == Some(&*self.key)
        } else {
            properties.get(property::KEYS).unwrap_or_default().split(KEY_SEPARATOR).any(|key| key == self.key)
        };
        let stored = u64::try_from(message.fields.store_timestamp).unwrap_or_default();
        has_key && message.topic() == self.topic && self.stored.contains(&stored)
    }
}

/// What was looked for.
#[derive(Clone, Debug)]
enum Wanted {
    At(OffsetMessageId),
    By(MessageQuery),
}

/// What brokers answered who were asked for messages, as it came.
#[derive(Clone, Debug)]
pub struct FoundMessages {
    wanted: Wanted,
    /// Stored messages, one after the other, with the name of the broker.
    answers: Vec<(Arc<str>, Bytes)>,
}

impl FoundMessages {
    pub(crate) const fn at(id: OffsetMessageId) -> Self {
        Self { wanted: Wanted::At(id), answers: Vec::new() }
    }

    pub(crate) const fn by(query: MessageQuery) -> Self {
        Self { wanted: Wanted::By(query), answers: Vec::new() }
    }

    /// What was looked for, for errors.
    pub(crate) fn words(&self) -> String {
        match &self.wanted {
            Wanted::At(id) => format!("message {id}"),
            Wanted::By(query) => {
                let what = if query.is_unique_key { "unique key" } else { "key" };
                format!("messages of topic {} by {what} {}", query.topic, query.key)
            }
        }
    }

    /// Takes what a broker found.
    pub(crate) fn add(&mut self, broker: Arc<str>, messages: Bytes) -> Result<(), Error> {
        let length: usize = self.answers.iter().map(|(_, messages)| messages.len()).sum();
        if length + messages.len() > MOST_BYTES {
            return Err(too_long("the messages as they are stored", MOST_BYTES));
        }
        self.answers.push((broker, messages));
        Ok(())
    }

    /// The messages that were looked for, the oldest first: of those with a key the newest, as many as were wanted; of several with an
    /// id, since a send that was tried again may have been stored twice, the first. Bodies are decompressed, and may be no longer than
    /// `limit` bytes, all together as well.
    ///
    /// # Errors
    /// A message cannot be read, or its body cannot be decompressed; the bodies would be longer.
    pub fn read(self, dialect: Dialect, limit: usize) -> Result<Vec<ReceivedMessage>, Error> {
        let words = self.words();
        self.read_all(dialect, limit).map_err(|error| error.context(words))
    }

    fn read_all(self, dialect: Dialect, limit: usize) -> Result<Vec<ReceivedMessage>, Error> {
        let mut found: Vec<(Arc<str>, StoredMessage)> = Vec::new();
        for (broker, messages) in self.answers {
            for message in StoredMessages::new(messages, dialect) {
                let message = message.map_err(|error| malformed(&error).at_broker(&broker))?;
                let is_wanted = match &self.wanted {
                    // What stands at another place is no message of this id, whatever it is.
                    Wanted::At(id) => message.fields.physical_offset.cast_unsigned() == id.physical_offset(),
                    Wanted::By(query) => query.is_met_by(&message),
                };
                match (&self.wanted, is_wanted) {
                    (_, true) => found.push((broker.clone(), message)),
                    (Wanted::By(_), false) => {}
                    (Wanted::At(id), false) => {
                        let why = format!("the message {} in place of {id}", message.fields.offset_id());
                        return Err(malformed(&why).at_broker(&broker));
                    }
                }
            }
        }
        sort(&mut found, |(one_broker, one), (other_broker, other)| {
            let order = |message: &StoredMessage| (message.fields.store_timestamp, message.fields.physical_offset);
            order(one).cmp(&order(other)).then_with(|| one_broker.cmp(other_broker))
        });
        match &self.wanted {
            Wanted::By(query) if !query.is_unique_key => {
                drop(found.drain(..found.len().saturating_sub(query.max as usize)));
            }
            _ => found.truncate(1),
        }
        open_all(found, limit)
    }
}

/// Opens messages whose bodies may be so long together.
fn open_all(found: Vec<(Arc<str>, StoredMessage)>, limit: usize) -> Result<Vec<ReceivedMessage>, Error> {
    let mut left = limit;
    let open = |(broker, stored): (Arc<str>, StoredMessage)| {
        let (is_compressed, id) = (stored.is_compressed(), stored.fields.offset_id());
        let queue_id = u32::try_from(stored.fields.queue_id);
        let queue_id =
            queue_id.map_err(|_| malformed(&format!("the message {id} in a negative queue")).at_broker(&broker))?;
        let queue = MessageQueue::new(stored.topic(), broker.clone(), queue_id);
        let message = ReceivedMessage::open(stored, queue, 0, limit)
            .map_err(|error| malformed(&format!("the message {id}: {error}")).at_broker(&broker))?;
        if is_compressed {
            let rest = left.checked_sub(message.body().len());
            left = rest.ok_or_else(|| too_long("the decompressed bodies", limit))?;
        }
        Ok(message)
    };
    found.into_iter().map(open).collect()
}

fn malformed(why: &impl ToString) -> Error {
    Error::new(ErrorKind::MalformedAnswer, why.to_string())
}

fn too_long(what: &str, limit: usize) -> Error {
    let why = format!("{what} have more than {limit} bytes together: ask for fewer, or for a shorter time");
    Error::new(ErrorKind::Full, why)
}
