//! The connections by address, and what their host has to do.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::address::Address;
use crate::client::base::client_event::{ClientEvent, ClientState};
use crate::client::base::event::Action;
use crate::client::base::ids::{ConnectionId, Owner, PeerId, PeerKind};
use crate::connection::{Connection, ConnectionConfig, ConnectionCounters, Established, Outbox};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Deadline, Instant};
use crate::timed_table::TimedTable;
use crate::wire::signature::Signer;

#[derive(Debug)]
pub(crate) struct Network {
    peers: TimedTable<Connection<Owner>, PeerKind>,
    by_address: SortedMap<Address, PeerId>,
    /// By the slot of a broker, where its master was last: to look there takes no longer for many brokers.
    masters: Vec<PeerId>,
    config: ConnectionConfig,
    signer: Option<Arc<Signer>>,
    actions: VecDeque<Action>,
    /// What the application may follow.
    pub(crate) client_events: VecDeque<ClientEvent>,
    /// The addresses of connections that have stood and ended, however they did.
    ended: Vec<Address>,
    opaque: i32,
    oneway_opaque: i32,
    /// The counters of connections that are gone.
    past: ConnectionCounters,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// How often a connection stood to a server that there had been one to.
    pub(crate) reconnects: u64,
    /// Bodies of the application that were never written, if the host wants them.
    unwritten: Option<Vec<Outbox>>,
}

impl Network {
    pub(crate) fn new(config: ConnectionConfig) -> Self {
        Self {
            peers: TimedTable::default(),
            by_address: SortedMap::new(),
            masters: Vec::new(),
            config,
            signer: None,
            actions: VecDeque::new(),
            client_events: VecDeque::new(),
            ended: Vec::new(),
            opaque: 0,
            oneway_opaque: 0,
            bytes_sent: 0,
            bytes_received: 0,
            reconnects: 0,
            unwritten: None,
            past: ConnectionCounters::default(),
        }
    }

    /// The peer at `address`.
    pub(crate) fn peer(&mut self, address: &Address) -> PeerId {
        if let Some(&peer) = self.by_address.get(address) {
            return peer;
        }
        let mut connection = Connection::new(address.clone(), self.config.clone());
        connection.set_signer(self.signer.clone());
        let peer = self.peers.insert(connection);
        self.by_address.insert(address.clone(), peer);
        peer
    }

    /// From now on every request is signed by this one, also those that have been refused and are tried again.
    pub(crate) fn set_signer(&mut self, signer: Option<Arc<Signer>>) {
        for peer in self.peers.ids() {
            if let Some(connection) = self.peers.get_mut(peer) {
                connection.set_signer(signer.clone());
            }
        }
        self.signer = signer;
    }

    pub(crate) fn find(&self, address: &Address) -> Option<&Connection<Owner>> {
        self.peers.get(*self.by_address.get(address)?)
    }

    /// As [`Self::peer`], at the address of a broker's master.
    pub(crate) fn master(&mut self, slot: usize, address: &Address) -> PeerId {
        if let Some(peer) = self.known_master(slot, address) {
            return peer;
        }
        let peer = self.peer(address);
        if slot >= self.masters.len() {
            self.masters.resize(slot + 1, PeerId::FIRST);
        }
        self.masters[slot] = peer;
        peer
    }

    /// As [`Self::find`], at the address of a broker's master.
    pub(crate) fn find_master(&self, slot: usize, address: &Address) -> Option<&Connection<Owner>> {
        match self.known_master(slot, address) {
            Some(peer) => self.peers.get(peer),
            None => self.find(address),
        }
    }

