//! What all operations of a client share: connections, routes, look-ups under way, groups, timers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::close::Closing;
use super::config::ClientConfig;
use super::event::Event;
use super::first_commits::FirstCommits;
use super::greetings::Greetings;
use super::groups::Groups;
use super::lines::Lines;
use super::name_server_calls::NameServerCalls;
use super::network::{ConnectionId, Network, Owner, PeerId};
use super::operation::{Operation, OperationId};
use super::routing::{Oddities, RouteWaiters};
use crate::address::Address;
use crate::connection::{Backoff, CloseReason, Connection, Ended, Outbox, Received};
use crate::error::{Error, ErrorKind};
use crate::producer::{LatencyFaults, Spent, UniqueIds};
use crate::random::Random;
use crate::routes::brokers::{BrokerId, Brokers};
use crate::routes::name_servers::NameServers;
use crate::routes::topics::Topics;
use crate::time::{Deadline, Deadlines, Duration, Instant, Now, Reason};
use crate::wire::code::ResponseCode;
use crate::wire::command::{Command, Head};
use crate::wire::request::Request;

/// What an operation or a look-up is told.
#[derive(Debug)]
pub(crate) enum Signal<'a> {
    /// Begin.
    Start,
    /// The connection that was waited for stands.
    Ready,
    /// The answer to a request.
    Answer { command: &'a Command, took: Duration },
    /// A request without an answer has been written.
    Written,
    /// A request or a connection failed.
    Failed(Error),
    /// The route that was waited for is there, or will not be.
    Routed(Result<(), Error>),
    /// The name servers' answer, or why there is none.
    Looked(Result<Command, Error>),
    /// The time is up.
    Elapsed,
}

/// The pauses of what looks again for a connection, a route or a name server until its time is up.
pub(super) const fn look_pauses() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(1))
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(super) config: ClientConfig,
    pub(super) random: Random,
    pub(super) network: Network,
    pub(super) name_servers: NameServers,
    pub(super) calls: NameServerCalls,
    pub(super) topics: Topics,
    pub(super) route_waiters: RouteWaiters,
    pub(super) oddities: Oddities,
    pub(super) brokers: Brokers,
    pub(super) latency: LatencyFaults<BrokerId>,
    pub(super) groups: Groups,
    pub(super) greetings: Greetings,
    pub(super) first_commits: FirstCommits,
    pub(super) lines: Lines,
    /// What sends that are over had of the application, if the host wants it.
    pub(super) spent: Option<Spent>,
    /// Topics whose queues have changed, for push consumers.
    pub(super) changed_topics: Vec<Arc<str>>,
    /// Brokers whose connection has ended, for push consumers.
    pub(super) lost_brokers: Vec<Arc<str>>,
    pub(super) unique_ids: UniqueIds,
    pub(super) operation_timers: Deadlines,
    pub(super) signals: VecDeque<(Owner, Signal<'static>)>,
    pub(super) events: VecDeque<Event>,
    pub(super) closing: Option<Closing>,
    next_tidying: Instant,
    next_heartbeat: Instant,
    /// A send was refused because too much waited.
    refused_for_room: bool,
    written: Vec<Owner>,
}

impl Session {
    pub(super) fn new(config: ClientConfig, seed: u64, now: Now) -> Self {
        let mut random = Random::new(seed);
        let client_hash = random.next_u64() as u32;
        Self {
            network: Network::new(config.connection.clone()),
            name_servers: NameServers::new(config.name_servers.clone(), &mut random),
            calls: NameServerCalls::default(),
            topics: Topics::default(),
            route_waiters: RouteWaiters::default(),
            oddities: Oddities::default(),
            brokers: Brokers::default(),
            latency: LatencyFaults::default(),
            groups: Groups::default(),
            greetings: Greetings::default(),
            first_commits: FirstCommits::default(),
            lines: Lines::default(),
            spent: None,
            changed_topics: Vec::new(),
            lost_brokers: Vec::new(),
            unique_ids: UniqueIds::new(config.identity.ip, config.identity.process_id, client_hash),
            operation_timers: Deadlines::default(),
            signals: VecDeque::new(),
            events: VecDeque::new(),
            closing: None,
            next_tidying: now.mono + config.route_interval,
            next_heartbeat: now.mono + config.heartbeat_interval,
            refused_for_room: false,
            written: Vec::new(),
            config,
            random,
        }
    }

