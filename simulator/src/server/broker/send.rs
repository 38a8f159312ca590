//! Sending: what is checked, what becomes of the properties, what is answered (`SendMessageProcessor`).

use std::borrow::Cow;
use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::time::Now;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::fields::{FieldError, FieldWriter, Fields, Header};
use stgclient_core::wire::java;
use stgclient_core::wire::message::stored::SMALLEST;
use stgclient_core::wire::message::{
    BatchRecord, BatchRecords, OffsetMessageId, PropertiesRef, StoredFields, property, sys_flag,
};
use stgclient_core::wire::request::{SendMessage, SendMessageAnswer, SendMessageV1};

use super::super::reply::{DIALECT, Refusal, Reply};
use super::queue::Entry;
use super::topics::FilterType;
use super::{Broker, Session, properties, topic_names};
use crate::table::Key;

/// The longest encoded properties, in bytes (`Short.MAX_VALUE` in `MessageExtEncoder`).
const LONGEST_PROPERTIES: usize = i16::MAX as usize;
/// A message that has passed the checks.
struct Accepted<'a> {
    topic: Key,
    queue_id: u32,
    header: &'a SendMessage<'a>,
    born_host: SocketAddr,
}

/// Where a message was stored.
struct Stored {
    queue_offset: i64,
    id: String,
}

/// The fields that every answer to a send has (`SendMessageProcessor.preSend`).
#[derive(Clone, Copy)]
struct Region<'a> {
    region: &'a str,
    trace_on: bool,
}

impl<'h> Header<'h> for Region<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        writer.text("MSG_REGION", self.region);
        writer.text("TRACE_ON", if self.trace_on { "true" } else { "false" });
    }

    fn read(_: &'h Fields) -> Result<Self, FieldError> {
        Err(FieldError::Missing { name: "MSG_REGION" })
    }
}

/// A send's answer with these fields.
struct Answer<'a>(SendMessageAnswer<'a>, Region<'a>);

impl<'h> Header<'h> for Answer<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.write(writer);
        self.1.write(writer);
    }

    fn read(_: &'h Fields) -> Result<Self, FieldError> {
        Err(FieldError::Missing { name: "msgId" })
    }
}

impl Broker {
    pub(super) fn send(&mut self, now: Now, session: Session, request: &Command, reply: Reply<'_>) {
        let sent = read_header(request).map_err(Refusal::from).and_then(|header| {
            let is_batch = header.batch == Some(true) || request.code == RequestCode::SEND_BATCH_MESSAGE.0;
            let accepted = self.accept(session, &header)?;
            let (queue_id, topic) = (accepted.queue_id, accepted.topic);
            let transaction_id = unique_key(&header).map(str::to_owned);
            let stored = if is_batch {
                self.store_batch(now, &accepted, &request.body)?
            } else {
                self.store_single(now, &accepted, &request.body)?
            };
            self.wake_pulls(topic, queue_id, stored.queue_offset);
            Ok((queue_id, stored, transaction_id))
        });
        let region = Region { region: &self.config.region, trace_on: self.config.trace_on };
        match sent {
            Ok((queue_id, stored, transaction_id)) => {
                let answer = SendMessageAnswer {
                    transaction_id: Some(Cow::Owned(transaction_id.unwrap_or_else(|| stored.id.clone()))),
                    msg_id: (&*stored.id).into(),
                    queue_id: queue_id as i32,
                    queue_offset: stored.queue_offset,
                    batch_uniq_id: None,
                };
                reply.send(ResponseCode::SUCCESS, None, &Answer(answer, region), &[]);
            }
            Err(Refusal { code, remark }) => reply.send(code, Some(&remark), &region, &[]),
        }
    }

