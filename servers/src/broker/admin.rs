//! Topics on request: create, change, delete, describe (`AdminBrokerProcessor`).

use serde_json::{Value, json};
use stgclient_core::sorted::SortedMap;
use stgclient_core::wire::body::{self, DataVersion, Permission, QueueKey, QueueOffsets, TopicStatsTable};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::request::{CreateTopic, GetTopicConfig, GetTopicStats, TopicFilterType};

use super::super::nullable::Nullable;
use super::super::refusal::Refusal;
use super::super::reply::{NOT_SET, Reply};
use super::topics::{FilterType, Topic, TopicConfig};
use super::{Broker, attributes, page, topic_names};

impl Broker {
    pub(super) fn create_topic_for(&mut self, request: &Command, reply: Reply<'_>) {
        match self.create_topic_from(request) {
            Ok(()) => {
                let remark = (self.dialect == Dialect::Apache).then_some(NOT_SET);
                reply.send(ResponseCode::SUCCESS, remark, &NoFields, &[]);
            }
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    fn create_topic_from(&mut self, request: &Command) -> Result<(), Refusal> {
        let header: CreateTopic<'_> = request.header()?;
        let name = &*header.topic;
        match self.dialect {
            Dialect::Apache => {
                topic_names::validate_topic(name).map_err(invalid)?;
                self.refuse_system_topic(name)?;
            }
            // Whatever else is asked for is done, also to the topics that are the broker's own.
            Dialect::Smartgo if name.eq_ignore_ascii_case(&self.cluster) => return Err(topic_names::reserved(name)),
            Dialect::Smartgo => {}
        }
        let nums = |nums: i32, what: &str| {
            u32::try_from(nums).map_err(|_| invalid(format!("{what}[{nums}] of topic[{name}] is negative")))
        };
        let filter_type = match &header.topic_filter_type {
            TopicFilterType::SingleTag => FilterType::SingleTag,
            // Any number will do there.
            TopicFilterType::Unknown(_) if self.dialect == Dialect::Smartgo => FilterType::SingleTag,
            TopicFilterType::MultiTag => FilterType::MultiTag,
            TopicFilterType::Unknown(name) => {
                let remark = format!("RemotingCommandException: topicFilterType = [{name}] value invalid");
                return Err(Refusal::thrown(remark));
            }
        };
        let known = self.topics.by_name(name).map(|topic| &topic.config.attributes);
        let attributes = match self.dialect {
            Dialect::Apache => attributes::parse(header.attributes.as_deref().unwrap_or_default())
                .and_then(|changes| attributes::changed(attributes::OF_TOPICS, known, changes))
                .map_err(|remark| Refusal::new(ResponseCode::SYSTEM_ERROR, remark))?,
            Dialect::Smartgo => SortedMap::new(),
        };
        let config = TopicConfig {
            read_queue_nums: nums(header.read_queue_nums, "readQueueNums")?,
            write_queue_nums: nums(header.write_queue_nums, "writeQueueNums")?,
            permission: Permission(header.perm),
            sys_flag: header.topic_sys_flag.unwrap_or_default(),
            is_ordered: header.order,
            filter_type,
            attributes,
        };
        self.topics.update(name, config).map(|_| ())
    }

    pub(super) fn delete_topic_for(&mut self, request: &Command) -> Result<(), Refusal> {
        // A missing one is blank.
        self.forget_topic(&Nullable(request).text("topic").unwrap_or_default())
    }

    pub(super) fn forget_topic(&mut self, name: &str) -> Result<(), Refusal> {
        if self.dialect == Dialect::Smartgo {
            self.topics.remove(name);
            return Ok(());
        }
        if name.trim().is_empty() {
            return Err(invalid("The specified topic is blank."));
        }
        self.refuse_system_topic(name)?;
        for offsets in [&mut self.offsets, &mut self.pull_offsets, &mut self.reset_offsets] {
            offsets.forget_topic(name);
        }
        if let Some(key) = self.topics.remove(name) {
            self.holds.wake_topic(key);
        }
        Ok(())
    }

    /// Whether a topic is every broker's, or this one's.
    pub(super) fn is_system_topic(&self, topic: &str) -> bool {
        let is_own = topic == self.cluster || topic == self.config.name;
        is_own || topic_names::is_system(topic) || topic == topic_names::reply_topic(&self.cluster)
    }

    fn refuse_system_topic(&self, topic: &str) -> Result<(), Refusal> {
        if self.is_system_topic(topic) {
            return Err(invalid(format!("The topic[{topic}] is conflict with system topic.")));
        }
        Ok(())
    }

    pub(super) fn topic_stats(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetTopicStats<'_> = request.header()?;
        let topic = self
            .topics
            .by_name(&header.topic)
            .ok_or_else(|| Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{}] not exist", header.topic)))?;
        let queue_offsets = |queue_id| {
            let queue = topic.queue(queue_id)?;
            let (min_offset, max_offset) = (queue.min_offset(), queue.max_offset());
            let last = queue.get(max_offset - 1).and_then(|entry| self.log.get(entry.record));
            let last_update_timestamp = last.map_or(0, |record| record.store_timestamp as i64);
            Some(QueueOffsets { last_update_timestamp, max_offset, min_offset })
        };
        let key = |queue_id| QueueKey {
            broker_name: self.config.name.clone(),
            queue_id: queue_id as i32,
            topic: topic.name.to_string(),
        };
        let offsets = |queue_id| (key(queue_id), queue_offsets(queue_id).unwrap_or_default());
        Ok(match self.dialect {
            Dialect::Apache => {
                let offset_table = (0..topic.config.queue_nums()).map(offsets).collect();
                // Rates are not measured, as in an Apache broker's first 10 seconds.
                body::to_vec(&TopicStatsTable { offset_table, topic_put_tps: 0.0 })
            }
            Dialect::Smartgo => {
                let offsets = (0..topic.config.write_queue_nums).map(offsets);
                text_keys(json!({}), offsets.map(|(queue, offsets)| (queue, json!(offsets))))
            }
        })
    }

    pub(super) fn topic_config(&self, request: &Command) -> Result<Vec<u8>, Refusal> {
        let header: GetTopicConfig<'_> = request.header()?;
        let topic = self.topics.by_name(&header.topic).ok_or_else(|| {
            let remark = format!("No topic in this broker. topic: {}", header.topic);
            Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
        })?;
        Ok(topic.to_json().to_string().into_bytes())
    }

    /// All topics, or a page of them. One that goes on from another version of them begins again
    /// (`TopicConfigManager.subTopicConfigTable`).
    pub(super) fn all_topic_configs(&self, request: &Command, reply: Reply<'_>) {
        let page = match page::Page::of(request, "topicSeq", "maxTopicNum") {
            Ok(page) => page,
            Err(refusal) => return reply.refuse(&refusal),
        };
        let version =
            DataVersion { counter: self.topics.changes(), state_version: 0, timestamp: self.started.unix_ms as i64 };
        let topics = page.of_all(version, self.topics.iter());
        let table: SortedMap<&str, Value> = topics.map(|topic| (&*topic.name, topic.to_json())).collect();
        let no_version = DataVersion { counter: 0, ..version };
        let body = json!({
            "dataVersion": version,
            "mappingDataVersion": no_version,
            "topicConfigTable": table,
            "topicQueueMappingDetailMap": {},
            "topicQueueMappingInfoMap": {},
        });
        let body = body.to_string().into_bytes();
        match self.dialect {
            Dialect::Apache => {
                let total = page::Total { name: "totalTopicNum", total: self.topics.len() };
                reply.send(ResponseCode::SUCCESS, None, &total, &body);
            }
            Dialect::Smartgo => reply.body(Ok(body)),
        }
    }
}

impl Topic {
    /// As `TopicConfig.toString` has it, for remarks.
    pub(super) fn describe(&self, dialect: Dialect) -> String {
        let config = &self.config;
        if dialect == Dialect::Smartgo {
            return format!(
                "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}({}), topicFilterType=0, \
                 topicSysFlag={}, order={}]",
                self.name,
                config.read_queue_nums,
                config.write_queue_nums,
                config.permission.0,
                config.permission,
                config.sys_flag,
                config.is_ordered,
            );
        }
        let attributes: Vec<String> = config.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}, topicFilterType={}, \
             topicSysFlag={}, order={}, attributes={{{}}}]",
            self.name,
            config.read_queue_nums,
            config.write_queue_nums,
            config.permission,
            config.filter_type.name(),
            config.sys_flag,
            config.is_ordered,
            attributes.join(", "),
        )
    }

    fn to_json(&self) -> Value {
        let config = &self.config;
        json!({
            "attributes": config.attributes,
            "order": config.is_ordered,
            "perm": config.permission.0,
            "readQueueNums": config.read_queue_nums,
            "topicFilterType": config.filter_type.name(),
            "topicName": self.name,
            "topicSysFlag": config.sys_flag,
            "writeQueueNums": config.write_queue_nums,
        })
    }
}

/// A table by queue, as smartgo's brokers write it: a queue is the text `TOPIC@BROKER@ID`, and rates are none.
pub(super) fn text_keys(mut head: Value, table: impl Iterator<Item = (QueueKey, Value)>) -> Vec<u8> {
    let key = |QueueKey { topic, broker_name, queue_id }| format!("{topic}@{broker_name}@{queue_id}");
    head["offsetTable"] = Value::Object(table.map(|(queue, value)| (key(queue), value)).collect());
    head.to_string().into_bytes()
}

fn invalid(remark: impl Into<String>) -> Refusal {
    Refusal::new(ResponseCode::INVALID_PARAMETER, remark)
}
