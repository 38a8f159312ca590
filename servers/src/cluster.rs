//! Name servers and brokers, composed: who is connected where, what is sent to whom, what is due when.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::body::QueueKey;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::InvokeResetOffset;

use super::broker::{Broker, Session};
use super::budget::Budget;
use super::config::{BrokerConfig, ClusterConfig};
use super::name_server::{NameServer, Registration};
use super::output::Outputs;
use super::peer::{Connection, Peer, Refused, ServerId};
use super::request_faults::RequestFaults;
use crate::table::Table;

/// A RocketMQ cluster in memory.
///
/// Any number of inputs may be given before the outputs are taken; to take them soon is what keeps them few.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    name_servers: Vec<Server<NameServer>>,
    brokers: Vec<Server<Broker>>,
    connections: Table<Connection>,
    max_connections: usize,
    budget: Budget,
    out: Outputs,
    registration_period: Duration,
    /// When brokers next tell name servers everything, if there is anything to tell.
    next_registration: Option<Instant>,
    /// There is something that a name server had no room for.
    owes_registration: bool,
}

#[derive(Debug)]
struct Server<S> {
    is_running: bool,
    server: S,
}

/// What a server that was stopped remembers when it is started again. Connections, members of groups, locks of queues and
/// waiting pulls are gone in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// A broker's topics, messages and offsets; a name server's routes.
    Kept,
    /// Nothing.
    Lost,
}

impl Cluster {
    /// A cluster as `config` has it, with every server running.
    pub fn new(now: Now, config: ClusterConfig) -> Self {
        let ClusterConfig {
            name,
            dialect,
            name_servers,
            brokers,
            registration_period,
            order_message_enable,
            max_connections,
            state_bytes,
        } = config;
        let budget = Budget::new();
        let name_server = |address| running(NameServer::new(address, dialect, order_message_enable, &budget));
        let broker = |config: BrokerConfig| running(Broker::new(now, &name, dialect, config, &budget));
        let mut cluster = Self {
            name_servers: name_servers.into_iter().map(name_server).collect(),
            brokers: brokers.into_iter().map(broker).collect(),
            name,
            connections: Table::default(),
            max_connections,
            budget: budget.clone(),
            out: Outputs::default(),
            registration_period,
            next_registration: None,
            owes_registration: false,
        };
        cluster.register_everything();
        budget.begin(state_bytes);
        cluster
    }

    /// Every server and the address it is to be reached at.
    pub fn servers(&self) -> impl Iterator<Item = (ServerId, &str)> {
        let name_servers = self.name_servers.iter().enumerate();
        let brokers = self.brokers.iter().enumerate();
        name_servers
            .map(|(index, server)| (ServerId::NameServer(index), server.server.address()))
            .chain(brokers.map(|(index, server)| (ServerId::Broker(index), server.server.address())))
    }

    /// The name server at this place of the configuration.
    pub fn name_server(&mut self, index: usize) -> Option<&mut NameServer> {
        self.name_servers.get_mut(index).map(|server| &mut server.server)
    }

    /// The broker called `name`. What changes of its topics name servers hear at the next input.
    pub fn broker(&mut self, name: &str) -> Option<&mut Broker> {
        self.brokers.iter_mut().map(|server| &mut server.server).find(|broker| broker.name() == name)
    }

    /// How many bytes the servers keep besides messages, of [`ClusterConfig::state_bytes`].
    pub fn state_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Every broker, in the order of the configuration.
    pub fn brokers(&mut self) -> impl Iterator<Item = &mut Broker> {
        self.brokers.iter_mut().map(|server| &mut server.server)
    }

    /// Every server draws faults from now on, each from a seed of its own that comes from this one.
    pub fn draw_faults(&mut self, faults: &RequestFaults, seed: u64) {
        let own = |index: usize| seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let brokers = self.brokers.iter_mut().enumerate();
        brokers.for_each(|(index, broker)| broker.server.draw_faults(faults, own(index)));
        let name_servers = self.name_servers.iter_mut().enumerate();
        name_servers.for_each(|(index, server)| server.server.draw_faults(faults, own(1000 + index)));
    }

    /// A name server forgets a topic, or all of them, as one does that has just been started, until brokers tell it again:
    /// after [`ClusterConfig::registration_period`].
    pub fn forget_routes(&mut self, now: Now, name_server: usize, topic: Option<&str>) {
        if let Some(server) = self.name_servers.get_mut(name_server) {
            match topic {
                Some(topic) => server.server.forget_topic(topic),
                None => server.server.forget_routes(),
            }
            self.next_registration.get_or_insert(now.mono + self.registration_period);
        }
    }

