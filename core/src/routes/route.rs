//! A topic's route: which brokers have its queues, and what may be done with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::address::{Address, AddressError};
pub use crate::wire::body::Permission;
use crate::wire::body::TopicRouteData;

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
pub struct TopicRoute {
    /// The brokers.
    pub brokers: Vec<RouteBroker>,
    /// Their queues.
    pub queues: Vec<RouteQueues>,
    /// The fixed order of an ordered topic's queues: `broker:number;broker:number`.
    pub order_configuration: Option<String>,
}

/// Why a route cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
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
    /// More queues than any topic has.
    #[error("the route has more than {MAX_QUEUES} queues")]
    TooManyQueues,
    /// The order configuration is not `broker:number;broker:number`.
    #[error("malformed order configuration {0:?}")]
    OrderConfiguration(String),
}

/// Where a queue is: a broker's name and the queue's number there.
pub type Place<'a> = (&'a Arc<str>, u32);

impl TopicRoute {
    /// Reads a name server's answer.
    ///
    /// # Errors
    /// An address is none, or there are too many queues.
    pub fn from_body(data: TopicRouteData) -> Result<Self, RouteError> {
        let mut brokers = Vec::with_capacity(data.broker_datas.len());
        for broker in data.broker_datas {
            let name: Arc<str> = broker.broker_name.into();
            let addresses = broker.broker_addrs.into_iter().map(|(id, address)| {
                let address = address.parse();
                address
                    .map(|address| (id, address))
                    .map_err(|error| RouteError::Address { broker: name.clone(), error })
            });
            let addresses = addresses.collect::<Result<_, _>>()?;
            brokers.push(RouteBroker { name, cluster: broker.cluster, addresses });
        }
        brokers.sort_by(|a, b| a.name.cmp(&b.name));
        let queues = data.queue_datas.into_iter().map(|queues| RouteQueues {
            broker_name: queues.broker_name.into(),
            read: u32::try_from(queues.read_queue_nums).unwrap_or(0),
            write: u32::try_from(queues.write_queue_nums).unwrap_or(0),
            permission: queues.perm,
        });
        let mut queues: Vec<_> = queues.collect();
        queues.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
        let order_configuration = data.order_topic_conf.filter(|text| !text.is_empty());
        let route = Self { brokers, queues, order_configuration };
        let count: u64 = route.queues.iter().map(|queues| u64::from(queues.read.max(queues.write))).sum();
        if count > MAX_QUEUES as u64 {
            return Err(RouteError::TooManyQueues);
        }
        route.ordered_places()?;
        Ok(route)
    }

    /// The broker called `name`.
    pub fn broker(&self, name: &str) -> Option<&RouteBroker> {
        let at = self.brokers.binary_search_by(|broker| (*broker.name).cmp(name)).ok()?;
        self.brokers.get(at)
    }

    /// Where the master of the broker called `name` listens.
    pub fn master(&self, name: &str) -> Option<&Address> {
        self.broker(name)?.addresses.get(&MASTER_ID)
    }

    /// The queues to send to (`MQClientInstance.topicRouteData2TopicPublishInfo`): those of the order configuration if
    /// there is one, else the writable ones of brokers that have a master.
    pub fn writable(&self) -> Vec<Place<'_>> {
        if let Ok(places) = self.ordered_places()
            && self.order_configuration.is_some()
        {
            return places;
        }
        let usable = self
            .queues
            .iter()
            .filter(|queues| queues.permission.is_writable() && self.master(&queues.broker_name).is_some());
        usable.flat_map(|queues| (0..queues.write).map(|id| (&queues.broker_name, id))).collect()
    }

    /// The queues to pull from (`MQClientInstance.topicRouteData2TopicSubscribeInfo`): a slave will do.
    pub fn readable(&self) -> Vec<Place<'_>> {
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

    fn ordered_places(&self) -> Result<Vec<Place<'_>>, RouteError> {
        let mut places = Vec::new();
        let text = self.order_configuration.as_deref().unwrap_or_default();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let malformed = || RouteError::OrderConfiguration(text.chars().take(128).collect());
            let (name, count) = part.split_once(':').ok_or_else(malformed)?;
            let count: u32 = count.parse().map_err(|_| malformed())?;
            if count as usize > MAX_QUEUES - places.len() {
                return Err(RouteError::TooManyQueues);
            }
            // A broker that the route does not name has no address to send to.
            if let Some(broker) = self.broker(name) {
                places.extend((0..count).map(|id| (&broker.name, id)));
            }
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests;
