//! Sends that wait for room: a line for each producer, in the order of its calls; and those whose queue the application
//! chooses, which later ones of the producer wait for.
//!
//! A line has no bound of its own: each send in it is held by a caller who waits, and who leaves the line by cancelling it.
//! Its time runs while it stands there. Lines do not know of each other: what one waits for holds no other up.

use crate::client::base::ids::{OperationId, Owner, PeerId, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::presence::lines::{Call, Held};
use crate::client::session::Session;
use crate::connection::Connection;
use crate::producer::{QueueChoice, SpentOther};

impl Session {
    /// Puts a send in its producer's line, at the place of its call.
    pub(crate) fn line_up(&mut self, id: OperationId, call: Call) {
        if let Some(producer) = self.groups.producer_of_line(call.producer) {
            let is_first = producer.line.is_empty();
            producer.line.insert(call.number, id);
            self.lines.length += 1;
            self.operation_timers.set(id.key(), call.deadline);
            if is_first {
                self.lines.make_ready(call.producer);
            }
        }
    }

    /// A send leaves its line, which its producer's next one may then lead.
    fn leave_line(&mut self, call: Call) {
        let Some(producer) = self.groups.producer_of_line(call.producer) else {
            return;
        };
        let was_first = producer.line.first_key_value().is_some_and(|(number, _)| *number == call.number);
        if producer.line.remove(&call.number).is_some() {
            self.lines.length -= 1;
            if was_first && !producer.line.is_empty() {
                self.lines.make_ready(call.producer);
            }
        }
    }

    /// No broker that a send could go to has room: its line waits until one has.
    fn wait_for_brokers(&mut self, producer: ProducerId) {
        self.lines.ready.remove(producer);
        let network = &self.network;
        let is_full = |peer: &PeerId| network.get(*peer).is_some_and(|connection| !connection.has_room());
        self.lines.without_room.extend(network.ids().into_iter().filter(is_full));
        self.lines.congested.push_back(producer);
    }

    /// Puts a send that found no broker with room in its producer's line, until one has.
    pub(crate) fn line_up_again(&mut self, id: OperationId, call: Call) {
        self.line_up_behind(id, call);
        self.wait_for_brokers(call.producer);
    }

    /// Puts a send that may begin in its producer's line, at the place of its call.
    pub(crate) fn line_up_behind(&mut self, id: OperationId, call: Call) {
        if let Some(producer) = self.groups.producer_of_line(call.producer) {
            producer.backlog.remove(call.bytes);
        }
        self.line_up(id, call);
    }

    /// The application is asked for the queue of a send: later ones of its producer wait for it.
    pub(crate) fn begin_choosing(&mut self, producer: ProducerId) {
        if let Some(producer) = self.groups.producer_of_line(producer) {
            producer.choosing = true;
            self.lines.choosing += 1;
        }
    }

    /// A send has its queue, or does not need one any more.
    pub(crate) fn end_choosing(&mut self, id: ProducerId) {
        if let Some(producer) = self.groups.producer_of_line(id) {
            producer.choosing = false;
            self.lines.choosing -= 1;
            self.lines.make_ready(id);
        }
    }

    /// A choice that is not made.
    pub(crate) fn spend(&mut self, choice: QueueChoice) {
        if let (QueueChoice::Selector(_), Some(spent)) = (&choice, &mut self.spent) {
            spent.add(SpentOther::Selector(choice));
        }
    }

    /// Gives back what a send that is over had.
    pub(super) fn release_send(&mut self, call: Call, held: Held) {
        let flushed = self.groups.note_over(call.producer, call.number);
        self.signals.extend(flushed.into_iter().map(|id| (Owner::Operation(id, 0), Signal::Ready)));
        if held == Held::Line {
            self.leave_line(call);
            self.groups.forget_if_over(call.producer);
            return;
        }
        if held == Held::Choice {
            self.end_choosing(call.producer);
        }
        if self.groups.release(call.producer, call.bytes) {
            self.lines.make_ready(call.producer);
        }
    }

    pub(crate) fn look_for_room(&mut self) {
        let network = &self.network;
        if self.lines.without_room.iter().any(|peer| network.get(*peer).is_none_or(Connection::has_room)) {
            self.lines.uncongest();
        }
    }
}
