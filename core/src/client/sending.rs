//! Sends: what `producer` decides, carried out on connections.

use super::Client;
use super::event::{Outcome, SendError, Value};
use super::groups::{Producer, ProducerId};
use super::network::{Owner, PeerId};
use super::operation::{Operation, OperationId};
use super::session::{Session, Signal};
use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::producer::queue_choice::Standing;
use crate::producer::{self, Backlog, Choice, Delivery, Message, Send, SendOptions, Verdict};
use crate::queue::MessageQueue;
use crate::routes::brokers::{BrokerId, Brokers};
use crate::routes::topics::{Purpose, Topic, TopicId};
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::{Command, Head};
use crate::wire::request::{Request, SendMessage};

/// A send under way.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(super) producer: ProducerId,
    pub(super) body_bytes: usize,
    /// The how manyth call of its producer it is.
    pub(super) call: u64,
    send: Send,
    /// The how manyth try is under way: what concerns an earlier one comes too late.
    turn: u32,
    /// The topic that the try under way goes to.
    topic: Option<TopicId>,
    peer: Option<PeerId>,
    /// The number of the request of the try under way, and when it was written.
    written: (i32, Instant),
    /// The first try that had no answer in its share of the time, and when it was written.
    unanswered: Option<(PeerId, Instant)>,
    waits_for: WaitsFor,
}

/// What a send waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaitsFor {
    /// It has not begun.
    Nothing,
    /// Its turn in its producer's line.
    Line,
    /// The application, which chooses its queue.
    Choice,
    Route,
    Connection,
    /// The broker's answer, or that a message without one is written.
    Broker,
    /// That it may be tried again: the pause after a refusal, or room.
    Again,
}

