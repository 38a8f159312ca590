//! Producers and consumers of a client, and how brokers hear of them: heartbeats.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::Client;
use super::network::{Owner, PeerId};
use super::sending::Sending;
use super::session::{Session, Signal};
use crate::address::Address;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::producer::{Backlog, ProducerConfig, check_group};
use crate::queue::MessageQueue;
use crate::routes::route::MASTER_ID;
use crate::table::{Id, Table};
use crate::time::Now;
use crate::wire::body::{self, ConsumeType, ConsumerData, HeartbeatData, ProducerData};
use crate::wire::command::Head;
use crate::wire::request::{Heartbeat, Request};

/// A producer of a client.
pub type ProducerId = Id<Producer>;
/// A pull consumer of a client.
pub type PullConsumerId = Id<PullConsumer>;

/// A producer: a group, and how it sends.
#[derive(Debug)]
#[doc(hidden)]
pub struct Producer {
    pub(super) group: Arc<str>,
    pub(super) config: ProducerConfig,
    pub(super) backlog: Backlog,
    /// Closed by the application; it goes when its last send is over.
    closed: bool,
}

/// A pull consumer: a group, and which member of each broker to pull from.
#[derive(Debug)]
#[doc(hidden)]
pub struct PullConsumer {
    pub(super) group: Arc<str>,
    /// Brokers suggest a slave when the master is busy with cold data. Only suggestions other than the master.
    suggested: BTreeMap<MessageQueue, u64>,
}

impl PullConsumer {
    pub(super) fn suggested(&self, queue: &MessageQueue) -> u64 {
        self.suggested.get(queue).copied().unwrap_or(MASTER_ID)
    }
}

/// The producers and consumers of a client.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    producers: Table<Producer>,
    pull_consumers: Table<PullConsumer>,
}

impl Groups {
    pub(super) fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(id).filter(|producer| !producer.closed || producer.backlog.messages > 0)
    }

    pub(super) fn producer_mut(&mut self, id: ProducerId) -> Option<&mut Producer> {
        self.producers.get_mut(id).filter(|producer| !producer.closed)
    }

    pub(super) fn pull_consumer(&self, id: PullConsumerId) -> Option<&PullConsumer> {
        self.pull_consumers.get(id)
    }

    pub(super) fn note_suggestion(&mut self, id: PullConsumerId, queue: &MessageQueue, broker_id: u64) {
        if let Some(consumer) = self.pull_consumers.get_mut(id) {
            if broker_id != MASTER_ID {
                consumer.suggested.insert(queue.clone(), broker_id);
            } else if !consumer.suggested.is_empty() {
                consumer.suggested.remove(queue);
            }
        }
    }

    /// A send is over.
    pub(super) fn release(&mut self, sending: &Sending) {
        if let Some(producer) = self.producers.get_mut(sending.producer) {
            producer.backlog.remove(sending.body_bytes);
            if producer.closed && producer.backlog.messages == 0 {
                self.producers.remove(sending.producer);
            }
        }
    }

    /// The producer groups, each once, sorted.
    pub(super) fn producer_groups(&self) -> BTreeSet<Arc<str>> {
        self.producers.iter().filter(|(_, producer)| !producer.closed).map(|(_, p)| p.group.clone()).collect()
    }

    /// The consumer groups, each once, sorted.
    pub(super) fn consumer_groups(&self) -> BTreeSet<Arc<str>> {
        self.pull_consumers.iter().map(|(_, consumer)| consumer.group.clone()).collect()
    }

    fn is_empty(&self) -> bool {
        self.producers.len() == 0 && self.pull_consumers.len() == 0
    }
}

impl Client {
    /// Starts a producer of `group`. Brokers hear of it at once if they are connected.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub fn start_producer(&mut self, now: Now, group: &str, config: ProducerConfig) -> Result<ProducerId, Error> {
        self.check_group(group)?;
        let producer = Producer { group: group.into(), config, backlog: Backlog::default(), closed: false };
        let id = self.session.groups.producers.insert(producer);
        self.session.greet_connected(now);
        Ok(id)
    }

    /// Closes a producer: what it has under way goes on, nothing new is taken, and brokers hear that the group left
    /// when this was its last producer here.
    pub fn close_producer(&mut self, now: Now, id: ProducerId) {
        let groups = &mut self.session.groups;
        let Some(producer) = groups.producer_mut(id) else {
            return;
        };
        producer.closed = true;
        let (group, idle) = (producer.group.clone(), producer.backlog.messages == 0);
        if idle {
            groups.producers.remove(id);
        }
        if !groups.producer_groups().contains(&group) {
            self.session.leave(now, Some(&group), None);
        }
        self.run(now);
    }

    /// Starts a pull consumer of `group`.
    ///
    /// # Errors
    /// The group's name is none, or the client is closed.
    pub fn start_pull_consumer(&mut self, now: Now, group: &str) -> Result<PullConsumerId, Error> {
        self.check_group(group)?;
        let consumer = PullConsumer { group: group.into(), suggested: BTreeMap::new() };
        let id = self.session.groups.pull_consumers.insert(consumer);
        self.session.greet_connected(now);
        Ok(id)
    }

    /// Closes a pull consumer; its pulls under way go on.
    pub fn close_pull_consumer(&mut self, now: Now, id: PullConsumerId) {
        let groups = &mut self.session.groups;
        let Some(consumer) = groups.pull_consumers.remove(id) else {
            return;
        };
        if !groups.consumer_groups().contains(&consumer.group) {
            self.session.leave(now, None, Some(&consumer.group));
        }
        self.run(now);
    }

    fn check_group(&self, group: &str) -> Result<(), Error> {
        if self.session.is_closing() {
            return Err(Error::new(ErrorKind::Closed, "the client"));
        }
        check_group(group)
    }
}

