//! Producers and consumers of a client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Client;
use super::operation::OperationId;
use super::push_consuming::PushEntry;
use super::question::Puller;
use super::sending::Sending;
use crate::error::{Error, ErrorKind};
use crate::producer::{Backlog, ProducerConfig, check_group};
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::table::{Id, Table};
use crate::time::Now;
use crate::timed_table::TimedTable;
use crate::wire::body::{ConsumeType, ConsumerData};

/// A producer of a client.
pub type ProducerId = Id<Producer>;
/// A pull consumer of a client.
pub type PullConsumerId = Id<PullConsumer>;

/// A producer: a group, and how it sends.
#[derive(Debug)]
#[doc(hidden)]
pub struct Producer {
    pub(super) group: Arc<str>,
    pub(super) config: ProducerConfig,
    pub(super) backlog: Backlog,
    /// Sends that wait for room, by the number of their call.
    pub(super) line: BTreeMap<u64, OperationId>,
    /// How many sends were asked for so far.
    pub(super) calls: u64,
    /// The application is being asked for the queue of one, which all that were asked for later wait for.
    pub(super) choosing: bool,
    /// Closed by the application; it goes when its last send is over.
    closed: bool,
}

/// A pull consumer: a group, and which member of each broker to pull from.
#[derive(Debug)]
#[doc(hidden)]
pub struct PullConsumer {
    pub(super) group: Arc<str>,
    suggested: SuggestedMembers,
}

/// Which member of its broker to pull a queue from: brokers suggest a slave when the master is busy with cold data.
#[derive(Debug, Default)]
pub(super) struct SuggestedMembers {
    /// Only suggestions other than the master.
    slaves: BTreeMap<MessageQueue, u64>,
}

impl Producer {
    /// Whether a body may join those that wait for their answers.
    pub(super) const fn has_room(&self, bytes: usize) -> bool {
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
    producers: Table<Producer>,
    pull_consumers: Table<PullConsumer>,
    pub(super) push_consumers: TimedTable<PushEntry>,
    /// Changes with every group and subscription that comes, changes or goes.
    pub(super) version: u32,
}

impl Groups {
    pub(super) fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(id).filter(|producer| !producer.closed || !producer.is_idle())
    }

    pub(super) fn is_choosing(&self, id: ProducerId) -> bool {
        self.producers.get(id).is_some_and(|producer| producer.choosing)
    }

