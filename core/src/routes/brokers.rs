//! Brokers by name: where their master and slaves listen, and how they fared lately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::route::{MASTER_ID, RouteBroker};
use crate::address::Address;
use crate::table::{Id, Table};

pub(crate) type BrokerId = Id<Broker>;

/// A master and its slaves.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) name: Arc<str>,
    pub(crate) addresses: BTreeMap<u64, Address>,
}

impl Broker {
    pub(crate) fn master(&self) -> Option<&Address> {
        self.addresses.get(&MASTER_ID)
    }

    /// Where to read from: the member that was suggested, else the next slave, else any, as
    /// `MQClientInstance.findBrokerAddressInSubscribe` does.
    pub(crate) fn readable(&self, suggested: u64) -> Option<&Address> {
        self.addresses.get(&suggested).or_else(|| {
            let next = suggested.checked_add(1).and_then(|next| self.addresses.get(&next));
            next.or_else(|| self.addresses.values().next())
        })
    }
}

/// The brokers that some topic's route names.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    table: Table<Broker>,
    by_name: BTreeMap<Arc<str>, BrokerId>,
}

impl Brokers {
    pub(crate) fn get(&self, id: BrokerId) -> Option<&Broker> {
        self.table.get(id)
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<BrokerId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Broker> {
        self.table.get(self.id_of(name)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Broker> {
        self.table.iter().map(|(_, broker)| broker)
    }

    /// Takes what a route says of a broker: the newest route is right about addresses.
    pub(crate) fn learn(&mut self, broker: &RouteBroker) -> BrokerId {
        if let Some(&id) = self.by_name.get(&broker.name)
            && let Some(known) = self.table.get_mut(id)
        {
            known.addresses.clone_from(&broker.addresses);
            return id;
        }
        let id = self.table.insert(Broker { name: broker.name.clone(), addresses: broker.addresses.clone() });
        self.by_name.insert(broker.name.clone(), id);
        id
    }

    /// Forgets the brokers that no route names any more.
    pub(crate) fn retain(&mut self, routed: &BTreeSet<BrokerId>) {
        for id in self.table.ids() {
            if !routed.contains(&id)
                && let Some(broker) = self.table.remove(id)
            {
                self.by_name.remove(&broker.name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
