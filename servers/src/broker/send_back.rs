//! Messages that a consumer could not consume: they come again later in the retry topic of its group, or end among its
//! dead letters (`AbstractSendMessageProcessor.consumerSendMsgBack`, `SendMessageProcessor.handleRetryAndDLQ`).

use stgclient_core::time::Now;
use stgclient_core::wire::body::Permission;
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{Properties, StoredMessage, property};
use stgclient_core::wire::request::SendMessage;

use super::super::nullable::Nullable;
use super::super::refusal::{FAQ, Refusal};
use super::heartbeats::UNIT_SUBSCRIBED;
use super::store::NewMessage;
use super::topics::TopicConfig;
use super::{Broker, topic_names};
use crate::table::Key;

/// From this version on a client says itself how often a message may come again (`MQVersion.V3_4_9`).
const SAYS_HOW_OFTEN: i32 = 121;
/// How many queues a topic of dead letters has (`DLQ_NUMS_PER_GROUP`).
const DEAD_LETTER_QUEUES: u32 = 1;
/// The level with which failed messages begin when the broker chooses.
const FIRST_LEVEL: i32 = 3;

impl Broker {
    pub(super) fn send_back(&mut self, now: Now, request: &Command) -> Result<(), Refusal> {
        let fields = Nullable(request);
        let group = &*fields.needed_text("group")?;
        let Some(settings) = self.group_settings.find_or_create(now, group)? else {
            return Err(group_missing(group));
        };
        let retry_queues = u32::try_from(settings.retry_queue_nums).unwrap_or_default();
        let said = fields.number("maxReconsumeTimes").filter(|_| request.version >= SAYS_HOW_OFTEN);
        let most: i32 = said.unwrap_or(settings.retry_max_times);
        if !self.config.permission.is_writable() {
            let remark = format!("the broker[{}] sending message is forbidden", self.config.host());
            return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
        }
        if retry_queues == 0 {
            return Ok(());
        }
        let sys_flag = if fields.truth("unitMode") { UNIT_SUBSCRIBED } else { 0 };
        let name = topic_names::retry_topic(group);
        let retry = self.topics.create_for_back(&name, TopicConfig { sys_flag, ..TopicConfig::new(retry_queues) })?;
        if self.topics.get(retry).is_some_and(|topic| !topic.config.permission.is_writable()) {
            let remark = format!("the topic[{name}] sending message is forbidden");
            return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
        }
        let message = self.look(fields.needed("offset")?)?;
        let delay_level: i32 = fields.needed("delayLevel")?;
        let is_dead = message.fields.reconsume_times >= most || delay_level < 0;
        // Its counters of dead letters are by the topic that the request names.
        if is_dead && self.dialect == Dialect::Apache && fields.text("originTopic").is_none() {
            return Err(Refusal::thrown("NullPointerException: no originTopic"));
        }
        let delay_level = match delay_level {
            _ if is_dead => 0,
            0 => FIRST_LEVEL.wrapping_add(message.fields.reconsume_times),
            level => level,
        };
        let (topic, queue_id) = if is_dead {
            (self.dead_letters(group)?, 0)
        } else {
            // Apache's broker draws one.
            (retry, self.topics.get_mut(retry).map_or(0, |topic| topic.any_queue()))
        };
        let properties = returned(self.dialect, &message, delay_level)?;
        let stored = self.store(
            now,
            &NewMessage {
                topic,
                queue_id,
                flag: message.fields.flag,
                sys_flag: message.fields.sys_flag,
                born_timestamp: message.fields.born_timestamp,
                born_host: message.fields.born_host,
                // Which may begin anew, as in Java.
                reconsume_times: message.fields.reconsume_times.wrapping_add(1),
                delay_level,
                properties: properties.encoded(),
                body: message.body(),
            },
        );
        match (stored, self.dialect) {
            (Err(_), Dialect::Smartgo) => Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "MESSAGE_ILLEGAL")),
            (stored, _) => stored.map(|_| ()),
        }
    }

    fn look(&self, offset: i64) -> Result<StoredMessage, Refusal> {
        let record = u64::try_from(offset).ok().and_then(|offset| self.log.at(offset));
        let message = record.and_then(|record| self.log.decode(record).ok());
        message
            .ok_or_else(|| Refusal::new(ResponseCode::SYSTEM_ERROR, format!("look message by offset failed, {offset}")))
    }

    /// The topic of a group's dead letters.
    fn dead_letters(&mut self, group: &str) -> Result<Key, Refusal> {
        let name = topic_names::dead_letter_topic(group);
        let permission = match self.dialect {
            Dialect::Apache => Permission::READ_WRITE,
            // Only who changes that can read them.
            Dialect::Smartgo => Permission::WRITE,
        };
        self.topics.create_for_back(&name, TopicConfig::new(DEAD_LETTER_QUEUES).with_permission(permission))
    }

    /// A consumer may also send a message to its retry topic by itself, for instance one of an orderly consumer that has
    /// failed too often. Returns where such a message goes instead when it does not come again: it has come too often, or
    /// its group holds locks, which only orderly consumers do.
    pub(super) fn dead_letter_of(
        &mut self,
        now: Now,
        version: i32,
        header: &SendMessage<'_>,
    ) -> Result<Option<Key>, Refusal> {
        let group = topic_names::group_of_retry_topic(&header.topic);
        // Smartgo's brokers store it as any other.
        let Some(group) = group.filter(|_| self.dialect == Dialect::Apache) else {
            return Ok(None);
        };
        let settings = self.group_settings.find_or_create(now, group)?.ok_or_else(|| group_missing(group))?;
        let said = header.max_reconsume_times.filter(|_| version >= SAYS_HOW_OFTEN);
        let most = said.unwrap_or(settings.retry_max_times);
        let is_dead = header.reconsume_times.unwrap_or_default() > most || !self.locks.are_all_expired(group, now.mono);
        is_dead.then(|| self.dead_letters(group)).transpose()
    }
}

/// The properties of a message that comes back. They also name its first topic, and Apache's its first id.
fn returned(dialect: Dialect, message: &StoredMessage, delay_level: i32) -> Result<Properties, Refusal> {
    let mut properties = message.properties().to_properties();
    let mut set = |name, value: &str| {
        properties.set(name, value).map_err(|_| Refusal::new(ResponseCode::SYSTEM_ERROR, "PROPERTIES_SIZE_EXCEEDED"))
    };
    set(property::WAIT, "false")?;
    set(property::DELAY, &delay_level.to_string())?;
    if message.properties().get(property::RETRY_TOPIC).is_none() {
        set(property::RETRY_TOPIC, message.topic())?;
    }
    if dialect == Dialect::Apache && message.properties().get(property::ORIGIN_MESSAGE_ID).is_none() {
        set(property::ORIGIN_MESSAGE_ID, &message.fields.offset_id().to_hex())?;
    }
    Ok(properties)
}

fn group_missing(group: &str) -> Refusal {
    let remark = format!("subscription group not exist, {group} {FAQ}");
    Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
}
