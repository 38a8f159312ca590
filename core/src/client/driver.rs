//! The driver: it takes in what the world did, tells operations, and carries out what they say.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::address::Address;
use crate::client::base::client_event::ClientState;
use crate::client::base::config::ClientConfig;
use crate::client::base::event::{Action, Event};
use crate::client::base::ids::{ConnectionId, OperationId, OperationKind, Owner};
use crate::client::base::signal::Signal;
use crate::client::base::value::{Given, Outcome, Pending};
use crate::client::operations::Operation;
use crate::client::operations::asker::Asker;
use crate::client::session::Session;
use crate::connection::{CloseReason, ConnectionCounters, Outbox, Received};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::notice::Notice;
use crate::table::Table;
use crate::time::{Deadline, Now, Reason};
use crate::wire::command::Command;
use crate::wire::signature::Signer;

/// A client, without I/O: see the [module](crate::client).
///
/// ```
/// use stgclient_core::client::{Action, Client, ClientConfig};
/// use stgclient_core::time::Now;
///
/// let config = ClientConfig::new(stgclient_core::address::parse_list("127.0.0.1:9876")?);
/// let mut client = Client::new(config, 42, Now::default());
/// let operation = client.connect(Now::default());
/// let Some(Action::Connect { connection, address }) = client.poll_action() else { panic!() };
/// assert_eq!(address.to_string(), "127.0.0.1:9876");
/// // The host opens a socket, says so, and writes what it finds in the connection's outbox.
/// client.handle_connected(Now::default(), connection);
/// let mut outbox = Default::default();
/// client.take_outbox(Now::default(), connection, &mut outbox);
/// assert!(!outbox.is_empty());
/// # Ok::<(), stgclient_core::address::AddressError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    pub(crate) session: Session,
    pub(crate) operations: Table<Operation, OperationKind>,
    /// Who asked for an operation, by its slot, where it was not the application.
    pub(crate) askers: Vec<Option<Asker>>,
    /// What consumers have yet to be told of what they asked.
    pub(crate) answers: VecDeque<(Asker, Outcome)>,
    /// How many operations have ended since those who wait were looked through last.
    pub(crate) ended: usize,
}

impl Client {
    /// A client that has done nothing yet. The same inputs with the same `seed` give the same outputs. Times shorter than
    /// [`LEAST_TIME`](crate::client::LEAST_TIME) count as that; [`ClientConfig::check`] says what else is wrong with a configuration.
    pub fn new(mut config: ClientConfig, seed: u64, now: Now) -> Self {
        let credentials = config.credentials.take();
        let mut client = Self {
            session: Session::new(config.survivable(), seed, now),
            operations: Table::default(),
            askers: Vec::new(),
            answers: VecDeque::new(),
            ended: 0,
        };
        client.set_credentials(credentials);
        client
    }

    // What the world did.

    /// A connection that an [`Action::Connect`] asked for stands.
    pub fn handle_connected(&mut self, now: Now, connection: ConnectionId) {
        self.notice_standstill(now);
        self.session.handle_connected(now, connection);
        self.run(now);
    }

    /// Commands came on a connection; the frames are read outside, by a [`FrameReader`](crate::wire::frame::FrameReader).
    pub fn handle_commands(&mut self, now: Now, connection: ConnectionId, commands: impl IntoIterator<Item = Command>) {
        self.notice_standstill(now);
        for command in commands {
            match self.session.handle_command(now, connection, &command) {
                Some(Received::Answer { owner, took }) => {
                    self.signal(now, owner, Signal::Answer { command: &command, took });
                }
                Some(Received::Request) => self.answer_request(now, connection, &command),
                Some(Received::Unexpected | Received::BusyOneway) | None => {}
            }
            if command.odd.count() > 0 {
                self.session.note_odd(connection, &command);
            }
        }
        self.run(now);
        if self.session.is_closing() {
            self.close_if_done(now);
        }
    }

