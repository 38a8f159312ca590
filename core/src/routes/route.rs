//! A topic's route: which brokers have its queues, and what may be done with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::address::{Address, AddressError};
use crate::sorted::{SortedMap, SortedSet, sort};
pub use crate::wire::body::Permission;
use crate::wire::body::{BrokerData, TopicRouteData};

/// How many queues a topic may have in a route that we follow; a peer's number never allocates more.
pub const MAX_QUEUES: usize = 65_536;

/// The broker id of a master (`MixAll.MASTER_ID`); slaves have greater ones.
pub const MASTER_ID: u64 = 0;

/// A broker of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteBroker {
    /// The broker's name, which its master and slaves share.
    pub name: Arc<str>,
    /// The cluster it belongs to.
    pub cluster: String,
    /// Where its members listen, by broker id; 0 is the master.
    pub addresses: BTreeMap<u64, Address>,
}

/// A topic's queues at one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteQueues {
    /// The broker's name.
    pub broker_name: Arc<str>,
    /// How many queues can be read.
    pub read: u32,
    /// How many queues can be written.
    pub write: u32,
    /// What may be done with them.
    pub permission: Permission,
}

/// A topic's route, sorted by broker name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicRoute {
    /// The brokers.
    pub brokers: Vec<RouteBroker>,
    /// Their queues.
    pub queues: Vec<RouteQueues>,
    /// The fixed order of an ordered topic's queues: `broker:number;broker:number`.
    pub order_configuration: Option<String>,
}

/// What of a route cannot be followed. It is passed over, and the rest is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A broker's address is none.
    #[error("broker {broker}: {error}")]
    Address {
        /// The broker's name.
        broker: Arc<str>,
        /// What is wrong.
        error: AddressError,
    },
    /// A member has no role: it is part of a group without a leader, and -1 is its id.
    #[error("broker {broker}: the member at {address} has no role (its id is {id})")]
    NoRole {
        /// The broker's name.
        broker: Arc<str>,
        /// Where the member listens.
        address: String,
        /// Its id.
        id: i64,
    },
    /// More queues than any topic has.
    #[error("broker {broker}: more than {MAX_QUEUES} queues")]
    TooManyQueues {
        /// The broker's name.
        broker: Arc<str>,
    },
    /// A broker is named more than once. What is said of it first counts.
    #[error("broker {0}: it is named more than once")]
    NamedTwice(Arc<str>),
    /// A part of the order configuration is not `broker:number`.
    #[error("malformed order configuration {0:?}")]
    OrderConfiguration(String),
}

/// Where a queue is: a broker's name and the queue's number there.
pub type BrokerQueue<'a> = (&'a Arc<str>, u32);

impl TopicRoute {
    /// Reads a name server's answer. Beside the route stands what of it is passed over.
    pub fn from_body(data: TopicRouteData) -> (Self, Vec<RouteError>) {
        let mut odd = Vec::new();
        let mut brokers: Vec<_> =
            data.broker_datas.into_iter().map(|broker| RouteBroker::read(broker, &mut odd)).collect();
        sort_each_once(&mut brokers, |broker| &broker.name, &mut odd);
        let mut count = 0_u64;
        let mut queues = Vec::with_capacity(data.queue_datas.len());
        for data in data.queue_datas {
            let broker_name: Arc<str> = data.broker_name.into();
            let number = |number: i32| u32::try_from(number).unwrap_or(0);
            let (read, write) = (number(data.read_queue_nums), number(data.write_queue_nums));
            if count + u64::from(read.max(write)) > MAX_QUEUES as u64 {
                note(&mut odd, || RouteError::TooManyQueues { broker: shown(&broker_name).into() });
                continue;
            }
            count += u64::from(read.max(write));
            queues.push(RouteQueues { broker_name, read, write, permission: data.perm });
        }
        sort_each_once(&mut queues, |queues| &queues.broker_name, &mut odd);
        let mut route = Self { brokers, queues, order_configuration: None };
        let order = data.order_topic_conf.filter(|text| !text.is_empty());
        // One of which nothing can be read is none.
        let is_followed = |text: &String| order_of(text, &mut odd) > 0 || text.trim_matches(';').is_empty();
        route.order_configuration = order.filter(is_followed);
        (route, odd)
    }

    /// The broker called `name`.
    pub fn broker(&self, name: &str) -> Option<&RouteBroker> {
        let at = self.brokers.binary_search_by(|broker| (*broker.name).cmp(name)).ok()?;
        self.brokers.get(at)
    }

    /// Whether one of the brokers, or the cluster of one, is called so.
    pub(crate) fn is_of_server(&self, name: &str) -> bool {
        self.brokers.iter().any(|broker| &*broker.name == name || broker.cluster == name)
    }

    /// Where the master of the broker called `name` listens.
    pub fn master(&self, name: &str) -> Option<&Address> {
        self.broker(name)?.addresses.get(&MASTER_ID)
    }

