//! Brokers by name: where their master and slaves listen, and how they fared lately.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::route::{MASTER_ID, RouteBroker};
use crate::address::Address;
use crate::metrics::SendCounters;
use crate::sorted::{SortedMap, SortedSet};
use crate::table::{Id, Table};

pub(crate) type BrokerId = Id<Broker>;

/// A master and its slaves.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) name: Arc<str>,
    pub(crate) addresses: BTreeMap<u64, Address>,
    /// The sends whose last try was here.
    pub(crate) sends: SendCounters,
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

/// Of how many brokers that are gone it is kept what was sent to each.
const MOST_PAST: usize = 256;

/// The brokers that some topic's route names.
#[derive(Debug, Default)]
pub(crate) struct Brokers {
    table: Table<Broker>,
    by_name: SortedMap<Arc<str>, BrokerId>,
    by_address: SortedSet<(Address, BrokerId)>,
    /// Those whose masters are others now, and those that are gone.
    lost: Vec<Arc<str>>,
    /// The sends to those that are gone.
    past_sends: SortedMap<Arc<str>, SendCounters>,
    /// The sends that had none, and those to some that are gone when there are too many.
    other_sends: SendCounters,
}

impl Brokers {
    pub(crate) fn get(&self, id: BrokerId) -> Option<&Broker> {
        self.table.get(id)
    }

    /// What is counted of the sends of a broker, or of those that have none.
    pub(crate) fn sends_of(&mut self, id: Option<BrokerId>) -> &mut SendCounters {
        match id.and_then(|id| self.table.get_mut(id)) {
            Some(broker) => &mut broker.sends,
            None => &mut self.other_sends,
        }
    }

    /// What is counted of the sends to each broker that there is or was, and then of all others.
    pub(crate) fn sends(&self) -> (BTreeMap<Arc<str>, SendCounters>, SendCounters) {
        let mut sends = self.past_sends.clone();
        for broker in self.iter() {
            let all = sends.get_or_default(broker.name.clone());
            *all = all.plus(&broker.sends);
        }
        (sends.into_iter().collect(), self.other_sends)
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

    /// The brokers one of whose members listens at `address`.
    pub(crate) fn at<'b>(&'b self, address: &Address) -> impl Iterator<Item = &'b Broker> + use<'b> {
        let address = address.clone();
        let from = self.by_address.iter_from(&(address.clone(), BrokerId::FIRST));
        from.take_while(move |(known, _)| *known == address).filter_map(|(_, id)| self.table.get(*id))
    }

    pub(crate) const fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The brokers that are not what they were since this was asked last: their masters are others, or they are gone.
    pub(crate) fn take_lost(&mut self) -> Vec<Arc<str>> {
        core::mem::take(&mut self.lost)
    }

    /// Takes what a route says of a broker: the newest route is right about addresses. Those that nobody has had before
    /// are added to `new`.
    pub(crate) fn learn(&mut self, broker: &RouteBroker, new: &mut Vec<(u64, Address)>) -> BrokerId {
        let id = self.by_name.get(&broker.name).copied().unwrap_or_else(|| {
            let id = self.table.insert(Broker {
                name: broker.name.clone(),
                addresses: BTreeMap::new(),
                sends: SendCounters::default(),
            });
            self.by_name.insert(broker.name.clone(), id);
            id
        });
        if self.table.get(id).is_some_and(|known| known.addresses != broker.addresses) {
            let unknown = broker.addresses.iter().filter(|(_, address)| self.at(address).next().is_none());
            new.extend(unknown.map(|(id, address)| (*id, address.clone())));
            self.set_addresses(id, broker.addresses.clone());
        }
        id
    }

    fn set_addresses(&mut self, id: BrokerId, addresses: BTreeMap<u64, Address>) {
        let Some(broker) = self.table.get_mut(id) else {
            return;
        };
        if broker.master().is_some_and(|master| addresses.get(&MASTER_ID) != Some(master)) {
            self.lost.push(broker.name.clone());
        }
        for address in broker.addresses.values() {
            self.by_address.remove(&(address.clone(), id));
        }
        self.by_address.extend(addresses.values().map(|address| (address.clone(), id)));
        broker.addresses = addresses;
    }

    /// Forgets the brokers that no route names any more.
    pub(crate) fn retain(&mut self, routed: &SortedSet<BrokerId>) {
        for id in self.table.ids() {
            if routed.contains(&id) {
                continue;
            }
            self.set_addresses(id, BTreeMap::new());
            if let Some(broker) = self.table.remove(id) {
                self.by_name.remove(&broker.name);
                if self.past_sends.len() >= MOST_PAST {
                    let past = core::mem::take(&mut self.past_sends);
                    self.other_sends = past.values().fold(self.other_sends, |sum, sends| sum.plus(sends));
                }
                let past = self.past_sends.get_or_default(broker.name);
                *past = past.plus(&broker.sends);
            }
        }
    }
}

#[cfg(test)]
mod tests;
