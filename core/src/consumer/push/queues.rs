//! The queues that a consumer owns. Whoever changes one has touched it, and what was touched is looked after
//! (`attending`): so no change can be made that nobody follows up.

use std::collections::VecDeque;
use std::sync::Arc;

use super::queue::{AssignedQueue, QueueId, Stage};
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::table::Table;

/// The queues that a consumer owns, those that leave too.
#[derive(Debug, Default)]
pub(super) struct Queues {
    table: Table<AssignedQueue>,
    by_topic: SortedMap<Arc<str>, SortedMap<MessageQueue, QueueId>>,
    by_broker: SortedMap<Arc<str>, SortedMap<MessageQueue, QueueId>>,
    /// What was touched and has not been looked after since, in order.
    touched: VecDeque<QueueId>,
}

impl Queues {
    pub(super) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn find(&self, queue: &MessageQueue) -> Option<QueueId> {
        self.by_topic.get(&*queue.topic)?.get(queue).copied()
    }

    pub(super) fn get(&self, id: QueueId) -> Option<&AssignedQueue> {
        self.table.get(id)
    }

    /// The queue whose timers stand in `slot`.
    pub(super) fn id_of(&self, slot: u32) -> Option<QueueId> {
        self.table.id_of(slot)
    }

    /// By topic, broker and number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (QueueId, &AssignedQueue)> {
        let ids = self.by_topic.values().flat_map(SortedMap::values);
        ids.filter_map(|id| Some((*id, self.table.get(*id)?)))
    }

    /// The queues of a topic.
    pub(super) fn of_topic(&self, topic: &str) -> Vec<QueueId> {
        self.by_topic.get(topic).into_iter().flat_map(SortedMap::values).copied().collect()
    }

    /// The queues at a broker.
    pub(super) fn of_broker(&self, broker: &str) -> Vec<QueueId> {
        self.by_broker.get(broker).into_iter().flat_map(SortedMap::values).copied().collect()
    }

    /// All, for a loop that changes them.
    pub(super) fn ids(&self) -> Vec<QueueId> {
        self.by_topic.values().flat_map(SortedMap::values).copied().collect()
    }

    pub(super) fn insert(&mut self, queue: MessageQueue, stage: Stage) -> QueueId {
        let id = self.table.insert(AssignedQueue::new(queue.clone(), stage));
        self.by_broker.get_or_default(queue.broker_name.clone()).insert(queue.clone(), id);
        self.by_topic.get_or_default(queue.topic.clone()).insert(queue, id);
        self.touch(id);
        id
    }

    pub(super) fn remove(&mut self, id: QueueId) -> Option<AssignedQueue> {
        let known = self.table.remove(id)?;
        forget(&mut self.by_topic, &known.queue.topic, &known.queue);
        forget(&mut self.by_broker, &known.queue.broker_name, &known.queue);
        Some(known)
    }

    /// The queue, to be changed: it is looked after once that is done.
    pub(super) fn touch(&mut self, id: QueueId) -> Option<&mut AssignedQueue> {
        let known = self.table.get_mut(id)?;
        if !core::mem::replace(&mut known.is_touched, true) {
            self.touched.push_back(id);
        }
        Some(known)
    }

    pub(super) fn touch_all(&mut self) {
        for id in self.ids() {
            self.touch(id);
        }
    }

    /// The next one to be looked after. Looking after it changes it, which does not touch it again.
    pub(super) fn next_touched(&mut self) -> Option<QueueId> {
        loop {
            let id = self.touched.pop_front()?;
            if let Some(known) = self.table.get_mut(id) {
                known.is_touched = false;
                return Some(id);
            }
        }
    }

    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }
}

fn forget(queues: &mut SortedMap<Arc<str>, SortedMap<MessageQueue, QueueId>>, of: &str, queue: &MessageQueue) {
    if let Some(those) = queues.get_mut(of) {
        those.remove(queue);
        if those.is_empty() {
            queues.remove(of);
        }
    }
}
