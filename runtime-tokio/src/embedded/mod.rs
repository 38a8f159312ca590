//! A cluster in memory, for development and tests: reached in-process without any socket, or served on real ones.
//!
//! It answers as Apache RocketMQ does, so that any client works on it, but it keeps messages in memory only, within stated
//! limits ([`Limits`], [`EmbeddedClusterBuilder::state_bytes`]), and replicates nothing. What it answers otherwise is one table:
//! [`stgclient_servers::differences`]. It filters by SQL, for which an Apache broker has to be configured (`enablePropertyFilter`).
//! Production is an Apache RocketMQ cluster, to which the same program connects by changing one address.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use stgclient::{Client, ClientBuilder, embedded::EmbeddedCluster};
//!
//! // For tests: as many clients as there are in production, and nobody else.
//! let cluster = EmbeddedCluster::in_process()?;
//! let client = ClientBuilder::embedded(&cluster).connect().await?;
//!
//! // For development: any other client may connect, too.
//! let cluster = EmbeddedCluster::builder().name_server_port(9876).broker_port(10911).start().await?;
//! let client = Client::connect(cluster.name_server_address()).await?;
//! cluster.close().await;
//! # Ok(())
//! # }
//! ```

mod connection;
mod in_process;
mod served;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub use stgclient_servers::{
    Broker, BrokerConfig, BrokerUsage, Cluster, ClusterConfig, Force, Forced, Limits, Malformed, Memory, NameServer,
    Peer, Refused, RequestFaults, RouteOverride, ServerId,
};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use stgclient_core::error::Error;
use stgclient_core::time::Now;
use stgclient_core::wire::dialect::Dialect;
use stgclient_host::Host;

use crate::host::{Needs, Tokio};
use in_process::InProcess;
use served::Served;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Sets an [`EmbeddedCluster`] up.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct EmbeddedClusterBuilder {
    bind: IpAddr,
    advertise: Option<String>,
    name_server_port: u16,
    broker_ports: Vec<u16>,
    dialect: Dialect,
    limits: Limits,
    state_bytes: usize,
}

impl EmbeddedClusterBuilder {
    /// The port of the name server. A free one by default.
    pub const fn name_server_port(mut self, port: u16) -> Self {
        self.name_server_port = port;
        self
    }

    /// The port of the broker. A free one by default.
    pub fn broker_port(mut self, port: u16) -> Self {
        self.broker_ports = vec![port];
        self
    }

    /// How many brokers there are, each on a free port, called `broker-a`, `broker-b` and so on. One by default.
    pub fn brokers(mut self, count: u8) -> Self {
        self.broker_ports = vec![0; usize::from(count.clamp(1, 26))];
        self
    }

    /// Whose servers they are like: Apache's by default, or smartgo's, which only smartgo's own clients and those of
    /// `ClientBuilder::dialect` can speak to.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The address to listen at. 127.0.0.1 by default: whoever can connect may do anything.
    pub const fn bind(mut self, address: IpAddr) -> Self {
        self.bind = address;
        self
    }

    /// The host that routes name for the broker, when clients reach it by another than the one it listens at.
    pub fn advertise(mut self, host: &str) -> Self {
        self.advertise = Some(host.to_owned());
        self
    }

    /// What each broker keeps at the most.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What all servers keep besides messages at the most, in bytes: topics, groups, members and what they subscribe to, offsets,
    /// locks, pulls that wait. 64 MiB by default; what there is no room for is refused,
    /// see [`ClusterConfig::state_bytes`]. With [`Limits::message_bytes`] of each broker it is what the cluster keeps
    /// ([`ClusterConfig::max_bytes`]).
    pub const fn state_bytes(mut self, bytes: usize) -> Self {
        self.state_bytes = bytes;
        self
    }

    /// Starts a cluster that clients of this process reach without sockets: `ClientBuilder::embedded` does. Ports, the address to
    /// listen at and what routes name are of no account.
    ///
    /// # Errors
    /// There is no tokio runtime with timers.
    pub fn start_in_process(self) -> Result<EmbeddedCluster, Error> {
        Tokio::default().check_for(Needs::Timers)?;
        let mut config = ClusterConfig::with_servers(1, self.broker_ports.len() as u8);
        self.set(&mut config);
        Ok(EmbeddedCluster::new(config, Vec::new()))
    }

    /// Starts a cluster that listens.
    ///
    /// # Errors
    /// A port is taken, the address is not one of this machine, or there is no tokio runtime with timers and I/O.
    pub async fn start(self) -> io::Result<EmbeddedCluster> {
        Tokio::default().check_for(Needs::TimersAndSockets).map_err(io::Error::other)?;
        let name_server = listen(self.bind, self.name_server_port)?;
        let brokers: Vec<TcpListener> =
            self.broker_ports.iter().map(|&port| listen(self.bind, port)).collect::<Result<_, _>>()?;
        let config = self.config(&name_server, &brokers)?;
        let name_server = (ServerId::NameServer(0), name_server);
        let brokers = brokers.into_iter().enumerate().map(|(index, listener)| (ServerId::Broker(index), listener));
        Ok(EmbeddedCluster::new(config, std::iter::once(name_server).chain(brokers).collect()))
    }

