//! Sends: begun, or given back.

use crate::client::base::event::SendError;
use crate::client::base::ids::{OperationId, Owner, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::driver::Client;
use crate::client::operations::Operation;
use crate::client::operations::sending::Sending;
use crate::client::presence::groups::Producer;
use crate::error::{Error, ErrorKind};
use crate::producer::{self, Backlog, Delivery, Message, Send, SendOptions};
use crate::time::Now;

impl Client {
    /// Sends a message; the operation completes with [`Value::Sent`].
    ///
    /// # Errors
    /// The message is given back when it cannot be sent at all ([`ErrorKind::InvalidArgument`]) or when too much waits
    /// already ([`ErrorKind::Full`]; an [`Event::Room`](super::Event::Room) follows).
    pub fn send(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<OperationId, SendError> {
        self.start_send(now, producer, message, options, Delivery::Awaited)
    }

    /// Sends a message without waiting for the broker's answer; the operation completes with [`Value::Done`] when the
    /// message is written. It is written once at the most.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_oneway(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<OperationId, SendError> {
        self.start_send(now, producer, message, options, Delivery::Oneway)
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
        delivery: Delivery,
    ) -> Result<OperationId, SendError> {
        let bytes = message.body().len();
        if let Err(error) = self.admit(id, &message, bytes) {
            return Err(SendError { error, message });
        }
        let unique_id = self.session.unique_ids.next(now.unix_ms);
        let Some(producer) = self.session.groups.producer_mut(id) else {
            return Err(SendError { error: Error::new(ErrorKind::Closed, "the producer"), message });
        };
        producer.backlog.add(bytes);
        let send = Send::new(now, message, unique_id, options, delivery, &producer.config);
        let sending = Sending::new(now, id, bytes, send);
        let operation = self.operations.insert(Operation::Send(sending));
        self.signal(now, Owner::Operation(operation, 0), Signal::Start);
        if let Some(Operation::Send(sending)) = self.operations.get_mut(operation)
            && let Some(message) = sending.take_unbegun()
        {
            self.remove(operation);
            self.session.want_room();
            return Err(SendError { error: no_room(), message });
        }
        self.run(now);
        Ok(operation)
    }

    fn admit(&mut self, id: ProducerId, message: &Message, bytes: usize) -> Result<(), Error> {
        if self.session.is_closing() {
            return Err(Error::new(ErrorKind::Closed, "the client"));
        }
        let producer = self.session.groups.producer(id);
        let Producer { config, backlog, .. } = producer.ok_or_else(|| Error::new(ErrorKind::Closed, "the producer"))?;
        producer::check_message(message, config)?;
        self.session.config.check_message(message)?;
        let room = backlog.has_room(bytes, config.max_waiting_messages, config.max_waiting_bytes);
        if room && self.operations.len() < self.session.config.max_operations {
            return Ok(());
        }
        let what = format!("{} messages of {} bytes wait for their answers", backlog.messages, backlog.bytes);
        self.session.want_room();
        Err(Error::new(ErrorKind::Full, what))
    }
}

fn no_room() -> Error {
    Error::new(ErrorKind::Full, "the brokers' connections")
}
