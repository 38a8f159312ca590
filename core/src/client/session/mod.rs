//! What all operations of a client share: connections, routes, look-ups under way, groups, timers.

mod creating;
mod heartbeats;
mod lines;
mod metrics;
mod name_servers;
mod routes;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sorted::{SortedMap, SortedSet};
use bytes::Bytes;

use crate::address::Address;
use crate::client::base::client_event::{ClientEvent, ClientState};
use crate::client::base::closing::Closing;
use crate::client::base::config::ClientConfig;
use crate::client::base::event::Event;
use crate::client::base::ids::{ConnectionId, OperationId, Owner, PeerId, ProducerId};
use crate::client::base::signal::Signal;
use crate::client::network::Network;
use crate::client::presence::first_commits::{FirstCommits, OffsetTable};
use crate::client::presence::greetings::Greetings;
use crate::client::presence::groups::Groups;
use crate::client::presence::lines::{Call, Held, Lines};
use crate::client::routing::creations::Creation;
use crate::client::routing::look_ups::NameServerCalls;
use crate::client::routing::routes::RouteWaiters;
use crate::client::routing::topic_changes::TopicChanges;
use crate::connection::{Backoff, CloseReason, Connection, Ended, Outbox, Received};
use crate::error::{Error, ErrorKind};
use crate::metrics::Histogram;
use crate::notice::{Notice, Notices};
use crate::producer::{LatencyFaults, Spent, UniqueIds};
use crate::random::Random;
use crate::routes::brokers::{BrokerId, Brokers};
use crate::routes::name_servers::NameServers;
use crate::routes::topics::{TopicId, Topics};
use crate::time::{Deadline, Deadlines, Duration, Instant, Now, Reason};
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::{Command, Head};
use crate::wire::fields::WriteHeader;

/// No body.
pub(crate) const EMPTY: Bytes = Bytes::new();

/// Brokers forget a client whose last heartbeat is so old (`ClientHousekeepingService`, `CHANNEL_EXPIRED_TIMEOUT`), and share its
/// queues among the others.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// Timers of hosts may be late by so much though nothing stands still: those of hidden pages fire once a minute.
const TIMERS_ARE_LATE: Duration = Duration::from_secs(65);

/// What an operation holds as long as it is under way.
#[derive(Debug)]
pub(crate) enum Reserved {
    Nothing,
    /// A message that is to be sent, in its producer's backlog or line.
    Send {
        call: Call,
        held: Held,
    },
    /// A place among those who wait for the sends of this producer.
    Flush(ProducerId),
    /// A place among the first commits to this table.
    FirstCommit(OffsetTable),
}

/// The pauses of what looks again for a connection, a route or a name server until its time is up.
pub(crate) const fn look_pauses() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_secs(1))
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: ClientConfig,
    pub(crate) random: Random,
    pub(crate) network: Network,
    pub(crate) name_servers: NameServers,
    pub(crate) calls: NameServerCalls,
    pub(crate) topics: Topics,
    pub(crate) route_waiters: RouteWaiters,
    /// Unknown topics that are being created.
    pub(crate) creations: SortedMap<TopicId, Creation>,
    /// What the steps of the next one are counted from.
    next_creation_step: u32,
    pub(crate) topic_changes: TopicChanges,
    pub(crate) brokers: Brokers,
    pub(crate) latency: LatencyFaults<BrokerId>,
    pub(crate) groups: Groups,
    pub(crate) greetings: Greetings,
    pub(crate) first_commits: FirstCommits,
    pub(crate) lines: Lines,
    /// What sends that are over had of the application, if the host wants it.
    pub(crate) spent: Option<Spent>,
    /// Topics whose queues have changed, for push consumers.
    pub(crate) changed_topics: Vec<Arc<str>>,
    /// Brokers whose connection has ended, for push consumers.
    pub(crate) lost_brokers: Vec<Arc<str>>,
    pub(crate) send_latency: Histogram,
    pub(crate) unique_ids: UniqueIds,
    pub(crate) operation_timers: Deadlines,
    pub(crate) signals: VecDeque<(Owner, Signal<'static>)>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) notices: Notices,
    pub(crate) closing: Option<Closing>,
    next_tidying: Instant,
    next_heartbeat: Instant,
    /// A send was refused because too much waited.
    refused_for_room: bool,
    written: Vec<Owner>,
}

