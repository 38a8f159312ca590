//! The servers in memory, set up as Apache's are and reached from the same addresses.

use std::collections::BTreeMap;
use std::time::SystemTime;

use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::{BrokerConfig, Cluster, ClusterConfig, Peer, ServerId};

use crate::apache::{self, Apache, CLIENTS};
use crate::places::Places;
use crate::request::{self, Request, Server};
use crate::view::{Told, View};

pub(crate) struct Memory {
    cluster: Cluster,
    /// The connections, and what has come on each.
    readers: BTreeMap<Peer, FrameReader>,
    peers: Vec<(Server, Peer)>,
    opaque: i32,
    told: BTreeMap<Told, usize>,
    places: Places,
}

impl Memory {
    /// Servers that say that they are where Apache's are, with clients that are where Apache's clients are.
    pub(crate) fn like(apache: &Apache) -> Self {
        let mut config = ClusterConfig::default();
        config.name_servers = vec![apache::address(Server::NameServer)];
        config.brokers = vec![BrokerConfig::new("broker-a", apache::address(Server::Broker))];
        config.brokers[0].property_filter = true;
        let mut cluster = Cluster::new(now(), config);
        let mut peers = Vec::new();
        let mut readers = BTreeMap::new();
        for (server, id) in [(Server::NameServer, ServerId::NameServer(0)), (Server::Broker, ServerId::Broker(0))] {
            for client in 0..CLIENTS {
                let address = apache.client_address(server, client);
                let peer = cluster.connected(now(), id, address).expect("there is room");
                readers.insert(peer, FrameReader::new(DEFAULT_MAX_FRAME_LENGTH));
                peers.push((server, peer));
            }
        }
        Self { cluster, readers, peers, opaque: 0, told: BTreeMap::new(), places: Places::new() }
    }

    /// What it answers.
    pub(crate) fn ask(&mut self, request: &Request) -> View {
        let answer = self.answer(request);
        View::of(request, answer.as_ref(), &mut self.places)
    }

    /// The answer, and `None` if there is none.
    fn answer(&mut self, request: &Request) -> Option<Command> {
        self.opaque += 1;
        let opaque = self.opaque;
        let first =
            self.peers.iter().position(|(known, _)| *known == request.server).expect("every server is connected");
        let peer = self.peers[first + request.client].1;
        self.receive(peer, &request.encoded(opaque, &self.places));
        let mut answer = None;
        self.take_outputs(peer, opaque, &mut answer);
        if answer.is_none() {
            // A pull that may wait, for no time.
            self.cluster.handle_timeout(now());
            self.take_outputs(peer, opaque, &mut answer);
        }
        answer
    }

    fn take_outputs(&mut self, peer: Peer, opaque: i32, answer: &mut Option<Command>) {
        while let Some((to, bytes)) = self.cluster.poll_output() {
            let reader = self.readers.get_mut(&to).expect("a connection");
            reader.extend(&bytes);
            let mut commands = Vec::new();
            while let Some(command) = reader.next_command().expect("our bytes are frames") {
                commands.push(command);
            }
            for command in commands {
                if to == peer && command.is_response() && command.opaque == opaque {
                    *answer = Some(command);
                } else if !command.is_response() {
                    self.take(to, &command);
                }
            }
        }
    }

    /// What the servers have asked of clients and told them, and how often.
    pub(crate) const fn told(&self) -> &BTreeMap<Told, usize> {
        &self.told
    }

    fn take(&mut self, from: Peer, command: &Command) {
        let at = self.peers.iter().position(|(_, peer)| *peer == from).expect("a connection");
        *self.told.entry(Told::of(at % CLIENTS, command, &self.places)).or_default() += 1;
        if !command.is_oneway() {
            self.receive(from, &request::answer(command.code, command.opaque));
        }
    }

    fn receive(&mut self, from: Peer, frame: &[u8]) {
        let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        reader.extend(frame);
        let command = reader.next_command().expect("what we wrote").expect("all of it");
        self.cluster.receive(now(), from, &command);
    }
}

/// The clock that messages are stamped by goes on; the one that timers run by stands, since what they do Apache's do sooner or later.
fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later than 1970");
    Now { mono: Instant::from_micros(1), unix_ms: unix.as_millis() as u64 }
}
