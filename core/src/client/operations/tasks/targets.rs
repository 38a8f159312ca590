//! Whom a task asks.

use std::sync::Arc;

use crate::address::Address;
use crate::admin::Placement;
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::routes::route::{MASTER_ID, RouteBroker, TopicRoute};
use crate::sorted::SortedSet;
use crate::wire::body::{BrokerData, ClusterInfo};

/// Whom to ask what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Broker(Address),
    /// A member of the broker that is called so, which reads for it.
    Reader(Address, Arc<str>),
    /// The master that has a queue, about that queue.
    Queue(Address, MessageQueue),
    /// It follows its master; what it says is not needed. One of 4.9 refuses to delete a topic.
    Slave(Address),
    /// After all brokers, so that no route leads to a topic that is gone.
    NameServer(Address),
}

impl Target {
    pub(crate) const fn address(&self) -> &Address {
        match self {
            Self::Broker(address)
            | Self::Reader(address, _)
            | Self::Queue(address, _)
            | Self::Slave(address)
            | Self::NameServer(address) => address,
        }
    }

    /// The name of the broker, if it matters.
    pub(crate) const fn broker_name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Reader(_, name) => Some(name),
            Self::Queue(_, queue) => Some(&queue.broker_name),
            Self::Broker(_) | Self::Slave(_) | Self::NameServer(_) => None,
        }
    }

    pub(crate) const fn is_name_server(&self) -> bool {
        matches!(self, Self::NameServer(_))
    }

    pub(crate) const fn is_slave(&self) -> bool {
        matches!(self, Self::Slave(_))
    }
}

/// The members of the brokers of a place: its masters, and its slaves that are no masters elsewhere.
pub(super) struct Members {
    pub(super) masters: SortedSet<Address>,
    pub(super) slaves: SortedSet<Address>,
}

impl Members {
    pub(super) fn of(placement: &Placement, clusters: &ClusterInfo) -> Result<Self, Error> {
        let brokers = placed(placement, clusters)?;
        let members = brokers.into_iter().flat_map(|broker| RouteBroker::from_body(broker.clone()).addresses);
        let (masters, slaves): (Vec<_>, Vec<_>) = members.partition(|(id, _)| *id == MASTER_ID);
        let [masters, mut slaves] =
            [masters, slaves].map(|members| members.into_iter().map(|(_, address)| address).collect::<SortedSet<_>>());
        slaves.retain(|address| !masters.contains(address));
        Ok(Self { masters, slaves })
    }
}

/// The masters along a route.
pub(super) fn masters_of(route: &TopicRoute) -> Result<Vec<Target>, Error> {
    let masters = route.brokers.iter().filter_map(|broker| broker.addresses.get(&MASTER_ID));
    let targets: Vec<Target> = masters.cloned().map(Target::Broker).collect();
    if targets.is_empty() {
        return Err(Error::new(ErrorKind::BrokerNotFound, "no broker of the topic has a master"));
    }
    Ok(targets)
}

/// A member of each of these brokers, which reads for it: the master, or while that is away a slave (`BrokerData.selectBrokerAddr`).
pub(super) fn readers_of<'b>(brokers: impl IntoIterator<Item = &'b RouteBroker>) -> Result<Vec<Target>, Error> {
    let reader = |broker: &RouteBroker| {
        let away = || Error::new(ErrorKind::BrokerNotFound, "it has no member").at_broker(&broker.name);
        // The master comes first.
        let member = broker.addresses.values().next();
        member.map(|address| Target::Reader(address.clone(), broker.name.clone())).ok_or_else(away)
    };
    let targets: Vec<Target> = brokers.into_iter().map(reader).collect::<Result<_, _>>()?;
    if targets.is_empty() {
        return Err(Error::new(ErrorKind::BrokerNotFound, "there is no broker"));
    }
    Ok(targets)
}

/// The brokers of all clusters.
pub(super) fn brokers_of(clusters: &ClusterInfo) -> Vec<RouteBroker> {
    clusters.broker_addr_table.values().cloned().map(RouteBroker::from_body).collect()
}

pub(super) fn no_master() -> Error {
    Error::new(ErrorKind::BrokerNotFound, "the name servers know no master there")
}

fn placed<'c>(placement: &Placement, clusters: &'c ClusterInfo) -> Result<Vec<&'c BrokerData>, Error> {
    let brokers = &clusters.broker_addr_table;
    match placement {
        Placement::Everywhere | Placement::Address(_) => Ok(brokers.values().collect()),
        Placement::Cluster(name) => match clusters.cluster_addr_table.get(name) {
            Some(members) => Ok(members.iter().filter_map(|member| brokers.get(member)).collect()),
            None => {
                let known: Vec<_> = clusters.cluster_addr_table.keys().map(String::as_str).collect();
                let why = format!("there is no cluster {name}; the name servers know: {}", known.join(", "));
                Err(Error::new(ErrorKind::InvalidArgument, why))
            }
        },
        Placement::Broker(name) => {
            let broker = brokers.get(name);
            let unknown = || Error::new(ErrorKind::BrokerNotFound, format!("there is no broker {name}"));
            broker.map(|broker| vec![broker]).ok_or_else(unknown)
        }
    }
}
