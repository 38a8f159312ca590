//! What consumer groups have consumed, by topic and queue (`ConsumerOffsetManager`, `ConsumerManageProcessor`).

use serde_json::json;
use stgclient_core::sorted::SortedMap;
use stgclient_core::wire::body::{self, DataVersion};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::request::{OffsetAnswer, QueryConsumerOffset, UpdateConsumerOffset};

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::nullable::Nullable;
use super::super::refusal::Refusal;
use super::super::reply::Reply;
use super::Broker;

/// How many commits make another version of all offsets (`consumerOffsetUpdateVersionStep`).
const VERSION_STEP: u64 = 500;

/// What one offset takes, in bytes.
const OFFSET: usize = 64;

/// Offsets by topic and queue.
type Topics = Named<Queues>;

/// Offsets by queue.
#[derive(Debug)]
struct Queues {
    offsets: SortedMap<i32, i64>,
    charge: Charge,
}

/// Offsets by group, topic and queue.
#[derive(Debug)]
pub(super) struct GroupOffsets {
    groups: Named<Topics>,
    budget: Budget,
    /// How often an offset was stored.
    commits: u64,
}

/// What the first offset of a topic takes, in bytes.
fn cost(group: &str, topic: &str) -> usize {
    2 * ENTRY + group.len() + topic.len() + FIRST * (size_of::<(Box<str>, Queues)>() + OFFSET / 4)
}

impl GroupOffsets {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { groups: Named::default(), budget: budget.clone(), commits: 0 }
    }

    /// What so many offsets of one topic take at the most, in bytes.
    pub(super) fn most(group: &str, topic: &str, offsets: usize) -> usize {
        cost(group, topic) + OFFSET * offsets
    }

    /// Stores an offset, which may be lower than the one before, and counts that it was.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn commit(&mut self, group: &str, topic: &str, queue_id: i32, offset: i64) -> Result<(), Refusal> {
        self.commits += 1;
        self.set(group, topic, queue_id, offset)
    }

    /// Stores an offset that an administrator has set.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn set(&mut self, group: &str, topic: &str, queue_id: i32, offset: i64) -> Result<(), Refusal> {
        if let Some(queues) = self.groups.get_mut(group).and_then(|topics| topics.get_mut(topic)) {
            if !queues.offsets.contains_key(&queue_id) {
                queues.charge.resize(queues.charge.bytes() + OFFSET)?;
            }
            queues.offsets.insert(queue_id, offset);
            return Ok(());
        }
        let charge = self.budget.charge(cost(group, topic))?;
        let queues = Queues { offsets: SortedMap::from([(queue_id, offset)]), charge };
        self.groups.get_or_insert_with(group, Topics::default).insert(topic, queues);
        Ok(())
    }

    pub(super) fn get(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        self.groups.get(group)?.get(topic)?.offsets.get(&queue_id).copied()
    }

    /// Takes an offset out.
    pub(super) fn remove(&mut self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        let topics = self.groups.get_mut(group)?;
        let queues = topics.get_mut(topic)?;
        let offset = queues.offsets.remove(&queue_id)?;
        // The first one costs more, as long as there is any.
        queues.charge.shrink(OFFSET);
        if queues.offsets.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.groups.remove(group);
        }
        Some(offset)
    }

    /// The groups that have offsets of a topic.
    pub(super) fn groups_of<'a>(&'a self, topic: &str) -> impl Iterator<Item = &'a str> {
        self.groups.iter().filter(move |(_, topics)| topics.contains(topic)).map(|(group, _)| group)
    }

    /// The topics that a group has offsets of.
    pub(super) fn topics_of(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups.get(group).into_iter().flatten().map(|(topic, _)| topic)
    }

    /// All offsets, by `topic@group` and queue.
    fn by_topic_and_group(&self) -> SortedMap<String, &SortedMap<i32, i64>> {
        let of_group = |(group, topics): (_, _)| {
            let topics: &Topics = topics;
            topics.iter().map(move |(topic, queues)| (format!("{topic}@{group}"), &queues.offsets))
        };
        self.groups.iter().flat_map(of_group).collect()
    }

    pub(super) fn forget_group(&mut self, group: &str) {
        self.groups.remove(group);
    }

    pub(super) fn forget_topic(&mut self, topic: &str) {
        self.groups.retain(|_, topics| {
            topics.remove(topic);
            !topics.is_empty()
        });
    }
}