    pub(super) fn handle_connected(&mut self, now: Now, connection: ConnectionId) {
        let ConnectionId { peer, attempt } = connection;
        let waiting = self.network.with(peer, |connection| connection.handle_connected(now.mono, attempt));
        let Some(waiting) = waiting.filter(|_| self.is_current(connection)) else {
            return;
        };
        // A broker has to know our groups before anything else is asked of it.
        self.greet(now, peer);
        self.signals.extend(waiting.into_iter().map(|owner| (owner, Signal::Ready)));
    }

    pub(super) fn is_current(&self, connection: ConnectionId) -> bool {
        let known = self.network.get(connection.peer);
        known.is_some_and(|known| known.attempt() == connection.attempt && known.is_standing())
    }

    /// Takes a command in. Returns what somebody has to do about it: take an answer, or answer a request.
    pub(super) fn handle_command(
        &mut self,
        now: Now,
        connection: ConnectionId,
        command: &Command,
    ) -> Option<Received<Owner>> {
        if !self.is_current(connection) {
            return None;
        }
        let received = self.network.with(connection.peer, |connection| connection.handle_command(now.mono, command))?;
        match received {
            Received::Answer { owner, .. } if command.code == ResponseCode::GO_AWAY.0 => {
                // As if the connection had ended: whoever asked tries again, on a new one.
                let error = Error::refused(ResponseCode::GO_AWAY, command.remark.as_deref());
                let address = self.network.get(connection.peer).map(Connection::address);
                let error = address.into_iter().fold(error, |error, address| error.at(address));
                self.signals.push_back((owner, Signal::Failed(error)));
                return None;
            }
            Received::Answer { .. } | Received::Request => return Some(received),
            Received::BusyOneway => {
                let remark = command.remark.as_deref().unwrap_or_default();
                tracing::warn!(remark, "a broker was too busy for a oneway message, which is lost");
            }
            Received::Unexpected => tracing::debug!(opaque = command.opaque, "an answer that nobody waits for"),
        }
        None
    }

    pub(super) fn handle_closed(&mut self, now: Now, connection: ConnectionId, reason: CloseReason<'_>) {
        let ConnectionId { peer, attempt } = connection;
        let random = &mut self.random;
        let ended = self.network.with(peer, |connection| connection.handle_closed(now.mono, attempt, reason, random));
        if let Some((ended, owners)) = ended.flatten() {
            self.fail(peer, ended, owners);
        }
    }

    /// Two requests to a peer had no answer, the first of them since `since`: gives it up if it said nothing else either.
    pub(super) fn give_up_if_silent(&mut self, now: Now, peer: PeerId, since: Instant) {
        let random = &mut self.random;
        let ended = self.network.with(peer, |connection| connection.give_up_if_silent(now.mono, since, random));
        if let Some((ended, owners)) = ended.flatten() {
            self.fail(peer, ended, owners);
        }
    }

    /// Tells those that an ended connection fails.
    fn fail(&mut self, peer: PeerId, ended: Ended, owners: Vec<Owner>) {
        let Some(connection) = self.network.get(peer) else {
            return;
        };
        tracing::debug!(address = %connection.address(), reason = connection.failure(), "connection ended");
        let error = connection.ended(ended);
        self.signals.extend(owners.into_iter().map(|owner| (owner, Signal::Failed(error.clone()))));
        self.note_room();
    }

    /// Whom a broker has granted locks, or told anything else that ends with its connection, hears that it is lost: when the
    /// connection to its master has ended, however it did, when its master is another one now, and when no route names it.
    pub(super) fn note_lost_brokers(&mut self) {
        let mut lost = self.brokers.take_lost();
        for address in self.network.take_ended() {
            lost.extend(
                self.brokers.at(&address).filter(|broker| broker.master() == Some(&address)).map(|b| b.name.clone()),
            );
        }
        for broker in lost {
            self.first_commits.forget_broker(&broker);
            self.lost_brokers.push(broker);
        }
    }

    /// Writes a request, or has its owner told when the connection stands. Returns whether it is written.
    pub(super) fn ask<'h, R: Request<'h>>(
        &mut self,
        now: Now,
        peer: PeerId,
        (header, body): (&R, &Bytes),
        deadline: Instant,
        owner: Owner,
    ) -> bool {
        let head = Head::request(self.config.dialect(), R::CODE, self.network.next_opaque());
        let written = self.network.on_established(peer, |connection| {
            connection.request(now.mono, &head, header, body, (deadline, false), owner);
        });
        if written.is_none() {
            self.network.with(peer, |connection| connection.wait(now.mono, owner));
        }
        written.is_some()
    }

