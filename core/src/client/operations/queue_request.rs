//! Requests about one queue, to the broker that has it: pulls and offsets.

use crate::client::base::ids::{OperationId, Owner, PeerId};
use crate::client::base::signal::Signal;
use crate::client::base::value::Outcome;
use crate::client::operations::exchange::{Answered, Exchange};
use crate::client::operations::questions::{Pace, Question};
use crate::client::presence::first_commits::OffsetTable;
use crate::client::session::{Session, look_pauses};
use crate::connection::{Backoff, Connection};
use crate::error::{self, Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::routes::topics::Purpose;
use crate::time::{Duration, Instant, Now};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// How often a request that only reads is tried when its connection fails.
const TRIES: u32 = 3;

/// How long a broker has to take a heartbeat in before an offset is committed once more for a group it does not know.
const PAUSE: Duration = Duration::from_millis(50);

/// A request about a queue, under way.
#[derive(Debug)]
pub(crate) struct QueueRequest {
    queue: MessageQueue,
    question: Question,
    deadline: Instant,
    tries_left: u32,
    /// Whether looks for a connection or a route are no tries; otherwise there are so many looks as tries, for somebody who has
    /// something else to do meanwhile.
    is_patient: bool,
    /// The pauses between looks, and while the broker is busy.
    pauses: Backoff,
    /// The how manyth try is under way: what concerns an earlier one comes too late.
    turn: u32,
    /// Whether that has been written.
    is_written: bool,
    peer: Option<PeerId>,
    /// The connection of the first try. What counts on a lock goes on no other.
    connection: Option<(PeerId, u32)>,
    last_failure: Option<Error>,
}

impl QueueRequest {
    pub(crate) fn new(queue: MessageQueue, question: impl Into<Question>, deadline: Instant) -> Self {
        Self {
            queue,
            question: question.into(),
            deadline,
            tries_left: TRIES,
            is_patient: false,
            pauses: look_pauses(),
            turn: 0,
            is_written: false,
            peer: None,
            connection: None,
            last_failure: None,
        }
    }

    /// The same, which waits for a connection and a route until its time is up.
    pub(crate) fn patient(mut self) -> Self {
        self.is_patient = true;
        self
    }

    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is a pull, which may wait for long and may be given up at any time.
    pub(crate) fn is_pull(&self) -> bool {
        self.question.is_pull()
    }

    /// Where what it commits is kept.
    pub(crate) fn offset_table(&self) -> Option<OffsetTable> {
        self.question.commits_to(&self.queue)
    }

    pub(crate) fn resume(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        turn: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        let outcome = self.go_on(session, now, id, turn, signal);
        if matches!(outcome, Some(Err(_))) {
            self.question.failed(session, &self.queue);
        }
        outcome
    }

    fn go_on(
        &mut self,
        session: &mut Session,
        now: Now,
        id: OperationId,
        turn: u32,
        signal: Signal<'_>,
    ) -> Option<Outcome> {
        if turn != self.turn && !matches!(signal, Signal::Elapsed) {
            return None;
        }
        match signal {
            Signal::Start => self.next_try(session, now, id),
            Signal::Routed(Ok(())) if self.question.address(session, &self.queue).is_none() => {
                Some(Err(self.explain(not_routed())))
            }
            Signal::Routed(Ok(())) => self.next_try(session, now, id),
            Signal::Routed(Err(error)) => self.not_found(session, now, id, error),
            Signal::Ready => {
                session.operation_timers.set(id.key(), self.deadline);
                self.write(session, now, id)
            }
            Signal::Answer { command, .. } if self.is_premature(session, command) => {
                self.last_failure = self.judge(session, command).err().map(|error| self.at(session, error));
                session.operation_timers.set(id.key(), self.deadline.min(now.mono + PAUSE));
                None
            }
            // It is busy for a moment.
            Signal::Answer { command, .. } if self.rides_out() && error::says_busy(ResponseCode(command.code)) => {
                self.last_failure = self.judge(session, command).err().map(|error| self.at(session, error));
                self.look_later(session, now, id)
            }
            Signal::Failed(error) if self.rides_out() && error.is_busy() => {
                self.last_failure = Some(self.explain(error));
                self.look_later(session, now, id)
            }
            Signal::Elapsed if now.mono < self.deadline => {
                session.operation_timers.set(id.key(), self.deadline);
                self.next_try(session, now, id)
            }
            Signal::Answer { command, .. } => match self.question.again(session, now, command) {
                None if self.is_pull() => {
                    let MessageQueue { topic, broker_name, .. } = &self.queue;
                    session.note_topic_answer(now, topic, broker_name, ResponseCode(command.code));
                    Some(self.judge(session, command).map_err(|error| self.at(session, error)))
                }
                Some((question, pace)) => {
                    self.question = question;
                    match pace {
                        Pace::AtOnce => self.next_try(session, now, id),
                        Pace::Later => self.look_later(session, now, id),
                    }
                }
                None => Some(self.judge(session, command).map_err(|error| self.at(session, error))),
            },
            Signal::Failed(error) => self.try_failed(session, now, id, error),
            Signal::Elapsed => {
                let error = self.time_is_up(session);
                Some(Err(self.explain(error)))
            }
            Signal::Written | Signal::Looked(_) => None,
        }
    }

    /// Why there was no answer in time. What an earlier try met says most.
    fn time_is_up(&mut self, session: &Session) -> Error {
        if let Some(error) = self.last_failure.take() {
            return error;
        }
        match self.peer.and_then(|peer| session.network.get(peer)) {
            None => Error::new(ErrorKind::Timeout, "the name servers gave no route"),
            Some(connection) if connection.is_connected() => {
                Error::new(ErrorKind::Timeout, "").at(connection.address())
            }
            Some(connection) => connection.unreachable(),
        }
    }

    fn next_try(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        if self.is_late(now) {
            return None;
        }
        let topic = session.topic(now, &self.queue.topic);
        let Some(address) = self.question.address(session, &self.queue).cloned() else {
            session.await_route(now, topic, Purpose::Read, Owner::Operation(id, self.turn));
            return None;
        };
        self.turn += 1;
        self.is_written = false;
        let peer = session.network.peer(&address);
        self.peer = Some(peer);
        let owner = Owner::Operation(id, self.turn);
        let connection = session.network.get(peer);
        let attempt = connection.map_or(0, Connection::attempt);
        self.connection.get_or_insert((peer, attempt));
        if connection.is_some_and(Connection::is_connected) || self.needs_lock() {
            return self.write(session, now, id);
        }
        let is_away = connection.is_some_and(Connection::is_paused);
        session.network.with(peer, |connection| {
            connection.hurry(now.mono);
            connection.wait(now.mono, owner);
        });
        if is_away && self.is_patient { self.look_later(session, now, id) } else { None }
    }

    /// A host may be late, or another commit that goes first: then the time is up, which the operation hears next, and nobody would
    /// wait for an answer.
    fn is_late(&self, now: Now) -> bool {
        now.mono >= self.deadline
    }

    /// Tries again after a pause, at the latest when the time is up.
    fn look_later(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let pause = self.pauses.next_pause(&mut session.random);
        session.operation_timers.set(id.key(), self.deadline.min(now.mono + pause));
        None
    }

    /// There is no route or no connection: some wait for it until their time is up.
    fn not_found(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        if !self.is_patient || !error.is_retryable() {
            return Some(Err(self.explain(error)));
        }
        self.last_failure = Some(error);
        self.look_later(session, now, id)
    }

    fn try_failed(&mut self, session: &mut Session, now: Now, id: OperationId, error: Error) -> Option<Outcome> {
        let topic = session.topic(now, &self.queue.topic);
        session.ask_route(now, topic);
        if !self.is_written && self.is_patient {
            return self.not_found(session, now, id, error);
        }
        self.tries_left = self.tries_left.saturating_sub(1);
        let is_last = self.tries_left == 0 || self.needs_lock() || (self.is_written && self.question.is_tried_once());
        if is_last || error.kind() == ErrorKind::Timeout {
            return Some(Err(self.explain(error)));
        }
        self.last_failure = Some(error);
        self.next_try(session, now, id)
    }

    fn write(&mut self, session: &mut Session, now: Now, id: OperationId) -> Option<Outcome> {
        let peer = self.peer.filter(|_| !self.is_late(now))?;
        if let Some(error) = self.lost_lock(session, peer) {
            return Some(Err(self.explain(error)));
        }
        let owner = Owner::Operation(id, self.turn);
        if let Some(group) = self.question.greeted_group()
            && !session.has_heard_of(peer, group)
        {
            session.await_greeting(now, peer, owner);
            return None;
        }
        if let Some(table) = self.offset_table()
            && !session.first_commits.may_go(table, id, self.turn)
        {
            return None;
        }
        let exchange = Exchange { peer, awaited: Some((owner, self.deadline)) };
        self.is_written = self.question.write(session, now, &self.queue, &exchange);
        None
    }

    fn needs_lock(&self) -> bool {
        self.question.needs_lock()
    }

    /// Why what counts on a lock may not go: the lock has ended with the connection on which it was granted.
    fn lost_lock(&self, session: &Session, peer: PeerId) -> Option<Error> {
        let connection = session.network.get(peer).filter(|_| self.needs_lock())?;
        let is_same = self.connection == Some((peer, connection.attempt())) && connection.is_connected();
        (!is_same).then(|| Error::new(ErrorKind::ConnectionClosed, "").at(connection.address()))
    }

    /// Whether the broker has not yet heard of our group: it takes heartbeats and other requests in side by side.
    fn is_premature(&self, session: &Session, answer: &Command) -> bool {
        let is_ours = |group: &str| session.groups.has_consumer_of(group);
        ResponseCode(answer.code) == ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST
            && self.question.young_group().is_some_and(is_ours)
    }

    /// Whether a broker that is busy, or about to go, may give another answer in our time.
    fn rides_out(&self) -> bool {
        self.is_patient || self.question.rides_out()
    }

    fn judge(&self, session: &mut Session, answer: &Command) -> Outcome {
        let answered = Answered { queue: &self.queue, peer: self.peer, command: answer };
        self.question.judge(session, &answered).map_err(|error| self.explain(error))
    }

    /// Says of an answer whose it was.
    fn at(&self, session: &Session, error: Error) -> Error {
        let connection = self.peer.and_then(|peer| session.network.get(peer));
        connection
            .iter()
            .fold(error, |error, connection| error.at(connection.address()))
            .at_broker(&self.queue.broker_name)
    }

    fn explain(&self, error: Error) -> Error {
        error.context(format_args!("{} {}", self.question.words(), self.queue))
    }
}

fn not_routed() -> Error {
    Error::new(ErrorKind::BrokerNotFound, "the topic's route does not name the queue's broker")
}
