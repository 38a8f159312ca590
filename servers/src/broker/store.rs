//! Putting a message at the end of a queue (`DefaultMessageStore.putMessage`).

use std::net::SocketAddr;

use stgclient_core::time::Now;
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::java;
use stgclient_core::wire::message::stored::SMALLEST;
use stgclient_core::wire::message::{OffsetMessageId, PropertiesRef, StoredFields, property};

use super::super::refusal::Refusal;
use super::Broker;
use super::index::Index;
use super::queue::Entry;
use super::topic_names::SCHEDULE_TOPIC;
use crate::table::Key;

/// The longest message that smartgo's brokers store, in bytes of its stored layout (`MaxMessageSize`).
const SMARTGO_LONGEST: usize = 512 * 1024;

/// A message that is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewMessage<'a> {
    pub(super) topic: Key,
    /// Below the topic's number of queues.
    pub(super) queue_id: u32,
    pub(super) flag: i32,
    pub(super) sys_flag: i32,
    pub(super) born_timestamp: i64,
    pub(super) born_host: SocketAddr,
    pub(super) reconsume_times: i32,
    /// Above 0: the message is held back.
    pub(super) delay_level: i32,
    /// Encoded.
    pub(super) properties: &'a str,
    pub(super) body: &'a [u8],
}

/// Where a message was stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub(super) queue_offset: i64,
    pub(super) id: OffsetMessageId,
}

/// What smartgo's brokers say of a message that they do not store.
pub(super) fn smartgo_illegal() -> Refusal {
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, "the message is illegal, maybe length not matched.")
}

impl Broker {
    /// Stores a message in its queue, or where messages are held back, and wakes who waits for it there.
    pub(super) fn store(&mut self, now: Now, message: &NewMessage<'_>) -> Result<Stored, Refusal> {
        // Smartgo's schedule service is never given a message.
        if message.delay_level > 0 && self.dialect == Dialect::Apache {
            self.hold_back(now, message)
        } else {
            self.append(now, message)
        }
    }

    /// Puts a message at the end of its queue, and lets the oldest of the broker go where there is no room for both.
    pub(super) fn append(&mut self, now: Now, message: &NewMessage<'_>) -> Result<Stored, Refusal> {
        let NewMessage { topic: key, queue_id, properties, body, .. } = *message;
        let Some(topic) = self.topics.get_mut(key) else {
            return Err(Refusal::topic_missing(""));
        };
        let queue = topic.queue_to_write(queue_id)?;
        let queue_offset = queue.max_offset();
        let fields = StoredFields {
            body_crc: self.dialect.body_crc(body),
            queue_id: queue_id as i32,
            flag: message.flag,
            queue_offset,
            physical_offset: self.log.next_physical_offset() as i64,
            sys_flag: message.sys_flag,
            born_timestamp: message.born_timestamp,
            born_host: message.born_host,
            store_timestamp: now.unix_ms as i64,
            store_host: self.store_host,
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: 0,
        };
        let length = SMALLEST + topic.name.len() + properties.len() + body.len();
        if self.dialect == Dialect::Smartgo && length > SMARTGO_LONGEST {
            self.is_jammed = true;
            return Err(smartgo_illegal());
        }
        // Addresses may be longer than those of IPv4.
        let length = length + 25;
        fields
            .encode(self.log.writer(length), self.dialect, &topic.name, properties, body)
            .map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
        let properties = PropertiesRef::new(properties);
        let record = self.log.append(now.unix_ms, key, queue_id, Index::cost(properties));
        self.index.add(record, &topic.name, properties);
        let tag = properties.get(property::TAGS);
        // Of what is held back this is the time when it is due, which no tag is (`ScheduleMessageService`).
        let tag = tag.filter(|_| &*topic.name != SCHEDULE_TOPIC);
        topic.queue_to_write(queue_id)?.push(Entry { record, tags_code: tag.map_or(0, java::string_hash) });
        self.counters.count_stored();
        while let Some(record) = self.log.pop_surplus() {
            let topic = self.topics.get_mut(record.topic);
            if let Some(queue) = topic.and_then(|topic| topic.queue_mut(record.queue_id)) {
                queue.drop_oldest();
            }
        }
        self.index.forget_before(self.log.first());
        // Smartgo's tells those who wait of what is sent, and of nothing else.
        if self.dialect == Dialect::Apache {
            self.wake_pulls(key, queue_id, queue_offset);
        }
        Ok(Stored { queue_offset, id: fields.offset_id() })
    }
}
