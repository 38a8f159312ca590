//! Sending: what is checked, what becomes of the properties, what is answered (`SendMessageProcessor`).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;

use bytes::Bytes;
use stgclient_core::time::Now;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, WriteHeader};
use stgclient_core::wire::message::{
    BatchRecord, BatchRecords, OffsetMessageId, Properties, PropertiesRef, property, sys_flag,
};
use stgclient_core::wire::request::{SendMessage, SendMessageAnswer, SentProperties};

use super::super::nullable::plain_header;
use super::super::refusal::Refusal;
use super::super::reply::Reply;
use super::heartbeats::UNIT_SUBSCRIBED;
use super::store::{NewMessage, smartgo_illegal};
use super::topics::FilterType;
use super::{Broker, Session, properties, topic_names};
use crate::table::Key;

/// The longest encoded properties, in bytes (`Short.MAX_VALUE` in `MessageExtEncoder`).
const LONGEST_PROPERTIES: usize = i16::MAX as usize;
/// The longest topic that can be sent to, in bytes (`Byte.MAX_VALUE`).
const LONGEST_TOPIC: usize = i8::MAX as usize;

/// The bit of a topic's system flag that says that a unit sends to it (`TopicSysFlag`).
const UNIT: i32 = 1;

/// What is there instead of a topic: the one that it would be created after, and how many queues it would have at the most.
type Model<'a> = Option<(Cow<'a, str>, i32)>;

/// A header in either form; they say the same.
struct Sending<'a> {
    header: SendMessage<'a>,
    model: Model<'a>,
    /// Where Java runs, these are null if they cannot be read, and needed only later: the queue once there is a topic, the others once
    /// it is known that there is such a queue.
    queue_id: Option<i32>,
    missing: Option<FieldError>,
}

/// A request that has passed the checks.
struct Accepted<'a> {
    topic: Key,
    queue_id: u32,
    header: &'a SendMessage<'a>,
    born_host: SocketAddr,
    /// Of the client.
    version: i32,
}

/// Where a message was stored, and its id; of a batch the first one's place and all ids.
struct Sent {
    queue_offset: i64,
    id: String,
    is_batch: bool,
    /// How many messages it is to administrators, to whom what is held back is none yet.
    counted: usize,
}

/// The fields that every answer to a send has (`SendMessageProcessor.preSend`).
#[derive(Clone, Copy)]
struct Region<'a> {
    region: &'a str,
    trace_on: bool,
}

impl WriteHeader for Region<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        if writer.dialect() == Dialect::Smartgo {
            return;
        }
        writer.text("MSG_REGION", self.region);
        writer.text("TRACE_ON", if self.trace_on { "true" } else { "false" });
    }
}

/// A send's answer with these fields.
struct Answer<'a>(SendMessageAnswer<'a>, Region<'a>);

impl WriteHeader for Answer<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.write(writer);
        self.1.write(writer);
    }
}

impl Broker {
    pub(super) fn send(&mut self, now: Now, session: Session, request: &Command, reply: Reply<'_>) {
        let sent = self.send_header(request).and_then(|Sending { header, model, queue_id, missing }| {
            let is_batch = header.batch == Some(true);
            let accepted = self.accept(session, &header, (model, queue_id), request.version)?;
            missing.map_or(Ok(()), |missing| Err(Refusal::from(missing)))?;
            let transaction_id = unique_key(&header).map(str::to_owned);
            let sent = if is_batch {
                self.store_batch(now, &accepted, &request.body)?
            } else {
                self.store_single(now, &accepted, &request.body)?
            };
            Ok((accepted.queue_id, sent, transaction_id, self.is_system_topic(&header.topic)))
        });
        let region = Region { region: &self.config.region, trace_on: self.config.trace_on };
        match sent {
            Ok((queue_id, stored, transaction_id, is_system)) => {
                self.counters.count_put(if is_system { 0 } else { stored.counted });
                let answer = SendMessageAnswer {
                    transaction_id: match self.dialect {
                        // A batch has none of its own.
                        Dialect::Apache if stored.is_batch => transaction_id.map(Cow::Owned),
                        Dialect::Apache => Some(Cow::Owned(transaction_id.unwrap_or_else(|| stored.id.clone()))),
                        Dialect::Smartgo => None,
                    },
                    msg_id: (&*stored.id).into(),
                    queue_id: queue_id as i32,
                    queue_offset: stored.queue_offset,
                    batch_uniq_id: None,
                };
                reply.send(ResponseCode::SUCCESS, None, &Answer(answer, region), &[]);
            }
            Err(refusal) if refusal.is_thrown && self.dialect == Dialect::Apache => reply.refuse(&refusal),
            Err(Refusal { code, remark, .. }) => match self.dialect {
                Dialect::Apache => reply.send(code, Some(&remark), &region, &[]),
                // The header of the answer goes out as it was made.
                Dialect::Smartgo => {
                    let answer = SendMessageAnswer {
                        transaction_id: None,
                        msg_id: "".into(),
                        queue_id: 0,
                        queue_offset: 0,
                        batch_uniq_id: None,
                    };
                    reply.send(code, Some(&remark), &Answer(answer, region), &[]);
                }
            },
        }
    }