    /// Also one that is closed: what is in line goes on.
    pub(super) fn producer_of_line(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id)
    }

    pub(super) fn producer_mut(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id).filter(|producer| !producer.closed)
    }

    pub(super) fn pull_consumer(&self, id: PullConsumerId) -> Option<&PullConsumer> {
        self.pull_consumers.get(id)
    }

    /// A topic that nobody uses any more: which members its queues are pulled from is nothing to keep.
    pub(super) fn forget_topic(&mut self, topic: &str) {
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
    pub(super) fn suggested(&self, puller: Puller, queue: &MessageQueue) -> u64 {
        let suggested = match puller {
            Puller::Pull(id) => self.pull_consumers.get(id).map(|consumer| &consumer.suggested),
            Puller::Push(id) => self.push_consumers.get(id).map(|entry| &entry.suggested),
        };
        suggested.map_or(MASTER_ID, |suggested| suggested.get(queue))
    }

    pub(super) fn note_suggestion(&mut self, puller: Puller, queue: &MessageQueue, broker_id: u64) {
        let suggested = match puller {
            Puller::Pull(id) => self.pull_consumers.get_mut(id).map(|consumer| &mut consumer.suggested),
            Puller::Push(id) => self.push_consumers.get_mut(id).map(|entry| &mut entry.suggested),
        };
        if let Some(suggested) = suggested {
            suggested.note(queue, broker_id);
        }
    }

    pub(super) const fn has_push_consumers(&self) -> bool {
        self.push_consumers.len() > 0
    }

    /// Whether there are consumers, which brokers' slaves have to know of too.
    pub(super) const fn has_consumers(&self) -> bool {
        self.pull_consumers.len() > 0 || self.has_push_consumers()
    }

    /// What heartbeats tell of consumers, group by group.
    pub(super) fn consumer_data(&self) -> Vec<ConsumerData> {
        let pull = self.pull_consumers.iter().map(|(_, consumer)| ConsumerData {
            group_name: consumer.group.to_string(),
            consume_type: ConsumeType::Actively,
            ..ConsumerData::default()
        });
        let push = self.push_consumers.iter().map(|(_, entry)| entry.consumer.heartbeat_data());
        let by_group: BTreeMap<String, ConsumerData> =
            pull.chain(push).map(|data| (data.group_name.clone(), data)).collect();
        by_group.into_values().collect()
    }

    /// A send that was under way is over. Returns whether its producer has others in line.
    pub(super) fn release(&mut self, sending: &Sending) -> bool {
        let Some(producer) = self.producers.get_mut(sending.producer) else {
            return false;
        };
        producer.backlog.remove(sending.body_bytes);
        let has_others = !producer.line.is_empty();
        if producer.closed && producer.is_idle() {
            self.producers.remove(sending.producer);
        }
        has_others
    }

    /// Forgets a producer that is closed, once nothing of it is left.
    pub(super) fn forget_if_over(&mut self, id: ProducerId) {
        if self.producers.get(id).is_some_and(|producer| producer.closed && producer.is_idle()) {
            self.producers.remove(id);
        }
    }

    pub(super) fn has_producer_of(&self, group: &str) -> bool {
        self.producers.iter().any(|(_, producer)| !producer.closed && &*producer.group == group)
    }

    pub(super) fn has_consumer_of(&self, group: &str) -> bool {
        self.pull_consumers.iter().any(|(_, consumer)| &*consumer.group == group)
            || self.push_consumers.iter().any(|(_, entry)| &*entry.consumer.group == group)
    }

    /// The producer groups, each once, sorted.
    pub(super) fn producer_groups(&self) -> BTreeSet<Arc<str>> {
        self.producers.iter().filter(|(_, producer)| !producer.closed).map(|(_, p)| p.group.clone()).collect()
    }

    /// The consumer groups, each once, sorted.
    pub(super) fn consumer_groups(&self) -> BTreeSet<Arc<str>> {
        let pull = self.pull_consumers.iter().map(|(_, consumer)| consumer.group.clone());
        pull.chain(self.push_consumers.iter().map(|(_, entry)| entry.consumer.group.clone())).collect()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.producers.len() == 0 && !self.has_consumers()
    }
}

impl Client {
    /// Starts a producer of `group`. Brokers hear of it at once if they are connected.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub fn start_producer(&mut self, now: Now, group: &str, config: ProducerConfig) -> Result<ProducerId, Error> {
        self.check_group(group)?;
        let (backlog, line) = (Backlog::default(), BTreeMap::new());
        let producer =
            Producer { group: group.into(), config, backlog, line, calls: 0, choosing: false, closed: false };
        let id = self.session.groups.producers.insert(producer);
        self.session.groups_changed(now);
        Ok(id)
    }

    /// Closes a producer: what it has under way goes on, nothing new is taken, and brokers hear that the group left
    /// when this was its last producer here.
    pub fn close_producer(&mut self, now: Now, id: ProducerId) {
        let groups = &mut self.session.groups;
        let Some(producer) = groups.producer_mut(id) else {
            return;
        };
        producer.closed = true;
        let group = producer.group.clone();
        groups.forget_if_over(id);
        self.session.producer_left(now, &group);
        self.run(now);
    }

    /// Starts a pull consumer of `group`.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub fn start_pull_consumer(&mut self, now: Now, group: &str) -> Result<PullConsumerId, Error> {
        self.check_group(group)?;
        let consumer = PullConsumer { group: group.into(), suggested: SuggestedMembers::default() };
        let id = self.session.groups.pull_consumers.insert(consumer);
        self.session.groups_changed(now);
        Ok(id)
    }

    /// Closes a pull consumer; its pulls under way go on.
    pub fn close_pull_consumer(&mut self, now: Now, id: PullConsumerId) {
        let groups = &mut self.session.groups;
        let Some(consumer) = groups.pull_consumers.remove(id) else {
            return;
        };
        self.session.consumer_left(now, &consumer.group);
        self.run(now);
    }

    pub(super) fn check_group(&self, group: &str) -> Result<(), Error> {
        if self.session.is_closing() {
            return Err(Error::new(ErrorKind::Closed, "the client"));
        }
        check_group(group)
    }
}