impl Client {
    /// Sends a message; the operation completes with [`Value::Sent`].
    ///
    /// # Errors
    /// The message is given back when it cannot be sent at all ([`ErrorKind::InvalidArgument`]) or when too much waits
    /// already, other messages in line among it ([`ErrorKind::Full`]; an [`Event::Room`](super::Event::Room) follows).
    pub fn send(
        &mut self,
        now: Now,
        producer: ProducerId,
        message: Message,
        options: SendOptions,
    ) -> Result<OperationId, SendError> {
        self.start_send(now, producer, message, options, Delivery::Awaited, WithoutRoom::GiveBack)
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
    ) -> Result<OperationId, SendError> {
        self.start_send(now, producer, message, options, Delivery::Awaited, WithoutRoom::LineUp)
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
        self.start_send(now, producer, message, options, Delivery::Oneway, WithoutRoom::GiveBack)
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
    ) -> Result<OperationId, SendError> {
        self.start_send(now, producer, message, options, Delivery::Oneway, WithoutRoom::LineUp)
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
        let send = Send::new(now, message, unique_id, options, delivery, &producer.config);
        let sending = Sending {
            producer: id,
            body_bytes: bytes,
            call: producer.calls,
            send,
            turn: 0,
            topic: None,
            peer: None,
            written: (0, now.mono),
            unanswered: None,
            waits_for: WaitsFor::Nothing,
        };
        if has_room {
            producer.backlog.add(bytes);
        }
        let operation = self.operations.insert(Operation::Send(sending));
        if !has_room {
            if let Some(Operation::Send(sending)) = self.operations.get_mut(operation) {
                self.session.line_up(operation, sending);
            }
            self.run(now);
            return Ok(operation);
        }
        self.signal(now, Owner::Operation(operation, 0), Signal::Start);
        if let Some(Operation::Send(sending)) = self.operations.get_mut(operation)
            && sending.found_no_room()
        {
            if without_room == WithoutRoom::GiveBack {
                let message = sending.send.take_message();
                self.remove(operation);
                self.session.want_room();
                return Err(SendError { error: no_room(), message });
            }
            self.session.line_up_again(operation, sending);
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
        producer::check_message(message, &producer.config)?;
        self.session.config.check_message(message)?;
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

impl Session {
    /// Gives back what a send that is over had.
    pub(super) fn release_send(&mut self, sending: &mut Sending) {
        if sending.waits_for == WaitsFor::Line {
            self.leave_line(sending);
            self.groups.forget_if_over(sending.producer);
        } else {
            if sending.waits_for == WaitsFor::Choice {
                self.end_choosing(sending);
            }
            if self.groups.release(sending) {
                self.lines.make_ready(sending.producer);
            }
        }
        if let Some(spent) = &mut self.spent {
            sending.send.take_spent(spent);
        }
    }
}

impl Sending {
    /// It has begun, and there was no broker with room that it could go to.
    pub(super) fn found_no_room(&self) -> bool {
        self.waits_for == WaitsFor::Nothing
    }

    /// What the application is asked, which has the message meanwhile.
    pub(super) fn take_choice(&mut self, topic: Option<&Topic>, brokers: &Brokers) -> Result<Choice, Error> {
        let choice = self.send.take_choice(topic, brokers)?;
        self.waits_for = WaitsFor::Choice;
        Ok(choice)
    }

    pub(super) fn is_choosing(&self) -> bool {
        self.waits_for == WaitsFor::Choice
    }

    /// Takes what the application has chosen.
    pub(super) fn take_chosen(&mut self, message: Message, queue: Result<MessageQueue, Error>) -> Result<(), Error> {
        self.waits_for = WaitsFor::Nothing;
        self.send.take_chosen(message, queue)
    }

    pub(super) const fn join_line(&mut self) {
        self.waits_for = WaitsFor::Line;
    }

    pub(super) const fn leave_line(&mut self) {
        self.waits_for = WaitsFor::Nothing;
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.send.deadline()
    }

    pub(super) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        turn: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        if turn != self.turn && !matches!(signal, Signal::Elapsed) {
            return match signal {
                Signal::Answer { command, .. } => self.late_answer(session, now, turn, command),
                _ => None,
            };
        }
        match signal {
            Signal::Start => self.next_try(session, now, id),
            // It may have asked twice, or have gone on by itself.
            Signal::Routed(_) if self.waits_for != WaitsFor::Route => None,
            Signal::Routed(Ok(())) => self.next_try(session, now, id),
            Signal::Routed(Err(error)) if error.is_retryable() => {
                self.send.note_obstacle(error);
                self.look_later(session, now, id, WaitsFor::Route)
            }
            Signal::Routed(Err(error)) => Some(Err(self.send.explain(error))),
            Signal::Ready if self.write(session, now, id) => None,
            // It stands no more.
            Signal::Ready => {
                self.waits_for = WaitsFor::Again;
                self.next_try(session, now, id)
            }
            Signal::Answer { command, took } => {
                self.note_latency(session, now, took);
                match self.send.judge(session.config.dialect(), command) {
                    Ok(receipt) => {
                        self.note_creation(session, now);
                        Some(Ok(Value::Sent(receipt)))
                    }
                    Err(error) => {
                        session.note_topic_answer(now, self.send.message().topic_name(), ResponseCode(command.code));
                        self.follow(session, now, id, error)
                    }
                }
            }
            Signal::Written => Some(Ok(Value::Done)),
            Signal::Failed(error) => {
                if error.kind() == ErrorKind::Timeout && !self.send.is_over(now.mono) {
                    self.keep_listening(session, now, id);
                }
                self.try_failed(session, now, id, error)
            }
            Signal::Elapsed => self.elapsed(session, now, id),
            Signal::Looked(_) => None,
        }
    }

    /// Begins the next try: a route, a queue, a connection, and the message is written.
    fn next_try(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let topic = session.topic(now, self.send.message().topic_name());
        let has_route = session.topics.get(topic).is_some_and(|topic| topic.route.is_some());
        if !has_route {
            return self.await_route(session, now, id, topic);
        }
        // Who was asked earlier for its first try goes first.
        if session.lines.choosing > 0 && self.turn == 0 && session.groups.is_choosing(self.producer) {
            session.line_up_behind(id, self);
            return None;
        }
        if self.send.has_selector() {
            return match session.ask_for_queue(id, topic, self) {
                Ok(()) => None,
                Err(error) if error.is_retryable() => self.no_queue(session, now, id, topic, error),
                Err(error) => Some(Err(self.send.explain(error))),
            };
        }
        match self.choose(session, now, topic) {
            Ok(Some(peer)) => match self.send.pause(now.mono) {
                None => self.approach(session, now, id, topic, peer),
                Some(until) if until < self.send.deadline() => {
                    self.waits_for = WaitsFor::Again;
                    session.operation_timers.set(id.key(), until);
                    None
                }
                // Nothing else would come of waiting.
                Some(_) => Some(Err(self.send.time_is_up(""))),
            },
            // It is given back to the caller, or waits in its producer's line.
            Ok(None) if self.found_no_room() => None,
            Ok(None) => self.look_later(session, now, id, WaitsFor::Again),
            Err(error) if error.is_retryable() => self.no_queue(session, now, id, topic, error),
            Err(error) => Some(Err(self.send.explain(error))),
        }
    }

    /// Writes the message to the chosen broker, or waits for its connection.
    fn approach(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        topic: TopicId,
        peer: PeerId,
    ) -> Option<Outcome> {
        let waits_there = self.waits_for == WaitsFor::Connection && self.peer == Some(peer);
        (self.topic, self.peer) = (Some(topic), Some(peer));
        if !waits_there {
            self.turn += 1;
        }
        if self.write(session, now, id) {
            return None;
        }
        let connection = session.network.get(peer);
        self.waits_for = WaitsFor::Connection;
        let mut until = self.send.connection_deadline(now.mono);
        if connection.is_some_and(Connection::is_paused) {
            // It is known to be away: it may come back somewhere else, or another broker may have the queue by now.
            session.ask_route(now, topic);
            until = until.min(self.send.look_again(now.mono, &mut session.random));
        }
        session.operation_timers.set(id.key(), until);
        let owner = Owner::Operation(id, self.turn);
        session.network.with(peer, |connection| {
            connection.hurry(now.mono);
            if !waits_there {
                connection.wait(now.mono, owner);
            }
        });
        None
    }

    fn await_route(&mut self, session: &mut Session, now: Now, id: OperationId, topic: TopicId) -> Option<Outcome> {
        if !session.seek_route(now, topic, Purpose::Send, Owner::Operation(id, self.turn)) {
            return self.look_later(session, now, id, WaitsFor::Route);
        }
        self.waits_for = WaitsFor::Route;
        session.operation_timers.set(id.key(), self.send.deadline());
        None
    }

    /// Waits a little longer each time, and then begins anew.
    fn look_later(&mut self, session: &mut Session, now: Now, id: OperationId, waits_for: WaitsFor) -> Option<Outcome> {
        self.waits_for = waits_for;
        session.operation_timers.set(id.key(), self.send.look_again(now.mono, &mut session.random));
        None
    }

    /// The route has no queue for it. That counts if it is the route of now, and no broker is missing from it.
    fn no_queue(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        topic: TopicId,
        error: Error,
    ) -> Option<Outcome> {
        let known = session.topics.get(topic);
        let is_certain =
            known.is_some_and(|topic| topic.is_newer_than(self.send.started()) && !self.send.may_appear(topic));
        if is_certain {
            return Some(Err(self.send.explain(error)));
        }
        self.send.note_obstacle(error);
        self.await_route(session, now, id, topic)
    }

    fn choose(&mut self, session: &mut Session, now: Now, topic: TopicId) -> Result<Option<PeerId>, Error> {
        let Session { topics, brokers, network, latency, random, groups, .. } = session;
        let producer = groups.producer(self.producer);
        let avoid_slow = producer.is_some_and(|producer| producer.config.avoid_slow_brokers);
        let standing = |broker: BrokerId| {
            let connection = master_of(brokers, broker).and_then(|address| network.find(address));
            if connection.is_some_and(|connection| !connection.has_room()) {
                Standing::Congested
            } else if connection.is_some_and(Connection::is_paused) {
                Standing::Unreachable
            } else if avoid_slow && !latency.is_available(now.mono, broker) {
                Standing::Slow
            } else {
                Standing::Available
            }
        };
        let topic = topics.get_mut(topic).ok_or_else(|| Error::new(ErrorKind::TopicNotFound, ""))?;
        let address = self.send.choose(topic, brokers, standing, random)?;
        Ok(address.map(|address| network.peer(address)))
    }

    /// Where the try under way is.
    fn address<'s>(&self, session: &'s Session) -> Option<&'s Address> {
        Some(session.network.get(self.peer?)?.address())
    }