    pub(super) fn take_outbox(&mut self, connection: ConnectionId, outbox: &mut Outbox) {
        outbox.clear();
        if !self.is_current(connection) {
            return;
        }
        let mut written = core::mem::take(&mut self.written);
        let room = self.network.with(connection.peer, |connection| connection.take_outbox(outbox, &mut written));
        self.signals.extend(written.drain(..).map(|owner| (owner, Signal::Written)));
        self.written = written;
        if room == Some(true) {
            self.note_room();
        }
    }

    /// A send was refused for want of room: its caller wants to hear when there is some.
    pub(super) const fn want_room(&mut self) {
        self.refused_for_room = true;
    }

    /// There may be room again.
    pub(super) fn note_room(&mut self) {
        if core::mem::take(&mut self.refused_for_room) {
            self.events.push_back(Event::Room);
        }
    }

    pub(super) fn replace_name_servers(&mut self, name_servers: Vec<Address>) {
        self.name_servers.replace(name_servers, &mut self.random);
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Deadline> {
        let call = self.calls.next_deadline().map(|at| Deadline { at, reason: Reason::Answer });
        let refresh = self.topics.next_refresh().map_or(self.next_tidying, |at| at.min(self.next_tidying));
        let refresh = Some(Deadline { at: refresh, reason: Reason::RefreshRoutes });
        let heartbeat = Some(Deadline { at: self.next_heartbeat, reason: Reason::Heartbeat });
        let closing = self.closing_deadline();
        let periodic = if self.is_closed() { [None, None] } else { [refresh, heartbeat] };
        [self.network.poll_timeout(), call, closing].into_iter().chain(periodic).flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        if self.is_closed() {
            return;
        }
        for peer in self.network.due(now.mono) {
            let random = &mut self.random;
            let result = self.network.with(peer, |connection| connection.handle_timeout(now.mono, random));
            let Some((late, ended)) = result else {
                continue;
            };
            let address = self.network.get(peer).map(|connection| connection.address().clone());
            for owner in late {
                let error = Error::new(ErrorKind::Timeout, "");
                let error = address.iter().fold(error, |error, address| error.at(address));
                self.signals.push_back((owner, Signal::Failed(error)));
            }
            if let Some((ended, owners)) = ended {
                self.fail(peer, ended, owners);
            }
        }
        if self.next_tidying <= now.mono {
            self.next_tidying = now.mono + self.config.route_interval;
            // By routes that are no older than this interval: the answers have long come.
            self.tidy();
        }
        self.refresh_routes(now);
        if self.next_heartbeat <= now.mono {
            self.next_heartbeat = now.mono + self.config.heartbeat_interval;
            self.heartbeat(now);
        }
    }

    /// Forgets brokers that no route names, and disconnects peers that nobody knows any more.
    fn tidy(&mut self) {
        let routed = self.topics.routed_brokers(&self.brokers);
        self.brokers.retain(&routed);
        let brokers = &self.brokers;
        self.latency.retain(|broker| brokers.get(broker).is_some());
        let members = self.brokers.iter().flat_map(|broker| broker.addresses.values());
        let known: BTreeSet<Address> = members.chain(self.name_servers.addresses()).cloned().collect();
        self.network.retain(&known);
        let network = &self.network;
        self.greetings.retain_peers(|peer| network.get(peer).is_some());
    }

    /// Takes the operations that are not `under_way` any more out of all lines.
    pub(super) fn retain_waiting(&mut self, under_way: impl Fn(OperationId) -> bool) {
        let keep = |owner: &Owner| match owner {
            Owner::Operation(id, _) => under_way(*id),
            Owner::NameServerCall(..) | Owner::Heartbeat(..) | Owner::Farewell(_) => true,
        };
        for peer in self.network.ids() {
            self.network.with(peer, |connection| connection.retain_waiting(keep));
        }
        self.route_waiters.retain(keep);
        self.greetings.retain(keep);
    }

    /// Gives back what an operation that is over had reserved.
    pub(super) fn release(&mut self, id: OperationId, operation: &mut Operation) {
        match operation {
            Operation::Send(sending) => self.release_send(sending),
            Operation::Queue(request) => {
                let next = request.offset_table().map(|table| self.first_commits.release(&table, id));
                self.signals.extend(next.into_iter().flatten().map(|owner| (owner, Signal::Ready)));
            }
            _ => {}
        }
    }
}