    /// Deletes a topic everywhere, as `mqadmin deleteTopic` does: at brokers with its messages and offsets, and at name
    /// servers.
    pub fn delete_topic(&mut self, topic: &str) {
        self.register_changes();
        self.brokers.iter_mut().for_each(|broker| broker.server.delete_topic(topic));
        self.name_servers.iter_mut().for_each(|server| server.server.forget_topic(topic));
    }

    /// Sets a group's offsets at a broker, as INVOKE_BROKER_TO_RESET_OFFSET of an administrator does: at the broker, or by
    /// asking members, see [`BrokerConfig::server_side_reset_offset`].
    ///
    /// # Errors
    /// The broker's words why it does not, or that there is no such broker.
    pub fn reset_offset(
        &mut self,
        broker: &str,
        request: &InvokeResetOffset<'_>,
    ) -> Result<BTreeMap<QueueKey, i64>, String> {
        let broker = self.brokers.iter_mut().map(|server| &mut server.server).find(|known| known.name() == broker);
        let broker = broker.ok_or("no such broker")?;
        let offsets = broker.reset(request, &mut self.out).map_err(|refusal| refusal.remark)?;
        Ok(offsets.into_iter().collect())
    }

    /// Someone at `address` has connected to `server`.
    ///
    /// # Errors
    /// The connection has to be closed, for this reason.
    pub fn connected(&mut self, _: Now, server: ServerId, address: SocketAddr) -> Result<Peer, Refused> {
        if !self.is_running(server).ok_or(Refused::Unknown)? {
            return Err(Refused::Stopped);
        }
        if self.connections.len() >= self.max_connections {
            return Err(Refused::Full);
        }
        let peer = Peer(self.connections.insert(Connection { server, address }));
        self.out.open(peer);
        Ok(peer)
    }

    /// A command has come from `peer`: a request, or the answer to what a broker has asked it.
    pub fn receive(&mut self, now: Now, peer: Peer, command: &Command) {
        self.register_changes();
        let Some(&Connection { server, address }) = self.connections.get(peer.0) else {
            return;
        };
        if command.is_response() {
            if let ServerId::Broker(index) = server {
                self.brokers[index].server.answered(now, peer, command, &mut self.out);
            }
            return;
        }
        match server {
            ServerId::NameServer(index) => {
                self.name_servers[index].server.receive(now, peer, command, &mut self.out);
                if command.code == RequestCode::DELETE_TOPIC_IN_NAMESRV.0 {
                    self.next_registration.get_or_insert(now.mono + self.registration_period);
                }
            }
            ServerId::Broker(index) => {
                let session = Session { peer, address };
                self.brokers[index].server.receive(now, session, command, &mut self.out);
                self.register_changes();
                self.plan_registration(now);
            }
        }
    }

