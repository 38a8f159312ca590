//! Heartbeats and farewells: how brokers hear of our groups, and who waits until they have.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::address::Address;
use crate::client::base::ids::{Owner, PeerId};
use crate::client::base::signal::Signal;
use crate::client::presence::first_commits::OffsetTable;
use crate::client::presence::greetings::{Farewell, Unsaid};
use crate::client::session::{EMPTY, Session};
use crate::connection::Connection;
use crate::notice::Notice;
use crate::routes::route::MASTER_ID;
use crate::time::Now;
use crate::wire::body::{HeartbeatData, ProducerData};
use crate::wire::command::Head;
use crate::wire::request::{Heartbeat, Request, UnregisterClient};

impl Session {
    /// Lets every broker know that we are alive: masters, and slaves too if there are consumers
    /// (`MQClientInstance.sendHeartbeatToAllBroker`).
    pub(crate) fn heartbeat(&mut self, now: Now) {
        if self.groups.is_empty() || self.is_closing() {
            return;
        }
        let addresses = self.broker_addresses();
        self.greet_all(now, &addresses);
    }

    /// Sends a heartbeat to each of these addresses, as soon as it is connected.
    fn greet_all(&mut self, now: Now, addresses: &[Address]) {
        let version = self.groups.version;
        for address in addresses {
            let peer = self.network.peer(address);
            let connection = self.network.get(peer);
            if connection.is_some_and(Connection::is_connected) {
                self.greet(now, peer);
            } else if connection.is_some_and(|connection| !connection.is_open() && !connection.is_paused()) {
                // Greets when it stands.
                self.network.with(peer, |connection| connection.wait(now.mono, Owner::Heartbeat(peer, version)));
            }
        }
    }

    /// The addresses that heartbeats go to.
    pub(crate) fn broker_addresses(&self) -> Vec<Address> {
        let with_slaves = self.groups.has_consumers();
        let members = self.brokers.iter().flat_map(|broker| &broker.addresses);
        members.filter(|(id, _)| with_slaves || **id == MASTER_ID).map(|(_, address)| address.clone()).collect()
    }

    /// A group or a subscription came, changed or went.
    pub(crate) fn groups_changed(&mut self, now: Now) {
        self.groups.version = self.groups.version.wrapping_add(1);
        if self.groups.has_push_consumers() {
            // Members ask any broker who else there is: all of them have to know, or the queues are shared amiss
            // (`MQClientInstance.sendHeartbeatToAllBrokerWithLock` in `DefaultMQPushConsumerImpl.start`).
            self.heartbeat(now);
        } else {
            self.greet_connected(now);
        }
    }

    /// Lets the brokers that a route has named for the first time know of our groups: of push consumers all of them, of
    /// others those that are connected, because something was administered there.
    pub(crate) fn greet_new_brokers(&mut self, now: Now, new: &[(u64, Address)]) {
        let (with_slaves, has_members) = (self.groups.has_consumers(), self.groups.has_push_consumers());
        for (id, address) in new {
            if self.network.find(address).is_some_and(Connection::is_connected) {
                let peer = self.network.peer(address);
                self.greet(now, peer);
            } else if has_members && !self.is_closing() && (with_slaves || *id == MASTER_ID) {
                self.greet_all(now, core::slice::from_ref(address));
            }
        }
    }

    /// Sends a heartbeat to each broker that is connected.
    pub(crate) fn greet_connected(&mut self, now: Now) {
        for peer in self.connected_brokers() {
            self.greet(now, peer);
        }
    }

    pub(crate) fn connected_brokers(&mut self) -> Vec<PeerId> {
        let addresses: Vec<Address> =
            self.brokers.iter().flat_map(|broker| broker.addresses.values()).cloned().collect();
        let connected = |address: &Address| self.network.find(address).is_some_and(Connection::is_connected);
        let connected: Vec<Address> = addresses.into_iter().filter(connected).collect();
        connected.iter().map(|address| self.network.peer(address)).collect()
    }

