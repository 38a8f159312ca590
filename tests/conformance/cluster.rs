//! The cluster that a test runs on: a real one that was started before, or one of the test's own, embedded or real.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use stgclient::embedded::{EmbeddedCluster, Memory, ServerId};
use stgclient::{Client, ClientBuilder, Dialect, HeaderCodec};

use crate::on_demand::OnDemand;
use crate::open_gateway::OpenGateway;

/// A cluster of one name server and one broker, and how clients write their headers to it.
#[derive(Debug)]
pub struct Cluster {
    codec: HeaderCodec,
    dialect: Dialect,
    name_server: String,
    dead_name_server: String,
    broker: String,
    /// The gateway that clients go through, if they do.
    gateway: Option<OpenGateway>,
    servers: Servers,
}

#[derive(Debug)]
enum Servers {
    /// Other tests use them too.
    Shared,
    OnDemand(Box<OnDemand>),
    Embedded(EmbeddedCluster),
}

/// A server of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The name server.
    NameServer,
    /// The broker.
    Broker,
}

/// The version of RocketMQ that everything is tested with, which is the scripts' default.
pub const CURRENT: &str = "";

/// Nobody listens there: it is the port of a service that no system offers any more.
const DEAD: &str = "127.0.0.1:1";

impl Cluster {
    /// The cluster that `tests/servers/with-cluster` has started.
    pub fn apache(codec: HeaderCodec) -> Self {
        Self {
            codec,
            dialect: Dialect::Apache,
            name_server: variable("STGCLIENT_NAME_SERVER"),
            dead_name_server: variable("STGCLIENT_DEAD_NAME_SERVER"),
            broker: variable("STGCLIENT_BROKER"),
            gateway: None,
            servers: Servers::Shared,
        }
    }

    /// A real cluster of the test's own.
    pub async fn apache_of_its_own(codec: HeaderCodec) -> Self {
        Self::apache_with(codec, CURRENT, &[]).await
    }

    /// A real cluster of the test's own, in this version of RocketMQ and with these settings of the broker.
    pub async fn apache_with(codec: HeaderCodec, version: &str, settings: &[&str]) -> Self {
        let (servers, name_server, broker) = OnDemand::start(version, settings).await;
        let servers = Servers::OnDemand(Box::new(servers));
        let dialect = Dialect::Apache;
        Self { codec, dialect, name_server, dead_name_server: DEAD.to_owned(), broker, gateway: None, servers }
    }

    /// An embedded cluster on real sockets.
    pub async fn embedded(codec: HeaderCodec) -> Self {
        Self::embedded_in(Dialect::Apache, codec).await
    }

    /// The same of servers like smartgo's.
    pub async fn embedded_smartgo() -> Self {
        Self::embedded_in(Dialect::Smartgo, HeaderCodec::Json).await
    }

    /// smartgo's own servers that somebody has, where `STGCLIENT_SMARTGO_NAME_SERVER` and `STGCLIENT_SMARTGO_BROKER` say;
    /// without, servers like them in memory.
    pub async fn smartgo() -> Self {
        let variable = |name| std::env::var(name).ok();
        match (variable("STGCLIENT_SMARTGO_NAME_SERVER"), variable("STGCLIENT_SMARTGO_BROKER")) {
            (Some(name_server), Some(broker)) => Self {
                codec: HeaderCodec::Json,
                dialect: Dialect::Smartgo,
                name_server,
                dead_name_server: DEAD.to_owned(),
                broker,
                gateway: None,
                servers: Servers::Shared,
            },
            (None, None) => Self::embedded_smartgo().await,
            _ => panic!("STGCLIENT_SMARTGO_NAME_SERVER and STGCLIENT_SMARTGO_BROKER go together"),
        }
    }

    async fn embedded_in(dialect: Dialect, codec: HeaderCodec) -> Self {
        let cluster = EmbeddedCluster::builder().dialect(dialect).start().await.expect("ports are free");
        Self {
            codec,
            dialect,
            name_server: cluster.name_server_address().to_owned(),
            dead_name_server: DEAD.to_owned(),
            broker: cluster.broker_addresses()[0].clone(),
            gateway: None,
            servers: Servers::Embedded(cluster),
        }
    }

