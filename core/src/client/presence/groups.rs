//! Producers and consumers of a client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::client::base::ids::{
    OperationId, ProducerId, ProducerKind, PullConsumerId, PullConsumerKind, PushConsumerId, PushConsumerKind,
};
use crate::consumer::push::PushConsumer;
use crate::consumer::push::queue::QueueId;
use crate::gather::Gather;
use crate::producer::{Backlog, ProducerConfig};
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::table::Table;
use crate::time::Deadline;
use crate::timed_table::{Timed, TimedTable};
use crate::wire::body::{ConsumeType, ConsumerData};

/// Who pulls: it remembers which member of each broker to pull from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Puller {
    Pull(PullConsumerId),
    Push(PushConsumerId),
}

/// A producer: a group, and how it sends.
#[derive(Debug)]
#[doc(hidden)]
pub(crate) struct Producer {
    pub(crate) group: Arc<str>,
    pub(crate) config: ProducerConfig,
    pub(crate) backlog: Backlog,
    /// Sends that wait for room, by the number of their call.
    pub(crate) line: BTreeMap<u64, OperationId>,
    /// How many sends were asked for so far.
    pub(crate) calls: u64,
    /// The application is being asked for the queue of one, which all that were asked for later wait for.
    pub(crate) choosing: bool,
    /// Closed by the application; it goes when its last send is over.
    pub(crate) closed: bool,
}

/// A pull consumer: a group, and which member of each broker to pull from.
#[derive(Debug)]
#[doc(hidden)]
pub(crate) struct PullConsumer {
    pub(crate) group: Arc<str>,
    pub(crate) suggested: SuggestedMembers,
}

/// Which member of its broker to pull a queue from: brokers suggest a slave when the master is busy with cold data.
#[derive(Debug, Default)]
pub(crate) struct SuggestedMembers {
    /// Only suggestions other than the master.
    slaves: BTreeMap<MessageQueue, u64>,
}

impl Producer {
    pub(crate) fn new(group: &str, config: ProducerConfig) -> Self {
        let (backlog, line) = (Backlog::default(), BTreeMap::new());
        Self { group: group.into(), config, backlog, line, calls: 0, choosing: false, closed: false }
    }

    /// Whether a body may join those that wait for their answers.
    pub(crate) const fn has_room(&self, bytes: usize) -> bool {
        !self.choosing && self.backlog.has_room(bytes, self.config.max_waiting_messages, self.config.max_waiting_bytes)
    }

    fn is_idle(&self) -> bool {
        self.backlog.messages == 0 && self.line.is_empty()
    }
}

impl SuggestedMembers {
    fn get(&self, queue: &MessageQueue) -> u64 {
        self.slaves.get(queue).copied().unwrap_or(MASTER_ID)
    }

    fn note(&mut self, queue: &MessageQueue, broker_id: u64) {
        if broker_id != MASTER_ID {
            self.slaves.insert(queue.clone(), broker_id);
        } else if !self.slaves.is_empty() {
            self.slaves.remove(queue);
        }
    }
}

/// The producers and consumers of a client.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) producers: Table<Producer, ProducerKind>,
    pub(crate) pull_consumers: Table<PullConsumer, PullConsumerKind>,
    pub(crate) push_consumers: TimedTable<PushEntry, PushConsumerKind>,
    /// Changes with every group and subscription that comes, changes or goes.
    pub(crate) version: u32,
}

