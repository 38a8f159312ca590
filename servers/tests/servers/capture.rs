//! What was captured between a client and its servers, and the same requests asked of ours.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::{self, Command};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_servers::{BrokerConfig, Cluster, ClusterConfig, Peer, ServerId};

/// One captured frame.
pub(crate) struct Captured {
    pub(crate) index: Value,
    pub(crate) command: Command,
}

impl Captured {
    fn text(&self, name: &str) -> &str {
        self.index[name].as_str().expect("a text")
    }

    fn connection(&self) -> u64 {
        self.index["conn"].as_u64().expect("a number")
    }

    /// The frame's place in its folder.
    pub(crate) fn number(&self) -> u64 {
        self.index["n"].as_u64().expect("a number")
    }

    pub(crate) fn exchange(&self) -> Exchange {
        (self.connection(), self.command.opaque)
    }

    /// A client's request.
    pub(crate) fn is_request(&self) -> bool {
        self.text("dir") == "c2s" && !self.command.is_response()
    }

    /// A server's answer.
    pub(crate) fn is_answer(&self) -> bool {
        self.text("dir") == "s2c" && self.command.is_response()
    }
}

/// A frame's connection and opaque.
pub(crate) type Exchange = (u64, i32);

pub(crate) fn read(folder: &str) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(folder);
    let bytes = Bytes::from(std::fs::read(folder.join("frames.bin")).expect("frames.bin"));
    let index = std::fs::read_to_string(folder.join("index.jsonl")).expect("index.jsonl");
    let captured = index.lines().map(|line| {
        let index: Value = serde_json::from_str(line).expect("a line of JSON");
        let number = |name: &str| index[name].as_u64().expect("a number") as usize;
        let start = number("off");
        let command = command::decode(bytes.slice(start + 4..start + number("len"))).expect("a frame");
        Captured { index, command }
    });
    captured.collect()
}

/// What our servers said.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) answers: BTreeMap<Exchange, Command>,
    /// What brokers asked of clients, in order, each with its connection.
    pub(crate) requests: Vec<(u64, Command)>,
}

/// Gives every captured request to a cluster of ours at the time it was captured, and collects what it says until every
/// pull has been answered. `change` may change the broker.
pub(crate) fn replay(captured: &[Captured], dialect: Dialect, change: impl FnOnce(&mut BrokerConfig)) -> Told {
    let links: Vec<&str> = captured.iter().map(|frame| frame.text("link")).collect();
    let address = |port: &str| (*links.iter().find(|link| link.ends_with(port)).expect("a server")).to_owned();
    let mut config = ClusterConfig::default();
    config.dialect = dialect;
    config.name_servers = vec![address("76")];
    config.brokers = vec![BrokerConfig::new("broker-a", address("911"))];
    change(&mut config.brokers[0]);
    let mut replay = Replay {
        cluster: Cluster::new(at(0), config),
        peers: BTreeMap::new(),
        readers: BTreeMap::new(),
        told: Told::default(),
    };
    for frame in captured.iter().filter(|frame| frame.is_request()) {
        replay.give(frame);
    }
    replay.run_until(u64::MAX / 1000);
    replay.told
}

struct Replay {
    cluster: Cluster,
    peers: BTreeMap<u64, Peer>,
    readers: BTreeMap<Peer, (u64, FrameReader)>,
    told: Told,
}

fn at(milliseconds: u64) -> Now {
    Now { mono: Instant::from_micros(milliseconds * 1000), unix_ms: milliseconds }
}

impl Replay {
    fn give(&mut self, frame: &Captured) {
        let milliseconds = frame.index["ms"].as_u64().expect("a number");
        self.run_until(milliseconds);
        let cluster = &mut self.cluster;
        let peer = *self.peers.entry(frame.connection()).or_insert_with(|| {
            let is_broker = frame.text("link").ends_with("911");
            let server = if is_broker { ServerId::Broker(0) } else { ServerId::NameServer(0) };
            let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
            let peer = cluster.connected(at(milliseconds), server, address).expect("a connection");
            self.readers.insert(peer, (frame.connection(), FrameReader::new(DEFAULT_MAX_FRAME_LENGTH)));
            peer
        });
        self.cluster.receive(at(milliseconds), peer, &frame.command);
        self.listen();
    }

    /// Does what is due until then.
    fn run_until(&mut self, milliseconds: u64) {
        // Groups are looked through for ever, as long as they have members.
        for _ in 0..10_000 {
            let Some(due) = self.cluster.poll_timeout().map(|due| due.as_micros().div_ceil(1000)) else {
                return;
            };
            if due > milliseconds {
                return;
            }
            self.cluster.handle_timeout(at(due));
            self.listen();
        }
    }

    fn listen(&mut self) {
        while let Some((peer, bytes)) = self.cluster.poll_output() {
            let (connection, reader) = self.readers.get_mut(&peer).expect("a reader");
            reader.extend(&bytes);
            while let Some(command) = reader.next_command().expect("a frame") {
                if command.is_response() {
                    self.told.answers.insert((*connection, command.opaque), command);
                } else {
                    self.told.requests.push((*connection, command));
                }
            }
        }
    }
}
