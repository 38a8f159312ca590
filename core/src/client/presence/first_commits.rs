//! The first commits of a group: one at a time, until the broker has taken one.
//!
//! A broker keeps the offsets that a group commits of a topic in a table, which the first commit makes. It handles commits
//! in several threads, and of two that find no table one is lost with the table that it made, although both are
//! acknowledged (`ConsumerOffsetManager.commitOffset`, also in 5.4).

use std::sync::Arc;

use crate::client::base::ids::{OperationId, Owner};
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet};

/// The table of a group, a topic, and a broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OffsetTable {
    pub(crate) group: Arc<str>,
    topic: Arc<str>,
    broker: Arc<str>,
}

impl OffsetTable {
    pub(crate) fn of(group: &Arc<str>, queue: &MessageQueue) -> Self {
        Self { group: group.clone(), topic: queue.topic.clone(), broker: queue.broker_name.clone() }
    }
}

/// Which tables there are, and who makes the others.
#[derive(Debug, Default)]
pub(crate) struct FirstCommits {
    pub(crate) made: SortedSet<OffsetTable>,
    making: SortedMap<OffsetTable, Making>,
}

#[derive(Debug)]
struct Making {
    first: OperationId,
    /// The commits that wait, each with the turn in which it will hear that it may go.
    waiting: SortedMap<OperationId, u32>,
}

impl FirstCommits {
    /// Whether the broker has the table.
    pub(crate) fn is_made(&self, table: &OffsetTable) -> bool {
        self.made.contains(table)
    }

    /// Whether a commit may go now. One that may not is among those that [`release`](Self::release) names.
    pub(crate) fn may_go(&mut self, table: OffsetTable, commit: OperationId, turn: u32) -> bool {
        if self.is_made(&table) {
            return true;
        }
        let making = self.making.get_or_insert_with(table, || Making { first: commit, waiting: SortedMap::new() });
        if making.first != commit {
            making.waiting.insert(commit, turn);
        }
        making.first == commit
    }

    /// A commit is over. Returns who may go now: all that waited if the table is there, else the next.
    pub(crate) fn release(&mut self, table: &OffsetTable, commit: OperationId) -> Vec<Owner> {
        let Some(making) = self.making.get_mut(table) else {
            return Vec::new();
        };
        making.waiting.remove(&commit);
        if making.first != commit {
            return Vec::new();
        }
        let next = making.waiting.pop_first();
        match next {
            Some((next, turn)) if !self.made.contains(table) => {
                making.first = next;
                vec![Owner::Operation(next, turn)]
            }
            next => {
                let waiting = self.making.remove(table).map(|making| making.waiting).unwrap_or_default();
                next.into_iter().chain(waiting).map(|(commit, turn)| Owner::Operation(commit, turn)).collect()
            }
        }
    }

    /// A group of ours is gone, and with it what is known of it.
    pub(crate) fn forget_group(&mut self, group: &Arc<str>) {
        self.made.retain(|table| table.group != *group);
    }

    /// A topic that nobody uses any more.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.made.retain(|table| &*table.topic != topic);
    }

    /// A broker whose connection has ended may come back without its tables.
    pub(crate) fn forget_broker(&mut self, broker: &Arc<str>) {
        self.made.retain(|table| table.broker != *broker);
    }
}
