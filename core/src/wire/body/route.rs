//! Where topics live: what name servers know.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lenient::readable;
use super::null_as_default;

/// The route of a topic (`TopicRouteData`), the answer to GET_ROUTEINFO_BY_TOPIC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// The brokers that serve it.
    #[serde(deserialize_with = "readable")]
    pub broker_datas: Vec<BrokerData>,
    /// Servers of class filters, which no longer exist; Java wants the field.
    #[serde(deserialize_with = "readable")]
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// The queues of an ordered topic, `broker:count;broker:count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// How many queues it has on each broker.
    #[serde(deserialize_with = "readable")]
    pub queue_datas: Vec<QueueData>,
}

/// The addresses of a broker and its slaves (`BrokerData`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Addresses, `host:port`, by broker id: 0 is the master, slaves have greater ones, and -1 is a member of a group without a
    /// leader that has no role yet.
    #[serde(deserialize_with = "readable")]
    pub broker_addrs: BTreeMap<i64, String>,
    /// The name that master and slaves share.
    #[serde(deserialize_with = "null_as_default")]
    pub broker_name: String,
    /// The cluster.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster: String,
    /// Whether a slave may stand in for a lost master.
    pub enable_acting_master: bool,
}

/// The queues of a topic on a broker (`QueueData`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// The broker's name.
    #[serde(deserialize_with = "null_as_default")]
    pub broker_name: String,
    /// What may be done with the queues.
    pub perm: Permission,
    /// How many queues can be read: those from 0 to one less.
    pub read_queue_nums: i32,
    /// Bits of the topic (`TopicSysFlag`), misspelt by RocketMQ before 4.9 and by smartgo.
    #[serde(alias = "topicSynFlag")]
    pub topic_sys_flag: i32,
    /// How many queues can be written: those from 0 to one less.
    pub write_queue_nums: i32,
}

/// What may be done with a topic's queues (`PermName`). Shown as `RWX`, with `-` for what may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permission(pub i32);

impl Permission {
    /// New topics may inherit from this one.
    pub const INHERIT: Self = Self(1);
    /// Messages can be sent.
    pub const WRITE: Self = Self(1 << 1);
    /// Messages can be pulled.
    pub const READ: Self = Self(1 << 2);
    /// Messages can be sent and pulled.
    pub const READ_WRITE: Self = Self(Self::READ.0 | Self::WRITE.0);

    /// Whether messages can be pulled.
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READ.0 != 0
    }

    /// Whether messages can be sent.
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITE.0 != 0
    }

    /// Whether new topics may inherit.
    pub const fn is_inherited(self) -> bool {
        self.0 & Self::INHERIT.0 != 0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = if self.is_readable() { "R" } else { "-" };
        let write = if self.is_writable() { "W" } else { "-" };
        let inherit = if self.is_inherited() { "X" } else { "-" };
        write!(f, "{read}{write}{inherit}")
    }
}

/// Everything a name server knows of its brokers (`ClusterInfo`), the answer to GET_BROKER_CLUSTER_INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Brokers by name.
    #[serde(deserialize_with = "readable")]
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Names of brokers by cluster.
    #[serde(deserialize_with = "readable")]
    pub cluster_addr_table: BTreeMap<String, BTreeSet<String>>,
}
