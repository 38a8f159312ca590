//! A client, its clock and its host, and at the far end of each connection a server that a test scripts.
//!
//! Nothing takes time but what a test says takes time.

use core::fmt::Write;
use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};

use super::servers::{Asked, Book, Reach, Reply, Server};
use crate::address::Address;
use crate::client::{Action, Client, ClientConfig, ConnectionId, Event, Given, OperationId, Outcome, Pending};
use crate::connection::{CloseReason, Outbox};
use crate::consumer::allocation::{Allocation, Average};
use crate::consumer::push::PushEvent;
use crate::error::Error;
use crate::time::{Duration, Instant, Now};
use crate::wire::code::RequestCode;
use crate::wire::command::Command;
use crate::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};

/// When the scene begins, in milliseconds since 1970.
pub(super) const BEGINNING: u64 = 1_700_000_000_000;

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

/// A connection as its host has it.
struct Link {
    address: Address,
    /// What the server has not read yet, because it reads nothing.
    unread: Vec<Command>,
}

/// What arrives at the client.
enum Arrival {
    /// The server at this address took the connection, or did not.
    Connection(Address),
    Frame(Bytes),
}

pub(super) struct Scene {
    pub(super) client: Client,
    pub(super) now: Now,
    /// What all name servers know.
    pub(super) book: Book,
    servers: BTreeMap<Address, Server>,
    links: BTreeMap<ConnectionId, Link>,
    /// What is on its way to the client, by when it arrives.
    arrivals: BTreeMap<(Instant, u64), (ConnectionId, Arrival)>,
    departures: u64,
    /// What the application has been told and the test has not picked up.
    pub(super) events: Vec<Event>,
    /// Every request that a server read, in order.
    pub(super) asked: Vec<Asked>,
    /// Every connection that was to be opened, and those that were to be closed.
    pub(super) opened: Vec<(Instant, Address)>,
    pub(super) closed: Vec<(Instant, Address)>,
    /// Whether selectors are asked at once.
    pub(super) answers_choices: bool,
    /// All that the client gave out, for a comparison.
    pub(super) trace: String,
}

impl Scene {
    pub(super) fn new(config: ClientConfig, seed: u64) -> Self {
        let now = Now { mono: Instant::from_micros(5_000_000), unix_ms: BEGINNING };
        Self {
            client: Client::new(config, seed, now),
            now,
            book: Book::default(),
            servers: BTreeMap::new(),
            links: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            departures: 0,
            events: Vec::new(),
            asked: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            answers_choices: true,
            trace: String::new(),
        }
    }

    /// The server at an address, which from now on exists.
    pub(super) fn server(&mut self, at: &str) -> &mut Server {
        self.servers.entry(address(at)).or_default()
    }

    /// Scripts what the server at an address says to requests of one code.
    pub(super) fn on(&mut self, at: &str, code: RequestCode, script: impl FnMut(&Asked) -> Option<Reply> + 'static) {
        self.server(at).scripts.insert(code, Box::new(script));
    }

