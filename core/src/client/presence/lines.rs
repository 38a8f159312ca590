//! Which sends wait for room, and what for: the books of the producers' lines.

use std::collections::BTreeSet;

use crate::client::base::ids::{PeerId, ProducerId};
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

/// What the lines of all producers wait for, but for their own sends under way.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// How many sends stand in all lines.
    pub(crate) length: usize,
    /// How many producers wait for a choice of the application.
    pub(crate) choosing: usize,
    /// Producers whose first in line may try.
    pub(crate) ready: BTreeSet<ProducerId>,
    /// Producers whose first in line found no broker with room, and the connections that had none.
    pub(crate) congested: BTreeSet<ProducerId>,
    pub(crate) without_room: BTreeSet<PeerId>,
    /// Producers whose first in line found too many operations under way.
    pub(crate) crowded: BTreeSet<ProducerId>,
}

impl Lines {
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// A producer's first in line may try.
    pub(crate) fn make_ready(&mut self, producer: ProducerId) {
        self.ready.insert(producer);
    }

    /// There may be other brokers, or others with room.
    pub(crate) fn uncongest(&mut self) {
        self.ready.append(&mut self.congested);
        self.without_room.clear();
    }
}