    /// The header of a request with a body, without which `buildMsgContext` fails.
    fn send_header<'a>(&self, request: &'a Command) -> Result<Sending<'a>, Refusal> {
        let header = match plain_header::<SendMessage<'_>>(request) {
            Some(header) if request.code != RequestCode::SEND_MESSAGE.0 => {
                let model = Some((header.default_topic.clone(), header.default_topic_queue_nums));
                Sending { model, queue_id: Some(header.queue_id), missing: None, header }
            }
            _ => read_header(request)?,
        };
        if request.body.is_empty() && self.dialect == Dialect::Apache {
            return Err(Refusal::thrown("NullPointerException: a message without a body"));
        }
        Ok(header)
    }

    /// The checks before anything is read of the message itself (`AbstractSendMessageProcessor.msgCheck`). The
    /// permission of the topic is not among them: a topic without it has no route for a producer to follow.
    fn accept<'a>(
        &mut self,
        session: Session,
        header: &'a SendMessage<'a>,
        (model, queue_id): (Model<'_>, Option<i32>),
        version: i32,
    ) -> Result<Accepted<'a>, Refusal> {
        use ResponseCode as Code;
        let name = &*header.topic;
        let is_ordered = self.topics.by_name(name).is_some_and(|topic| topic.config.is_ordered);
        if !self.config.permission.is_writable() && is_ordered {
            let remark = format!("the broker[{}] sending message is forbidden", self.config.host());
            return Err(Refusal::new(Code::NO_PERMISSION, remark));
        }
        self.check_name(name)?;
        let created = match self.topics.find(name) {
            Some(key) => Some(key),
            None => {
                let sys_flag = match header.unit_mode {
                    Some(true) if topic_names::group_of_retry_topic(name).is_some() => UNIT_SUBSCRIBED,
                    Some(true) => UNIT,
                    _ => 0,
                };
                let lacks_model = || Refusal::thrown("NullPointerException: no default topic");
                let (default_topic, queue_nums) = model.ok_or_else(lacks_model)?;
                self.topics.create_for_send(name, &default_topic, queue_nums, sys_flag)?
            }
        };
        let Some((key, topic)) = created.and_then(|key| Some((key, self.topics.get_mut(key)?))) else {
            return Err(self.topic_missing(name));
        };
        let queue_id = queue_id.ok_or(FieldError::Missing { name: "queueId" })?;
        let queue_id = match u32::try_from(queue_id) {
            Ok(queue_id) => queue_id,
            Err(_) => topic.any_queue(),
        };
        if queue_id >= topic.config.queue_nums() {
            let (topic, producer) = (topic.describe(self.dialect), session.address);
            return Err(match self.dialect {
                Dialect::Apache => {
                    let remark = format!("request queueId[{queue_id}] is illegal, {topic} Producer: {producer}");
                    Refusal::new(Code::INVALID_PARAMETER, remark)
                }
                Dialect::Smartgo => {
                    let remark = format!("request queueId[{queue_id}] is illagal, {topic} producer: {producer}");
                    Refusal::new(Code::SYSTEM_ERROR, remark)
                }
            });
        }
        Ok(Accepted { topic: key, queue_id, header, born_host: session.address, version })
    }

    /// Whether clients may send to a topic of this name.
    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        match self.dialect {
            Dialect::Apache => {
                topic_names::validate_topic(name)
                    .map_err(|remark| Refusal::new(ResponseCode::INVALID_PARAMETER, remark))?;
                if !topic_names::is_sent_to(name) {
                    let remark = format!("Sending message to topic[{name}] is forbidden.");
                    return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
                }
                Ok(())
            }
            // `isTopicCanSendMessage`.
            Dialect::Smartgo if name == self.dialect.default_topic() || name == self.cluster => {
                Err(topic_names::reserved(name))
            }
            Dialect::Smartgo => Ok(()),
        }
    }

    fn topic_missing(&self, name: &str) -> Refusal {
        match self.dialect {
            Dialect::Apache => Refusal::topic_missing(name),
            Dialect::Smartgo => {
                let remark = format!("topic[{name}] not exist, apply first please!");
                Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
            }
        }
    }

    /// The answer names the queue that was asked for, wherever the message lies.
    fn store_single(&mut self, now: Now, accepted: &Accepted<'_>, body: &Bytes) -> Result<Sent, Refusal> {
        let header = accepted.header;
        let sent = sent_properties(header);
        let dead_letters = self.dead_letter_of(now, accepted.version, header)?;
        let delay_level = self.check_properties(header, sent, dead_letters.is_some())?;
        let mut stored = String::with_capacity(sent.encoded().len() + 96);
        let has_key = self.stored_properties(sent, &mut stored);
        if !has_key {
            // Java makes a unique key from the broker's own address, process and clock. The place in the log is as good.
            properties::push(&mut stored, property::UNIQ_KEY, &self.next_message_id());
        }
        self.check_size(&header.topic, body.len(), stored.len())?;
        let message = self.message(now, accepted, header.flag, &stored, body);
        let is_held_back = delay_level > 0 && dead_letters.is_none() && self.dialect == Dialect::Apache;
        let stored = match dead_letters {
            None => {
                let stored = self.store(now, &NewMessage { delay_level, ..message })?;
                if self.dialect == Dialect::Smartgo {
                    self.wake_pulls(accepted.topic, accepted.queue_id, stored.queue_offset);
                }
                stored
            }
            Some(topic) => {
                let mut properties = Properties::from_encoded(&*stored);
                properties
                    .set(property::DELAY, "-1")
                    .map_err(|error| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, error.to_string()))?;
                self.store(now, &NewMessage { topic, queue_id: 0, properties: properties.encoded(), ..message })?
            }
        };
        Ok(Sent {
            queue_offset: stored.queue_offset,
            id: stored.id.to_hex().to_string(),
            is_batch: false,
            counted: usize::from(!is_held_back),
        })
    }

    /// Stores the records of a batch as messages of their own, all or none. Their properties stay as they were sent.
    fn store_batch(&mut self, now: Now, accepted: &Accepted<'_>, body: &Bytes) -> Result<Sent, Refusal> {
        if accepted.header.topic.starts_with(topic_names::RETRY_PREFIX) {
            let remark = format!("batch request does not support retry group {}", accepted.header.topic);
            return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        self.check_size(&accepted.header.topic, body.len(), 0)?;
        // A batch cannot be late (`DefaultMessageStore.asyncPutMessages`).
        if self.check_properties(accepted.header, sent_properties(accepted.header), false)? > 0 {
            return Err(self.illegal());
        }
        let records: Vec<BatchRecord> = BatchRecords::new(body.clone())
            .collect::<Result<_, _>>()
            .map_err(|error| Refusal::thrown(format!("BufferUnderflowException: {error}")))?;
        let mut sent: Option<Sent> = None;
        for record in &records {
            let message = self.message(now, accepted, record.flag, record.properties().encoded(), record.body());
            let stored = self.store(now, &message)?;
            let id = stored.id.to_hex();
            match &mut sent {
                None => {
                    sent = Some(Sent {
                        queue_offset: stored.queue_offset,
                        id: id.to_string(),
                        is_batch: true,
                        counted: records.len(),
                    });
                }
                Some(sent) => {
                    sent.id.push(',');
                    sent.id.push_str(&id);
                }
            }
        }
        sent.ok_or_else(|| Refusal::new(ResponseCode::MESSAGE_ILLEGAL, "a batch without messages"))
    }

    /// Names may be longer than what a topic's messages can carry (`HookUtils.checkBeforePutMessage`).
    fn check_size(&self, topic: &str, body: usize, properties: usize) -> Result<(), Refusal> {
        if self.dialect == Dialect::Smartgo {
            // The rest is found out when the message is stored.
            let is_long = topic.len() > LONGEST_TOPIC || properties > LONGEST_PROPERTIES;
            return if is_long { Err(smartgo_illegal()) } else { Ok(()) };
        }
        let is_long = topic.len() > LONGEST_TOPIC && !topic.starts_with(topic_names::RETRY_PREFIX);
        if !is_long && body <= self.config.max_body_length && body > 0 && properties <= LONGEST_PROPERTIES {
            return Ok(());
        }
        Err(self.illegal())
    }

    pub(super) fn illegal(&self) -> Refusal {
        let limit = self.config.max_body_length;
        let remark = format!(
            "the message is illegal, maybe msg body or properties length not matched. msg body length limit {limit}B, \
             msg properties length limit 32KB."
        );
        Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark)
    }

    fn message<'m>(
        &self,
        now: Now,
        accepted: &Accepted<'_>,
        flag: i32,
        properties: &'m str,
        body: &'m [u8],
    ) -> NewMessage<'m> {
        let topic = self.topics.get(accepted.topic);
        let is_multi_tag = topic.is_some_and(|topic| topic.config.filter_type == FilterType::MultiTag);
        let header = accepted.header;
        NewMessage {
            topic: accepted.topic,
            queue_id: accepted.queue_id,
            flag,
            sys_flag: header.sys_flag | if is_multi_tag { sys_flag::MULTI_TAGS } else { 0 },
            born_timestamp: match self.dialect {
                Dialect::Apache => header.born_timestamp,
                // Whatever the producer says.
                Dialect::Smartgo => now.unix_ms as i64,
            },
            born_host: accepted.born_host,
            reconsume_times: header.reconsume_times.unwrap_or_default(),
            delay_level: 0,
            properties,
            body,
        }
    }

    fn next_message_id(&self) -> String {
        let physical_offset = self.log.next_physical_offset();
        OffsetMessageId::new(self.store_host, physical_offset).to_hex().to_string()
    }
}

