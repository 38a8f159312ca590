//! What everybody in a history sees: the cluster, the plan, the ledger, and who is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stgclient::{Client, Producer, PushConsumer};
use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_simulator::{ClusterHandle, Machine, NetworkHandle};

use super::following::Ear;
use super::ledger::Ledger;
use super::member::Stored;
use super::options::Options;

/// See the module.
pub(super) struct Scene {
    pub(super) cluster: ClusterHandle,
    pub(super) network: NetworkHandle,
    pub(super) options: Options,
    pub(super) ledger: Ledger,
    /// Nobody begins anything new afterwards.
    pub(super) end: Instant,
    /// A machine for whoever only needs a clock.
    pub(super) clock: Arc<Machine>,
    members: Mutex<BTreeMap<u32, Member>>,
    producer: Mutex<Option<Sender>>,
    second_exists: Mutex<bool>,
    ears: Mutex<Vec<Arc<Ear>>>,
}

/// A member that is there.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) machine: Arc<Machine>,
    pub(super) client: Client,
    pub(super) consumer: PushConsumer,
    /// What it has stored, where each member gets everything.
    pub(super) stored: Stored,
    /// Its listener.
    pub(super) ear: Option<Arc<Ear>>,
}

/// Whoever sends.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) machine: Arc<Machine>,
    pub(super) client: Client,
    pub(super) producer: Producer,
}

impl Scene {
    pub(super) fn new(
        cluster: ClusterHandle,
        network: NetworkHandle,
        options: Options,
        clock: Arc<Machine>,
        second_exists: bool,
    ) -> Self {
        let end = clock.clock().mono + options.trouble;
        Self {
            cluster,
            network,
            options,
            ledger: Ledger::default(),
            end,
            clock,
            members: Mutex::default(),
            producer: Mutex::default(),
            second_exists: Mutex::new(second_exists),
            ears: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.clock().mono
    }

    pub(super) fn is_over(&self) -> bool {
        self.now() >= self.end
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Waits for some time within these bounds. False when the trouble is over.
    pub(super) async fn pause(&self, random: &mut Random, from: Duration, to: Duration) -> bool {
        self.sleep(between(random, from, to)).await;
        !self.is_over()
    }

    pub(super) fn members(&self) -> MutexGuard<'_, BTreeMap<u32, Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Any member that is there.
    pub(super) fn any_member(&self, random: &mut Random) -> Option<(u32, Member)> {
        let members = self.members();
        let index = random.below(members.len().max(1) as u64) as usize;
        members.iter().nth(index).map(|(number, member)| (*number, member.clone()))
    }

    /// Every listener whose machine did not lose its power.
    pub(super) fn ears(&self) -> MutexGuard<'_, Vec<Arc<Ear>>> {
        self.ears.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sender(&self) -> Option<Sender> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_sender(&self, sender: Option<Sender>) {
        *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }

    pub(super) fn second_exists(&self) -> bool {
        *self.second_exists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_second_exists(&self, exists: bool) {
        *self.second_exists.lock().unwrap_or_else(PoisonError::into_inner) = exists;
    }

    pub(super) fn name_servers(&self) -> String {
        self.cluster.name_servers().join(";")
    }

    pub(super) fn broker_name(index: usize) -> String {
        format!("broker-{}", char::from(b'a' + index as u8))
    }

    /// Every queue of a topic that brokers have.
    pub(super) fn queues(&self, topic: &str) -> Vec<MessageQueue> {
        let mut queues = Vec::new();
        for index in 0..usize::from(self.options.brokers) {
            let name = Self::broker_name(index);
            let count = self.cluster.broker(&name, |broker| broker.queue_count(topic).unwrap_or(0));
            queues.extend((0..count).map(|queue| MessageQueue::new(topic, name.as_str(), queue)));
        }
        queues
    }
}

pub(super) fn between(random: &mut Random, from: Duration, to: Duration) -> Duration {
    from + Duration::from_micros(random.below(to.saturating_sub(from).as_micros() as u64 + 1))
}