    /// A connection ended, or could not be made; `reason` is what the host knows of it.
    pub fn handle_closed<'r>(&mut self, now: Now, connection: ConnectionId, reason: impl Into<CloseReason<'r>>) {
        self.notice_standstill(now);
        self.session.handle_closed(now, connection, reason.into());
        self.run(now);
        self.close_if_done(now);
    }

    /// There is a new list of name servers.
    pub fn handle_name_servers(&mut self, now: Now, name_servers: Vec<Address>) {
        self.session.replace_name_servers(name_servers);
        self.run(now);
    }

    /// Time passed. Calling before anything is due is harmless.
    pub fn handle_timeout(&mut self, now: Now) {
        self.notice_standstill(now);
        self.session.handle_timeout(now);
        // First what failed and why, then what only knows that its time is up.
        self.run(now);
        self.session.call_deadlines(now);
        self.session.pass_over_silent_brokers(now);
        self.run(now);
        while let Some(slot) = self.session.operation_timers.pop_due(now.mono) {
            if let Some(id) = self.operations.id_of(slot) {
                self.signal(now, Owner::Operation(id, 0), Signal::Elapsed);
            }
        }
        self.run(now);
        self.call_consumers(now);
        self.close_if_done(now);
    }

    // What the world should do.

    /// The next thing the host has to do.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.session.network.poll_action()
    }

    /// The next thing the application has to know.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        // What happens to the client is told before its end, which is the last of all.
        if matches!(self.session.events.front(), None | Some(Event::Closed))
            && let Some(event) = self.session.network.client_events.pop_front()
        {
            return Some(Event::Client(event));
        }
        self.session.events.pop_front()
    }

    /// The next thing worth a line in a log.
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.session.notices.pop()
    }

    /// When [`Client::handle_timeout`] has work to do, and why.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Deadline> {
        let operation = self.session.operation_timers.next();
        let operation = operation.map(|at| Deadline { at, reason: Reason::Operation });
        [operation, self.session.poll_timeout(), self.consumers_timeout()].into_iter().flatten().min()
    }

    /// Swaps the bytes to be written to a connection for the empty `outbox`. The host asks after each
    /// [`Action::Flush`], and again once it has written everything it got; it then knows that those bytes left. Bodies that it has
    /// written and not taken out ([`Outbox::take_written`]) are spent.
    pub fn take_outbox(&mut self, now: Now, connection: ConnectionId, outbox: &mut Outbox) {
        if let Some(spent) = &mut self.session.spent {
            spent.bodies.extend(core::iter::from_fn(|| outbox.take_written()));
        }
        self.session.take_outbox(connection, outbox);
        self.run(now);
    }

    /// What happened on all connections so far, as numbers that only grow.
    pub fn counters(&self) -> ConnectionCounters {
        ConnectionCounters { odd_values: self.session.notices.odd_values(), ..self.session.network.counters() }
    }

    /// Bytes of frames came on a connection.
    pub const fn note_received(&mut self, bytes: u64) {
        self.session.network.bytes_received += bytes;
    }

    /// What the client has counted, and what it has under way.
    pub fn metrics(&self) -> Metrics {
        self.session.metrics()
    }

    /// How the connections are.
    pub fn state(&self) -> ClientState {
        self.session.state()
    }

    /// Whom it is connected to.
    pub fn connected(&self) -> impl Iterator<Item = &Address> {
        self.session.network.standing()
    }

    // What the user wants; the operations of producers, consumers and administration are beside their code.

    /// Signs every request with these credentials from now on, or none with `None`: also the next tries of what is
    /// under way.
    pub fn set_credentials(&mut self, credentials: Option<Credentials>) {
        self.session.network.set_signer(credentials.as_ref().map(Signer::new).map(Arc::new));
    }

    /// Gives an operation up: it does not complete. What was written already may still take effect.
    pub fn cancel(&mut self, now: Now, operation: impl Into<OperationId>) {
        let operation = operation.into();
        if let Some(known) = self.operations.get(operation) {
            known.note_over(&mut self.session, now, None);
        }
        if self.remove(operation) {
            self.session.note_room();
            self.run(now);
            self.close_if_done(now);
        }
    }

    /// An operation that has failed before it began.
    pub(crate) fn refuse<T: Given>(&mut self, now: Now, error: Error) -> Pending<T> {
        let id = self.operations.insert(Operation::Refused);
        self.complete(now, id, Err(error));
        Pending::new(id)
    }

    pub(crate) fn begin(&mut self, now: Now, operation: Operation) -> OperationId {
        let id = self.operations.insert(operation);
        self.begin_inserted(now, id);
        self.run(now);
        id
    }

    /// Begins what a consumer has asked for, who is told how it ends, though not here: [`Client::run`] does, or asks that
    /// are refused at once would call each other. `None` when it has ended already.
    pub(crate) fn begin_asked(&mut self, now: Now, operation: Operation, asker: Asker) -> Option<OperationId> {
        let id = self.operations.insert(operation);
        if self.askers.len() <= id.slot() {
            self.askers.resize_with(id.slot() + 1, || None);
        }
        self.askers[id.slot()] = Some(asker);
        self.begin_inserted(now, id);
        self.operations.get(id).map(|_| id)
    }

    fn begin_inserted(&mut self, now: Now, id: OperationId) {
        let deadline = self.operations.get(id).and_then(Operation::deadline);
        if let Some(deadline) = deadline {
            self.session.operation_timers.set(id.key(), deadline);
        }
        let is_application = self.askers.get(id.slot()).is_none_or(Option::is_none);
        let refused = if self.session.is_closing() && (is_application || self.session.is_leaving()) {
            Some(Error::new(ErrorKind::Closed, "the client"))
        } else if self.operations.len() - self.session.lines.length() > self.session.config.max_operations {
            Some(Error::new(ErrorKind::Full, format!("{} operations", self.operations.len())))
        } else {
            None
        };
        match refused {
            Some(error) => self.complete(now, id, Err(error)),
            None => self.signal(now, Owner::Operation(id, 0), Signal::Start),
        }
    }

    /// Carries the signals on that operations and calls raised for each other, and lets consumers know what concerns
    /// them. Nothing but this hands anything on, so that nothing calls itself, however much follows from what.
    #[inline]
    pub(crate) fn run(&mut self, now: Now) {
        // Mostly nothing follows.
        if !self.answers.is_empty() || self.session.has_to_run() {
            self.run_on(now);
        }
    }

    fn run_on(&mut self, now: Now) {
        loop {
            while let Some((owner, signal)) = self.session.signals.pop_front() {
                self.signal(now, owner, signal);
            }
            if let Some((asker, outcome)) = self.answers.pop_front() {
                self.answer_asker(now, asker, outcome);
                continue;
            }
            if self.advance_lines(now) {
                continue;
            }
            self.session.note_lost_brokers();
            if self.session.changed_topics.is_empty() && self.session.lost_brokers.is_empty() {
                break;
            }
            self.uncongest_lines();
            self.tell_consumers(now);
        }
    }

    pub(crate) fn signal(&mut self, now: Now, owner: Owner, signal: Signal<'_>) {
        match owner {
            Owner::Operation(id, step) => {
                let Some(operation) = self.operations.get_mut(id) else {
                    // Nobody wants to know any more, but what it held at a connection is free now, and its turn to change topics.
                    if !matches!(signal, Signal::Written) {
                        self.session.end_topic_change(owner);
                    }
                    return self.session.note_room();
                };
                if let Some(outcome) = operation.resume(&mut self.session, now, id, step, signal) {
                    self.complete(now, id, outcome);
                }
            }
            Owner::NameServerCall(call, turn) => self.session.resume_name_server_call(now, call, turn, signal),
            Owner::Heartbeat(peer, version) => self.session.resume_heartbeat(now, peer, version, &signal),
            Owner::Farewell(peer) => self.session.resume_farewell(now, peer),
            Owner::Creation(topic, step) => self.session.resume_creation(now, topic, step, signal),
        }
    }

    pub(crate) fn complete(&mut self, now: Now, id: OperationId, outcome: Outcome) {
        let asker = self.askers.get_mut(id.slot()).and_then(Option::take);
        if let Some(operation) = self.operations.get(id) {
            operation.note_over(&mut self.session, now, Some(&outcome));
        }
        if self.remove(id) {
            match asker {
                None => self.session.events.push_back(Event::Completed { operation: id, outcome }),
                Some(asker) => self.answers.push_back((asker, outcome)),
            }
            self.session.note_room();
            self.close_if_done(now);
        }
    }

    pub(crate) fn remove(&mut self, id: OperationId) -> bool {
        let Some(operation) = self.operations.get_mut(id) else {
            return false;
        };
        let reserved = operation.reserved();
        if let Some(spent) = &mut self.session.spent {
            operation.take_spent(spent);
        }
        self.session.release(id, reserved);
        self.session.withdraw_topic_changes_of(id);
        self.operations.discard(id);
        if let Some(asker) = self.askers.get_mut(id.slot()) {
            *asker = None;
        }
        self.session.operation_timers.clear(id.key());
        self.ended += 1;
        if self.ended > self.operations.len().max(LOOK_THROUGH_AFTER) {
            self.ended = 0;
            let operations = &self.operations;
            self.session.retain_waiting(|id| operations.get(id).is_some());
        }
        true
    }
}

/// An operation that ends while it waits for a connection or a route leaves its place in line behind. After so many
/// ends, and as many as there are operations, the lines are looked through, so that they stay short and it costs little.
const LOOK_THROUGH_AFTER: usize = 1024;
