//! Producers and consumers of a client.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::client::base::ids::{
    OperationId, ProducerId, ProducerKind, PullConsumerId, PullConsumerKind, PushConsumerId, PushConsumerKind,
};
use crate::consumer::push::PushConsumer;
use crate::consumer::push::asked;
use crate::metrics::ConsumerMetrics;
use crate::producer::{Backlog, ProducerConfig};
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::sorted::SortedMap;
use crate::table::Table;
use crate::time::Deadline;
use crate::timed_table::{Timed, TimedTable};
use crate::wire::body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel};

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
    pub(crate) line: SortedMap<u64, OperationId>,
    /// How many sends were asked for so far.
    pub(crate) calls: u64,
    /// The application is being asked for the queue of one, which all that were asked for later wait for.
    pub(crate) choosing: bool,
    /// Who waits until what was asked for before is over.
    flushes: Vec<AwaitedSends>,
    /// Closed by the application; it goes when its last send is over.
    pub(crate) closed: bool,
}

/// Sends of a producer that somebody waits for.
#[derive(Debug)]
struct AwaitedSends {
    by: OperationId,
    /// The number of the last of them.
    last: u64,
    /// How many of them are not over.
    left: usize,
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
    slaves: SortedMap<MessageQueue, u64>,
}

impl Producer {
    pub(crate) fn new(group: &str, config: ProducerConfig) -> Self {
        let (backlog, line) = (Backlog::default(), SortedMap::new());
        let flushes = Vec::new();
        Self { group: group.into(), config, backlog, line, calls: 0, choosing: false, flushes, closed: false }
    }

    /// Whether a body may join those that wait for their answers.
    pub(crate) const fn has_room(&self, bytes: usize) -> bool {
        !self.choosing && self.backlog.has_room(bytes, self.config.max_waiting_messages, self.config.max_waiting_bytes)
    }

    fn is_idle(&self) -> bool {
        self.under_way() == 0
    }

    /// How many sends are not over.
    fn under_way(&self) -> usize {
        self.backlog.messages + self.line.len()
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

/// Who of ours is in a group.
#[derive(Debug, Default)]
struct Ours {
    /// Those that are open.
    producers: usize,
    pull_consumers: usize,
    push_consumer: Option<PushConsumerId>,
}

impl Ours {
    const fn has_consumers(&self) -> bool {
        self.pull_consumers > 0 || self.push_consumer.is_some()
    }
}

/// The producers and consumers of a client.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    producers: Table<Producer, ProducerKind>,
    pull_consumers: Table<PullConsumer, PullConsumerKind>,
    pub(crate) push_consumers: TimedTable<PushEntry, PushConsumerKind>,
    /// The groups with anybody of ours in them.
    by_name: SortedMap<Arc<str>, Ours>,
    /// Who is told when the queues of a topic change, by slot, so that no more are kept than there were consumers at once.
    watchers: SortedMap<Arc<str>, SortedMap<usize, PushConsumerId>>,
    /// What the push consumers of each group have counted that are closed.
    past_consumers: SortedMap<Arc<str>, ConsumerMetrics>,
    /// Changes with every group and subscription that comes, changes or goes.
    pub(crate) version: u32,
}

impl Groups {
    pub(crate) fn add_producer(&mut self, group: &str, config: ProducerConfig) -> ProducerId {
        self.ours(group).producers += 1;
        self.producers.insert(Producer::new(group, config))
    }

    /// Closes a producer, which stays until nothing of it is left. Returns its group, unless it was closed already.
    pub(crate) fn close_producer(&mut self, id: ProducerId) -> Option<Arc<str>> {
        let producer = self.producer_mut(id)?;
        producer.closed = true;
        let group = producer.group.clone();
        self.forget_if_over(id);
        self.leave(&group, |ours| ours.producers -= 1);
        Some(group)
    }

    pub(crate) fn add_pull_consumer(&mut self, group: &str) -> PullConsumerId {
        self.ours(group).pull_consumers += 1;
        self.pull_consumers.insert(PullConsumer { group: group.into(), suggested: SuggestedMembers::default() })
    }

    /// Removes a pull consumer. Returns its group, unless it was gone already.
    pub(crate) fn remove_pull_consumer(&mut self, id: PullConsumerId) -> Option<Arc<str>> {
        let group = self.pull_consumers.remove(id)?.group;
        self.leave(&group, |ours| ours.pull_consumers -= 1);
        Some(group)
    }

    /// Takes the push consumer of a group in, of which there is none yet.
    pub(crate) fn add_push_consumer(&mut self, consumer: PushConsumer) -> PushConsumerId {
        let group = consumer.group.clone();
        let since_version = self.version.wrapping_add(1);
        let suggested = SuggestedMembers::default();
        let id = self.push_consumers.insert(PushEntry { consumer, since_version, suggested, pulls: Vec::new() });
        self.ours(&group).push_consumer = Some(id);
        id
    }

