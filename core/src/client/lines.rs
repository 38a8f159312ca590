//! Sends that wait for room: a line for each producer, in the order of its calls.
//!
//! A line has no bound of its own: each send in it is held by a caller who waits, and who leaves the line by cancelling it.
//! Its time runs while it stands there. Lines do not know of each other: what one waits for holds no other up.

use std::collections::BTreeSet;

use super::Client;
use super::groups::ProducerId;
use super::network::{Owner, PeerId};
use super::operation::{Operation, OperationId};
use super::sending::Sending;
use super::session::{Session, Signal};
use crate::connection::Connection;
use crate::time::Now;

/// What the lines of all producers wait for, but for their own sends under way.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// How many sends stand in all lines.
    length: usize,
    /// How many producers wait for a choice of the application.
    pub(super) choosing: usize,
    /// Producers whose first in line may try.
    ready: BTreeSet<ProducerId>,
    /// Producers whose first in line found no broker with room, and the connections that had none.
    congested: BTreeSet<ProducerId>,
    without_room: BTreeSet<PeerId>,
    /// Producers whose first in line found too many operations under way.
    crowded: BTreeSet<ProducerId>,
}

impl Lines {
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// A producer's first in line may try.
    pub(super) fn make_ready(&mut self, producer: ProducerId) {
        self.ready.insert(producer);
    }

    /// There may be other brokers, or others with room.
    fn uncongest(&mut self) {
        self.ready.append(&mut self.congested);
        self.without_room.clear();
    }
}

impl Session {
    /// Puts a send in its producer's line, at the place of its call.
    pub(super) fn line_up(&mut self, id: OperationId, sending: &mut Sending) {
        if let Some(producer) = self.groups.producer_of_line(sending.producer) {
            let is_first = producer.line.is_empty();
            producer.line.insert(sending.call, id);
            self.lines.length += 1;
            sending.join_line();
            self.operation_timers.set(id.key(), sending.deadline());
            if is_first {
                self.lines.ready.insert(sending.producer);
            }
        }
    }

    /// A send leaves its line, which its producer's next one may then lead.
    pub(super) fn leave_line(&mut self, sending: &Sending) {
        let Some(producer) = self.groups.producer_of_line(sending.producer) else {
            return;
        };
        let was_first = producer.line.first_key_value().is_some_and(|(call, _)| *call == sending.call);
        if producer.line.remove(&sending.call).is_some() {
            self.lines.length -= 1;
            if was_first && !producer.line.is_empty() {
                self.lines.ready.insert(sending.producer);
            }
        }
    }

    /// No broker that a send could go to has room: its line waits until one has.
    fn wait_for_brokers(&mut self, producer: ProducerId) {
        self.lines.ready.remove(&producer);
        let network = &self.network;
        let is_full = |peer: &PeerId| network.get(*peer).is_some_and(|connection| !connection.has_room());
        self.lines.without_room.extend(network.ids().into_iter().filter(is_full));
        self.lines.congested.insert(producer);
    }

    /// Puts a send that found no broker with room in its producer's line, until one has.
    pub(super) fn line_up_again(&mut self, id: OperationId, sending: &mut Sending) {
        self.line_up_behind(id, sending);
        self.wait_for_brokers(sending.producer);
    }

    /// Puts a send that may begin in its producer's line, at the place of its call.
    pub(super) fn line_up_behind(&mut self, id: OperationId, sending: &mut Sending) {
        if let Some(producer) = self.groups.producer_of_line(sending.producer) {
            producer.backlog.remove(sending.body_bytes);
        }
        self.line_up(id, sending);
    }

    fn look_for_room(&mut self) {
        let network = &self.network;
        if self.lines.without_room.iter().any(|peer| network.get(*peer).is_none_or(Connection::has_room)) {
            self.lines.uncongest();
        }
    }
}

impl Client {
    /// Has a line whose head may try move on. Returns whether there was one.
    pub(super) fn advance_lines(&mut self, now: Now) -> bool {
        if self.session.lines.length == 0 {
            return false;
        }
        if !self.session.lines.congested.is_empty() {
            self.session.look_for_room();
        }
        if self.session.lines.ready.is_empty() && !self.is_crowded() {
            let crowded = self.session.lines.crowded.pop_first();
            self.session.lines.ready.extend(crowded);
        }
        let Some(producer) = self.session.lines.ready.pop_first() else {
            return false;
        };
        while self.advance_line(now, producer) {}
        true
    }

    /// Topics have other queues, perhaps at brokers with room.
    pub(super) fn uncongest_lines(&mut self) {
        self.session.lines.uncongest();
    }

    /// Begins the first send of a line. Returns whether the next one may try.
    fn advance_line(&mut self, now: Now, producer: ProducerId) -> bool {
        let is_crowded = self.is_crowded();
        let Some(known) = self.session.groups.producer_of_line(producer) else {
            return false;
        };
        let Some((_, &id)) = known.line.first_key_value() else {
            return false;
        };
        let Some(Operation::Send(sending)) = self.operations.get_mut(id) else {
            return false;
        };
        if !known.has_room(sending.body_bytes) {
            // The end of one of its own sends makes it ready, or of a choice.
            return false;
        }
        if is_crowded {
            self.session.lines.crowded.insert(producer);
            return false;
        }
        known.line.pop_first();
        known.backlog.add(sending.body_bytes);
        sending.leave_line();
        self.session.lines.length -= 1;
        self.session.operation_timers.clear(id.key());
        self.signal(now, Owner::Operation(id, 0), Signal::Start);
        match self.operations.get_mut(id) {
            Some(Operation::Send(sending)) if sending.found_no_room() => {
                self.session.line_up_again(id, sending);
                false
            }
            _ => true,
        }
    }

    /// Whether too many operations are under way for another one. Those in line are not.
    pub(super) const fn is_crowded(&self) -> bool {
        self.operations.len() - self.session.lines.length() >= self.session.config.max_operations
    }
}
