//! The topics of a broker: their settings and their queues.

use stgclient_core::sorted::SortedMap;
use stgclient_core::wire::body::Permission;
use stgclient_core::wire::dialect::Dialect;

use super::super::budget::{Budget, Charge, ENTRY};
use super::super::config::BrokerConfig;
use super::super::refusal::Refusal;
use super::delays::LEVEL_COUNT;
use super::queue::Queue;
use super::topic_names::{self, OFFSET_MOVED_EVENT, SCHEDULE_TOPIC};
use crate::table::{Key, Table};

/// What a queue takes besides its messages, in bytes.
const QUEUE: usize = 256;
/// What a topic takes, in bytes.
const TOPIC: usize = 1280;

/// What a topic takes besides its queues, its name in the list of changes included, in bytes.
fn cost(name: &str, config: &TopicConfig) -> usize {
    let attributes: usize = config.attributes.iter().map(|(name, value)| ENTRY + name.len() + value.len()).sum();
    TOPIC + 4 * name.len() + attributes
}

/// What can be set of a topic (`TopicConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    pub(crate) read_queue_nums: u32,
    pub(crate) write_queue_nums: u32,
    pub(crate) permission: Permission,
    /// Bits of `TopicSysFlag`.
    pub(crate) sys_flag: i32,
    /// Whether the topic is called ordered; the queues it is then sent to are the name server's affair.
    pub(super) is_ordered: bool,
    pub(super) filter_type: FilterType,
    pub(super) attributes: SortedMap<String, String>,
}

impl TopicConfig {
    /// A topic of `queues` queues that can be sent to and pulled from.
    pub(super) const fn new(queues: u32) -> Self {
        Self {
            read_queue_nums: queues,
            write_queue_nums: queues,
            permission: Permission::READ_WRITE,
            sys_flag: 0,
            is_ordered: false,
            filter_type: FilterType::SingleTag,
            attributes: SortedMap::new(),
        }
    }

    pub(super) const fn with_permission(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// How many queues there are to send to or to pull from.
    pub(super) fn queue_nums(&self) -> u32 {
        self.read_queue_nums.max(self.write_queue_nums)
    }
}

/// What `TopicFilterType` knows. Both filter alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterType {
    SingleTag,
    MultiTag,
}

impl FilterType {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SingleTag => "SINGLE_TAG",
            Self::MultiTag => "MULTI_TAG",
        }
    }
}

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Box<str>,
    pub(super) config: TopicConfig,
    /// Made when first written to, so that a topic of a thousand queues costs nothing until it is used. Those beyond
    /// the configured number stay: the topic may grow again.
    queues: SortedMap<u32, Queue>,
    /// The queue for the next message that may go to any.
    next_queue: u32,
    /// For the topic and its queues.
    charge: Charge,
}

impl Topic {
    pub(super) fn queue(&self, queue_id: u32) -> Option<&Queue> {
        self.queues.get(&queue_id)
    }

    /// The queue `queue_id`, which is below [`TopicConfig::queue_nums`].
    ///
    /// # Errors
    /// It is to be made, and there is no room for it.
    pub(super) fn queue_to_write(&mut self, queue_id: u32) -> Result<&mut Queue, Refusal> {
        if !self.queues.contains_key(&queue_id) {
            self.charge.resize(self.charge.bytes() + QUEUE)?;
        }
        Ok(self.queues.get_or_default(queue_id))
    }

    pub(super) fn queue_mut(&mut self, queue_id: u32) -> Option<&mut Queue> {
        self.queues.get_mut(&queue_id)
    }

    /// One of the queues to send to, each in turn. (Apache's broker draws one.)
    pub(super) fn any_queue(&mut self) -> u32 {
        let queue_id = self.next_queue.checked_rem(self.config.write_queue_nums).unwrap_or_default();
        self.next_queue = queue_id + 1;
        queue_id
    }
}

/// The topics of one broker.
#[derive(Debug)]
pub(super) struct Topics {
    table: Table<Topic>,
    by_name: SortedMap<Box<str>, Key>,
    /// Those that were deleted where their queues stay (smartgo's), by name, until they are created anew.
    deleted: SortedMap<Box<str>, Key>,
    dialect: Dialect,
    budget: Budget,
    queues_per_topic: u32,
    /// Those that name servers have to hear of.
    changed: Vec<Box<str>>,
    /// How often a topic was created, changed or deleted.
    changes: i64,
    /// Those that were deleted since somebody has asked.
    deleted_names: Vec<Box<str>>,
}

impl Topics {
    /// The topics that a broker of `cluster` has from the start (`TopicConfigManager.init`). Behind some there is nothing.
    pub(super) fn new(cluster: &str, dialect: Dialect, config: &BrokerConfig, budget: &Budget) -> Self {
        let mut topics = Self {
            table: Table::default(),
            by_name: SortedMap::new(),
            deleted: SortedMap::new(),
            dialect,
            budget: budget.clone(),
            queues_per_topic: config.limits.queues_per_topic,
            changed: Vec::new(),
            changes: 0,
            deleted_names: Vec::new(),
        };
        let inherited = Permission(Permission::INHERIT.0 | Permission::READ_WRITE.0);
        let mut add = |name: &str, config| {
            let charge = topics.budget.free();
            topics.insert(name, config, charge);
        };
        add("SELF_TEST_TOPIC", TopicConfig::new(1));
        if config.auto_create_topics {
            add(dialect.default_topic(), TopicConfig::new(config.default_topic_queue_nums).with_permission(inherited));
        }
        add("BenchmarkTest", TopicConfig::new(1024));
        add(cluster, TopicConfig::new(16).with_permission(inherited));
        add(&config.name, TopicConfig::new(1).with_permission(inherited));
        add(OFFSET_MOVED_EVENT, TopicConfig::new(1));
        if dialect == Dialect::Apache {
            add(SCHEDULE_TOPIC, TopicConfig::new(LEVEL_COUNT as u32));
            add(&topic_names::reply_topic(cluster), TopicConfig::new(1));
            add(&format!("rmq_sys_REVIVE_LOG_{cluster}"), TopicConfig::new(8));
            let member_topic = format!("rmq_sys_SYNC_BROKER_MEMBER_{}", config.name);
            add(&member_topic, TopicConfig::new(1).with_permission(Permission::INHERIT));
            for name in topic_names::IDLE {
                add(name, TopicConfig::new(1));
            }
        }
        topics
    }