impl Broker {
    /// Where a group goes on: at the offset that somebody has set it to, which it may not have heard of yet, or at the one
    /// that it has committed.
    pub(super) fn consumer_offset(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        self.reset_offsets.get(group, topic, queue_id).or_else(|| self.offsets.get(group, topic, queue_id))
    }

    /// What all groups have committed, as slaves ask for it.
    pub(super) fn committed_offsets(&self) -> Vec<u8> {
        let offsets = self.offsets.by_topic_and_group();
        match self.dialect {
            Dialect::Apache => {
                let groups = self.offsets.groups.iter();
                let version = DataVersion {
                    counter: (self.offsets.commits / VERSION_STEP) as i64,
                    state_version: 0,
                    timestamp: self.started.unix_ms as i64,
                };
                let topics: SortedMap<&str, Vec<&str>> =
                    groups.map(|(group, topics)| (group, topics.names().collect())).collect();
                // As `ConsumerOffsetManager.encode` writes it.
                let all = json!({ "dataVersion": version, "groupTopicMap": topics, "offsetTable": offsets });
                all.to_string().into_bytes()
            }
            Dialect::Smartgo => body::to_vec(&SortedMap::from([("offsets", offsets)])),
        }
    }

    pub(super) fn update_consumer_offset(&mut self, request: &Command, reply: Reply<'_>) {
        match self.update_offset(request) {
            Ok(None) => reply.nothing(Ok(())),
            Ok(remark) => reply.send(ResponseCode::SUCCESS, remark, &NoFields, &[]),
            Err(refusal) => reply.refuse(&refusal),
        }
    }

    /// An offset that somebody has set counts until the consumer has pulled and heard of it.
    fn update_offset(&mut self, request: &Command) -> Result<Option<&'static str>, Refusal> {
        if self.dialect == Dialect::Smartgo {
            let UpdateConsumerOffset { consumer_group, topic, queue_id, commit_offset, .. } = request.header()?;
            self.offsets.commit(&consumer_group, &topic, queue_id, commit_offset)?;
            return Ok(None);
        }
        let fields = Nullable(request);
        // Its queues are looked up first (`buildTopicQueueMappingContext`).
        let topic = &*fields.needed_text("topic")?;
        let group = &*fields.shown("consumerGroup");
        if fields.text("consumerGroup").is_none() || self.group_settings.get(group).is_none() {
            let remark = format!("Group {group} not exist!");
            return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        }
        if self.topics.find(topic).is_none() {
            return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("Topic {topic} not exist!")));
        }
        // The one place where Java looks for what it could not read.
        let invalid = |what| Refusal::new(ResponseCode::INVALID_PARAMETER, format!("{what} is null, topic is {topic}"));
        let queue_id = fields.number("queueId").ok_or_else(|| invalid("QueueId"))?;
        let offset = fields.number("commitOffset").ok_or_else(|| invalid("Offset"))?;
        if self.reset_offsets.get(group, topic, queue_id).is_some() {
            return Ok(Some("Offset has been previously reset"));
        }
        self.offsets.commit(group, topic, queue_id, offset)?;
        Ok(None)
    }

    /// A group without an offset is told 0 while a queue's very first message is still there, and nothing else: it
    /// would miss messages if it asked for the newest.
    pub(super) fn query_consumer_offset(&self, request: &Command) -> Result<OffsetAnswer, Refusal> {
        let fields = Nullable(request);
        let header = QueryConsumerOffset {
            consumer_group: fields.shown("consumerGroup"),
            topic: fields.needed_text("topic")?,
            queue_id: fields.needed("queueId")?,
            set_zero_if_not_found: fields.text("setZeroIfNotFound").map(|_| fields.truth("setZeroIfNotFound")),
            broker_name: None,
        };
        let committed = self.consumer_offset(&header.consumer_group, &header.topic, header.queue_id);
        // Less than 0 is as good as none.
        if let Some(offset) = committed.filter(|offset| *offset >= 0 || self.dialect == Dialect::Smartgo) {
            return Ok(OffsetAnswer { offset });
        }
        let not_found = |remark| Err(Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark));
        if header.set_zero_if_not_found == Some(false) {
            return not_found("Not found, do not set to zero, maybe this group boot first");
        }
        let queue = self.queue(&header.topic, header.queue_id);
        let is_young = match self.dialect {
            Dialect::Apache => queue.is_some_and(|queue| queue.get(0).is_some()),
            Dialect::Smartgo => queue.is_none_or(|queue| queue.min_offset() == 0),
        };
        if is_young {
            return Ok(OffsetAnswer { offset: 0 });
        }
        not_found("Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first")
    }
}
