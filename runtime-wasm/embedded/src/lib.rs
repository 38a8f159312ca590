//! The servers in memory for JavaScript, which has their clock and carries their bytes: `npm/src/embedded.js`. It calls nothing.
#![cfg(target_family = "wasm")]

mod control;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Buf, Bytes};
use js_sys::Uint8Array;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::FrameReader;
use stgclient_servers::serving::Serving;
use stgclient_servers::{Cluster, ClusterConfig, Peer, ServerId};
use wasm_bindgen::prelude::wasm_bindgen;

/// The longest frame that is read, in bytes, as Apache's servers do.
const MOST_FRAME: usize = 16 * 1024 * 1024;

/// A client's connection to a server.
struct Pipe {
    peer: Peer,
    reader: FrameReader,
}

/// A cluster in memory.
#[wasm_bindgen]
pub struct WasmCluster {
    serving: Serving,
    servers: Vec<(ServerId, String)>,
    name_servers: String,
    pipes: BTreeMap<u32, Pipe>,
    numbers: BTreeMap<Peer, u32>,
    last: u32,
    chunks: VecDeque<Bytes>,
}

fn now(monotonic_ms: f64, unix_ms: f64) -> Now {
    Now { mono: Instant::from_micros((monotonic_ms * 1000.0) as u64), unix_ms: unix_ms as u64 }
}

#[wasm_bindgen]
impl WasmCluster {
    /// A cluster of one name server and so many brokers, which keep messages of so many bytes each.
    #[wasm_bindgen(constructor)]
    pub fn new(monotonic_ms: f64, unix_ms: f64, brokers: u8, is_smartgo: bool, message_bytes: Option<u32>) -> Self {
        let mut config = ClusterConfig::with_servers(1, brokers);
        config.dialect = if is_smartgo { Dialect::Smartgo } else { Dialect::Apache };
        for broker in &mut config.brokers {
            broker.property_filter = true;
            if let Some(bytes) = message_bytes {
                broker.limits.message_bytes = bytes as usize;
            }
        }
        let name_servers = config.name_servers.join(";");
        let cluster = Cluster::new(now(monotonic_ms, unix_ms), config);
        let servers = cluster.servers().map(|(server, address)| (server, address.to_owned())).collect();
        Self {
            serving: Serving::new(cluster),
            servers,
            name_servers,
            pipes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last: 0,
            chunks: VecDeque::new(),
        }
    }

    #[wasm_bindgen(getter, js_name = nameServers)]
    pub fn name_servers(&self) -> String {
        self.name_servers.clone()
    }

    /// Somebody connects to a server at `host:port`. The connection's number; 0 if there is no such server, or it does not run.
    pub fn connected(&mut self, monotonic_ms: f64, unix_ms: f64, address: &str) -> u32 {
        let Some((server, _)) = self.servers.iter().find(|(_, known)| known == address) else {
            return 0;
        };
        self.last += 1;
        // From the port somebody can tell connections apart, as with sockets.
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + (self.last % 50_000) as u16));
        let Ok(peer) = self.serving.connected(now(monotonic_ms, unix_ms), *server, from) else {
            return 0;
        };
        self.pipes.insert(self.last, Pipe { peer, reader: FrameReader::new(MOST_FRAME) });
        self.numbers.insert(peer, self.last);
        self.last
    }

    /// Bytes have come from a client. Whether they are frames; if not, its connection has to close.
    pub fn received(&mut self, monotonic_ms: f64, unix_ms: f64, pipe: u32, bytes: &Uint8Array) -> bool {
        let Some(known) = self.pipes.get_mut(&pipe) else { return false };
        known.reader.extend(&bytes.to_vec());
        let mut commands = Vec::new();
        let is_whole = loop {
            match known.reader.next_command() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        self.serving.received(now(monotonic_ms, unix_ms), known.peer, &mut commands);
        is_whole
    }

    /// Whether to give more of a client's bytes.
    #[wasm_bindgen(js_name = wantsInput)]
    pub fn wants_input(&self, pipe: u32) -> bool {
        self.pipes.get(&pipe).is_some_and(|known| self.serving.wants_input(known.peer))
    }

    /// The number of the next connection for which there may be something, or 0.
    #[wasm_bindgen(js_name = pollNews)]
    pub fn poll_news(&mut self) -> u32 {
        while let Some(peer) = self.serving.poll_news() {
            if let Some(number) = self.numbers.get(&peer) {
                return *number;
            }
        }
        0
    }

    /// What is to be given to a client; nothing when its connection has to close.
    pub fn take(&mut self, monotonic_ms: f64, unix_ms: f64, pipe: u32) -> Option<Uint8Array> {
        let peer = self.pipes.get(&pipe)?.peer;
        self.serving.take(peer, &mut self.chunks)?;
        let count = self.chunks.iter().map(Bytes::remaining).sum::<usize>();
        let taken = Uint8Array::new_with_length(count as u32);
        let mut at = 0;
        for chunk in self.chunks.drain(..) {
            let end = at + chunk.len() as u32;
            taken.subarray(at, end).copy_from(&chunk);
            at = end;
        }
        self.serving.written(now(monotonic_ms, unix_ms), peer, count);
        Some(taken)
    }

    /// A client has closed its connection.
    pub fn closed(&mut self, monotonic_ms: f64, unix_ms: f64, pipe: u32) {
        if let Some(known) = self.pipes.remove(&pipe) {
            self.numbers.remove(&known.peer);
            self.serving.closed(now(monotonic_ms, unix_ms), known.peer);
        }
    }

    /// Does what is due.
    #[wasm_bindgen(js_name = handleTimeout)]
    pub fn handle_timeout(&mut self, monotonic_ms: f64, unix_ms: f64) {
        self.serving.handle_timeout(now(monotonic_ms, unix_ms));
    }

    /// When something is due next, by the monotonic clock in ms.
    #[wasm_bindgen(js_name = pollTimeout)]
    pub fn poll_timeout(&self) -> Option<f64> {
        self.serving.poll_timeout().map(|at| at.as_micros() as f64 / 1000.0)
    }
}
