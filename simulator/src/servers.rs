//! The servers of a world: who listens where, and what becomes of the bytes that reach them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};

use super::course::Course;
use super::events::Event;
use super::network::{Arrival, LinkId, Network};
use super::script::{Reaction, Script};
use stgclient_servers::{Cluster, Memory, Peer, ServerId};

/// A cluster's place in the world.
pub(super) type ClusterId = usize;

/// The servers of a world.
#[derive(Default)]
pub(super) struct Servers {
    clusters: Vec<Tenant>,
    listeners: BTreeMap<String, Listener>,
    /// The servers' ends of links.
    ends: BTreeMap<LinkId, End>,
}

/// A cluster and the links of its peers.
struct Tenant {
    cluster: Cluster,
    links: BTreeMap<Peer, LinkId>,
    /// For how long a connection may be idle, and when to look next.
    max_idle: Option<Duration>,
    next_idle: Option<Instant>,
}

/// Who listens at an address.
enum Listener {
    Cluster(ClusterId, ServerId),
    Script(Box<dyn Script>),
}

/// A server's end of a link.
struct End {
    reader: FrameReader,
    owner: Owner,
    /// When bytes last came or went.
    last_use: Instant,
}

#[derive(Clone)]
enum Owner {
    Cluster(ClusterId, Peer),
    /// The script that listens at this address.
    Script(String),
}

impl Servers {
    pub(super) fn add(&mut self, cluster: Cluster) -> ClusterId {
        let id = self.clusters.len();
        for (server, address) in cluster.servers() {
            self.listeners.insert(address.to_owned(), Listener::Cluster(id, server));
        }
        self.clusters.push(Tenant { cluster, links: BTreeMap::new(), max_idle: None, next_idle: None });
        id
    }

    pub(super) fn add_script(&mut self, address: &str, script: Box<dyn Script>) {
        self.listeners.insert(address.to_owned(), Listener::Script(script));
    }

    pub(super) fn cluster(&mut self, id: ClusterId) -> &mut Cluster {
        &mut self.clusters[id].cluster
    }

    /// Whoever listens at `address` may take a link.
    pub(super) fn connect(
        &mut self,
        course: &mut Course,
        network: &mut Network,
        id: LinkId,
        address: &str,
        client: SocketAddr,
    ) {
        let owner = match self.listeners.get(address) {
            None => None,
            Some(Listener::Script(_)) => Some(Owner::Script(address.to_owned())),
            Some(&Listener::Cluster(tenant, server)) => {
                let Tenant { cluster, links, max_idle, next_idle } = &mut self.clusters[tenant];
                cluster.connected(course.now(), server, client).ok().map(|peer| {
                    links.insert(peer, id);
                    *next_idle = next_idle.or_else(|| max_idle.map(|idle| course.instant() + idle));
                    Owner::Cluster(tenant, peer)
                })
            }
        };
        let Some(owner) = owner else {
            return network.refuse(course, id);
        };
        let reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        self.ends.insert(id, End { reader, owner, last_use: course.instant() });
        network.accept(course, id);
    }

    /// Something has reached the server's end of a link.
    pub(super) fn receive(&mut self, course: &mut Course, network: &mut Network, id: LinkId, arrival: Arrival) {
        match arrival {
            Arrival::End => {
                course.note("server sees the end", id, &[]);
                if let Some(tenant) = self.forget(course, id) {
                    self.write(course, network, tenant);
                }
            }
            Arrival::Bytes(bytes) => {
                course.note("server reads", id, &bytes);
                self.read(course, network, id, &bytes);
            }
        }
    }

    fn read(&mut self, course: &mut Course, network: &mut Network, id: LinkId, bytes: &[u8]) {
        let Some(end) = self.ends.get_mut(&id) else {
            return;
        };
        end.reader.extend(bytes);
        end.last_use = course.instant();
        let owner = end.owner.clone();
        while let Some(end) = self.ends.get_mut(&id) {
            match end.reader.next_command() {
                Ok(Some(command)) => self.carry_out(course, id, &owner, &command),
                Ok(None) => break,
                Err(_) => {
                    // As Netty does when its decoder throws.
                    self.forget(course, id);
                    network.server_closes(course, id);
                }
            }
        }
        if let Owner::Cluster(tenant, _) = owner {
            self.write(course, network, tenant);
        }
    }

    fn carry_out(&mut self, course: &mut Course, id: LinkId, owner: &Owner, command: &Command) {
        match owner {
            Owner::Cluster(tenant, peer) => self.clusters[*tenant].cluster.receive(course.now(), *peer, command),
            Owner::Script(address) => {
                if let Some(Listener::Script(script)) = self.listeners.get_mut(address) {
                    for (after, reaction) in script.receive(course.now(), id, command) {
                        course.plan_after(after, Event::Reacts(id, reaction));
                    }
                }
            }
        }
    }

