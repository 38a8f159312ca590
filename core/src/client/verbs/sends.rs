//! Sends: begun, or given back.

use crate::client::base::event::SendError;
use crate::client::base::ids::{OperationId, Owner, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::base::value::Pending;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::flush::Flush;
use crate::client::operations::sending::Sending;
use crate::client::presence::groups::Producer;
use crate::error::{Error, ErrorKind};
use crate::producer::{self, Backlog, CommunicationMode, Message, Receipt, Send, SendOptions};
use crate::time::Now;

impl Client {
    /// Sends a message; what it gives is what the broker says.
    ///
    /// # Errors
    /// The message is given back when it cannot be sent at all ([`ErrorKind::InvalidArgument`]) or when too much waits
    /// already, other messages in line among it ([`ErrorKind::Full`]; an [`Event::Room`](crate::client::Event::Room) follows).
    pub fn send(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<Pending<Receipt>, SendError> {
        self.start_send(now, producer, message, options, CommunicationMode::Awaited, WithoutRoom::GiveBack)
            .map(Pending::new)
    }

    /// As [`Client::send`], but when too much waits already, the message waits in its producer's line, and is sent in its
    /// turn: in the order of the calls. Its time runs from now on, and may end in the line.
    ///
    /// The line is as long as there are callers who wait: each leaves it by [`Client::cancel`].
    ///
    /// # Errors
    /// As [`Client::send`], but never [`ErrorKind::Full`].
    pub fn send_in_turn(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<Pending<Receipt>, SendError> {
        self.start_send(now, producer, message, options, CommunicationMode::Awaited, WithoutRoom::LineUp)
            .map(Pending::new)
    }

    /// Sends a message without waiting for the broker's answer; it is done when the message is
    /// written. It is written once at the most.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_oneway(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<Pending<()>, SendError> {
        self.start_send(now, producer, message, options, CommunicationMode::Oneway, WithoutRoom::GiveBack)
            .map(Pending::new)
    }

    /// As [`Client::send_oneway`], in its turn like [`Client::send_in_turn`].
    ///
    /// # Errors
    /// As [`Client::send_in_turn`].
    pub fn send_oneway_in_turn(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<Pending<()>, SendError> {
        self.start_send(now, producer, message, options, CommunicationMode::Oneway, WithoutRoom::LineUp)
            .map(Pending::new)
    }

    /// Waits until all that a producer has been asked to send so far is over, however each went; those tell themselves. What is
    /// asked for from now on is not waited for.
    pub fn flush(&mut self, now: Now, producer: ProducerId) -> Pending<()> {
        Pending::new(self.begin(now, Operation::Flush(Flush::new(producer))))
    }

    /// What of a producer waits for answers.
    pub fn backlog(&self, producer: ProducerId) -> Option<Backlog> {
        self.session.groups.producer(producer).map(|producer| producer.backlog)
    }

    fn start_send(
        &mut self,
        now: Now,
        id: ProducerId,
        message: Message,
        options: SendOptions,
        mode: CommunicationMode,
        without_room: WithoutRoom,
    ) -> Result<OperationId, SendError> {
        let bytes = message.body().len();
        let has_room = match self.admit(id, &message, bytes, without_room) {
            Ok(has_room) => has_room,
            Err(error) => {
                self.session.spend(options.queue);
                return Err(SendError { error, message });
            }
        };
        let unique_id = self.session.unique_ids.next(now.unix_ms);
        let Some(producer) = self.session.groups.producer_mut(id) else {
            self.session.spend(options.queue);
            return Err(SendError { error: Error::new(ErrorKind::Closed, "the producer"), message });
        };
        producer.calls += 1;
        let send = Send::new(now, message, unique_id, options, mode, &producer.config);
        let sending = Sending::new(now, (id, producer.calls), bytes, send);
        if has_room {
            producer.backlog.add(bytes);
        }
        let operation = self.operations.insert(Operation::Send(sending));
        if !has_room {
            if let Some(Operation::Send(sending)) = self.operations.get_mut(operation) {
                sending.join_line();
                self.session.line_up(operation, sending.call());
            }
            self.run(now);
            return Ok(operation);
        }
        self.signal(now, Owner::Operation(operation, 0), Signal::Start);
        if let Some(Operation::Send(sending)) = self.operations.get_mut(operation)
            && sending.found_no_room()
        {
            if without_room == WithoutRoom::GiveBack
                && let Some(message) = sending.take_unbegun()
            {
                self.remove(operation);
                self.session.want_room();
                return Err(SendError { error: no_room(), message });
            }
            sending.join_line();
            self.session.line_up_again(operation, sending.call());
        }
        self.run(now);
        Ok(operation)
    }

    /// Whether there is room for a message that may be sent.
    fn admit(
        &mut self,
        id: ProducerId,
        message: &Message,
        bytes: usize,
        without_room: WithoutRoom,
    ) -> Result<bool, Error> {
        if self.session.is_closing() {
            return Err(Error::new(ErrorKind::Closed, "the client"));
        }
        let producer = self.session.groups.producer(id).ok_or_else(|| Error::new(ErrorKind::Closed, "the producer"))?;
        self.session.config.check_message(message)?;
        producer::check_message(message, &producer.config, self.session.config.dialect())?;
        if producer.line.is_empty() && producer.has_room(bytes) && !self.is_crowded() {
            return Ok(true);
        }
        if without_room == WithoutRoom::LineUp {
            return Ok(false);
        }
        let Producer { backlog, line, .. } = producer;
        let what = match line.len() {
            0 => format!("{} messages of {} bytes wait for their answers", backlog.messages, backlog.bytes),
            others => format!("{others} other messages wait for room"),
        };
        self.session.want_room();
        Err(Error::new(ErrorKind::Full, what))
    }
}

/// What becomes of a message that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutRoom {
    GiveBack,
    /// It waits for its turn.
    LineUp,
}

fn no_room() -> Error {
    Error::new(ErrorKind::Full, "the brokers' connections")
}