    /// Sends a heartbeat to a connected peer if it is a broker and there is something to say, as soon as it has answered
    /// what it was told last.
    pub(crate) fn greet(&mut self, now: Now, peer: PeerId) {
        let address = self.network.get(peer).map(Connection::address);
        let is_broker = address.is_some_and(|address| self.brokers.at(address).next().is_some());
        if !is_broker || self.groups.is_empty() || self.is_closing() {
            return;
        }
        let known = self.greetings.of(peer);
        if let Some(unsaid) = &mut known.unsaid {
            unsaid.heartbeat |= unsaid.being_said != Some(self.groups.version);
            return;
        }
        known.unsaid = Some(Unsaid { being_said: Some(self.groups.version), ..Unsaid::default() });
        let body = Bytes::from(self.heartbeat_for(peer).encode(self.config.dialect()));
        let head = Head::request(self.config.dialect(), Heartbeat::CODE, self.network.next_opaque());
        let deadline = now.mono + self.config.request_timeout;
        let owner = Owner::Heartbeat(peer, self.groups.version);
        let written = self.network.on_established(peer, |connection| {
            connection.request(now.mono, &head, &Heartbeat {}, &body, (deadline, false), owner);
        });
        if written.is_none() {
            // It hears all there is to say when it is connected again.
            self.greetings.of(peer).unsaid = None;
        }
    }

    /// A producer of ours is gone: brokers hear that its group leaves if it was the last one.
    pub(crate) fn producer_left(&mut self, now: Now, group: &Arc<str>) {
        if !self.groups.has_producer_of(group) {
            self.leave(now, Some(group), None);
        }
    }

    /// A consumer of ours is gone: brokers hear that its group leaves if it was the last one. Returns whether it was.
    pub(crate) fn consumer_left(&mut self, now: Now, group: &Arc<str>) -> bool {
        let was_last = !self.groups.has_consumer_of(group);
        if was_last {
            self.first_commits.forget_group(group);
            self.leave(now, None, Some(group));
        }
        was_last
    }

    /// Tells the connected brokers that a group of ours leaves.
    pub(crate) fn leave(&mut self, now: Now, producer_group: Option<&Arc<str>>, consumer_group: Option<&Arc<str>>) {
        let farewell = Farewell { producer_group: producer_group.cloned(), consumer_group: consumer_group.cloned() };
        for peer in self.connected_brokers() {
            let unsaid = &mut self.greetings.of(peer).unsaid;
            if let Some(unsaid) = unsaid {
                // What waits to be said already is said once, so that no more wait than there are groups.
                let is_new = unsaid.farewells.insert(farewell.clone());
                self.greetings.farewells += usize::from(is_new);
            } else {
                *unsaid = Some(Unsaid::default());
                self.greetings.farewells += 1;
                self.say_farewell(now, peer, &farewell);
            }
        }
    }

    fn say_farewell(&mut self, now: Now, peer: PeerId, farewell: &Farewell) {
        let name = |group: &Option<Arc<str>>| group.as_ref().map(|group| Cow::Owned(group.to_string()));
        let header = UnregisterClient {
            client_id: Cow::Owned(self.config.identity.client_id()),
            producer_group: name(&farewell.producer_group),
            consumer_group: name(&farewell.consumer_group),
        };
        let head = Head::request(self.config.dialect(), UnregisterClient::CODE, self.network.next_opaque());
        let deadline = now.mono + self.config.request_timeout;
        let written = self.network.on_established(peer, |connection| {
            connection.request(now.mono, &head, &header, &EMPTY, (deadline, false), Owner::Farewell(peer));
        });
        if written.is_none() {
            self.resume_farewell(now, peer);
        }
    }

    /// What came of a farewell. One that fails needs nothing: the broker finds out when the connection closes.
    pub(crate) fn resume_farewell(&mut self, now: Now, peer: PeerId) {
        self.greetings.farewells -= 1;
        self.say_next(now, peer);
    }