    /// How often a topic was created, changed or deleted.
    pub(super) const fn changes(&self) -> i64 {
        self.changes
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<Key> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Topic> {
        self.table.get(key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Topic> {
        self.table.get_mut(key)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Topic> {
        self.get(self.find(name)?)
    }

    /// Every topic, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values().filter_map(|key| self.table.get(*key))
    }

    /// Creates a topic or changes its settings.
    ///
    /// # Errors
    /// There is no room for it, or it would have too many queues.
    pub(super) fn update(&mut self, name: &str, config: TopicConfig) -> Result<Key, Refusal> {
        if config.queue_nums() > self.queues_per_topic {
            return Err(Refusal::full("queues of a topic", self.queues_per_topic as usize));
        }
        let known = self.find(name);
        // Which changes nothing, where there are no attributes (`AdminBrokerProcessor.updateAndCreateTopic`).
        if let Some(key) = known
            && config.attributes.is_empty()
            && self.table.get(key).is_some_and(|topic| topic.config == config)
        {
            return Ok(key);
        }
        let cost = cost(name, &config);
        let key = match known.and_then(|key| Some((key, self.table.get_mut(key)?))) {
            Some((key, topic)) => {
                topic.charge.resize(cost + QUEUE * topic.queues.len())?;
                topic.config = config;
                key
            }
            None => {
                let charge = self.budget.charge(cost)?;
                self.insert(name, config, charge)
            }
        };
        self.changed.push(name.into());
        self.changes += 1;
        Ok(key)
    }

    /// Creates the topic that a message was sent to without there being one
    /// (`TopicConfigManager.createTopicInSendMessageMethod`): after `default_topic`, if that may be inherited.
    ///
    /// # Errors
    /// There is no room for it; `Ok(None)` when it is not to be created.
    pub(super) fn create_for_send(
        &mut self,
        name: &str,
        default_topic: &str,
        queue_nums: i32,
        sys_flag: i32,
    ) -> Result<Option<Key>, Refusal> {
        let inherited = self.by_name(default_topic).map(|topic| &topic.config);
        if let Some(config) = inherited.filter(|config| config.permission.is_inherited()) {
            let queues = u32::try_from(queue_nums).unwrap_or_default().min(config.write_queue_nums);
            let permission = match self.dialect {
                Dialect::Apache => Permission(config.permission.0 & !Permission::INHERIT.0),
                // It is worked out, and forgotten.
                Dialect::Smartgo => Permission::default(),
            };
            let filter_type = config.filter_type;
            let config = TopicConfig { filter_type, sys_flag, ..TopicConfig::new(queues).with_permission(permission) };
            return self.update(name, config).map(Some);
        }
        if name.starts_with(topic_names::RETRY_PREFIX) {
            return self.update(name, TopicConfig { sys_flag, ..TopicConfig::new(1) }).map(Some);
        }
        Ok(None)
    }

    /// Creates the topic that a group's messages come back in, the retry topic or the one of its dead letters. A topic that
    /// is there keeps its settings but for whether it is ordered (`createTopicInSendMessageBackMethod`).
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn create_for_back(&mut self, name: &str, config: TopicConfig) -> Result<Key, Refusal> {
        let Some((key, topic)) = self.find(name).and_then(|key| Some((key, self.table.get_mut(key)?))) else {
            return self.update(name, config);
        };
        if topic.config.is_ordered != config.is_ordered {
            topic.config.is_ordered = config.is_ordered;
            self.changed.push(name.into());
            self.changes += 1;
        }
        Ok(key)
    }

    /// The same of one that was deleted and whose queues stay.
    pub(super) fn by_name_or_deleted(&self, name: &str) -> Option<&Topic> {
        let key = self.by_name.get(name).or_else(|| self.deleted.get(name))?;
        self.table.get(*key)
    }

    /// Removes a topic with its queues, and returns the key it had. Of smartgo's the queues stay for who creates the topic
    /// anew (`DeleteTopicConfig`).
    pub(super) fn remove(&mut self, name: &str) -> Option<Key> {
        let key = self.by_name.remove(name)?;
        self.changes += 1;
        self.deleted_names.push(name.into());
        if self.dialect == Dialect::Smartgo {
            self.deleted.insert(name.into(), key);
        } else {
            self.table.remove(key);
        }
        Some(key)
    }

    /// The topics that were created or changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.changed)
    }

    /// The topics that were deleted since the last call.
    pub(super) fn take_deleted(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.deleted_names)
    }

    fn insert(&mut self, name: &str, config: TopicConfig, charge: Charge) -> Key {
        if let Some(key) = self.deleted.remove(name)
            && let Some(topic) = self.table.get_mut(key)
        {
            topic.config = config;
            self.by_name.insert(name.into(), key);
            return key;
        }
        let key =
            self.table.insert(Topic { name: name.into(), config, queues: SortedMap::new(), next_queue: 0, charge });
        self.by_name.insert(name.into(), key);
        key
    }
}