    /// The connection of `peer` is closed.
    pub fn closed(&mut self, _: Now, peer: Peer) {
        if let Some(connection) = self.connections.remove(peer.0) {
            self.out.close(peer);
            if let ServerId::Broker(index) = connection.server {
                self.brokers[index].server.closed(peer, &mut self.out);
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.register_changes();
        self.out.handle_timeout(now.mono);
        for broker in self.brokers.iter_mut().filter(|broker| broker.is_running) {
            broker.server.handle_timeout(now, &mut self.out);
        }
        if self.next_registration.is_some_and(|at| at <= now.mono) {
            self.next_registration = None;
            self.register_everything();
        }
        self.plan_registration(now);
    }

    /// When [`Cluster::handle_timeout`] next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let brokers = self.brokers.iter().filter(|broker| broker.is_running);
        let due = brokers.filter_map(|broker| broker.server.poll_timeout());
        due.chain(self.next_registration).chain(self.out.next_due()).min()
    }

    /// A host says that a peer does not read what is written to it, or that it does again, as at the beginning. While there is no
    /// room, answers to its pulls that have waited are kept for later, and what others cause is not told to it, nor is it asked
    /// anything; its own requests are still answered, so the host holds these back.
    pub fn set_room(&mut self, peer: Peer, has_room: bool) {
        self.out.set_room(peer, has_room);
    }

    /// The next bytes to be written, and to whom: whole frames, or the pieces of one in order.
    pub fn poll_output(&mut self) -> Option<(Peer, Bytes)> {
        loop {
            if let Some(output) = self.out.pop() {
                return Some(output);
            }
            let out = &mut self.out;
            // One waiting pull at a time, so that a message many have waited for is not written out for all at once.
            if !self.brokers.iter_mut().any(|broker| broker.server.answer_woken(out)) {
                return None;
            }
        }
    }

    /// Stops a server, as a crash does. Returns whose connections to it are thereby closed; name servers forget a broker
    /// at once, since their connection to it ends.
    pub fn stop(&mut self, now: Now, server: ServerId) -> Vec<Peer> {
        if let ServerId::Broker(index) = server
            && let Some(broker) = self.brokers.get_mut(index)
        {
            broker.server.stop();
        }
        let of_server = self.connections.iter().filter(|(_, connection)| connection.server == server);
        let peers: Vec<Peer> = of_server.map(|(key, _)| Peer(key)).collect();
        for peer in &peers {
            self.closed(now, *peer);
        }
        match server {
            ServerId::NameServer(index) => {
                if let Some(name_server) = self.name_servers.get_mut(index) {
                    name_server.is_running = false;
                }
            }
            ServerId::Broker(index) => {
                if let Some(broker) = self.brokers.get_mut(index) {
                    broker.is_running = false;
                    let name = broker.server.name();
                    self.name_servers.iter_mut().for_each(|name_server| name_server.server.unregister(name));
                }
            }
        }
        peers
    }

    /// Starts a server that was stopped. A broker tells the name servers at once; to a name server that has lost its
    /// memory brokers come after [`ClusterConfig::registration_period`].
    pub fn start(&mut self, now: Now, server: ServerId, memory: Memory) {
        match server {
            ServerId::NameServer(index) => {
                if let Some(name_server) = self.name_servers.get_mut(index) {
                    name_server.is_running = true;
                    if memory == Memory::Lost {
                        name_server.server.forget();
                    }
                    self.next_registration.get_or_insert(now.mono + self.registration_period);
                }
            }
            ServerId::Broker(index) => {
                if let Some(broker) = self.brokers.get_mut(index) {
                    broker.is_running = true;
                    if memory == Memory::Lost {
                        broker.server.forget(now, &self.name);
                    }
                    self.register_broker(index);
                }
            }
        }
    }

    fn is_running(&self, server: ServerId) -> Option<bool> {
        match server {
            ServerId::NameServer(index) => self.name_servers.get(index).map(|server| server.is_running),
            ServerId::Broker(index) => self.brokers.get(index).map(|server| server.is_running),
        }
    }

    /// Tells the name servers what has changed of the brokers' topics.
    fn register_changes(&mut self) {
        for index in 0..self.brokers.len() {
            let broker = &mut self.brokers[index];
            for topic in broker.server.take_deleted_topics() {
                self.name_servers.iter_mut().for_each(|name_server| name_server.server.note_deleted(&topic));
            }
            if self.budget.is_scarce() {
                self.forget_deleted();
            }
            if !self.brokers[index].is_running {
                continue;
            }
            for topic in self.brokers[index].server.take_changed_topics() {
                if !self.register_topic(index, &topic) {
                    self.forget_deleted();
                    self.owes_registration |= !self.register_topic(index, &topic);
                }
            }
        }
    }

    /// What was deleted only at a broker name servers keep until they are told, or room is scarce.
    fn forget_deleted(&mut self) {
        let brokers = &self.brokers;
        let has = |broker: &str, topic: &str| {
            brokers.iter().any(|known| known.server.name() == broker && known.server.topic(topic).is_some())
        };
        self.name_servers.iter_mut().for_each(|name_server| name_server.server.forget_deleted(has));
    }

    /// Name servers that had no room for something are told again.
    fn plan_registration(&mut self, now: Now) {
        if std::mem::take(&mut self.owes_registration) {
            self.next_registration.get_or_insert(now.mono + self.registration_period);
        }
    }

    fn register_everything(&mut self) {
        for index in 0..self.brokers.len() {
            if self.brokers[index].is_running {
                self.register_broker(index);
            }
        }
    }

    fn register_broker(&mut self, index: usize) {
        let broker = &self.brokers[index].server;
        for (topic, config) in broker.topics() {
            let registration =
                Registration { cluster: &self.name, broker: broker.name(), address: broker.address(), topic, config };
            self.owes_registration |= !register(&mut self.name_servers, registration);
        }
    }

    /// Says whether all name servers had room for it.
    fn register_topic(&mut self, index: usize, topic: &str) -> bool {
        let broker = &self.brokers[index].server;
        broker.topic(topic).is_none_or(|config| {
            let (broker, address) = (broker.name(), broker.address());
            register(&mut self.name_servers, Registration { cluster: &self.name, broker, address, topic, config })
        })
    }
}

const fn running<S>(server: S) -> Server<S> {
    Server { is_running: true, server }
}

/// Says whether all of them had room for it.
fn register(name_servers: &mut [Server<NameServer>], registration: Registration<'_>) -> bool {
    let mut has_room = true;
    for name_server in name_servers.iter_mut().filter(|name_server| name_server.is_running) {
        has_room &= name_server.server.register(registration);
    }
    has_room
}
