//! What moves the producers' lines on (`session::lines`): the first in line begins once there is room for it.

use crate::client::base::ids::{Owner, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::time::Now;

impl Client {
    /// Has a line whose head may try move on by one send: lines take turns. Returns whether there was one.
    pub(crate) fn advance_lines(&mut self, now: Now) -> bool {
        if self.session.lines.length == 0 {
            return false;
        }
        if !self.session.lines.congested.is_empty() {
            self.session.look_for_room();
        }
        // Who found too many operations under way goes before those who ask for the next time.
        if !self.is_crowded()
            && let Some(producer) = self.session.lines.crowded.pop_front()
        {
            self.session.lines.ready.push_front(producer);
        }
        let Some(producer) = self.session.lines.ready.pop_front() else {
            return false;
        };
        if self.advance_line(now, producer) {
            self.session.lines.make_ready(producer);
        }
        true
    }

    /// Topics have other queues, perhaps at brokers with room.
    pub(crate) fn uncongest_lines(&mut self) {
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
        let call = sending.call();
        if !known.has_room(call.bytes) {
            // The end of one of its own sends makes it ready, or of a choice.
            return false;
        }
        if is_crowded {
            self.session.lines.crowded.push_back(producer);
            return false;
        }
        known.line.pop_first();
        known.backlog.add(call.bytes);
        sending.leave_line();
        self.session.lines.length -= 1;
        self.session.operation_timers.clear(id.key());
        self.signal(now, Owner::Operation(id, 0), Signal::Start);
        match self.operations.get_mut(id) {
            Some(Operation::Send(sending)) if sending.found_no_room() => {
                sending.join_line();
                self.session.line_up_again(id, call);
                false
            }
            _ => true,
        }
    }

    /// Whether too many operations are under way for another one. Those in line are not.
    pub(crate) const fn is_crowded(&self) -> bool {
        self.operations.len() - self.session.lines.length() >= self.session.config.max_operations
    }
}