    pub(crate) fn remove_push_consumer(&mut self, id: PushConsumerId) -> Option<PushConsumer> {
        let consumer = self.push_consumers.remove(id)?.consumer;
        let past = self.past_consumers.get_or_default(consumer.group.clone());
        *past = consumer.metrics().closed().plus(past);
        self.leave(&consumer.group, |ours| ours.push_consumer = None);
        Some(consumer)
    }

    /// What push consumers have counted, by group.
    pub(crate) fn consumer_metrics(&self) -> BTreeMap<Arc<str>, ConsumerMetrics> {
        let mut all = self.past_consumers.clone();
        for (_, entry) in self.push_consumers.iter() {
            let of_group = all.get_or_default(entry.consumer.group.clone());
            *of_group = entry.consumer.metrics().plus(of_group);
        }
        all.into_iter().collect()
    }

    /// What of all producers waits for answers, and how many sends stand in line.
    pub(crate) fn backlog(&self) -> (Backlog, usize) {
        self.producers.iter().fold((Backlog::default(), 0), |(all, in_line), (_, producer)| {
            let Backlog { messages, bytes } = producer.backlog;
            (Backlog { messages: all.messages + messages, bytes: all.bytes + bytes }, in_line + producer.line.len())
        })
    }

    /// The push consumer of a group: a client is one member of it.
    pub(crate) fn push_consumer_of(&self, group: &str) -> Option<PushConsumerId> {
        self.by_name.get(group)?.push_consumer
    }

    fn ours(&mut self, group: &str) -> &mut Ours {
        self.by_name.get_or_default(group.into())
    }

    fn leave(&mut self, group: &str, leave: impl FnOnce(&mut Ours)) {
        if let Some(ours) = self.by_name.get_mut(group) {
            leave(ours);
            if ours.producers == 0 && !ours.has_consumers() {
                self.by_name.remove(group);
            }
        }
    }

    /// Has a push consumer told when the queues of a topic change, once.
    pub(crate) fn watch(&mut self, topic: &Arc<str>, id: PushConsumerId) {
        self.watchers.get_or_default(topic.clone()).insert(id.slot(), id);
    }

    pub(crate) fn is_watched(&self, topic: &str) -> bool {
        self.watchers.contains_key(topic)
    }

    /// Who is to be told that the queues of a topic have changed: each asks again then, and is told of the next change.
    pub(crate) fn take_watchers(&mut self, topic: &str) -> impl Iterator<Item = PushConsumerId> + use<> {
        self.watchers.remove(topic).unwrap_or_default().into_values()
    }

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
        self.watchers.remove(topic);
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
        let entry = self.push_consumer_of(group).and_then(|id| self.push_consumers.get(id));
        let since = entry.map(|entry| entry.since_version);
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
        let groups = self.by_name.iter().filter(|(_, ours)| ours.has_consumers());
        let data = groups.map(|(group, ours)| {
            let push = ours.push_consumer.and_then(|id| self.push_consumers.get(id));
            push.map(|entry| entry.consumer.heartbeat_data()).unwrap_or_else(|| ConsumerData {
                group_name: group.to_string(),
                consume_type: Some(ConsumeType::Actively),
                message_model: Some(MessageModel::Clustering),
                consume_from_where: Some(ConsumeFromWhere::LastOffset),
                ..ConsumerData::default()
            })
        });
        data.collect()
    }

    /// Has an operation wait until all sends that a producer has been asked for by now are over. Returns whether there are any.
    pub(crate) fn await_sends(&mut self, id: ProducerId, by: OperationId) -> bool {
        let Some(producer) = self.producers.get_mut(id).filter(|producer| !producer.is_idle()) else {
            return false;
        };
        let (last, left) = (producer.calls, producer.under_way());
        producer.flushes.push(AwaitedSends { by, last, left });
        true
    }

    /// An operation does not wait any more.
    pub(crate) fn end_await_sends(&mut self, id: ProducerId, by: OperationId) {
        if let Some(producer) = self.producers.get_mut(id) {
            producer.flushes.retain(|awaited| awaited.by != by);
        }
    }

    /// The send of this number is over. Gives those for whom it was the last.
    pub(crate) fn note_over(&mut self, id: ProducerId, number: u64) -> Vec<OperationId> {
        let Some(producer) = self.producers.get_mut(id).filter(|producer| !producer.flushes.is_empty()) else {
            return Vec::new();
        };
        for awaited in producer.flushes.iter_mut().filter(|awaited| number <= awaited.last) {
            awaited.left -= 1;
        }
        producer.flushes.extract_if(.., |awaited| awaited.left == 0).map(|awaited| awaited.by).collect()
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
        self.by_name.get(group).is_some_and(|ours| ours.producers > 0)
    }

