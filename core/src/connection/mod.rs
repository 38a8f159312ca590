//! One peer: answers matched to requests, bytes on their way out, deadlines, reconnection.
//!
//! A connection is made when somebody waits for it, and only then. What waits is told when it stands or cannot be
//! made, and asks anew; so a request that was not written is never lost in a buffer of a connection that broke. `T`
//! says who asked.

mod backoff;
mod close_reason;
mod config;
mod counters;
mod in_flight;
mod outbox;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

pub use backoff::Backoff;
pub use close_reason::CloseReason;
pub use config::ConnectionConfig;
pub use counters::ConnectionCounters;
use in_flight::InFlight;
pub use outbox::Outbox;

use crate::address::Address;
use crate::error::{Cause, Error, ErrorKind};
use crate::random::Random;
use crate::time::{Deadline, Duration, Instant, Reason};
use crate::timed_table::Timed;
use crate::wire::code::ResponseCode;
use crate::wire::command::{self, Command, Head, HeaderCodec};
use crate::wire::fields::WriteHeader;
use crate::wire::signature::Signer;

/// Whether a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody needs it.
    Idle,
    /// The host is opening it.
    Connecting { until: Instant },
    /// It stands.
    Connected,
    /// It broke at `since`; nothing is tried before `until`.
    Paused { since: Instant, until: Instant },
}

/// What a command from the peer was.
#[derive(Debug)]
pub(crate) enum Received<T> {
    /// The answer to a request of `owner`, which took `took`.
    Answer { owner: T, took: Duration },
    /// An answer that nobody waits for: late, repeated, or never asked for.
    Unexpected,
    /// The broker was too busy for a request that nobody waits for.
    BusyOneway,
    /// The peer asks something.
    Request,
}

/// What a connection wants its host to do; each is taken once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// End the socket of this try.
    pub(crate) close: Option<u32>,
    /// Open a socket for this try.
    pub(crate) connect: Option<u32>,
    /// Take the outbox.
    pub(crate) flush: bool,
    /// Nothing: the connection has stood and ended, however it did, and with it what the peer kept for it.
    pub(crate) ended: bool,
}

/// How long a server that is about to stop may take with what it owes: sends are answered within this time, and pulls that
/// it holds can be asked anew.
const RETIREMENT: Duration = Duration::from_millis(500);

/// The longest pause of a connection that something with a time of its own waits for. A server that comes back is found
/// soon, and one that is away is asked no more often than this by all who wait.
const MOST_AWAITED_PAUSE: Duration = Duration::from_secs(1);

/// A peer that hangs up within this time after it was connected does not like how we speak.
const REBUFF: Duration = Duration::from_secs(1);

/// Why requests failed that an ended connection owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It never stood.
    NotConnected,
    /// It stood and ended.
    Closed,
}

/// One peer, and everything between it and us.
#[derive(Debug)]
pub(crate) struct Connection<T> {
    address: Address,
    config: ConnectionConfig,
    /// Signs our requests, if anybody does.
    signer: Option<Arc<Signer>>,
    state: State,
    /// Which try to connect is the current one; what a host says of an earlier one is void.
    attempt: u32,
    backoff: Backoff,
    waiting: VecDeque<T>,
    in_flight: InFlight<T>,
    outbox: Outbox,
    /// Bodies of the application that were never written.
    unwritten: Option<Outbox>,
    /// Requests without an answer in the outbox, and those in the bytes that the host took last.
    unwritten_oneways: Vec<T>,
    leaving_oneways: Vec<T>,
    /// How many bytes the host took last and has not asked for more since.
    leaving: usize,
    above_high_water: bool,
    flush_asked: bool,
    /// The server has said that it is about to stop: nothing more is written, and what is owed may come until then.
    retiring: Option<Instant>,
    last_asked: Instant,
    /// When the last command came; also on an earlier connection.
    last_received: Option<Instant>,
    connected_at: Instant,
    wishes: Wishes,
    /// Why the last try failed, in the host's words, and what that is, if no other try overcomes it.
    failure: String,
    lasting_failure: Option<ErrorKind>,
    failure_cause: Option<Cause>,
    counters: ConnectionCounters,
}