    /// A scripted server does what it wanted to do now.
    pub(super) fn react(&mut self, course: &mut Course, network: &mut Network, id: LinkId, reaction: Reaction) {
        if !self.ends.contains_key(&id) {
            return;
        }
        match reaction {
            Reaction::Send(bytes) => network.server_writes(course, id, bytes),
            Reaction::Close => {
                self.ends.remove(&id);
                network.server_closes(course, id);
            }
            Reaction::Reset => {
                self.ends.remove(&id);
                network.server_resets(course, id);
            }
        }
    }

    /// Puts on its way what a cluster has to say.
    pub(super) fn write(&mut self, course: &mut Course, network: &mut Network, tenant: ClusterId) {
        let Tenant { cluster, links, .. } = &mut self.clusters[tenant];
        while let Some((peer, bytes)) = cluster.poll_output() {
            if let Some(id) = links.get(&peer) {
                if let Some(end) = self.ends.get_mut(id) {
                    end.last_use = course.instant();
                }
                network.server_writes(course, *id, bytes);
            }
        }
    }

    /// Stops a server; its links are reset.
    pub(super) fn stop(&mut self, course: &mut Course, network: &mut Network, tenant: ClusterId, server: ServerId) {
        for id in self.end_of(course, tenant, server) {
            network.server_resets(course, id);
        }
    }

    /// A server's machine loses its power; nobody hears of it.
    pub(super) fn lose_power(
        &mut self,
        course: &mut Course,
        network: &mut Network,
        tenant: ClusterId,
        server: ServerId,
    ) {
        for id in self.end_of(course, tenant, server) {
            network.server_vanishes(course, id);
        }
        if let Some(address) = self.address(tenant, server) {
            network.set_power(course, &address, false);
        }
    }

    /// The server ends. Gives the links that led to it.
    fn end_of(&mut self, course: &Course, tenant: ClusterId, server: ServerId) -> Vec<LinkId> {
        let Tenant { cluster, links, .. } = &mut self.clusters[tenant];
        let peers = cluster.stop(course.now(), server).into_iter();
        let gone: Vec<LinkId> = peers.filter_map(|peer| links.remove(&peer)).collect();
        gone.iter().for_each(|id| drop(self.ends.remove(id)));
        gone
    }

    pub(super) fn start(
        &mut self,
        course: &mut Course,
        network: &mut Network,
        tenant: ClusterId,
        server: ServerId,
        memory: Memory,
    ) {
        self.clusters[tenant].cluster.start(course.now(), server, memory);
        if let Some(address) = self.address(tenant, server) {
            network.set_power(course, &address, true);
        }
    }

    fn address(&self, tenant: ClusterId, server: ServerId) -> Option<String> {
        let mut servers = self.clusters[tenant].cluster.servers();
        servers.find(|(id, _)| *id == server).map(|(_, address)| address.to_owned())
    }

    /// Connections over which nothing has gone for so long are closed from now on.
    pub(super) fn close_idle(&mut self, course: &Course, tenant: ClusterId, max_idle: Option<Duration>) {
        let tenant = &mut self.clusters[tenant];
        tenant.max_idle = max_idle;
        tenant.next_idle = max_idle.map(|_| course.instant());
    }

    fn close_those_idle(&mut self, course: &mut Course, network: &mut Network, tenant: ClusterId) {
        let Tenant { links, max_idle, next_idle, .. } = &mut self.clusters[tenant];
        let (Some(max_idle), now) = (*max_idle, course.instant()) else {
            return;
        };
        let ends = links.values().filter_map(|id| Some((*id, self.ends.get(id)?.last_use + max_idle)));
        let (idle, others): (Vec<_>, Vec<_>) = ends.partition(|(_, due)| *due <= now);
        *next_idle = others.into_iter().map(|(_, due)| due).min();
        for (id, _) in idle {
            course.note("server closes what is idle", id, &[]);
            self.forget(course, id);
            network.server_closes(course, id);
        }
    }

    /// When a cluster next has something to do, and which.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, ClusterId)> {
        let due = self.clusters.iter().enumerate();
        due.filter_map(|(id, tenant)| {
            Some((tenant.cluster.poll_timeout().into_iter().chain(tenant.next_idle).min()?, id))
        })
        .min()
    }

    pub(super) fn handle_timeout(&mut self, course: &mut Course, network: &mut Network, tenant: ClusterId) {
        course.note("cluster wakes", tenant as u64, &[]);
        if self.clusters[tenant].next_idle.is_some_and(|at| at <= course.instant()) {
            self.close_those_idle(course, network, tenant);
        }
        self.clusters[tenant].cluster.handle_timeout(course.now());
        self.write(course, network, tenant);
    }

    /// Forgets a link. Returns the cluster it led to, which may have something to say to others.
    fn forget(&mut self, course: &Course, id: LinkId) -> Option<ClusterId> {
        let Some(End { owner: Owner::Cluster(tenant, peer), .. }) = self.ends.remove(&id) else {
            return None;
        };
        let Tenant { cluster, links, .. } = &mut self.clusters[tenant];
        links.remove(&peer);
        cluster.closed(course.now(), peer);
        Some(tenant)
    }
}

/// Bytes for a script's [`Reaction::Send`].
impl From<Vec<u8>> for Reaction {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Send(Bytes::from(bytes))
    }
}