impl Session {
    /// Lets every broker know that we are alive: masters, and slaves too if there are consumers
    /// (`MQClientInstance.sendHeartbeatToAllBroker`).
    pub(super) fn heartbeat(&mut self, now: Now) {
        if self.groups.is_empty() || self.is_closing() {
            return;
        }
        for address in self.members() {
            let peer = self.network.peer(&address);
            let connection = self.network.get(peer);
            if connection.is_some_and(Connection::is_connected) {
                self.greet(now, peer);
            } else if connection.is_some_and(|connection| !connection.is_open() && !connection.is_paused()) {
                // Greets when it stands.
                self.network.with(peer, |connection| connection.wait(now.mono, Owner::Heartbeat(peer)));
            }
        }
    }

    /// The addresses that heartbeats go to.
    fn members(&self) -> Vec<Address> {
        let with_slaves = self.groups.pull_consumers.len() > 0;
        let members = self.brokers.iter().flat_map(|broker| &broker.addresses);
        members.filter(|(id, _)| with_slaves || **id == MASTER_ID).map(|(_, address)| address.clone()).collect()
    }

    /// Sends a heartbeat to each broker that is connected.
    fn greet_connected(&mut self, now: Now) {
        for peer in self.connected_brokers() {
            self.greet(now, peer);
        }
    }

    pub(super) fn connected_brokers(&mut self) -> Vec<PeerId> {
        let addresses: Vec<Address> =
            self.brokers.iter().flat_map(|broker| broker.addresses.values()).cloned().collect();
        let connected = |address: &Address| self.network.find(address).is_some_and(Connection::is_connected);
        let connected: Vec<Address> = addresses.into_iter().filter(connected).collect();
        connected.iter().map(|address| self.network.peer(address)).collect()
    }

    /// Sends a heartbeat to a connected peer if it is a broker and there is something to say.
    pub(super) fn greet(&mut self, now: Now, peer: PeerId) {
        let address = self.network.get(peer).map(Connection::address);
        let is_broker =
            address.is_some_and(|address| self.brokers.iter().any(|b| b.addresses.values().any(|a| a == address)));
        if !is_broker || self.groups.is_empty() || self.is_closing() {
            return;
        }
        let body = Bytes::from(body::to_vec(&self.heartbeat_data()));
        let head = Head::request(self.config.dialect(), Heartbeat::CODE, self.network.next_opaque());
        let deadline = now.mono + self.config.request_timeout;
        let owner = Owner::Heartbeat(peer);
        self.network.with(peer, |connection| {
            connection.request(now.mono, &head, &Heartbeat {}, &body, deadline, owner);
        });
    }

    /// What came of a heartbeat. One that fails needs nothing: its connection does what is to be done.
    pub(super) fn resume_heartbeat(&self, _: Now, peer: PeerId, signal: &Signal<'_>) {
        if let Signal::Answer { command, .. } = signal
            && command.code != 0
        {
            let address = self.network.get(peer).map(Connection::address);
            tracing::warn!(?address, code = command.code, remark = command.remark.as_deref(), "heartbeat refused");
        }
    }

    fn heartbeat_data(&self) -> HeartbeatData {
        let producers = self.groups.producer_groups().into_iter();
        let consumers = self.groups.consumer_groups().into_iter();
        HeartbeatData {
            client_id: self.config.identity.client_id(),
            producer_data_set: producers.map(|group| ProducerData { group_name: group.to_string() }).collect(),
            consumer_data_set: consumers
                .map(|group| ConsumerData {
                    group_name: group.to_string(),
                    consume_type: ConsumeType::Actively,
                    ..ConsumerData::default()
                })
                .collect(),
            ..HeartbeatData::default()
        }
    }
}