    fn config(&self, name_server: &TcpListener, brokers: &[TcpListener]) -> io::Result<ClusterConfig> {
        let mut config = ClusterConfig::default();
        config.name_servers = vec![self.advertised(name_server.local_addr()?)];
        config.brokers.clear();
        for (listener, letter) in brokers.iter().zip('a'..='z') {
            let address = self.advertised(listener.local_addr()?);
            config.brokers.push(BrokerConfig::new(format!("broker-{letter}"), address));
        }
        self.set(&mut config);
        Ok(config)
    }

    /// Sets what does not depend on where the servers are.
    fn set(&self, config: &mut ClusterConfig) {
        config.dialect = self.dialect;
        config.state_bytes = self.state_bytes;
        for broker in &mut config.brokers {
            broker.limits = self.limits;
            broker.property_filter = true;
        }
    }

    fn advertised(&self, local: SocketAddr) -> String {
        match &self.advertise {
            Some(host) if host.contains(':') => format!("[{host}]:{}", local.port()),
            Some(host) => format!("{host}:{}", local.port()),
            // Nobody can connect to "any address"; the own machine can to this one.
            None if local.ip().is_unspecified() => format!("127.0.0.1:{}", local.port()),
            None => local.to_string(),
        }
    }
}

fn listen(bind: IpAddr, port: u16) -> io::Result<TcpListener> {
    let socket = if bind.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without this a restart has to wait until the old connections are forgotten.
    socket.set_reuseaddr(true)?;
    let address = SocketAddr::new(bind, port);
    let error = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen at {address}: {error}"));
    socket.bind(address).map_err(error)?;
    socket.listen(BACKLOG).map_err(error)
}

/// A cluster in memory. Dropped, it ends once its last client in the process has; what listens ends at once.
#[derive(Debug)]
pub struct EmbeddedCluster {
    served: Arc<Served>,
    name_server_address: String,
    broker_addresses: Vec<String>,
    is_listening: bool,
    /// Whether to stop. Every task of the cluster has a receiver until it ends.
    stop: Arc<watch::Sender<bool>>,
}

impl EmbeddedCluster {
    fn new(config: ClusterConfig, listeners: Vec<(ServerId, TcpListener)>) -> Self {
        let name_server_address = config.name_servers.join(";");
        let broker_addresses = config.brokers.iter().map(|broker| broker.address.clone()).collect();
        let served = Served::new(config);
        let (stop, stopped) = watch::channel(false);
        let is_listening = !listeners.is_empty();
        for (server, listener) in listeners {
            drop(tokio::spawn(served::accept(listener, server, Arc::clone(&served), stopped.clone())));
        }
        drop(tokio::spawn(served::run_timers(Arc::downgrade(&served), stopped)));
        Self { served, name_server_address, broker_addresses, is_listening, stop: Arc::new(stop) }
    }

    /// A cluster of one name server and one broker that clients of this process reach without sockets, with the defaults: see
    /// [`EmbeddedClusterBuilder::start_in_process`].
    ///
    /// # Errors
    /// There is no tokio runtime with timers.
    pub fn in_process() -> Result<Self, Error> {
        Self::builder().start_in_process()
    }

    /// A cluster of one name server and one broker, still to be set up.
    pub fn builder() -> EmbeddedClusterBuilder {
        EmbeddedClusterBuilder {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertise: None,
            name_server_port: 0,
            broker_ports: vec![0],
            dialect: Dialect::Apache,
            limits: Limits::default(),
            state_bytes: ClusterConfig::default().state_bytes,
        }
    }

    /// What clients connect to.
    pub fn name_server_address(&self) -> &str {
        &self.name_server_address
    }

    /// Where the brokers are, as routes name them.
    pub fn broker_addresses(&self) -> &[String] {
        &self.broker_addresses
    }

    /// Does something with the cluster: asks for send statuses and faults, changes a route, looks at what is kept.
    pub fn with<R>(&self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        self.served.with(act)
    }

    /// What clients of this cluster run on: a host whose connections lead into it, by a pipe or by sockets.
    pub fn host(&self) -> Arc<dyn Host> {
        if self.is_listening { Arc::new(Tokio::default()) } else { Arc::new(self.pipes()) }
    }

    fn pipes(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.served), Arc::clone(&self.stop))
    }

    /// What its clocks say: for what [`with`](Self::with) does at a moment.
    pub fn now(&self) -> Now {
        self.served.now()
    }

    /// Stops a server as a crash does: its connections close, and new ones are closed at once.
    pub fn stop_server(&self, server: ServerId) {
        self.served.stop_server(server);
    }

    /// Starts a server that was stopped, with what it remembers.
    pub fn start_server(&self, server: ServerId, memory: Memory) {
        self.served.start_server(server, memory);
    }

    /// Closes all connections and stops listening. When this returns no task and no socket of the cluster is left.
    pub async fn close(self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}