    /// The checks before anything is read of the message itself (`AbstractSendMessageProcessor.msgCheck`). The
    /// permission of the topic is not among them: a topic without it has no route for a producer to follow.
    fn accept<'a>(&mut self, session: Session, header: &'a SendMessage<'a>) -> Result<Accepted<'a>, Refusal> {
        use ResponseCode as Code;
        let name = &*header.topic;
        let is_ordered = self.topics.by_name(name).is_some_and(|topic| topic.config.is_ordered);
        if !self.config.permission.is_writable() && is_ordered {
            let remark = format!("the broker[{}] sending message is forbidden", self.config.host());
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        topic_names::validate_topic(name).map_err(|remark| Refusal::new(Code::INVALID_PARAMETER, remark))?;
        if !topic_names::is_sent_to(name) {
            let remark = format!("Sending message to topic[{name}] is forbidden.");
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        let created = match self.topics.find(name) {
            Some(key) => Some(key),
            None => self.topics.create_for_send(name, &header.default_topic, header.default_topic_queue_nums)?,
        };
        let Some((key, topic)) = created.and_then(|key| Some((key, self.topics.get_mut(key)?))) else {
            return Err(Refusal::topic_missing(name));
        };
        let queue_id = match u32::try_from(header.queue_id) {
            Ok(queue_id) => queue_id,
            Err(_) => topic.any_queue(),
        };
        if queue_id >= topic.config.queue_nums() {
            let remark =
                format!("request queueId[{queue_id}] is illegal, {} Producer: {}", topic.describe(), session.address);
            return Err(Refusal::new(Code::INVALID_PARAMETER, remark));
        }
        Ok(Accepted { topic: key, queue_id, header, born_host: session.address })
    }

    fn store_single(&mut self, now: Now, accepted: &Accepted<'_>, body: &Bytes) -> Result<Stored, Refusal> {
        let sent = sent_properties(accepted.header);
        self.refuse_unsupported(sent)?;
        let mut stored = String::with_capacity(sent.encoded().len() + 96);
        let has_key = self.stored_properties(sent, &mut stored);
        if !has_key {
            // Java makes a unique key from the broker's own address, process and clock. The place in the log is as good.
            properties::push(&mut stored, property::UNIQ_KEY, &self.next_message_id());
        }
        self.check_size(body.len(), stored.len())?;
        let header = accepted.header;
        let fields = self.stored_fields(now, accepted, header.flag, body);
        let tag = sent.get(property::TAGS);
        let queue_offset = self.append(accepted, &fields, &stored, tag, body)?;
        Ok(Stored { queue_offset, id: fields.offset_id().to_hex().to_string() })
    }

    /// Stores the records of a batch as messages of their own, all or none. Their properties stay as they were sent.
    fn store_batch(&mut self, now: Now, accepted: &Accepted<'_>, body: &Bytes) -> Result<Stored, Refusal> {
        if accepted.header.topic.starts_with(topic_names::RETRY_PREFIX) {
            let remark = format!("batch request does not support retry group {}", accepted.header.topic);
            return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        self.check_size(body.len(), 0)?;
        let records: Vec<BatchRecord> = BatchRecords::new(body.clone())
            .collect::<Result<_, _>>()
            .map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
        let mut stored: Option<Stored> = None;
        for record in &records {
            let fields = self.stored_fields(now, accepted, record.flag, record.body());
            let properties = record.properties();
            let tag = properties.get(property::TAGS);
            let queue_offset = self.append(accepted, &fields, properties.encoded(), tag, record.body())?;
            let id = fields.offset_id().to_hex();
            match &mut stored {
                None => stored = Some(Stored { queue_offset, id: id.to_string() }),
                Some(stored) => {
                    stored.id.push(',');
                    stored.id.push_str(&id);
                }
            }
        }
        stored.ok_or_else(|| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, "a batch without messages"))
    }

    fn check_size(&self, body: usize, properties: usize) -> Result<(), Refusal> {
        if body <= self.config.max_body_length && body > 0 && properties <= LONGEST_PROPERTIES {
            return Ok(());
        }
        let limit = self.config.max_body_length;
        let remark = format!(
            "the message is illegal, maybe msg body or properties length not matched. msg body length limit {limit}B, \
             msg properties length limit 32KB."
        );
        Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark))
    }