/// What each field is called in the first form, whose numbers that cannot be read are null where Java runs, and in the second, which
/// refuses the whole for one.
#[derive(Clone, Copy)]
enum Form {
    First,
    Second,
}

impl Form {
    const fn name(self, first: &'static str, second: &'static str) -> &'static str {
        match self {
            Self::First => first,
            Self::Second => second,
        }
    }

    fn number<N: FromStr>(self, text: Option<Cow<'_, str>>) -> Result<Option<N>, Refusal> {
        let Some(text) = text else {
            return Ok(None);
        };
        match (self, text.parse().ok()) {
            (Self::Second, None) => Err(Refusal::thrown(format!("NumberFormatException: For input string: {text:?}"))),
            (_, number) => Ok(number),
        }
    }
}

/// The header in either form.
fn read_header(request: &Command) -> Result<Sending<'_>, Refusal> {
    let form = if request.code == RequestCode::SEND_MESSAGE.0 { Form::First } else { Form::Second };
    let text = |first, second| request.fields.get(form.name(first, second));
    let truth = |first, second| Some(text(first, second)?.eq_ignore_ascii_case("true"));
    let number = |first, second| form.number::<i32>(text(first, second));
    let (queue_id, sys_flag, flag) = (number("queueId", "e")?, number("sysFlag", "f")?, number("flag", "h")?);
    let missing = [("sysFlag", sys_flag), ("flag", flag)].into_iter().find(|(_, number)| number.is_none());
    let default_topic_queue_nums = number("defaultTopicQueueNums", "d")?;
    let born_timestamp = form.number(text("bornTimestamp", "g"))?;
    let header = SendMessage {
        producer_group: text("producerGroup", "a").unwrap_or_default(),
        topic: text("topic", "b").ok_or(FieldError::Missing { name: "topic" })?,
        default_topic: text("defaultTopic", "c").unwrap_or_default(),
        default_topic_queue_nums: default_topic_queue_nums.unwrap_or_default(),
        queue_id: queue_id.unwrap_or_default(),
        sys_flag: sys_flag.unwrap_or_default(),
        born_timestamp: born_timestamp.ok_or(FieldError::Missing { name: "bornTimestamp" })?,
        flag: flag.unwrap_or_default(),
        properties: text("properties", "i").map(|encoded| SentProperties { encoded, unique_id: None }),
        reconsume_times: number("reconsumeTimes", "j")?,
        unit_mode: truth("unitMode", "k"),
        max_reconsume_times: number("maxReconsumeTimes", "l")?,
        batch: truth("batch", "m"),
        broker_name: text("bname", "n"),
    };
    let model = text("defaultTopic", "c").zip(default_topic_queue_nums);
    Ok(Sending { header, model, queue_id, missing: missing.map(|(name, _)| FieldError::Missing { name }) })
}

/// The properties as they were sent: read from a header, they are one piece.
fn sent_properties<'a>(header: &'a SendMessage<'_>) -> PropertiesRef<'a> {
    let encoded = header.properties.as_ref().map_or("", |properties| &properties.encoded);
    PropertiesRef::new(encoded)
}

fn unique_key<'a>(header: &'a SendMessage<'_>) -> Option<&'a str> {
    sent_properties(header).get(property::UNIQ_KEY)
}