impl Session {
    pub(crate) fn new(config: ClientConfig, seed: u64, now: Now) -> Self {
        let mut random = Random::new(seed);
        let client_hash = random.next_u64() as u32;
        Self {
            network: Network::new(config.connection.clone()),
            name_servers: NameServers::new(config.name_servers.clone(), &mut random),
            calls: NameServerCalls::default(),
            topics: Topics::default(),
            route_waiters: RouteWaiters::default(),
            creations: SortedMap::new(),
            next_creation_step: 0,
            topic_changes: TopicChanges::default(),
            brokers: Brokers::default(),
            latency: LatencyFaults::default(),
            groups: Groups::default(),
            greetings: Greetings::default(),
            first_commits: FirstCommits::default(),
            lines: Lines::default(),
            spent: None,
            changed_topics: Vec::new(),
            lost_brokers: Vec::new(),
            send_latency: Histogram::default(),
            unique_ids: UniqueIds::new(config.identity.ip, config.identity.process_id, client_hash),
            operation_timers: Deadlines::default(),
            signals: VecDeque::new(),
            events: VecDeque::new(),
            notices: Notices::default(),
            closing: None,
            next_tidying: now.mono + config.route_interval,
            next_heartbeat: now.mono + config.heartbeat_interval,
            refused_for_room: false,
            written: Vec::new(),
            config,
            random,
        }
    }

    pub(crate) fn handle_connected(&mut self, now: Now, connection: ConnectionId) {
        let ConnectionId { peer, attempt } = connection;
        let waiting = self.network.with(peer, |connection| connection.handle_connected(now.mono, attempt));
        let Some(waiting) = waiting.filter(|_| self.is_current(connection)) else {
            return;
        };
        if let Some(connection) = self.network.get(peer) {
            let (address, is_first) = (connection.address().clone(), connection.counters().connects == 1);
            self.network.reconnects += u64::from(!is_first);
            self.network.client_events.push_back(ClientEvent::Connected { address });
        }
        // A broker has to know our groups before anything else is asked of it.
        self.greet(now, peer);
        self.signals.extend(waiting.into_iter().map(|owner| (owner, Signal::Ready)));
    }

    pub(crate) fn is_current(&self, connection: ConnectionId) -> bool {
        let known = self.network.get(connection.peer);
        known.is_some_and(|known| known.attempt() == connection.attempt && known.is_standing())
    }

