//! Sends whose queue the application's selector chooses. No code of the application runs inside: it is asked outside, and
//! until it has answered, its producer's later sends wait in line, so that they keep the order of the calls.

use super::Client;
use super::event::Event;
use super::network::Owner;
use super::operation::{Operation, OperationId};
use super::sending::Sending;
use super::session::{Session, Signal};
use crate::error::Error;
use crate::producer::{Message, QueueChoice, Spent, SpentOther};
use crate::queue::MessageQueue;
use crate::routes::topics::TopicId;
use crate::time::Now;

impl Session {
    /// Has the application asked which queue a send goes to.
    pub(super) fn ask_for_queue(
        &mut self,
        id: OperationId,
        topic: TopicId,
        sending: &mut Sending,
    ) -> Result<(), Error> {
        let Some(producer) = self.groups.producer_of_line(sending.producer) else {
            return Ok(());
        };
        let choice = sending.take_choice(self.topics.get(topic), &self.brokers)?;
        producer.choosing = true;
        self.lines.choosing += 1;
        self.operation_timers.set(id.key(), sending.deadline());
        self.events.push_back(Event::Choose { operation: id, choice: Box::new(choice) });
        Ok(())
    }

    /// A choice that is not made.
    pub(super) fn spend(&mut self, choice: QueueChoice) {
        if let (QueueChoice::Selector(_), Some(spent)) = (&choice, &mut self.spent) {
            spent.add(SpentOther::Selector(choice));
        }
    }

    /// A send has its queue, or does not need one any more.
    pub(super) fn end_choosing(&mut self, sending: &Sending) {
        if let Some(producer) = self.groups.producer_of_line(sending.producer) {
            producer.choosing = false;
            self.lines.choosing -= 1;
            self.lines.make_ready(sending.producer);
        }
    }
}

impl Client {
    /// Says where the message of a [`Choice`](crate::producer::Choice) goes, or why it goes nowhere. Gives the message back when its send is over
    /// meanwhile.
    pub fn chosen(
        &mut self,
        now: Now,
        operation: OperationId,
        message: Message,
        queue: Result<MessageQueue, Error>,
    ) -> Option<Message> {
        let Some(Operation::Send(sending)) = self.operations.get_mut(operation) else {
            return Some(message);
        };
        if !sending.is_choosing() {
            return Some(message);
        }
        self.session.end_choosing(sending);
        match sending.take_chosen(message, queue) {
            Ok(()) => {
                self.signal(now, Owner::Operation(operation, 0), Signal::Start);
                if let Some(Operation::Send(sending)) = self.operations.get_mut(operation)
                    && sending.found_no_room()
                {
                    self.session.line_up_again(operation, sending);
                }
            }
            Err(error) => self.complete(now, operation, Err(error)),
        }
        self.run(now);
        None
    }

    /// From now on, what a send that is over had of the application is kept until [`Client::take_spent`] takes it, so that
    /// the host can drop it where the application's code may run.
    pub fn keep_spent(&mut self) {
        self.session.spent.get_or_insert_default();
        self.session.network.keep_unwritten();
    }

    /// Moves what is kept ([`Client::keep_spent`]) to `spent`.
    pub fn take_spent(&mut self, spent: &mut Spent) {
        if let Some(kept) = &mut self.session.spent {
            kept.append_to(spent);
        }
        for unwritten in self.session.network.take_unwritten() {
            spent.add(SpentOther::Unwritten(unwritten));
        }
    }
}
