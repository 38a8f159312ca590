//! How far groups have consumed, and setting them elsewhere (`AdminBrokerProcessor.getConsumeStats`, `resetOffset`,
//! `Broker2Client.resetOffset`).

use serde_json::json;
use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::Now;
use stgclient_core::wire::body::{self, ConsumeStats, ConsumedOffsets, QueueKey, ResetOffsets};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::{GetConsumeStats, InvokeResetOffset, ResetConsumerOffset};

use super::super::nullable::Nullable;
use super::super::output::Outputs;
use super::super::refusal::Refusal;
use super::Broker;
use super::admin::text_keys;
use super::offsets::GroupOffsets;
use super::queue::Queue;

/// Of more queues no answer tells: it would be longer than what clients read.
const MOST_TOLD: usize = 65_536;

impl Broker {
    /// Rates are not measured: `consumeTps` is 0, as that of an Apache broker in its first 10 seconds.
    pub(super) fn consume_stats(&self, now: Now, request: &Command) -> Result<Vec<u8>, Refusal> {
        let fields = Nullable(request);
        let header = GetConsumeStats {
            // Only for topics of a list it is not needed.
            consumer_group: match fields.text("topicList").filter(|list| list.contains(|sign| sign != ';')) {
                Some(_) => fields.shown("consumerGroup"),
                None => fields.needed_text("consumerGroup")?,
            },
            topic: fields.text("topic"),
            topic_list: fields.text("topicList"),
        };
        let group = &*header.consumer_group;
        let mut offset_table = SortedMap::new();
        let names = self.topics_to_tell(now, &header);
        let topics = names.into_iter().filter_map(|name| Some((name, self.topics.by_name(name)?)));
        let topics: Vec<_> = topics.collect();
        if topics.iter().map(|(_, topic)| topic.config.read_queue_nums as usize).sum::<usize>() > MOST_TOLD {
            return Err(Refusal::full("queues in an answer", MOST_TOLD));
        }
        for (name, topic) in topics {
            for queue_id in 0..topic.config.read_queue_nums {
                let queue = topic.queue(queue_id);
                let consumer_offset = self.consumer_offset(group, name, queue_id as i32).unwrap_or_default().max(0);
                let pulled = self.pull_offsets.get(group, name, queue_id as i32).unwrap_or_default();
                let last = queue.and_then(|queue| self.log.get(queue.get(consumer_offset - 1)?.record));
                let offsets = ConsumedOffsets {
                    broker_offset: queue.map_or(0, Queue::max_offset),
                    consumer_offset,
                    last_timestamp: last.map_or(0, |record| record.store_timestamp as i64),
                    pull_offset: consumer_offset.max(pulled),
                };
                offset_table.insert(self.queue_key(name, queue_id), offsets);
            }
        }
        Ok(match self.dialect {
            Dialect::Apache => body::to_vec(&ConsumeStats { consume_tps: 0.0, offset_table }),
            Dialect::Smartgo => {
                let offsets = |offsets: ConsumedOffsets| {
                    json!({
                        "brokerOffset": offsets.broker_offset,
                        "consumerOffset": offsets.consumer_offset,
                        "lastTimestamp": offsets.last_timestamp,
                    })
                };
                let table = offset_table.into_iter().map(|(queue, consumed)| (queue, offsets(consumed)));
                text_keys(json!({ "consumeTps": 0 }), table)
            }
        })
    }