    /// The queues to send to (`MQClientInstance.topicRouteData2TopicPublishInfo`): those of the order configuration if
    /// there is one, else the writable ones of brokers that have a master.
    pub fn writable(&self) -> Vec<BrokerQueue<'_>> {
        if let Some(text) = &self.order_configuration {
            return self.ordered_places(text);
        }
        let usable = self
            .queues
            .iter()
            .filter(|queues| queues.permission.is_writable() && self.master(&queues.broker_name).is_some());
        usable.flat_map(|queues| (0..queues.write).map(|id| (&queues.broker_name, id))).collect()
    }

    /// The queues to pull from (`MQClientInstance.topicRouteData2TopicSubscribeInfo`): a slave will do.
    pub fn readable(&self) -> Vec<BrokerQueue<'_>> {
        let usable = self.queues.iter().filter(|queues| queues.permission.is_readable());
        usable.flat_map(|queues| (0..queues.read).map(|id| (&queues.broker_name, id))).collect()
    }

    /// This route of the default topic, as a topic that does not exist yet inherits it: at most `queues` queues.
    pub(crate) fn inherited(mut self, queues: u32) -> Self {
        for data in &mut self.queues {
            let count = queues.min(data.read);
            (data.read, data.write) = (count, count);
        }
        self.order_configuration = None;
        self
    }

    /// This route with more brokers, of so many queues each.
    pub(crate) fn extended(mut self, brokers: Vec<RouteBroker>, queues: u32) -> Self {
        let of_broker = |broker: &RouteBroker| RouteQueues {
            broker_name: broker.name.clone(),
            read: queues,
            write: queues,
            permission: Permission::READ_WRITE,
        };
        self.queues.extend(brokers.iter().map(of_broker));
        self.brokers.extend(brokers);
        sort(&mut self.brokers, |a, b| a.name.cmp(&b.name));
        sort(&mut self.queues, |a, b| a.broker_name.cmp(&b.broker_name));
        self
    }

    /// What of this route leads to brokers that have the topic, with so many queues of it each at the most.
    pub(crate) fn at_brokers(mut self, has: &SortedMap<Arc<str>, u32>) -> Self {
        self.brokers.retain(|broker| has.contains_key(&broker.name));
        self.queues.retain_mut(|data| {
            let count = has.get(&data.broker_name).map(|count| data.read.min(*count));
            let count_or_none = count.unwrap_or_default();
            (data.read, data.write, data.permission) = (count_or_none, count_or_none, Permission::READ_WRITE);
            count.is_some()
        });
        self
    }

    fn ordered_places(&self, text: &str) -> Vec<BrokerQueue<'_>> {
        let mut named = SortedSet::new();
        let parts = order_parts(text).filter_map(Result::ok).filter(move |(name, _)| named.insert(*name));
        // A broker that the route does not name has no address to send to.
        let known = parts.filter_map(|(name, count)| Some((&self.broker(name)?.name, count)));
        known.flat_map(|(name, count)| (0..count).map(move |id| (name, id))).collect()
    }
}

/// How many odd parts of a route are noted, and how much of a text is shown, in characters: a name server may write millions.
const MOST_NOTED: usize = 64;
const MOST_SHOWN: usize = 128;

/// Notes that a part of a route is odd.
fn note(odd: &mut Vec<RouteError>, error: impl FnOnce() -> RouteError) {
    if odd.len() < MOST_NOTED {
        odd.push(error());
    }
}

/// A text, but not at any length.
fn shown(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}

/// Sorts what a route says of brokers by their names. Of what is said twice the first counts: two members that share a
/// queue as two would both own it.
fn sort_each_once<T>(parts: &mut Vec<T>, name: impl Fn(&T) -> &Arc<str>, odd: &mut Vec<RouteError>) {
    sort(parts, |a, b| name(a).cmp(name(b)));
    parts.dedup_by(|later, first| {
        let is_twice = name(later) == name(first);
        if is_twice {
            note(odd, || RouteError::NamedTwice(shown(name(first)).into()));
        }
        is_twice
    });
}

impl RouteBroker {
    /// The broker that a body describes, without what of it is odd.
    pub(crate) fn from_body(data: BrokerData) -> Self {
        Self::read(data, &mut Vec::new())
    }

    fn read(data: BrokerData, odd: &mut Vec<RouteError>) -> Self {
        let name: Arc<str> = data.broker_name.into();
        let mut addresses = BTreeMap::new();
        for (id, text) in data.broker_addrs {
            match (u64::try_from(id), text.parse()) {
                (Ok(id), Ok(address)) => {
                    addresses.insert(id, address);
                }
                (Ok(_), Err(error)) => note(odd, || RouteError::Address { broker: shown(&name).into(), error }),
                (Err(_), _) => {
                    note(odd, || RouteError::NoRole { broker: shown(&name).into(), address: shown(&text), id });
                }
            }
        }
        Self { name, cluster: data.cluster, addresses }
    }
}

/// The parts of an order configuration, `broker:number;broker:number`, with all numbers together in bounds.
fn order_parts(text: &str) -> impl Iterator<Item = Result<(&str, u32), RouteError>> {
    let mut count = 0_usize;
    text.split(';').filter(|part| !part.is_empty()).map(move |part| {
        let malformed = || RouteError::OrderConfiguration(shown(part));
        let (name, number) = part.split_once(':').ok_or_else(malformed)?;
        let number: u32 = number.parse().map_err(|_| malformed())?;
        if number as usize > MAX_QUEUES - count {
            return Err(RouteError::TooManyQueues { broker: shown(name).into() });
        }
        count += number as usize;
        Ok((name, number))
    })
}

/// How many parts of an order configuration can be followed; the others are noted.
fn order_of(text: &str, odd: &mut Vec<RouteError>) -> usize {
    let parts = order_parts(text);
    parts.filter_map(|part| part.map_err(|error| note(odd, || error)).ok()).count()
}

#[cfg(test)]
mod tests;