    /// How long the scene has been going on.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.mono.since(Instant::from_micros(5_000_000))
    }

    /// The requests of one code that the server at an address read.
    pub(super) fn asked_of(&self, at: &str, code: RequestCode) -> Vec<&Asked> {
        let address = address(at);
        self.asked.iter().filter(|asked| asked.address == address && asked.code() == code).collect()
    }

    /// The connections that the server at an address has.
    pub(super) fn links_to(&self, at: &str) -> Vec<ConnectionId> {
        let address = address(at);
        self.links.iter().filter(|(_, link)| link.address == address).map(|(id, _)| *id).collect()
    }

    /// The server at an address ends its connections.
    pub(super) fn cut(&mut self, at: &str, reason: &str) {
        for connection in self.links_to(at) {
            self.links.remove(&connection);
            self.client.handle_closed(self.now, connection, reason);
        }
        self.settle();
    }

    /// The server at an address reads again, or no more.
    pub(super) fn set_reading(&mut self, at: &str, reads: bool) {
        self.server(at).reads = reads;
        if reads {
            for connection in self.links_to(at) {
                let unread = self.links.get_mut(&connection).map(|link| core::mem::take(&mut link.unread));
                self.read(connection, unread.unwrap_or_default());
                self.write(connection);
            }
        }
        self.settle();
    }

    /// Gives the client a command as if it had come on `connection`.
    pub(super) fn give(&mut self, connection: ConnectionId, frame: &[u8]) {
        self.client.handle_commands(self.now, connection, commands(frame));
        self.settle();
    }

    /// Does what the client wants done until it wants nothing more at this moment.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            if let Some(action) = self.client.poll_action() {
                _ = writeln!(self.trace, "{action:?}");
                self.carry_out(action);
            } else if let Some((connection, arrival)) = self.next_arrival() {
                self.arrive(connection, arrival);
            } else if let Some(event) = self.client.poll_event() {
                _ = writeln!(self.trace, "{event:?}");
                self.take(event);
            } else {
                return;
            }
        }
        panic!("the client is never done");
    }

    /// Queues are shared evenly, selectors are asked; everything else stays to be looked at.
    fn take(&mut self, event: Event) {
        match event {
            Event::Consumer { consumer, event: PushEvent::Allocate(question) } => {
                let ours = Average.allocate(&question.request());
                self.client.allocated(self.now, consumer, &question, Ok(ours));
            }
            Event::Choose { operation, choice } if self.answers_choices => {
                let queue = choice.ask();
                self.client.chosen(self.now, operation, choice.message, queue);
            }
            Event::Consumer { consumer, event: PushEvent::Open(unopened) } => {
                self.client.opened(self.now, consumer, unopened.open());
            }
            // What may be followed is in the trace, and is tested where it can be followed.
            Event::Client(_) => {}
            event => self.events.push(event),
        }
    }

    fn next_arrival(&mut self) -> Option<(ConnectionId, Arrival)> {
        let next = self.arrivals.first_entry()?;
        (next.key().0 <= self.now.mono).then(|| next.remove())
    }

    fn depart(&mut self, after: Duration, connection: ConnectionId, arrival: Arrival) {
        self.departures += 1;
        self.arrivals.insert((self.now.mono + after, self.departures), (connection, arrival));
    }

    fn arrive(&mut self, connection: ConnectionId, arrival: Arrival) {
        match arrival {
            Arrival::Connection(address) => {
                match self.servers.get(&address).map_or(Reach::Refuses, |server| server.reach) {
                    Reach::Accepts => {
                        self.links.insert(connection, Link { address, unread: Vec::new() });
                        self.client.handle_connected(self.now, connection);
                    }
                    Reach::Refuses => self.client.handle_closed(self.now, connection, "connection refused"),
                    Reach::Distrusts => {
                        let reason = CloseReason::tls("the certificate has expired");
                        self.client.handle_closed(self.now, connection, reason);
                    }
                    Reach::Vanishes => {}
                }
            }
            Arrival::Frame(frame) if self.links.contains_key(&connection) => {
                self.client.handle_commands(self.now, connection, commands(&frame));
            }
            Arrival::Frame(_) => {}
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect { connection, address } => {
                self.opened.push((self.now.mono, address.clone()));
                let after = self.servers.get(&address).map_or(Duration::ZERO, |server| server.opens_after);
                self.depart(after, connection, Arrival::Connection(address));
            }
            Action::Close { connection } => {
                self.arrivals.retain(|_, (known, _)| *known != connection);
                if let Some(link) = self.links.remove(&connection) {
                    self.closed.push((self.now.mono, link.address));
                }
            }
            Action::Flush { connection } => self.write(connection),
        }
    }

    /// Writes all that there is for a connection, or as much as fits when its server reads nothing.
    fn write(&mut self, connection: ConnectionId) {
        let mut outbox = Outbox::default();
        loop {
            self.client.take_outbox(self.now, connection, &mut outbox);
            let bytes = outbox.copy_to_bytes(outbox.remaining());
            _ = writeln!(self.trace, "{connection:?} {bytes:?}");
            if bytes.is_empty() {
                return;
            }
            let Some(link) = self.links.get_mut(&connection) else {
                return;
            };
            if !self.servers.get(&link.address).is_none_or(|server| server.reads) {
                link.unread.extend(commands(&bytes));
                return;
            }
            self.read(connection, commands(&bytes));
        }
    }

    /// The server of a connection reads requests and does as its script says.
    fn read(&mut self, connection: ConnectionId, requests: Vec<Command>) {
        let Some(address) = self.links.get(&connection).map(|link| link.address.clone()) else {
            return;
        };
        for command in requests {
            let asked = Asked { at: self.now.mono, connection, address: address.clone(), command };
            let server = self.servers.entry(address.clone()).or_default();
            let reply = server.reply(&self.book, &asked).filter(|_| !asked.command.is_oneway());
            if let Some(reply) = reply {
                let mut frame = BytesMut::new();
                reply.encode(&mut frame, &asked.command);
                self.depart(reply.after, connection, Arrival::Frame(frame.freeze()));
            }
            self.asked.push(asked);
        }
    }

    /// Lets time pass up to `end`, stopping at each moment at which something happens.
    pub(super) fn run_until(&mut self, end: Instant) {
        while self.step(end) {}
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now.mono + duration);
    }

    /// Goes on to the next moment at which something happens, at the latest to `end`. Says whether there is more.
    fn step(&mut self, end: Instant) -> bool {
        self.settle();
        let deadline = self.client.poll_timeout();
        _ = writeln!(self.trace, "{deadline:?}");
        let arrival = self.arrivals.first_key_value().map(|(key, _)| key.0);
        let next = [deadline.map(|deadline| deadline.at), arrival].into_iter().flatten().min();
        let next = next.filter(|next| *next <= end).unwrap_or(end);
        if next >= end && self.now.mono >= end {
            return false;
        }
        self.advance(next);
        self.settle();
        if self.client.poll_timeout().is_some_and(|deadline| deadline.at <= self.now.mono) {
            self.client.handle_timeout(self.now);
            self.settle();
            let left = self.client.poll_timeout();
            assert!(left.is_none_or(|left| left.at > self.now.mono), "{left:?} is due and stays due");
        }
        true
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.since(self.now.mono);
        let before = self.now.mono.as_micros() / 1000;
        self.now.mono = self.now.mono + passed;
        self.now.unix_ms += self.now.mono.as_micros() / 1000 - before;
    }

    /// How an operation went, if it is over.
    pub(super) fn outcome<T: Given>(&mut self, operation: Pending<T>) -> Option<Result<T, Error>> {
        self.outcome_of(operation.id()).map(|outcome| operation.read(outcome))
    }

    /// The same of one whose type is not known.
    pub(super) fn outcome_of(&mut self, operation: OperationId) -> Option<Outcome> {
        self.settle();
        let is_its = |event: &Event| matches!(event, Event::Completed { operation: known, .. } if *known == operation);
        let at = self.events.iter().position(is_its)?;
        match self.events.remove(at) {
            Event::Completed { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// Waits until an operation is over, a minute at the most.
    pub(super) fn wait<T: Given>(&mut self, operation: Pending<T>) -> Result<T, Error> {
        let outcome = self.wait_for(operation.id());
        operation.read(outcome)
    }

    /// The same for one whose type is not known.
    pub(super) fn wait_for(&mut self, operation: OperationId) -> Outcome {
        let end = self.now.mono + ms(60_000);
        loop {
            if let Some(outcome) = self.outcome_of(operation) {
                return outcome;
            }
            assert!(self.step(end), "{operation:?} was never completed");
        }
    }
}

fn commands(bytes: &[u8]) -> Vec<Command> {
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    reader.extend(bytes);
    core::iter::from_fn(|| reader.next_command().expect("frames")).collect()
}