    /// Writes the message to the chosen broker, if its connection stands. Returns whether it does.
    fn write(&mut self, session: &mut Session, now: Now, id: OperationId) -> bool {
        let (Some(peer), Some(producer)) = (self.peer, session.groups.producer(self.producer)) else {
            return false;
        };
        let dialect = session.config.dialect();
        let template = producer.config.template_topic.as_deref().unwrap_or(dialect.default_topic());
        let header = self.send.header(dialect, &producer.group, template);
        let (body, _) = self.send.message().written();
        let owner = Owner::Operation(id, self.turn);
        let is_oneway = self.send.delivery() == Delivery::Oneway;
        let written = if is_oneway {
            let head = Head::oneway(dialect, SendMessage::CODE, session.network.next_oneway_opaque());
            session.network.on_established(peer, |connection| {
                connection.oneway(now.mono, &head, &header, body, Some(owner));
                head.opaque
            })
        } else {
            let head = Head::request(dialect, SendMessage::CODE, session.network.next_opaque());
            let deadline = self.send.try_deadline(now.mono);
            let is_share = deadline < self.send.deadline();
            session.network.on_established(peer, |connection| {
                connection.request(now.mono, &head, &header, body, (deadline, is_share), owner);
                head.opaque
            })
        };
        let Some(opaque) = written else {
            return false;
        };
        self.written = (opaque, now.mono);
        self.waits_for = WaitsFor::Broker;
        self.send.note_written();
        if is_oneway {
            // An answer has a deadline at its connection; a message that is never written has this one.
            session.operation_timers.set(id.key(), self.send.deadline());
        } else {
            session.operation_timers.clear(id.key());
        }
        true
    }

