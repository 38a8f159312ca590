//! How a client is set up, and who it is.

use crate::address::Address;
use crate::connection::ConnectionConfig;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::time::Duration;
use crate::wire::compression;
use crate::wire::dialect::Dialect;
use core::net::{IpAddr, Ipv4Addr};

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

/// The shortest time that a client is set up with.
pub const LEAST_TIME: Duration = Duration::from_millis(1);

/// Where queues are a member's by allocation alone, routes are no older than this: so long a new owner waits.
const MOST_ROUTE_INTERVAL: Duration = Duration::from_secs(30);

/// How a client is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The name servers, at least one. The runtime takes them from `Client::builder`.
    pub name_servers: Vec<Address>,
    /// Who the client is. The runtime takes it from its host.
    pub identity: Identity,
    /// What every request is signed with, to name servers and brokers; unsigned by default.
    pub credentials: Option<Credentials>,
    /// Connections: bounds and times.
    pub connection: ConnectionConfig,
    /// The time for one request to a server, and for one look-up at the name servers. A look-up waits in it for a server
    /// that is away. 3 s by default, 1 ms at the least.
    pub request_timeout: Duration,
    /// How long [`Client::connect`](crate::client::Client::connect) waits for servers that are still starting: until then it asks again,
    /// with growing pauses, as long as no name server answers. None by default: each name server is asked once, within
    /// [`request_timeout`](Self::request_timeout).
    pub wait_for_servers: Duration,
    /// How often routes are asked for again. 30 s by default, 1 ms at the least. Towards smartgo's servers at least each 30 s: members of an orderly group go by that.
    pub route_interval: Duration,
    /// How often brokers hear that we are alive. 30 s by default, 1 ms at the least; they forget a client after 2 min.
    pub heartbeat_interval: Duration,
    /// How many operations may be under way: sends, pulls, look-ups. 131,072 by default.
    pub max_operations: usize,
    /// The longest body that a compressed message may have when decompressed, in bytes. 64 MiB by default.
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

    /// Whether a client can live with it.
    ///
    /// # Errors
    /// A time is shorter than [`LEAST_TIME`], a bound allows nothing, or the dialect cannot say what is wanted.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::new(ErrorKind::InvalidArgument, what));
        for (name, time) in self.times() {
            if time < LEAST_TIME {
                return wrong(format!("{name} is {time:?}; it has to be {LEAST_TIME:?} at the least"));
            }
        }
        for (name, bound, what) in [
            ("max_operations", self.max_operations, "asked"),
            ("connection.max_in_flight", self.connection.max_in_flight, "asked"),
            ("max_body_length", self.max_body_length, "decompressed"),
        ] {
            if bound == 0 {
                return wrong(format!("{name} is 0: nothing could ever be {what}"));
            }
        }
        self.check_dialect()
    }

    /// The times that something is done again and again after, by name.
    fn times(&self) -> [(&'static str, Duration); 6] {
        [
            ("request_timeout", self.request_timeout),
            ("route_interval", self.route_interval),
            ("heartbeat_interval", self.heartbeat_interval),
            ("connection.connect_timeout", self.connection.connect_timeout),
            ("connection.idle_timeout", self.connection.idle_timeout),
            ("connection.least_pause", self.connection.least_pause),
        ]
    }

    /// The same with times that a client survives: one that comes round within a tick of the clock would never end.
    pub(crate) fn survivable(mut self) -> Self {
        let connection = &mut self.connection;
        for time in [
            &mut self.request_timeout,
            &mut self.route_interval,
            &mut self.heartbeat_interval,
            &mut connection.connect_timeout,
            &mut connection.idle_timeout,
            &mut connection.least_pause,
        ] {
            *time = (*time).max(LEAST_TIME);
        }
        connection.most_pause = connection.most_pause.max(connection.least_pause);
        if !self.dialect().grants_locks() {
            self.route_interval = self.route_interval.min(MOST_ROUTE_INTERVAL);
        }
        self
    }

    /// The kind of server.
    pub const fn dialect(&self) -> Dialect {
        self.connection.dialect
    }
}