    /// The same cluster, behind a gateway of the test's own.
    pub async fn behind_gateway(mut self) -> Self {
        self.gateway = Some(OpenGateway::before([&self.name_server, &self.dead_name_server], self.dialect).await);
        self
    }

    /// The longest body that a producer sends unless it is told otherwise, in bytes.
    pub const fn longest_body(&self) -> usize {
        match self.dialect {
            Dialect::Apache => 4 * 1024 * 1024,
            Dialect::Smartgo => 128 * 1024,
        }
    }

    /// Whether rules may be tried that would harm servers of somebody's, were they not kept: with `STGCLIENT_SMARTGO_MAY_BE_HARMED`.
    pub fn may_be_harmed(&self) -> bool {
        let is_somebodys = self.dialect == Dialect::Smartgo && matches!(self.servers, Servers::Shared);
        let may = !is_somebodys || std::env::var_os("STGCLIENT_SMARTGO_MAY_BE_HARMED").is_some();
        if !may {
            eprintln!("left out: it would harm these servers; STGCLIENT_SMARTGO_MAY_BE_HARMED allows it");
        }
        may
    }

    /// The name server, `host:port`.
    pub fn name_server(&self) -> &str {
        &self.name_server
    }

    /// Where no name server listens, `host:port`.
    pub fn dead_name_server(&self) -> &str {
        &self.dead_name_server
    }

    /// The broker, `host:port`.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// What the servers speak.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A client of these name servers, still to be set up.
    pub fn builder(&self, name_servers: &str) -> ClientBuilder {
        let builder = Client::builder(name_servers)
            .dialect(self.dialect)
            .header_codec(self.codec)
            .request_timeout(Duration::from_secs(10));
        match &self.gateway {
            Some(gateway) => builder.tunnel(gateway.tunnel()),
            None => builder,
        }
    }

    /// A client.
    pub async fn client(&self) -> Client {
        self.builder(&self.name_server).connect().await.expect("the name server answers")
    }

    /// Gives an order about a server of the test's own, such as `pause broker`: `tests/servers/on-demand` says which
    /// there are.
    pub async fn order(&mut self, order: &str) {
        match &mut self.servers {
            Servers::OnDemand(servers) => servers.order(order).await,
            Servers::Shared | Servers::Embedded(_) => panic!("nobody takes the order {order:?}"),
        }
    }

    /// Stops a server of the test's own, as a crash does.
    pub async fn stop(&mut self, server: Server) {
        match &mut self.servers {
            Servers::Shared => panic!("other tests need the {} too", server.name()),
            Servers::OnDemand(servers) => servers.order(&format!("stop {}", server.name())).await,
            Servers::Embedded(cluster) => cluster.stop_server(server.id()),
        }
    }

    /// Starts it again, with what it remembers.
    pub async fn start(&mut self, server: Server) {
        match &mut self.servers {
            Servers::Shared => panic!("other tests need the {} too", server.name()),
            Servers::OnDemand(servers) => servers.order(&format!("start {}", server.name())).await,
            Servers::Embedded(cluster) => cluster.start_server(server.id(), Memory::Kept),
        }
    }
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::NameServer => "name-server",
            Self::Broker => "broker",
        }
    }

    const fn id(self) -> ServerId {
        match self {
            Self::NameServer => ServerId::NameServer(0),
            Self::Broker => ServerId::Broker(0),
        }
    }
}

/// What `tests/servers/with-cluster` tells.
pub fn variable(name: &str) -> String {
    let unset = "is not set: run this below tests/servers/with-cluster";
    std::env::var(name).unwrap_or_else(|_| panic!("{name} {unset}"))
}

/// A name that nobody else uses: several tests share a real cluster, and several runs may.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{what}-{:x}-{:x}-{count}", std::process::id(), since.as_millis())
}