impl Groups {
    pub(crate) fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(id).filter(|producer| !producer.closed || !producer.is_idle())
    }

    pub(crate) fn is_choosing(&self, id: ProducerId) -> bool {
        self.producers.get(id).is_some_and(|producer| producer.choosing)
    }

    /// Also one that is closed: what is in line goes on.
    pub(crate) fn producer_of_line(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id)
    }

    pub(crate) fn producer_mut(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id).filter(|producer| !producer.closed)
    }

    pub(crate) fn pull_consumer(&self, id: PullConsumerId) -> Option<&PullConsumer> {
        self.pull_consumers.get(id)
    }

    /// A topic that nobody uses any more: which members its queues are pulled from is nothing to keep.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        for id in self.pull_consumers.ids() {
            if let Some(consumer) = self.pull_consumers.get_mut(id) {
                consumer.suggested.slaves.retain(|queue, _| &*queue.topic != topic);
            }
        }
        for id in self.push_consumers.ids() {
            if let Some(entry) = self.push_consumers.get_mut(id) {
                entry.suggested.slaves.retain(|queue, _| &*queue.topic != topic);
            }
        }
    }

    /// Which member of its broker to pull a queue from.
    pub(crate) fn suggested(&self, puller: Puller, queue: &MessageQueue) -> u64 {
        let suggested = match puller {
            Puller::Pull(id) => self.pull_consumers.get(id).map(|consumer| &consumer.suggested),
            Puller::Push(id) => self.push_consumers.get(id).map(|entry| &entry.suggested),
        };
        suggested.map_or(MASTER_ID, |suggested| suggested.get(queue))
    }

    pub(crate) fn note_suggestion(&mut self, puller: Puller, queue: &MessageQueue, broker_id: u64) {
        let suggested = match puller {
            Puller::Pull(id) => self.pull_consumers.get_mut(id).map(|consumer| &mut consumer.suggested),
            Puller::Push(id) => self.push_consumers.get_mut(id).map(|entry| &mut entry.suggested),
        };
        if let Some(suggested) = suggested {
            suggested.note(queue, broker_id);
        }
    }

    /// Whether the push consumer of a group is among the groups of this version.
    pub(crate) fn lists(&self, group: &str, version: u32) -> bool {
        let mut entries = self.push_consumers.iter().map(|(_, entry)| entry);
        let since = entries.find(|entry| &*entry.consumer.group == group).map(|entry| entry.since_version);
        // Versions go round.
        since.is_none_or(|since| version.wrapping_sub(since) <= u32::MAX / 2)
    }

    pub(crate) const fn has_push_consumers(&self) -> bool {
        self.push_consumers.len() > 0
    }

    /// Whether there are consumers, which brokers' slaves have to know of too.
    pub(crate) const fn has_consumers(&self) -> bool {
        self.pull_consumers.len() > 0 || self.has_push_consumers()
    }

    /// What heartbeats tell of consumers, group by group.
    pub(crate) fn consumer_data(&self) -> Vec<ConsumerData> {
        let pull = self.pull_consumers.iter().map(|(_, consumer)| ConsumerData {
            group_name: consumer.group.to_string(),
            consume_type: ConsumeType::Actively,
            ..ConsumerData::default()
        });
        let push = self.push_consumers.iter().map(|(_, entry)| entry.consumer.heartbeat_data());
        let by_group: BTreeMap<String, ConsumerData> =
            pull.chain(push).map(|data| (data.group_name.clone(), data)).gather();
        by_group.into_values().collect()
    }

    /// A send of so many bytes that was under way is over. Returns whether its producer has others in line.
    pub(crate) fn release(&mut self, id: ProducerId, bytes: usize) -> bool {
        let Some(producer) = self.producers.get_mut(id) else {
            return false;
        };
        producer.backlog.remove(bytes);
        let has_others = !producer.line.is_empty();
        if producer.closed && producer.is_idle() {
            self.producers.remove(id);
        }
        has_others
    }

    /// Forgets a producer that is closed, once nothing of it is left.
    pub(crate) fn forget_if_over(&mut self, id: ProducerId) {
        if self.producers.get(id).is_some_and(|producer| producer.closed && producer.is_idle()) {
            self.producers.remove(id);
        }
    }

    pub(crate) fn has_producer_of(&self, group: &str) -> bool {
        self.producers.iter().any(|(_, producer)| !producer.closed && &*producer.group == group)
    }

    pub(crate) fn has_consumer_of(&self, group: &str) -> bool {
        self.pull_consumers.iter().any(|(_, consumer)| &*consumer.group == group)
            || self.push_consumers.iter().any(|(_, entry)| &*entry.consumer.group == group)
    }

    /// The producer groups, each once, sorted.
    pub(crate) fn producer_groups(&self) -> BTreeSet<Arc<str>> {
        self.producers.iter().filter(|(_, producer)| !producer.closed).map(|(_, p)| p.group.clone()).gather()
    }

    /// The consumer groups, each once, sorted.
    pub(crate) fn consumer_groups(&self) -> BTreeSet<Arc<str>> {
        let pull = self.pull_consumers.iter().map(|(_, consumer)| consumer.group.clone());
        pull.chain(self.push_consumers.iter().map(|(_, entry)| entry.consumer.group.clone())).gather()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.producers.len() == 0 && !self.has_consumers()
    }
}

/// A push consumer, and its pulls under way.
#[derive(Debug)]
#[doc(hidden)]
pub(crate) struct PushEntry {
    pub(crate) consumer: PushConsumer,
    /// The first version of the groups that it is among.
    pub(crate) since_version: u32,
    pub(crate) suggested: SuggestedMembers,
    /// By the queue's slot.
    pub(crate) pulls: Vec<Option<(QueueId, OperationId)>>,
}

impl Timed for PushEntry {
    fn poll_timeout(&self) -> Option<Deadline> {
        self.consumer.poll_timeout()
    }
}

impl PushEntry {
    pub(crate) fn pull_of(&mut self, slot: usize) -> &mut Option<(QueueId, OperationId)> {
        if self.pulls.len() <= slot {
            self.pulls.resize(slot + 1, None);
        }
        &mut self.pulls[slot]
    }
}