    /// It is still the master's, if it is there at all and at this address.
    fn known_master(&self, slot: usize, address: &Address) -> Option<PeerId> {
        let peer = *self.masters.get(slot)?;
        (self.peers.get(peer)?.address() == address).then_some(peer)
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<&Connection<Owner>> {
        self.peers.get(peer)
    }

    pub(crate) fn ids(&self) -> Vec<PeerId> {
        self.peers.ids()
    }

    /// Does something with a connection, and lets its host know what follows.
    pub(crate) fn with<R>(&mut self, peer: PeerId, act: impl FnOnce(&mut Connection<Owner>) -> R) -> Option<R> {
        let connection = self.peers.get_mut(peer)?;
        let result = act(connection);
        if connection.has_wishes() {
            self.take_wishes(peer);
        }
        Some(result)
    }

    fn take_wishes(&mut self, peer: PeerId) {
        let Some(connection) = self.peers.get_mut(peer) else {
            return;
        };
        let wishes = connection.take_wishes();
        if let Some(attempt) = wishes.close {
            self.actions.push_back(Action::Close { connection: ConnectionId { peer, attempt } });
        }
        if let Some(attempt) = wishes.connect {
            let address = connection.address().clone();
            self.actions.push_back(Action::Connect { connection: ConnectionId { peer, attempt }, address });
        }
        if wishes.ended {
            let (address, reason) = (connection.address().clone(), connection.failure().to_owned());
            self.ended.push(address.clone());
            self.client_events.push_back(ClientEvent::Disconnected { address, reason });
        }
        if wishes.flush {
            let connection = ConnectionId { peer, attempt: connection.attempt() };
            self.actions.push_back(Action::Flush { connection });
        }
        if let Some(unwritten) = connection.take_unwritten()
            && let Some(kept) = &mut self.unwritten
        {
            kept.push(unwritten);
        }
    }

    /// From now on, bodies that were never written are kept for the host.
    pub(crate) fn keep_unwritten(&mut self) {
        self.unwritten.get_or_insert_default();
    }

    pub(crate) fn take_unwritten(&mut self) -> Vec<Outbox> {
        self.unwritten.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Does something on a connection that stands; `None` when it does not.
    #[must_use]
    pub(crate) fn on_established<R>(
        &mut self,
        peer: PeerId,
        act: impl FnOnce(&mut Established<'_, Owner>) -> R,
    ) -> Option<R> {
        self.with(peer, |connection| connection.established().map(|mut established| act(&mut established))).flatten()
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The number of the next request. Starts at 1: an answer without a number reads as 0.
    pub(crate) const fn next_opaque(&mut self) -> i32 {
        self.opaque = if self.opaque == i32::MAX { 1 } else { self.opaque + 1 };
        self.opaque
    }

    /// The number of the next request without an answer: negative, so that an answer that comes all the same is known.
    pub(crate) const fn next_oneway_opaque(&mut self) -> i32 {
        self.oneway_opaque = if self.oneway_opaque == i32::MIN { -1 } else { self.oneway_opaque - 1 };
        self.oneway_opaque
    }

    pub(crate) fn poll_timeout(&mut self) -> Option<Deadline> {
        self.peers.next()
    }

    /// The peers that have something to do.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<PeerId> {
        self.peers.due(now)
    }

    pub(crate) const fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The addresses whose connections have ended since this was asked last.
    pub(crate) fn take_ended(&mut self) -> Vec<Address> {
        core::mem::take(&mut self.ended)
    }

    /// Disconnects the peers whose addresses nobody knows any more and who owe nothing, and forgets them.
    pub(crate) fn retain(&mut self, known: &SortedSet<Address>) {
        for peer in self.peers.ids() {
            let Some(connection) = self.peers.get(peer) else {
                continue;
            };
            if known.contains(connection.address()) || connection.is_owing() {
                continue;
            }
            self.with(peer, |connection| connection.close("no route names the server any more"));
            if let Some(gone) = self.peers.remove(peer) {
                self.by_address.remove(gone.address());
                self.past = self.past.plus(&gone.counters());
            }
        }
    }

    /// The addresses of the connections that stand.
    pub(crate) fn standing(&self) -> impl Iterator<Item = &Address> {
        self.peers.iter().filter(|(_, connection)| connection.is_standing()).map(|(_, connection)| connection.address())
    }

    /// How the connections are that somebody needed.
    pub(crate) fn state(&self) -> ClientState {
        let are_away = self.peers.iter().any(|(_, connection)| connection.is_away());
        match (self.standing().next().is_some(), are_away) {
            (true, false) => ClientState::Connected,
            (true, true) => ClientState::Degraded,
            (false, _) => ClientState::Disconnected,
        }
    }

    pub(crate) fn counters(&self) -> ConnectionCounters {
        self.peers.iter().fold(self.past, |sum, (_, connection)| sum.plus(&connection.counters()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_that_has_moved_is_found_where_it_is_now() {
        let mut network = Network::new(ConnectionConfig::default());
        let [before, after]: [Address; 2] = ["a:1", "b:1"].map(|text| text.parse().unwrap());
        let first = network.master(3, &before);
        assert_eq!(network.master(3, &before), first);
        let second = network.master(3, &after);
        assert_ne!(first, second);
        assert_eq!(network.find_master(3, &after).map(Connection::address), Some(&after));
        assert_eq!(network.find_master(3, &before).map(Connection::address), Some(&before));
        assert!(network.find_master(2, &"c:1".parse().unwrap()).is_none());
    }
}