    /// The topics that are asked for by name, or those that the group has consumed. A group that has members is told of
    /// only as far as it subscribes (`getTopicsForCollectingConsumeStats`).
    fn topics_to_tell<'a>(&'a self, now: Now, header: &'a GetConsumeStats<'_>) -> SortedSet<&'a str> {
        let list = header.topic_list.as_deref().unwrap_or_default();
        let listed: SortedSet<&str> = list.split(';').filter(|topic| !topic.is_empty()).collect();
        if !listed.is_empty() {
            return listed;
        }
        let mut topics = match header.topic.as_deref().filter(|topic| !topic.trim().is_empty()) {
            Some(topic) => SortedSet::from([topic]),
            None => self.offsets.topics_of(&header.consumer_group).collect(),
        };
        let group = &*header.consumer_group;
        if self.groups.consumers(group).is_some_and(|group| group.subscribes()) {
            topics.retain(|topic| self.find_subscription(now, group, topic).is_some());
        }
        topics
    }

    /// Sets a group's offsets here, so that consumers hear of it at their next pull; or asks them to do it.
    pub(super) fn reset_offset(&mut self, request: &Command, out: &mut Outputs) -> Result<Vec<u8>, Refusal> {
        let fields = Nullable(request);
        let header = InvokeResetOffset {
            topic: fields.needed_text("topic")?,
            group: fields.shown("group"),
            queue_id: fields.number("queueId"),
            offset: fields.number("offset"),
            timestamp: fields.number("timestamp").unwrap_or_default(),
            is_force: fields.truth("isForce"),
        };
        let is_named = fields.text("group").is_some() || self.topic(&header.topic).is_none();
        if !is_named {
            return Err(group_missing("null"));
        }
        Ok(body::to_vec(&ResetOffsets { offset_table: self.reset(&header, out)? }))
    }

    pub(crate) fn reset(
        &mut self,
        header: &InvokeResetOffset<'_>,
        out: &mut Outputs,
    ) -> Result<SortedMap<QueueKey, i64>, Refusal> {
        if self.config.server_side_reset_offset && self.dialect == Dialect::Apache {
            self.reset_offset_here(header)
        } else {
            self.reset_offset_at_members(header, out)
        }
    }

    fn reset_offset_here(&mut self, header: &InvokeResetOffset<'_>) -> Result<SortedMap<QueueKey, i64>, Refusal> {
        let (group, topic) = (&*header.group, &*header.topic);
        let Some(config) = self.topic(topic) else {
            return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("Topic {topic} does not exist")));
        };
        if self.group_settings.get(group).is_none() {
            return Err(group_missing(group));
        }
        let failed = |remark: String| Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
        let by_time = |queue_id: i32| (queue_id, self.offset_to_reset_to(topic, queue_id, header.timestamp));
        let offsets: Vec<(i32, i64)> = match header.queue_id.filter(|queue_id| *queue_id >= 0) {
            None => (0..config.read_queue_nums as i32).map(by_time).collect(),
            Some(queue_id) => match header.offset.filter(|offset| *offset != -1) {
                None => vec![by_time(queue_id)],
                Some(offset) => {
                    let queue = self.queue(topic, queue_id);
                    let (min, max) = queue.map_or((0, 0), |queue| (queue.min_offset(), queue.max_offset()));
                    if offset < min || offset > max + 1 {
                        return failed(format!("Target offset {offset} not in consume queue range [{min}-{max}]"));
                    }
                    vec![(queue_id, offset)]
                }
            },
        };
        if offsets.is_empty() {
            return failed("No queues to reset.".into());
        }
        // All of them or none: there has to be room for all first.
        drop(self.budget.charge(2 * GroupOffsets::most(group, topic, offsets.len()))?);
        let mut table = SortedMap::new();
        for (queue_id, offset) in offsets {
            self.offsets.set(group, topic, queue_id, offset)?;
            self.reset_offsets.set(group, topic, queue_id, offset)?;
            table.insert(self.queue_key(topic, queue_id as u32), offset);
        }
        Ok(table)
    }

    /// The way of brokers before 5: members set themselves, and only those that are there.
    fn reset_offset_at_members(
        &mut self,
        header: &InvokeResetOffset<'_>,
        out: &mut Outputs,
    ) -> Result<SortedMap<QueueKey, i64>, Refusal> {
        let (group, topic) = (&*header.group, &*header.topic);
        let Some(config) = self.topic(topic) else {
            let remark = format!("[reset-offset] reset offset failed, no topic in this broker. topic={topic}");
            let code = match self.dialect {
                Dialect::Apache => ResponseCode::TOPIC_NOT_EXIST,
                Dialect::Smartgo => ResponseCode::SYSTEM_ERROR,
            };
            return Err(Refusal::new(code, remark));
        };
        let mut offset_table = SortedMap::new();
        for queue_id in 0..config.write_queue_nums {
            let Some(consumed) = self.consumer_offset(group, topic, queue_id as i32) else {
                let remark = format!("THe consumer group <{group}> not exist");
                return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
            };
            let wanted = self.offset_to_reset_to(topic, queue_id as i32, header.timestamp);
            let offset = if header.is_force { wanted } else { wanted.min(consumed) };
            offset_table.insert(self.queue_key(topic, queue_id), offset);
        }
        let Some(consumers) = self.groups.consumers(group) else {
            let remark = format!(
                "Consumer not online, so can not reset offset, Group: {group} Topic: {topic} Timestamp: {}",
                header.timestamp
            );
            return Err(Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, remark));
        };
        let request = ResetConsumerOffset {
            topic: topic.into(),
            group: group.into(),
            queue_id: Some(-1),
            offset: None,
            timestamp: header.timestamp,
            is_force: false,
        };
        let offsets = body::to_vec(&ResetOffsets { offset_table: offset_table.clone() }).into();
        for peer in consumers.members().keys() {
            self.asks.oneway(out, *peer, &request, &offsets);
        }
        Ok(offset_table)
    }

    fn offset_to_reset_to(&self, topic: &str, queue_id: i32, timestamp: i64) -> i64 {
        match self.queue(topic, queue_id) {
            None => 0,
            Some(queue) if timestamp < 0 && self.dialect == Dialect::Apache => queue.max_offset(),
            Some(queue) => self.offset_at(queue, timestamp),
        }
    }

    pub(super) fn queue_key(&self, topic: &str, queue_id: u32) -> QueueKey {
        QueueKey { broker_name: self.config.name.clone(), queue_id: queue_id as i32, topic: topic.to_owned() }
    }
}

fn group_missing(group: &str) -> Refusal {
    Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, format!("Group {group} does not exist"))
}