impl<T> Connection<T> {
    pub(crate) fn new(address: Address, config: ConnectionConfig) -> Self {
        Self {
            address,
            signer: None,
            state: State::Idle,
            attempt: 0,
            backoff: Backoff::new(config.least_pause, config.most_pause),
            config,
            waiting: VecDeque::new(),
            in_flight: InFlight::default(),
            outbox: Outbox::default(),
            unwritten: None,
            unwritten_oneways: Vec::new(),
            leaving_oneways: Vec::new(),
            leaving: 0,
            above_high_water: false,
            flush_asked: false,
            retiring: None,
            last_asked: Instant::default(),
            last_received: None,
            connected_at: Instant::default(),
            wishes: Wishes::default(),
            failure: String::new(),
            lasting_failure: None,
            failure_cause: None,
            counters: ConnectionCounters::default(),
        }
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// From now on requests are signed by this one.
    pub(crate) fn set_signer(&mut self, signer: Option<Arc<Signer>>) {
        self.signer = signer;
    }

    pub(crate) const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether it stands, so that what its peer says counts.
    pub(crate) const fn is_standing(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Whether requests can be written.
    pub(crate) const fn is_connected(&self) -> bool {
        self.is_standing() && self.retiring.is_none()
    }

    /// Whether the last try failed and the next one has to wait.
    pub(crate) const fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// Whether it broke or could not be made, and has not been made since.
    pub(crate) const fn is_away(&self) -> bool {
        !self.is_standing() && self.backoff.has_failed()
    }

    /// Whether it is being opened or stands, so that the host holds a socket for it.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Connecting { .. } | State::Connected)
    }

    /// Whether somebody waits for it, for an answer on it or for bytes to be written.
    pub(crate) fn is_owing(&self) -> bool {
        self.in_flight.len() > 0 || !self.waiting.is_empty() || !self.outbox.is_empty() || self.leaving > 0
    }

    pub(crate) const fn counters(&self) -> ConnectionCounters {
        self.counters
    }

    /// Why it could not be opened or ended, in the host's words.
    pub(crate) fn failure(&self) -> &str {
        &self.failure
    }

    /// Why it cannot be had.
    pub(crate) fn unreachable(&self) -> Error {
        self.failed(ErrorKind::ConnectFailed)
    }

    /// What became of those that it owed something when it ended.
    pub(crate) fn ended(&self, ended: Ended) -> Error {
        self.failed(match ended {
            Ended::NotConnected => ErrorKind::ConnectFailed,
            Ended::Closed => ErrorKind::ConnectionClosed,
        })
    }

    fn failed(&self, kind: ErrorKind) -> Error {
        let kind = self.lasting_failure.unwrap_or(kind);
        Error::failed(kind, &self.failure).caused_by(self.failure_cause.clone()).at(&self.address)
    }

    fn set_failure(&mut self, reason: CloseReason<'_>) {
        reason.words.clone_into(&mut self.failure);
        self.lasting_failure = reason.lasting;
        self.failure_cause = reason.cause.cloned();
    }

    /// Whether more requests are taken now.
    pub(crate) fn has_room(&self) -> bool {
        !self.above_high_water && self.in_flight.len() < self.config.max_in_flight
    }

    /// Whether there is anything to take: mostly there is not.
    #[inline]
    pub(crate) const fn has_wishes(&self) -> bool {
        let Wishes { close, connect, flush, ended } = &self.wishes;
        close.is_some() | connect.is_some() | *flush | *ended | self.unwritten.is_some()
    }

    /// What the host has to do, once.
    pub(crate) fn take_wishes(&mut self) -> Wishes {
        core::mem::take(&mut self.wishes)
    }

    /// The bodies of the application that were never written because the connection ended, once.
    pub(crate) const fn take_unwritten(&mut self) -> Option<Outbox> {
        self.unwritten.take()
    }

    /// Adds `owner` to those that are told when the connection stands or cannot be made.
    pub(crate) fn wait(&mut self, now: Instant, owner: T) {
        self.waiting.push_back(owner);
        if self.state == State::Idle {
            self.connect(now);
        }
    }

    /// Somebody cannot do without it: a pause is no longer than [`MOST_AWAITED_PAUSE`] then.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if let State::Paused { since, until } = &mut self.state {
            *until = (*until).min(*since + MOST_AWAITED_PAUSE);
            if *until <= now {
                self.end_pause(now);
            }
        }
    }

    fn end_pause(&mut self, now: Instant) {
        self.state = State::Idle;
        if !self.waiting.is_empty() {
            self.connect(now);
        }
    }

    /// Takes those out of the line who are not to `keep`.
    pub(crate) fn retain_waiting(&mut self, keep: impl Fn(&T) -> bool) {
        self.waiting.retain(keep);
    }

    fn connect(&mut self, now: Instant) {
        self.attempt = self.attempt.wrapping_add(1);
        self.state = State::Connecting { until: now + self.config.connect_timeout };
        self.wishes.connect = Some(self.attempt);
    }

    /// The connection as one that takes requests, if it stands and is not about to be replaced.
    pub(crate) fn established(&mut self) -> Option<Established<'_, T>> {
        self.is_connected().then_some(Established(self))
    }

    /// The request `opaque`, written `since` then, got no answer in its time; `owner` still takes one until `deadline`, if the
    /// connection stands.
    pub(crate) fn keep_waiting(&mut self, opaque: i32, since: Instant, deadline: Instant, owner: T) {
        if self.is_standing() {
            self.in_flight.insert(opaque, since, (deadline, false), owner);
        }
    }

    /// Writes a request of ours, signed if there is a signer.
    fn write_request(&mut self, now: Instant, head: &Head<'_>, header: &(impl WriteHeader + ?Sized), body: &Bytes) {
        let Some(signer) = self.signer.clone() else {
            return self.write(now, head, header, body);
        };
        self.write(now, head, &signer.sign(self.config.dialect, head, &header, body), body);
    }

    /// Writes a request as it is, or an answer to a request of the peer.
    fn write(&mut self, now: Instant, head: &Head<'_>, header: &(impl WriteHeader + ?Sized), body: &Bytes) {
        let config = &self.config;
        command::encode_head(self.outbox.buffer(), config.codec, config.dialect, head, header, body.len());
        self.outbox.push_body(body);
        self.last_asked = now;
        self.above_high_water |= self.outbox.len() + self.leaving >= self.config.high_water;
        if !self.flush_asked {
            self.flush_asked = true;
            self.wishes.flush = true;
        }
    }

    /// Answers a request of the peer that we do not know, as `NettyRemotingAbstract.processRequestCommand` does.
    pub(crate) fn refuse_unknown(&mut self, now: Instant, request: &Command) {
        self.counters.unknown_requests += 1;
        if request.is_oneway() {
            return;
        }
        let remark = format!("request type {} not supported", request.code);
        let code = ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
        self.respond(now, (request.opaque, request.codec), code, Some(&remark), &Bytes::new());
    }

    /// Answers a request of the peer, in the type that it came in, whatever our own is.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        (opaque, codec): (i32, HeaderCodec),
        code: ResponseCode,
        remark: Option<&str>,
        body: &Bytes,
    ) {
        if !self.is_standing() {
            return;
        }
        let head = Head::response(self.config.dialect, code, opaque, remark);
        let own = core::mem::replace(&mut self.config.codec, codec);
        self.write(now, &head, &crate::wire::fields::NoFields, body);
        self.config.codec = own;
    }

    /// Swaps the bytes to be written for the empty outbox `host`, and gives those of `written` that the host has
    /// written by asking again. Returns whether there is room again after there was none.
    pub(crate) fn take_outbox(&mut self, host: &mut Outbox, written: &mut Vec<T>) -> bool {
        written.append(&mut self.leaving_oneways);
        host.clear();
        core::mem::swap(&mut self.outbox, host);
        core::mem::swap(&mut self.unwritten_oneways, &mut self.leaving_oneways);
        self.leaving = host.len();
        // While the host writes it looks here again by itself; once it has found nothing, it has to be asked.
        self.flush_asked = self.leaving > 0;
        let room_again = self.above_high_water && self.leaving <= self.config.low_water;
        self.above_high_water &= !room_again;
        room_again
    }

    /// The connection of try `attempt` stands. Returns who waited for it.
    pub(crate) fn handle_connected(&mut self, now: Instant, attempt: u32) -> Vec<T> {
        if attempt != self.attempt || !matches!(self.state, State::Connecting { .. }) {
            return Vec::new();
        }
        self.state = State::Connected;
        self.connected_at = now;
        self.last_asked = now;
        self.counters.connects += 1;
        self.waiting.drain(..).collect()
    }

    /// A command came.
    pub(crate) fn handle_command(&mut self, now: Instant, command: &Command) -> Received<T> {
        self.last_received = Some(now);
        self.backoff.reset();
        if !command.is_response() {
            return Received::Request;
        }
        if command.code == ResponseCode::GO_AWAY.0 {
            self.retire(now);
        }
        if let Some((owner, since)) = self.in_flight.remove(command.opaque) {
            if self.retiring.is_some() {
                self.end_if_retired(now);
            }
            return Received::Answer { owner, took: now.since(since) };
        }
        // Requests without an answer have negative numbers. A broker answers them all the same when its send queue is
        // full or too slow (`BrokerFastFailure`, `NettyRemotingAbstract.processRequestCommand`).
        if command.opaque < 0 && command.code == ResponseCode::SYSTEM_BUSY.0 {
            self.counters.busy_oneways += 1;
            return Received::BusyOneway;
        }
        self.counters.unexpected_answers += 1;
        Received::Unexpected
    }

    /// The server has said that it is about to stop (GO_AWAY): what it owes may still come, and whoever asks from now on
    /// waits for a new connection (`NettyRemotingClient.invokeImpl`).
    fn retire(&mut self, now: Instant) {
        if self.is_connected() {
            self.retiring = Some(now + RETIREMENT);
        }
    }

    /// Ends a connection that retires and owes nothing, and makes a new one if somebody waits for it.
    fn end_if_retired(&mut self, now: Instant) {
        if self.retiring.is_some() && self.in_flight.len() == 0 && self.outbox.is_empty() && self.leaving == 0 {
            self.replace(now);
        }
    }

    /// Ends the connection, and makes a new one if somebody waits for it. Returns whom it owes an answer.
    fn replace(&mut self, now: Instant) -> Vec<T> {
        let waiting = core::mem::take(&mut self.waiting);
        let owners = self.close("the server is about to stop");
        self.waiting = waiting;
        if !self.waiting.is_empty() {
            self.connect(now);
        }
        owners
    }

    /// The connection of try `attempt` ended, or could not be made. Returns whom that fails, and how.
    pub(crate) fn handle_closed(
        &mut self,
        now: Instant,
        attempt: u32,
        reason: CloseReason<'_>,
        random: &mut Random,
    ) -> Option<(Ended, Vec<T>)> {
        if attempt != self.attempt || !self.is_open() {
            return None;
        }
        self.set_failure(reason);
        let is_rebuff = self.is_standing() && now.since(self.connected_at) < REBUFF;
        if is_rebuff && self.last_received.is_none() {
            self.failure.push_str(reason.guess);
        }
        Some(self.end(now, random))
    }

    /// Ends the connection from our side, for a reason.
    pub(crate) fn close(&mut self, why: &str) -> Vec<T> {
        self.set_failure(why.into());
        if self.is_open() {
            self.wishes.close = Some(self.attempt);
        }
        self.leave(State::Idle);
        self.take_owners()
    }

    /// Goes on to another state, and lets know if it stood until now.
    fn leave(&mut self, to: State) {
        self.wishes.ended |= self.is_standing();
        self.state = to;
    }

    fn end(&mut self, now: Instant, random: &mut Random) -> (Ended, Vec<T>) {
        let ended = if self.is_standing() { Ended::Closed } else { Ended::NotConnected };
        let pause = self.backoff.next_pause(random);
        self.leave(State::Paused { since: now, until: now + pause });
        (ended, self.take_owners())
    }

    fn take_owners(&mut self) -> Vec<T> {
        if self.outbox.holds_bodies() {
            self.unwritten = Some(core::mem::take(&mut self.outbox));
        }
        self.outbox.clear();
        self.leaving = 0;
        self.above_high_water = false;
        self.flush_asked = false;
        self.retiring = None;
        let mut owners = self.in_flight.drain();
        owners.append(&mut self.leaving_oneways);
        owners.append(&mut self.unwritten_oneways);
        owners.extend(self.waiting.drain(..));
        owners
    }

    /// Whether nothing has come since `since`, and that is long ago.
    fn is_silent(&self, now: Instant, since: Instant) -> bool {
        let heard = self.last_received.is_some_and(|received| received > since);
        !heard && now.since(since) >= self.config.unresponsive_after
    }

    fn give_up(&mut self, now: Instant, random: &mut Random) -> (Ended, Vec<T>) {
        self.wishes.close = Some(self.attempt);
        self.set_failure("the server is silent".into());
        self.end(now, random)
    }

    /// A request of `since` then had no answer, and neither had the one after it: gives the connection up if nothing else
    /// came either.
    pub(crate) fn give_up_if_silent(
        &mut self,
        now: Instant,
        since: Instant,
        random: &mut Random,
    ) -> Option<(Ended, Vec<T>)> {
        (self.is_standing() && self.is_silent(now, since)).then(|| self.give_up(now, random))
    }

    fn idle_at(&self) -> Instant {
        self.last_asked.max(self.last_received.unwrap_or_default()) + self.config.idle_timeout
    }

    /// Does what is due. Returns the requests that got no answer in time, and whom an ended connection fails.
    pub(crate) fn handle_timeout(&mut self, now: Instant, random: &mut Random) -> (Vec<T>, Option<(Ended, Vec<T>)>) {
        let mut late = Vec::new();
        match self.state {
            State::Connecting { until } if until <= now => {
                self.wishes.close = Some(self.attempt);
                let reason = format!("not connected within {} ms", self.config.connect_timeout.as_millis());
                self.set_failure(reason.as_str().into());
                return (late, Some(self.end(now, random)));
            }
            State::Paused { until, .. } if until <= now => self.end_pause(now),
            State::Connected if self.retiring.is_some_and(|until| until <= now) => {
                return (late, Some((Ended::Closed, self.replace(now))));
            }
            State::Connected => {
                let mut silent = false;
                while let Some(due) = self.in_flight.pop_due(now) {
                    silent |= !due.is_share && self.is_silent(now, due.since);
                    late.push(due.owner);
                }
                if silent {
                    return (late, Some(self.give_up(now, random)));
                }
                if self.in_flight.len() == 0 && self.idle_at() <= now {
                    // Bytes that the peer has not taken in all that time will not be taken.
                    return (late, Some((Ended::Closed, self.close("idle for too long"))));
                }
            }
            State::Idle | State::Connecting { .. } | State::Paused { .. } => {}
        }
        (late, None)
    }
}