    fn stored_fields(&self, now: Now, accepted: &Accepted<'_>, flag: i32, body: &[u8]) -> StoredFields {
        let topic = self.topics.get(accepted.topic);
        let is_multi_tag = topic.is_some_and(|topic| topic.config.filter_type == FilterType::MultiTag);
        let header = accepted.header;
        StoredFields {
            body_crc: java::body_crc(body),
            queue_id: accepted.queue_id as i32,
            flag,
            queue_offset: topic.and_then(|topic| topic.queue(accepted.queue_id)).map_or(0, |queue| queue.max_offset()),
            physical_offset: self.log.next_physical_offset() as i64,
            sys_flag: header.sys_flag | if is_multi_tag { sys_flag::MULTI_TAGS } else { 0 },
            born_timestamp: header.born_timestamp,
            born_host: accepted.born_host,
            store_timestamp: now.unix_ms as i64,
            store_host: self.store_host,
            reconsume_times: header.reconsume_times.unwrap_or_default(),
            prepared_transaction_offset: 0,
        }
    }

    /// Puts a message at the end of its queue, and lets the oldest of the broker go where there is no room for both.
    fn append(
        &mut self,
        accepted: &Accepted<'_>,
        fields: &StoredFields,
        properties: &str,
        tag: Option<&str>,
        body: &[u8],
    ) -> Result<i64, Refusal> {
        let Some(topic) = self.topics.get_mut(accepted.topic) else {
            return Err(Refusal::topic_missing(&accepted.header.topic));
        };
        let length = SMALLEST + 25 + topic.name.len() + properties.len() + body.len();
        fields
            .encode(self.log.writer(length), DIALECT, &topic.name, properties, body)
            .map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
        let record = self.log.append(fields.store_timestamp as u64, accepted.topic, accepted.queue_id);
        let queue = topic.queue_to_write(accepted.queue_id);
        queue.push(Entry { record, tags_code: tag.map_or(0, java::string_hash) });
        self.counters.count_put();
        while let Some(record) = self.log.pop_surplus() {
            let topic = self.topics.get_mut(record.topic);
            if let Some(queue) = topic.and_then(|topic| topic.queue_mut(record.queue_id)) {
                queue.drop_oldest();
            }
        }
        Ok(fields.queue_offset)
    }

    fn next_message_id(&self) -> String {
        let physical_offset = self.log.next_physical_offset();
        OffsetMessageId { host: self.store_host, physical_offset }.to_hex().to_string()
    }
}

/// The header in either form; they say the same.
fn read_header(request: &Command) -> Result<SendMessage<'_>, FieldError> {
    if request.code != RequestCode::SEND_MESSAGE.0 {
        return request.header();
    }
    let header: SendMessageV1<'_> = request.header()?;
    Ok(SendMessage {
        producer_group: header.producer_group,
        topic: header.topic,
        default_topic: header.default_topic,
        default_topic_queue_nums: header.default_topic_queue_nums,
        queue_id: header.queue_id,
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        flag: header.flag,
        properties: header.properties,
        reconsume_times: header.reconsume_times,
        unit_mode: header.unit_mode,
        max_reconsume_times: header.max_reconsume_times,
        batch: header.batch,
        broker_name: header.broker_name,
    })
}

/// The properties as they were sent: read from a header, they are one piece.
fn sent_properties<'a>(header: &'a SendMessage<'_>) -> PropertiesRef<'a> {
    let encoded = header.properties.as_ref().map_or("", |properties| &properties.encoded);
    PropertiesRef::new(encoded)
}

fn unique_key<'a>(header: &'a SendMessage<'_>) -> Option<&'a str> {
    sent_properties(header).get(property::UNIQ_KEY)
}