    pub(crate) fn has_consumer_of(&self, group: &str) -> bool {
        self.by_name.get(group).is_some_and(Ours::has_consumers)
    }

    /// The groups with a producer, sorted.
    pub(crate) fn producer_groups(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.iter().filter(|(_, ours)| ours.producers > 0).map(|(group, _)| group)
    }

    /// The groups with a consumer, sorted.
    pub(crate) fn consumer_groups(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.iter().filter(|(_, ours)| ours.has_consumers()).map(|(group, _)| group)
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
    pulls: Vec<Pulls>,
}

/// The pulls of a queue that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulls {
    pub(crate) wanted: Option<(asked::Pull, OperationId)>,
    /// One that asks by what was wanted before. The broker may hold it, and tell with its answer of a reset.
    pub(crate) overtaken: Option<OperationId>,
}

impl Timed for PushEntry {
    fn poll_timeout(&self) -> Option<Deadline> {
        self.consumer.poll_timeout()
    }
}

impl PushEntry {
    pub(crate) fn pulls_of(&mut self, slot: usize) -> &mut Pulls {
        if self.pulls.len() <= slot {
            self.pulls.resize(slot + 1, Pulls::default());
        }
        &mut self.pulls[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consumer::push::PushConfig;
    use crate::time::Now;
    use crate::wire::dialect::Dialect;

    fn consumer(group: &str) -> PushConsumer {
        let (reading, config) = ((Dialect::Apache, 1 << 20), PushConfig::default());
        PushConsumer::new(Now::default(), group, "client".to_owned(), reading, config, BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_change_of_a_topic_is_told_to_who_asked_about_it_since_the_last_one() {
        let (mut groups, topic) = (Groups::default(), Arc::from("T"));
        let (one, other) = (groups.add_push_consumer(consumer("A")), groups.add_push_consumer(consumer("B")));
        groups.watch(&topic, one);
        groups.watch(&Arc::from("U"), other);
        assert_eq!(groups.take_watchers("T").collect::<Vec<_>>(), [one]);
        assert_eq!(groups.take_watchers("T").count(), 0, "it has not asked again");
    }

    #[test]
    fn however_many_consumers_come_and_go_no_more_watch_than_there_were_at_once() {
        let (mut groups, topic) = (Groups::default(), Arc::from("T"));
        for _ in 0..100 {
            let id = groups.add_push_consumer(consumer("A"));
            groups.watch(&topic, id);
            groups.remove_push_consumer(id);
        }
        assert_eq!(groups.take_watchers("T").count(), 1);
        assert!(groups.by_name.is_empty());
    }

    #[test]
    fn who_waits_for_sends_is_told_with_the_last_of_them_and_leaves_nothing_when_it_gives_up() {
        let mut groups = Groups::default();
        let id = groups.add_producer("A", ProducerConfig::default());
        assert!(!groups.await_sends(id, OperationId::FIRST), "there are none");
        let producer = groups.producer_of_line(id).unwrap();
        (0..2).for_each(|_| producer.backlog.add(1));
        producer.calls = 2;
        assert!(groups.await_sends(id, OperationId::FIRST));
        groups.end_await_sends(id, OperationId::FIRST);
        assert!(groups.producer_of_line(id).unwrap().flushes.is_empty());
        assert!(groups.await_sends(id, OperationId::FIRST));
        assert!(groups.note_over(id, 3).is_empty(), "it was asked for later");
        assert!(groups.note_over(id, 2).is_empty(), "another one is left");
        assert_eq!(groups.note_over(id, 1), [OperationId::FIRST]);
        assert!(groups.producer_of_line(id).unwrap().flushes.is_empty());
    }

    #[test]
    fn a_group_is_ours_until_the_last_of_it_has_left() {
        let mut groups = Groups::default();
        let producers = [(); 2].map(|()| groups.add_producer("A", ProducerConfig::default()));
        let (pull, push) = (groups.add_pull_consumer("A"), groups.add_push_consumer(consumer("A")));
        assert_eq!(groups.push_consumer_of("A"), Some(push));
        assert_eq!(groups.close_producer(producers[0]).as_deref(), Some("A"));
        assert_eq!(groups.close_producer(producers[0]), None, "it is closed already");
        assert!(groups.has_producer_of("A"));
        groups.close_producer(producers[1]);
        groups.remove_push_consumer(push);
        assert!(!groups.has_producer_of("A") && groups.has_consumer_of("A"));
        groups.remove_pull_consumer(pull);
        assert!(!groups.has_consumer_of("A") && groups.is_empty());
    }
}
