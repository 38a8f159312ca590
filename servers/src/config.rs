//! What a cluster is made of, and the bounds it keeps.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use stgclient_core::time::Duration;
use stgclient_core::wire::body::Permission;
use stgclient_core::wire::dialect::Dialect;

/// The servers of a cluster and how they behave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// The cluster's name.
    pub name: String,
    /// Whose servers they are like: Apache's by default.
    pub dialect: Dialect,
    /// The addresses of the name servers, `host:port`, as clients dial them.
    pub name_servers: Vec<String>,
    /// The brokers, each a master.
    pub brokers: Vec<BrokerConfig>,
    /// How long a name server may lack what a broker would tell it: a topic that was deleted only there, or everything
    /// after it lost its memory. 30 s, as `BrokerConfig.registerNameServerPeriod` has it.
    pub registration_period: Duration,
    /// Whether routes name the queues of an ordered topic, as `mqadmin updateTopic -o true` sets them
    /// (`NamesrvConfig.orderMessageEnable`).
    pub order_message_enable: bool,
    /// How many connections the whole cluster takes; a further one is refused. 1024 by default.
    pub max_connections: usize,
    /// Bytes of everything that all servers keep besides messages: topics and their queues, groups, members and what they subscribe to,
    /// offsets, locks, pulls that wait, questions to clients, values of name servers. What there is no room for is refused with
    /// SYSTEM_ERROR and a remark that says so; but a queue is then just not granted to who would lock it, and a pull does not wait. A
    /// consumer whose heartbeat is refused gets no messages, which only its log says. 64 MiB by default; what a new cluster has, some 20 kB
    /// for each broker and name server, is not counted.
    pub state_bytes: usize,
}

impl Default for ClusterConfig {
    /// One name server at `127.0.0.1:9876`, one broker `broker-a` at `127.0.0.1:10911`.
    fn default() -> Self {
        Self {
            name: "DefaultCluster".into(),
            dialect: Dialect::default(),
            name_servers: vec!["127.0.0.1:9876".into()],
            brokers: vec![BrokerConfig::new("broker-a", "127.0.0.1:10911")],
            registration_period: Duration::from_secs(30),
            order_message_enable: false,
            max_connections: 1024,
            state_bytes: 64 * 1024 * 1024,
        }
    }
}

impl ClusterConfig {
    /// What the cluster keeps at the most, in bytes: the messages of all brokers, but for a newest one that alone is longer than its
    /// broker may keep, and everything else. What waits to be written to clients is the host's, see [`crate::serving`].
    pub fn max_bytes(&self) -> usize {
        self.brokers.iter().map(|broker| broker.limits.message_bytes).fold(self.state_bytes, usize::saturating_add)
    }

    /// A cluster of `name_servers` name servers, 10.0.0.1:9876 and following, and `brokers` brokers, `broker-a` at
    /// 10.0.1.1:10911 and following: addresses for a simulated network. Each number at most 26.
    pub fn with_servers(name_servers: u8, brokers: u8) -> Self {
        let name_servers = (1..=name_servers.min(26)).map(|n| format!("10.0.0.{n}:9876")).collect();
        let broker =
            |n| BrokerConfig::new(format!("broker-{}", char::from(b'a' + n)), format!("10.0.1.{}:10911", n + 1));
        Self { name_servers, brokers: (0..brokers.min(26)).map(broker).collect(), ..Self::default() }
    }
}

/// One broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// Its name.
    pub name: String,
    /// Its address, `host:port`, as routes name it.
    pub address: String,
    /// What it lets clients do at all (`BrokerConfig.brokerPermission`).
    pub permission: Permission,
    /// Whether sending to an unknown topic creates it (`autoCreateTopicEnable`).
    pub auto_create_topics: bool,
    /// How many queues a topic gets at most when sending creates it (`defaultTopicQueueNums`).
    pub default_topic_queue_nums: u32,
    /// Whether an unknown consumer group is created when it first shows up (`autoCreateSubscriptionGroup`).
    pub auto_create_groups: bool,
    /// Whether consumers may filter by SQL (`enablePropertyFilter`).
    pub property_filter: bool,
    /// Whether offsets that administrators set are set at the broker, and not by asking the members that are there
    /// (`useServerSideResetOffset`).
    pub server_side_reset_offset: bool,
    /// Whether a pull that waits at a broker of smartgo's finds what has come: mostly it is woken before that is in its queue,
    /// and finds nothing.
    pub wakes_in_time: bool,
    /// The region that answers and messages name (`regionId`).
    pub region: String,
    /// Whether clients are told to trace (`traceOn`).
    pub trace_on: bool,
    /// The longest body, in bytes (`maxMessageSize`).
    pub max_body_length: usize,
    /// What one pull brings at most, in bytes of stored messages, unless its first message alone is longer
    /// (`maxTransferBytesOnMessageInMemory`).
    pub max_pull_bytes: usize,
    /// What one pull brings at most, in messages (`maxTransferCountOnMessageInMemory`).
    pub max_pull_messages: u32,
    /// The broker's bounds.
    pub limits: Limits,
}

impl BrokerConfig {
    /// A broker called `name` that routes name as `address`, `host:port`, with the defaults of Apache's.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            permission: Permission::READ_WRITE,
            auto_create_topics: true,
            default_topic_queue_nums: 8,
            auto_create_groups: true,
            property_filter: false,
            server_side_reset_offset: true,
            wakes_in_time: false,
            region: "DefaultRegion".into(),
            trace_on: true,
            max_body_length: 4 * 1024 * 1024,
            max_pull_bytes: 256 * 1024,
            max_pull_messages: 32,
            limits: Limits::default(),
        }
    }

    /// The address that messages carry as the one they were stored at: [`Self::address`], or with 127.0.0.1 where that
    /// is a host name, since a stored message has room for numbers only.
    pub(super) fn store_host(&self) -> SocketAddr {
        let port = || self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default();
        self.address.parse().unwrap_or_else(|_| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port()))
    }

    /// The host part of [`Self::address`], which remarks name.
    pub(super) fn host(&self) -> &str {
        self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host)
    }
}

/// What one broker keeps at the most.
///
/// ```
/// use stgclient_servers::Limits;
///
/// let mut limits = Limits::default();
/// limits.message_bytes = 1024 * 1024;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of messages, with what it takes to find them again: the oldest give way, and the first offset of their queues moves. The
    /// newest message is kept whatever its size. 256 MiB by default.
    pub message_bytes: usize,
    /// Queues of one topic. One of more is refused. 16,384 by default.
    pub queues_per_topic: u32,
    /// Pulls that wait for messages. A further one is answered at once. 65,536 by default.
    pub held_pulls: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes: 256 * 1024 * 1024, queues_per_topic: 16_384, held_pulls: 65_536 }
    }
}