    /// Tells a broker what came up while it had not answered yet.
    fn say_next(&mut self, now: Now, peer: PeerId) {
        let Some(mut unsaid) = self.greetings.of(peer).unsaid.take() else {
            return;
        };
        if !self.network.get(peer).is_some_and(Connection::is_connected) {
            // It hears all there is to say when it is connected again.
            self.greetings.farewells -= unsaid.farewells.len();
        } else if let Some(farewell) = unsaid.farewells.pop_first() {
            self.greetings.of(peer).unsaid = Some(Unsaid { being_said: None, ..unsaid });
            self.say_farewell(now, peer, &farewell);
        } else if unsaid.heartbeat {
            self.greet(now, peer);
        }
    }

    /// Whether a broker has heard of our member of a group. Whatever other groups came or went since then is nothing to it:
    /// it would wait as long as they do.
    pub(crate) fn has_heard_of(&self, peer: PeerId, group: &str) -> bool {
        let connection = self.network.get(peer).map(Connection::attempt);
        let taken = self.greetings.get(peer).and_then(|known| known.taken);
        taken.is_some_and(|(attempt, version)| connection == Some(attempt) && self.groups.lists(group, version))
    }

    /// Has `owner` told once a connected broker has taken a heartbeat in.
    pub(crate) fn await_greeting(&mut self, now: Now, peer: PeerId, owner: Owner) {
        let waiting = &mut self.greetings.of(peer).waiting;
        waiting.push(owner);
        if waiting.len() == 1 {
            self.greet(now, peer);
        }
    }

    /// What came of a heartbeat. One that fails needs nothing: its connection does what is to be done.
    pub(crate) fn resume_heartbeat(&mut self, now: Now, peer: PeerId, version: u32, signal: &Signal<'_>) {
        let connection = self.network.get(peer);
        let outcome = match signal {
            Signal::Answer { command, .. } => {
                let attempt = connection.map_or(0, Connection::attempt);
                let known = self.greetings.of(peer);
                known.taken = Some((attempt, version));
                known.note_agreement(attempt, command);
                if command.code != 0 {
                    let notice = Notice::warn("heartbeat refused").about("code", command.code);
                    let address = connection.map(Connection::address);
                    let notice = address.into_iter().fold(notice, |notice, address| notice.about("address", address));
                    let remark = command.remark.iter();
                    self.notices.push(remark.fold(notice, |notice, remark| notice.about("remark", remark)));
                }
                Ok(())
            }
            Signal::Failed(error) => Err(error.clone()),
            // A connection that was waited for greets by itself.
            _ => return,
        };
        self.say_next(now, peer);
        let told = core::mem::take(&mut self.greetings.of(peer).waiting);
        self.signals.extend(told.into_iter().map(|owner| match &outcome {
            Ok(()) => (owner, Signal::Ready),
            Err(error) => (owner, Signal::Failed(error.clone())),
        }));
    }

    /// The heartbeat for a broker: without the subscriptions when it has agreed on them
    /// (`MQClientInstance.sendHeartbeatToAllBrokerV2`).
    fn heartbeat_for(&mut self, peer: PeerId) -> HeartbeatData {
        let mut data = self.heartbeat_data();
        let fingerprint = data.fingerprint();
        data.heartbeat_fingerprint = fingerprint;
        let attempt = self.network.get(peer).map_or(0, Connection::attempt);
        let known = self.greetings.of(peer);
        known.sent = Some(fingerprint);
        if known.agreed == Some((attempt, fingerprint)) {
            data.without_sub = true;
            data.consumer_data_set.iter_mut().for_each(|group| group.subscription_data_set.clear());
        }
        data
    }

    fn heartbeat_data(&self) -> HeartbeatData {
        let producers = self.groups.producer_groups();
        HeartbeatData {
            client_id: self.config.identity.client_id(),
            producer_data_set: producers.map(|group| ProducerData { group_name: group.to_string() }).collect(),
            consumer_data_set: self.groups.consumer_data(),
            ..HeartbeatData::default()
        }
    }
}

impl Session {
    /// A broker has taken a commit. Of groups that are not ours nothing is kept: they come and go unheard of, and theirs
    /// always go one at a time.
    pub(crate) fn note_committed(&mut self, table: OffsetTable) {
        if !self.first_commits.is_made(&table) && self.groups.has_consumer_of(&table.group) {
            self.first_commits.made.insert(table);
        }
    }
}
