//! How a client is set up, and who it is.

use core::net::{IpAddr, Ipv4Addr};

use crate::address::Address;
use crate::connection::ConnectionConfig;
use crate::credentials::Credentials;
use crate::time::Duration;
use crate::wire::compression;
use crate::wire::dialect::Dialect;

/// Who a client is, as its host knows it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The host's address, which goes into ids.
    pub ip: IpAddr,
    /// The process.
    pub process_id: u32,
    /// What tells this client apart from others of the process.
    pub instance: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), process_id: 1, instance: "DEFAULT".to_owned() }
    }
}

impl Identity {
    /// The client's id: how brokers tell clients apart (`ClientConfig.buildMQClientId`).
    pub fn client_id(&self) -> String {
        format!("{}@{}", self.ip, self.instance)
    }
}

/// How a client is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The name servers, at least one.
    pub name_servers: Vec<Address>,
    /// Who the client is.
    pub identity: Identity,
    /// What every request is signed with, to name servers and brokers; unsigned by default.
    pub credentials: Option<Credentials>,
    /// Connections: bounds and times.
    pub connection: ConnectionConfig,
    /// The time for one request to a server, and for one look-up at the name servers. A look-up waits in it for a server
    /// that is away.
    pub request_timeout: Duration,
    /// How long [`Client::connect`](super::Client::connect) waits for servers that are still starting: until then it asks again,
    /// with growing pauses, as long as no name server answers. None by default: each name server is asked once, within
    /// [`request_timeout`](Self::request_timeout).
    pub wait_for_servers: Duration,
    /// How often routes are asked for again.
    pub route_interval: Duration,
    /// How often brokers hear that we are alive.
    pub heartbeat_interval: Duration,
    /// How many operations may be under way.
    pub max_operations: usize,
    /// The longest body that a compressed message may have when decompressed, in bytes.
    pub max_body_length: usize,
}

impl ClientConfig {
    /// Java's times (`ClientConfig`).
    pub fn new(name_servers: Vec<Address>) -> Self {
        Self {
            name_servers,
            identity: Identity::default(),
            credentials: None,
            connection: ConnectionConfig::default(),
            request_timeout: Duration::from_secs(3),
            wait_for_servers: Duration::ZERO,
            route_interval: Duration::from_secs(30),
            heartbeat_interval: Duration::from_secs(30),
            max_operations: 131_072,
            max_body_length: compression::DEFAULT_LIMIT,
        }
    }

    /// The kind of server.
    pub const fn dialect(&self) -> Dialect {
        self.connection.dialect
    }
}
