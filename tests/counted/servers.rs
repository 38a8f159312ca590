//! The far end: the simulator's cluster, driven by hand and never measured.

use std::net::SocketAddr;

use bytes::Bytes;
use stgclient_core::address::Address;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::{BrokerConfig, Cluster, ClusterConfig, Peer, ServerId};

/// Time stands still: nothing of what is measured waits.
pub(crate) const NOW: Now = Now { mono: Instant::from_micros(1_000_000), unix_ms: 1_700_000_000_000 };

/// A cluster of one name server and some brokers.
pub(crate) struct Servers {
    cluster: Cluster,
    connections: u16,
}

fn address_of(number: u32) -> String {
    format!("127.0.0.1:{}", 20_000 + number)
}

/// One connection to a server.
pub(crate) struct Connection {
    peer: Peer,
    reader: FrameReader,
}

impl Servers {
    /// The cluster, and where its name server listens.
    pub(crate) fn new() -> (Self, Address) {
        Self::with_brokers(1)
    }

    /// The same with so many brokers, the first of them `broker-a`.
    pub(crate) fn with_brokers(count: u32) -> (Self, Address) {
        let mut config = ClusterConfig::default();
        let more = (1..count).map(|number| BrokerConfig::new(format!("broker-{number}"), address_of(number)));
        config.brokers.extend(more);
        config.max_connections = count as usize + 16;
        let cluster = Cluster::new(NOW, config);
        let (_, address) = cluster.servers().find(|(id, _)| *id == ServerId::NameServer(0)).expect("a name server");
        let address = address.parse().expect("an address");
        (Self { cluster, connections: 0 }, address)
    }

    /// Creates a topic at every broker.
    pub(crate) fn create_topic(&mut self, topic: &str, queues: u32) {
        self.cluster.brokers().for_each(|broker| broker.create_topic(topic, queues).expect("a topic"));
    }

    /// Takes a connection to the server at `address`.
    pub(crate) fn connect(&mut self, address: &Address) -> Connection {
        let wanted = address.to_string();
        let (server, _) = self.cluster.servers().find(|(_, known)| *known == wanted).expect("a server");
        self.connections += 1;
        let from = SocketAddr::from(([127, 0, 0, 1], 30_000 + self.connections));
        let peer = self.cluster.connected(NOW, server, from).expect("servers take connections");
        Connection { peer, reader: FrameReader::new(DEFAULT_MAX_FRAME_LENGTH) }
    }

    /// What the server says to `requests`.
    pub(crate) fn answer(&mut self, connection: &mut Connection, requests: &[u8]) -> Vec<Bytes> {
        connection.reader.extend(requests);
        while let Some(command) = connection.reader.next_command().expect("whole frames") {
            self.cluster.receive(NOW, connection.peer, &command);
        }
        std::iter::from_fn(|| self.cluster.poll_output()).map(|(_, frame)| frame).collect()
    }
}
