//! Which sends wait for room, and what for: the books of the producers' lines.

use std::collections::VecDeque;

use crate::client::base::ids::{PeerId, ProducerId};
use crate::sorted::SortedSet;
use crate::time::Instant;

/// A send as its producer's line knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) producer: ProducerId,
    /// The how manyth call of its producer it is.
    pub(crate) number: u64,
    pub(crate) bytes: usize,
    pub(crate) deadline: Instant,
}

/// Where a send is as long as it is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Line,
    /// In the backlog, while the application chooses its queue.
    Choice,
    Backlog,
}

/// Producers in the order in which they came, each once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    order: VecDeque<ProducerId>,
    known: SortedSet<ProducerId>,
}

impl Turns {
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn push_back(&mut self, producer: ProducerId) {
        if self.known.insert(producer) {
            self.order.push_back(producer);
        }
    }

    /// Before all others, wherever it was.
    pub(crate) fn push_front(&mut self, producer: ProducerId) {
        self.remove(producer);
        self.known.insert(producer);
        self.order.push_front(producer);
    }

    pub(crate) fn pop_front(&mut self) -> Option<ProducerId> {
        let first = self.order.pop_front()?;
        self.known.remove(&first);
        Some(first)
    }

    pub(crate) fn remove(&mut self, producer: ProducerId) {
        if !self.known.remove(&producer) {
            return;
        }
        if self.order.back() == Some(&producer) {
            self.order.pop_back();
        } else {
            self.order.retain(|known| *known != producer);
        }
    }
}

/// What the lines of all producers wait for, but for their own sends under way.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// How many sends stand in all lines.
    pub(crate) length: usize,
    /// How many producers wait for a choice of the application.
    pub(crate) choosing: usize,
    /// Producers whose first in line may try.
    pub(crate) ready: Turns,
    /// Producers whose first in line found no broker with room, and the connections that had none.
    pub(crate) congested: Turns,
    pub(crate) without_room: SortedSet<PeerId>,
    /// Producers whose first in line found too many operations under way.
    pub(crate) crowded: Turns,
}

impl Lines {
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// A producer's first in line may try.
    pub(crate) fn make_ready(&mut self, producer: ProducerId) {
        self.ready.push_back(producer);
    }

    /// There may be other brokers, or others with room.
    pub(crate) fn uncongest(&mut self) {
        while let Some(producer) = self.congested.pop_front() {
            self.ready.push_back(producer);
        }
        self.without_room.clear();
    }
}