impl<T> Timed for Connection<T> {
    /// When [`Connection::handle_timeout`] has work to do.
    fn poll_timeout(&self) -> Option<Deadline> {
        match self.state {
            State::Idle => None,
            State::Connecting { until } => Some(Deadline { at: until, reason: Reason::Connect }),
            State::Paused { until, .. } => Some(Deadline { at: until, reason: Reason::Reconnect }),
            State::Connected => Some(match (self.retiring, self.in_flight.next_deadline()) {
                (Some(at), _) => Deadline { at, reason: Reason::Reconnect },
                (None, Some(at)) => Deadline { at, reason: Reason::Answer },
                (None, None) => Deadline { at: self.idle_at(), reason: Reason::Idle },
            }),
        }
    }
}

/// A connection that stands. Only such a one takes requests, so none is written into a buffer that nobody reads.
pub(crate) struct Established<'c, T>(&'c mut Connection<T>);

impl<T> Established<'_, T> {
    /// Writes a request that is answered to `owner`, until `deadline`. That may be a share of its time, in which silence does
    /// not mean that the connection is dead.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        header: &(impl WriteHeader + ?Sized),
        body: &Bytes,
        (deadline, is_share): (Instant, bool),
        owner: T,
    ) {
        self.0.in_flight.insert(head.opaque, now, (deadline, is_share), owner);
        self.0.write_request(now, head, header, body);
    }

    /// Writes a request that nobody answers; `owner`, if any, is told when it has been written.
    pub(crate) fn oneway(
        &mut self,
        now: Instant,
        head: &Head<'_>,
        header: &(impl WriteHeader + ?Sized),
        body: &Bytes,
        owner: Option<T>,
    ) {
        self.0.unwritten_oneways.extend(owner);
        self.0.write_request(now, head, header, body);
    }
}

#[cfg(test)]
mod tests;
