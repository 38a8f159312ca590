//! Sends whose queue the application's selector chooses. No code of the application runs inside: it is asked outside, and
//! until it has answered, its producer's later sends wait in line, so that they keep the order of the calls.

use crate::client::base::ids::{OperationId, Owner};
use crate::client::base::signal::Signal;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::error::Error;
use crate::producer::{Message, Spent, SpentOther};
use crate::queue::MessageQueue;
use crate::time::Now;

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
        let call = sending.call();
        self.session.end_choosing(call.producer);
        match sending.take_chosen(message, queue) {
            Ok(()) => {
                self.signal(now, Owner::Operation(operation, 0), Signal::Start);
                if let Some(Operation::Send(sending)) = self.operations.get_mut(operation)
                    && sending.found_no_room()
                {
                    sending.join_line();
                    self.session.line_up_again(operation, call);
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
