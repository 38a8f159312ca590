//! Sends: what `producer` decides, carried out on connections.

use crate::address::Address;
use crate::client::base::event::Event;
use crate::client::base::ids::{OperationId, Owner, PeerId, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::base::value::{Outcome, Value};
use crate::client::presence::lines::{Call, Held};
use crate::client::session::{Reserved, Session};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::producer::queue_choice::Standing;
use crate::producer::{CommunicationMode, Message, Send, SendStatus, Spent, Verdict};
use crate::queue::MessageQueue;
use crate::routes::brokers::{BrokerId, Brokers};
use crate::routes::topics::{Purpose, TopicId};
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::{Command, Head};
use crate::wire::request::{Request, SendMessage};

/// A send under way.
#[derive(Debug)]
pub(crate) struct Sending {
    producer: ProducerId,
    body_bytes: usize,
    /// The how manyth call of its producer it is.
    call: u64,
    send: Send,
    /// The how manyth try is under way: what concerns an earlier one comes too late.
    turn: u32,
    /// The topic that the try under way goes to.
    topic: Option<TopicId>,
    peer: Option<PeerId>,
    /// The number of the request of the try under way, and when it was written.
    written: (i32, Instant),
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

impl Sending {
    // A send is large, and is made where it will lie.
    #[inline]
    pub(crate) fn new(now: Now, (producer, call): (ProducerId, u64), body_bytes: usize, send: Send) -> Self {
        Self {
            producer,
            body_bytes,
            call,
            send,
            turn: 0,
            topic: None,
            peer: None,
            written: (0, now.mono),
            waits_for: WaitsFor::Nothing,
        }
    }

    /// The message of a send that could not begin for want of room.
    pub(crate) fn take_unbegun(&mut self) -> Option<Message> {
        self.found_no_room().then(|| self.send.take_message())
    }

    pub(crate) const fn reserved(&self) -> Reserved {
        let held = match self.waits_for {
            WaitsFor::Line => Held::Line,
            WaitsFor::Choice => Held::Choice,
            _ => Held::Backlog,
        };
        Reserved::Send { call: self.call(), held }
    }

    pub(crate) fn take_spent(&mut self, spent: &mut Spent) {
        self.send.take_spent(spent);
    }

    /// As its producer's line knows it.
    pub(crate) const fn call(&self) -> Call {
        let Self { producer, call: number, body_bytes: bytes, .. } = *self;
        Call { producer, number, bytes, deadline: self.send.deadline() }
    }

    /// It has begun, and there was no broker with room that it could go to.
    pub(crate) fn found_no_room(&self) -> bool {
        self.waits_for == WaitsFor::Nothing
    }

    /// Has the application asked which queue it goes to.
    fn ask_for_queue(&mut self, session: &mut Session, id: OperationId, topic: TopicId) -> Result<(), Error> {
        let choice = self.send.take_choice(session.topics.get(topic), &session.brokers)?;
        self.waits_for = WaitsFor::Choice;
        session.begin_choosing(self.producer);
        session.operation_timers.set(id.key(), self.send.deadline());
        session.events.push_back(Event::Choose { operation: id, choice: Box::new(choice) });
        Ok(())
    }

    pub(crate) fn is_choosing(&self) -> bool {
        self.waits_for == WaitsFor::Choice
    }

    /// Takes what the application has chosen.
    pub(crate) fn take_chosen(&mut self, message: Message, queue: Result<MessageQueue, Error>) -> Result<(), Error> {
        self.waits_for = WaitsFor::Nothing;
        self.send.take_chosen(message, queue)
    }

    pub(crate) const fn join_line(&mut self) {
        self.waits_for = WaitsFor::Line;
    }

    pub(crate) const fn leave_line(&mut self) {
        self.waits_for = WaitsFor::Nothing;
    }

    #[inline]
    pub(crate) fn resume(
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
                        Some(Ok(receipt.into()))
                    }
                    Err(error)
                        if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST)
                            && !session.config.dialect().creates_topics() =>
                    {
                        self.await_creation(session, now, id, error)
                    }
                    Err(error) => {
                        let broker = self.send.broker().and_then(|broker| session.brokers.get(broker));
                        if let Some(broker) = broker.map(|broker| broker.name.clone()) {
                            let topic = self.send.message().topic_name();
                            session.note_topic_answer(now, topic, &broker, ResponseCode(command.code));
                        }
                        self.follow(session, now, id, error)
                    }
                }
            }
            Signal::Written => Some(Ok(().into())),
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
            session.line_up_behind(id, self.call());
            self.join_line();
            return None;
        }
        if self.send.has_selector() {
            return match self.ask_for_queue(session, id, topic) {
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
        let purpose = Purpose::Send { queues: self.send.default_queues() };
        if !session.seek_route(now, topic, purpose, Owner::Operation(id, self.turn)) {
            return self.look_later(session, now, id, WaitsFor::Route);
        }
        self.waits_for = WaitsFor::Route;
        session.operation_timers.set(id.key(), self.send.deadline());
        None
    }

    /// A broker has lost its topic, whatever name servers say: it is created once more.
    fn await_creation(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        self.send.note_obstacle(error);
        let topic = session.topic(now, self.send.message().topic_name());
        let owner = Owner::Operation(id, self.turn);
        let purpose = Purpose::Send { queues: self.send.default_queues() };
        if !session.create_anew(now, topic, purpose, owner) {
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
        if let Some(route) = known.and_then(|topic| topic.route.as_ref())
            && let Err(error) =
                session.config.check_topic_to_change(self.send.message().topic(), |name| route.is_of_server(name))
        {
            return Some(Err(self.send.explain(error)));
        }
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
            let connection = master_of(brokers, broker).and_then(|address| network.find_master(broker.slot(), address));
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
        let master = self.send.choose(topic, brokers, standing, random)?;
        Ok(master.map(|(broker, address)| network.master(broker.slot(), address)))
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
        let template = match dialect.creates_topics() {
            true => producer.config.template_topic.as_deref().unwrap_or(dialect.default_topic()),
            // One that is not there is no template: the broker refuses, instead of making a topic that nobody can use.
            false => self.send.message().topic(),
        };
        let header = self.send.header(dialect, &producer.group, template);
        let (body, _) = self.send.message().written();
        let owner = Owner::Operation(id, self.turn);
        let is_oneway = self.send.mode() == CommunicationMode::Oneway;
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
        session.brokers.sends_of(self.send.broker()).tries += 1;
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
        let first = self.send.overtake(self.turn, self.written.1);
        let (owner, deadline, (opaque, since)) = (Owner::Operation(id, self.turn), self.send.deadline(), self.written);
        session.network.with(peer, |connection| connection.keep_waiting(opaque, since, deadline, owner));
        if let Some(since) = first {
            session.give_up_if_silent(now, peer, since);
        }
    }

    /// An earlier try is answered after all.
    fn late_answer(&self, session: &mut Session, now: Now, turn: u32, command: &Command) -> Option<Outcome> {
        let receipt = self.send.judge_overtaken(session.config.dialect(), command, turn)?;
        self.note_creation(session, now);
        Some(Ok(receipt.into()))
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
            WaitsFor::Route => {
                let awaited = session.what_is_awaited(self.send.message().topic());
                Some(Err(self.send.time_is_up(awaited)))
            }
            WaitsFor::Again => Some(Err(self.send.time_is_up("too much waits for the topic's brokers already"))),
        }
    }

    /// It is over, with an outcome unless it was given up.
    pub(crate) fn note_over(&self, session: &mut Session, now: Now, outcome: Option<&Outcome>) {
        let receipt = match outcome {
            Some(Ok(Value::Sent(receipt))) => Some(receipt),
            _ => None,
        };
        let mut broker = self.send.broker();
        if let Some(receipt) = receipt {
            session.send_latency.add(now.mono.since(self.send.started()));
            let name = &receipt.queue.broker_name;
            // An earlier try may have been answered after all. That is rare, and a look by name is dear among many brokers.
            if broker.and_then(|broker| session.brokers.get(broker)).is_none_or(|known| known.name != *name) {
                broker = session.brokers.id_of(name);
            }
        }
        let counters = session.brokers.sends_of(broker);
        let count = match (outcome, receipt.map(|receipt| receipt.status)) {
            (None, _) => &mut counters.cancelled,
            (Some(Err(_)), _) => &mut counters.failed,
            (Some(Ok(_)), None) => &mut counters.oneway,
            (_, Some(SendStatus::SendOk)) => &mut counters.send_ok,
            (_, Some(SendStatus::FlushDiskTimeout)) => &mut counters.flush_disk_timeout,
            (_, Some(SendStatus::FlushSlaveTimeout)) => &mut counters.flush_slave_timeout,
            (_, Some(SendStatus::SlaveNotAvailable)) => &mut counters.slave_not_available,
        };
        *count += 1;
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

fn master_of(brokers: &Brokers, broker: BrokerId) -> Option<&Address> {
    brokers.get(broker)?.master()
}
