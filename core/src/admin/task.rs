//! Tasks of several requests: what has to be known first, whom to ask, and what the answers add up to.

use std::collections::BTreeSet;

use super::statistics::TopicStatistics;
use super::topic::{Placement, TopicSettings};
use crate::address::Address;
use crate::error::{Error, ErrorKind};
use crate::gather::Gather;
use crate::producer::check_topic;
use crate::routes::route::{MASTER_ID, RouteBroker, TopicRoute};
use crate::wire::body::{self, BrokerData, ClusterInfo, TopicStatsTable};
use crate::wire::code::ResponseCode;
use crate::wire::command::Command;

/// A task.
#[derive(Debug)]
pub(crate) enum Task {
    CreateTopic { topic: String, settings: TopicSettings, placement: Placement },
    DeleteTopic { topic: String, placement: Placement },
    TopicStatistics { topic: String, found: TopicStatistics },
}

/// What has to be known before anybody can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Needs<'a> {
    Nothing,
    ClusterInfo,
    Route(&'a str),
}

/// Whom to ask what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Broker(Address),
    /// It follows its master; what it says is not needed. One of 4.9 refuses to delete a topic.
    Slave(Address),
    /// After all brokers, so that no route leads to a topic that is gone.
    NameServer(Address),
}

impl Target {
    pub(crate) const fn address(&self) -> &Address {
        match self {
            Self::Broker(address) | Self::Slave(address) | Self::NameServer(address) => address,
        }
    }

    pub(crate) const fn is_name_server(&self) -> bool {
        matches!(self, Self::NameServer(_))
    }

    pub(crate) const fn is_slave(&self) -> bool {
        matches!(self, Self::Slave(_))
    }
}

impl Task {
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_topic(self.topic())?;
        match self {
            Self::CreateTopic { settings, .. } => settings.check(),
            Self::DeleteTopic { .. } | Self::TopicStatistics { .. } => Ok(()),
        }
    }

    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::CreateTopic { topic, .. } | Self::DeleteTopic { topic, .. } | Self::TopicStatistics { topic, .. } => {
                topic
            }
        }
    }

    /// What the task does, for errors.
    pub(crate) fn words(&self) -> String {
        let verb = match self {
            Self::CreateTopic { .. } => "create topic",
            Self::DeleteTopic { .. } => "delete topic",
            Self::TopicStatistics { .. } => "statistics of topic",
        };
        format!("{verb} {}", self.topic())
    }

    pub(crate) fn needs(&self) -> Needs<'_> {
        match self {
            Self::CreateTopic { placement: Placement::Address(_), .. }
            | Self::DeleteTopic { placement: Placement::Address(_), .. } => Needs::Nothing,
            Self::CreateTopic { .. } | Self::DeleteTopic { .. } => Needs::ClusterInfo,
            Self::TopicStatistics { topic, .. } => Needs::Route(topic),
        }
    }

    /// Whom to ask when nothing had to be known.
    pub(crate) fn given_targets(&self) -> Vec<Target> {
        match self {
            Self::CreateTopic { placement: Placement::Address(address), .. }
            | Self::DeleteTopic { placement: Placement::Address(address), .. } => vec![Target::Broker(address.clone())],
            _ => Vec::new(),
        }
    }

    /// Whom to ask in these clusters.
    pub(crate) fn cluster_targets<'a>(
        &self,
        clusters: &ClusterInfo,
        name_servers: impl Iterator<Item = &'a Address>,
    ) -> Result<Vec<Target>, Error> {
        let (placement, deletes) = match self {
            Self::CreateTopic { placement, .. } => (placement, false),
            Self::DeleteTopic { placement, .. } => (placement, true),
            Self::TopicStatistics { .. } => return Ok(Vec::new()),
        };
        let brokers = placed(placement, clusters)?;
        // A topic is created at masters, which tell their slaves, and deleted at every member.
        let members = brokers.into_iter().flat_map(|broker| RouteBroker::from_body(broker.clone()).addresses);
        let (masters, slaves): (Vec<_>, Vec<_>) = members.partition(|(id, _)| *id == MASTER_ID);
        let [masters, mut slaves] =
            [masters, slaves].map(|members| members.into_iter().map(|(_, address)| address).gather::<BTreeSet<_>>());
        if masters.is_empty() && (slaves.is_empty() || !deletes) {
            return Err(Error::new(ErrorKind::BrokerNotFound, "the name servers know no master there"));
        }
        slaves.retain(|address| deletes && !masters.contains(address));
        let everywhere = deletes && *placement == Placement::Everywhere;
        let name_servers = name_servers.filter(|_| everywhere).cloned().map(Target::NameServer);
        let brokers = masters.into_iter().map(Target::Broker).chain(slaves.into_iter().map(Target::Slave));
        Ok(brokers.chain(name_servers).collect())
    }

    /// Whom to ask along this route.
    pub(crate) fn route_targets(&self, route: &TopicRoute) -> Result<Vec<Target>, Error> {
        let masters = route.brokers.iter().filter_map(|broker| broker.addresses.get(&MASTER_ID));
        let targets: Vec<Target> = masters.cloned().map(Target::Broker).collect();
        if targets.is_empty() {
            return Err(Error::new(ErrorKind::BrokerNotFound, "no broker of the topic has a master"));
        }
        Ok(targets)
    }

    /// Takes one answer.
    pub(crate) fn take(&mut self, answer: &Command) -> Result<(), Error> {
        let code = ResponseCode(answer.code);
        match self {
            // Deleting what is not there is done already.
            Self::DeleteTopic { .. } if code == ResponseCode::TOPIC_NOT_EXIST => Ok(()),
            _ if code != ResponseCode::SUCCESS => Err(Error::refused(code, answer.remark.as_deref())),
            Self::TopicStatistics { found, .. } => {
                let table: TopicStatsTable = body::from_slice(&answer.body)
                    .map_err(|error| Error::new(ErrorKind::MalformedAnswer, error.to_string()))?;
                found.add(table);
                Ok(())
            }
            Self::CreateTopic { .. } | Self::DeleteTopic { .. } => Ok(()),
        }
    }
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
