//! Where topics live: what name servers know.

use crate::sorted::{SortedMap, SortedSet};
use core::fmt;

use serde::Serialize;

use super::bodies;
use crate::wire::json::{Json, Readable};
use crate::wire::odd::OddIn;

bodies! {
    /// The route of a topic (`TopicRouteData`), the answer to GET_ROUTEINFO_BY_TOPIC.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    TopicRouteData {
        /// The brokers that serve it.
        broker_datas: "brokerDatas" = Vec<BrokerData>,
        /// Servers of class filters, which no longer exist; Java wants the field.
        filter_server_table: "filterServerTable" = SortedMap<String, Vec<String>>,
        /// The queues of an ordered topic, `broker:count;broker:count`.
        #[serde(skip_serializing_if = "Option::is_none")]
        order_topic_conf: "orderTopicConf" = Option<String>,
        /// How many queues it has on each broker.
        queue_datas: "queueDatas" = Vec<QueueData>,
    }

    /// The addresses of a broker and its slaves (`BrokerData`).
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    BrokerData {
        /// Addresses, `host:port`, by broker id: 0 is the master, slaves have greater ones, and -1 is a member of a group without a
        /// leader that has no role yet.
        broker_addrs: "brokerAddrs" = SortedMap<i64, String>,
        /// The name that master and slaves share.
        broker_name: "brokerName" = String,
        /// The cluster.
        cluster: "cluster" = String,
        /// Whether a slave may stand in for a lost master.
        enable_acting_master: "enableActingMaster" = bool,
    }

    /// The queues of a topic on a broker (`QueueData`).
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    QueueData as a whole {
        /// The broker's name.
        broker_name: "brokerName" = String,
        /// What may be done with the queues.
        perm: "perm" = Permission,
        /// How many queues can be read: those from 0 to one less.
        read_queue_nums: "readQueueNums" = i32,
        /// Bits of the topic (`TopicSysFlag`), misspelt by RocketMQ before 4.9 and by smartgo.
        topic_sys_flag: "topicSysFlag" | "topicSynFlag" = i32,
        /// How many queues can be written: those from 0 to one less.
        write_queue_nums: "writeQueueNums" = i32,
    }
}

/// What may be done with a topic's queues (`PermName`). Shown as `RWX`, with `-` for what may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Permission(pub i32);

impl Readable for Permission {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        i32::read(value, odd).map(Self)
    }
}

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

bodies! {
    /// Everything a name server knows of its brokers (`ClusterInfo`), the answer to GET_BROKER_CLUSTER_INFO.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    ClusterInfo {
        /// Brokers by name.
        broker_addr_table: "brokerAddrTable" = SortedMap<String, BrokerData>,
        /// Names of brokers by cluster.
        cluster_addr_table: "clusterAddrTable" = SortedMap<String, SortedSet<String>>,
    }
}