    /// Takes a command in. Returns what somebody has to do about it: take an answer, or answer a request.
    pub(crate) fn handle_command(
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
                let notice = Notice::warn("a broker was too busy for a oneway message, which is lost");
                self.notices.push(self.at(connection.peer, notice).about("remark", remark));
            }
            Received::Unexpected => {
                let notice = Notice::debug("an answer that nobody waits for").about("opaque", command.opaque);
                self.notices.push(self.at(connection.peer, notice));
            }
        }
        None
    }

    /// A notice with the address of whom it is about.
    pub(crate) fn at(&self, peer: PeerId, notice: Notice) -> Notice {
        let address = self.network.get(peer).map(Connection::address);
        address.into_iter().fold(notice, |notice, address| notice.about("address", address))
    }

    pub(crate) fn handle_closed(&mut self, now: Now, connection: ConnectionId, reason: CloseReason<'_>) {
        let ConnectionId { peer, attempt } = connection;
        let random = &mut self.random;
        let ended = self.network.with(peer, |connection| connection.handle_closed(now.mono, attempt, reason, random));
        if let Some((ended, owners)) = ended.flatten() {
            self.fail(peer, ended, owners);
        }
    }

    /// Two requests to a peer had no answer, the first of them since `since`: gives it up if it said nothing else either.
    pub(crate) fn give_up_if_silent(&mut self, now: Now, peer: PeerId, since: Instant) {
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
        let notice = Notice::debug("connection ended").about("address", connection.address());
        self.notices.push(notice.about("error", connection.failure()));
        let error = connection.ended(ended);
        if ended == Ended::NotConnected {
            let address = connection.address().clone();
            self.network.client_events.push_back(ClientEvent::Unreachable { address, error: error.clone() });
        }
        self.signals.extend(owners.into_iter().map(|owner| (owner, Signal::Failed(error.clone()))));
        self.note_room();
    }

    /// Whether anything follows from what happened.
    #[inline]
    pub(crate) fn has_to_run(&self) -> bool {
        let has_changed = !self.changed_topics.is_empty() || !self.lost_brokers.is_empty();
        let has_lost = self.network.has_ended() || self.brokers.has_lost();
        !self.signals.is_empty() || self.lines.length() > 0 || has_lost || has_changed
    }

    /// Whom a broker has granted locks, or told anything else that ends with its connection, hears that it is lost: when the
    /// connection to its master has ended, however it did, when its master is another one now, and when no route names it.
    #[inline]
    pub(crate) fn note_lost_brokers(&mut self) {
        if self.network.has_ended() || self.brokers.has_lost() {
            self.take_lost_brokers();
        }
    }

    fn take_lost_brokers(&mut self) {
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

    /// Writes a request that nobody answers, if the connection stands. Returns whether it does.
    pub(crate) fn tell(
        &mut self,
        now: Now,
        peer: PeerId,
        (code, header, body): (RequestCode, &dyn WriteHeader, &Bytes),
    ) -> bool {
        let head = Head::oneway(self.config.dialect(), code, self.network.next_oneway_opaque());
        let written = self.network.on_established(peer, |connection| {
            connection.oneway(now.mono, &head, header, body, None);
        });
        written.is_some()
    }

    /// Writes a request, or has its owner told when the connection stands. Returns whether it is written.
    pub(crate) fn ask_code(
        &mut self,
        now: Now,
        peer: PeerId,
        (code, header, body): (RequestCode, &dyn WriteHeader, &Bytes),
        deadline: Instant,
        owner: Owner,
    ) -> bool {
        debug_assert!(self.config.dialect().knows(code), "such servers never answer {code:?}");
        let head = Head::request(self.config.dialect(), code, self.network.next_opaque());
        let written = self.network.on_established(peer, |connection| {
            connection.request(now.mono, &head, header, body, (deadline, false), owner);
        });
        if written.is_none() {
            self.network.with(peer, |connection| connection.wait(now.mono, owner));
        }
        written.is_some()
    }

    pub(crate) fn take_outbox(&mut self, connection: ConnectionId, outbox: &mut Outbox) {
        outbox.clear();
        if !self.is_current(connection) {
            return;
        }
        let mut written = core::mem::take(&mut self.written);
        let room = self.network.with(connection.peer, |connection| connection.take_outbox(outbox, &mut written));
        self.network.bytes_sent += outbox.len() as u64;
        self.signals.extend(written.drain(..).map(|owner| (owner, Signal::Written)));
        self.written = written;
        if room == Some(true) {
            self.note_room();
        }
    }

    /// A send was refused for want of room: its caller wants to hear when there is some.
    pub(crate) const fn want_room(&mut self) {
        self.refused_for_room = true;
    }

    /// Counts what was passed over of a command, and says the first of it.
    #[cold]
    pub(crate) fn note_odd(&mut self, connection: ConnectionId, command: &Command) {
        let address = self.network.get(connection.peer).map(Connection::address);
        self.notices.note_odd("address", address.map(Address::to_string).unwrap_or_default(), &command.odd);
    }

    /// There may be room again.
    pub(crate) fn note_room(&mut self) {
        if core::mem::take(&mut self.refused_for_room) {
            self.events.push_back(Event::Room);
        }
    }

    pub(crate) fn replace_name_servers(&mut self, name_servers: Vec<Address>) {
        self.name_servers.replace(name_servers, &mut self.random);
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Deadline> {
        let answer = [self.calls.next_deadline(), self.next_creation()].into_iter().flatten().min();
        let call = answer.map(|at| Deadline { at, reason: Reason::Answer });
        let refresh = self.topics.next_refresh().map_or(self.next_tidying, |at| at.min(self.next_tidying));
        let refresh = Some(Deadline { at: refresh, reason: Reason::RefreshRoutes });
        let heartbeat = Some(Deadline { at: self.next_heartbeat, reason: Reason::Heartbeat });
        let closing = self.closing_deadline();
        let periodic = if self.is_closed() { [None, None] } else { [refresh, heartbeat] };
        [self.network.poll_timeout(), call, closing].into_iter().chain(periodic).flatten().min()
    }

    /// Whether the host is so late that brokers have not heard of us for as long as they wait: then they have forgotten us.
    pub(crate) fn is_forgotten(&self, now: Instant) -> bool {
        let late = now.since(self.next_heartbeat);
        late >= TIMERS_ARE_LATE && late + self.config.heartbeat_interval >= FORGOTTEN_AFTER
    }

    /// Brokers are to hear of us as soon as time is looked at, and not before it was noticed that they have not for so long.
    pub(crate) const fn hurry_heartbeat(&mut self, now: Instant) {
        self.next_heartbeat = now;
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
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
        let known: SortedSet<Address> = members.chain(self.name_servers.addresses()).cloned().collect();
        self.network.retain(&known);
        let network = &self.network;
        self.greetings.retain_peers(|peer| network.get(peer).is_some());
    }

    /// Takes the operations that are not `under_way` any more out of all lines.
    pub(crate) fn retain_waiting(&mut self, under_way: impl Fn(OperationId) -> bool) {
        let keep = |owner: &Owner| match owner {
            Owner::Operation(id, _) => under_way(*id),
            Owner::NameServerCall(..) | Owner::Heartbeat(..) | Owner::Farewell(_) | Owner::Creation(..) => true,
        };
        for peer in self.network.ids() {
            self.network.with(peer, |connection| connection.retain_waiting(keep));
        }
        self.route_waiters.retain(keep);
        self.greetings.retain(keep);
    }

    /// Gives back what an operation that is over had reserved.
    pub(crate) fn release(&mut self, id: OperationId, reserved: Reserved) {
        match reserved {
            Reserved::Send { call, held } => self.release_send(call, held),
            Reserved::Flush(producer) => self.groups.end_await_sends(producer, id),
            Reserved::FirstCommit(table) => {
                let next = self.first_commits.release(&table, id);
                self.signals.extend(next.into_iter().map(|owner| (owner, Signal::Ready)));
            }
            Reserved::Nothing => {}
        }
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether brokers have been told that we leave.
    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.closing, Some(Closing::Leaving { .. } | Closing::Closed))
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.closing, Some(Closing::Closed))
    }

    pub(crate) fn state(&self) -> ClientState {
        match self.closing {
            Some(Closing::Closed) => ClientState::Closed,
            Some(Closing::Draining { .. } | Closing::Leaving { .. }) => ClientState::Closing,
            None => self.network.state(),
        }
    }

    pub(crate) fn closing_deadline(&self) -> Option<Deadline> {
        match self.closing? {
            Closing::Draining { .. } if self.groups.has_push_consumers() => None,
            Closing::Draining { until } | Closing::Leaving { until } => {
                Some(Deadline { at: until, reason: Reason::Close })
            }
            Closing::Closed => None,
        }
    }

    pub(crate) fn leave_all(&mut self, now: Now) {
        let producers: Vec<Arc<str>> = self.groups.producer_groups().cloned().collect();
        for group in producers {
            self.leave(now, Some(&group), None);
        }
        let consumers: Vec<Arc<str>> = self.groups.consumer_groups().cloned().collect();
        for group in consumers {
            self.leave(now, None, Some(&group));
        }
    }
}