    /// What follows from a try that failed. Whatever went wrong, the route may have changed.
    fn follow(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        let was_written = self.waits_for == WaitsFor::Broker;
        self.waits_for = WaitsFor::Again;
        let topic = session.topic(now, self.send.message().topic_name());
        session.ask_route(now, topic);
        let address = self.address(session).cloned();
        match self.send.failed(now.mono, error, address.as_ref(), was_written, &mut session.random) {
            Verdict::Fail(error) => Some(Err(error)),
            Verdict::Retry => self.next_try(session, now, id),
        }
    }

    /// The broker has not answered in the try's share of the time. It may merely be slow: what it says later counts, as long as
    /// the send lives.
    fn keep_listening(&mut self, session: &mut Session, now: Now, id: OperationId) {
        let (Some(peer), WaitsFor::Broker) = (self.peer, self.waits_for) else {
            return;
        };
        self.send.overtake(self.turn);
        let (owner, deadline, (opaque, since)) = (Owner::Operation(id, self.turn), self.send.deadline(), self.written);
        session.network.with(peer, |connection| connection.keep_waiting(opaque, since, deadline, owner));
        match self.unanswered {
            Some((first, since)) if first == peer => session.give_up_if_silent(now, peer, since),
            _ => self.unanswered = Some((peer, since)),
        }
    }

    /// An earlier try is answered after all.
    fn late_answer(&self, session: &mut Session, now: Now, turn: u32, command: &Command) -> Option<Outcome> {
        let receipt = self.send.judge_overtaken(session.config.dialect(), command, turn)?;
        self.note_creation(session, now);
        Some(Ok(Value::Sent(receipt)))
    }

    fn try_failed(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        if let Some(broker) = self.send.broker() {
            session.latency.note_failure(now.mono, broker);
        }
        self.follow(session, now, id, error)
    }

    /// It is time to look again, or its time is up.
    fn elapsed(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let connection = self.peer.and_then(|peer| session.network.get(peer));
        match self.waits_for {
            WaitsFor::Nothing => None,
            WaitsFor::Connection if !self.send.is_over(now.mono) && connection.is_some_and(Connection::is_paused) => {
                self.next_try(session, now, id)
            }
            // It has waited long enough for this one.
            WaitsFor::Connection => {
                let gone = || Error::new(ErrorKind::ConnectFailed, "");
                let error = connection.map_or_else(gone, Connection::unreachable);
                self.try_failed(session, now, id, error)
            }
            WaitsFor::Broker => {
                self.try_failed(session, now, id, Error::new(ErrorKind::Timeout, "the broker takes no bytes"))
            }
            WaitsFor::Choice => Some(Err(self.send.time_is_up("the selector has not chosen a queue"))),
            WaitsFor::Line => Some(Err(self.send.time_is_up("it waited in line for room all the time"))),
            WaitsFor::Route | WaitsFor::Again if !self.send.is_over(now.mono) => self.next_try(session, now, id),
            WaitsFor::Route => Some(Err(self.send.time_is_up("the name servers gave no route"))),
            WaitsFor::Again => Some(Err(self.send.time_is_up("too much waits for the topic's brokers already"))),
        }
    }

    fn note_latency(&self, session: &mut Session, now: Now, took: Duration) {
        if let Some(broker) = self.send.broker() {
            session.latency.note_answer(now.mono, broker, took);
        }
    }

    /// The first message to a topic that did not exist has created it: its own route replaces the inherited one.
    fn note_creation(&self, session: &mut Session, now: Now) {
        if let Some(topic) = self.topic
            && session.topics.note_stored(topic)
        {
            session.ask_route(now, topic);
        }
    }
}

fn no_room() -> Error {
    Error::new(ErrorKind::Full, "the brokers' connections")
}

fn master_of(brokers: &Brokers, broker: BrokerId) -> Option<&Address> {
    brokers.get(broker)?.master()
}
