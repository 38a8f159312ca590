//! Which member of a group may consume which queue in order (`RebalanceLockManager`).

use stgclient_core::sorted::{SortedMap, SortedSet};
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::body::{self, LockedQueues, QueueKey, QueueLockRequest};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;

use super::super::budget::{Budget, Charge, ENTRY, FIRST};
use super::super::named::Named;
use super::super::needed::{Need, read_body_with};
use super::super::refusal::Refusal;
use super::Broker;

/// How long a lock lives that its owner does not ask for again (`REBALANCE_LOCK_MAX_LIVE_TIME`).
const LIFE: Duration = Duration::from_secs(60);

/// Without a member's id, where Java runs, the queue is locked for nobody and for ever.
const LOCKING: &[Need] = &[
    Need::NotNull("mqSet"),
    Need::IfAny("mqSet", "clientId"),
    Need::IfAny("mqSet", "consumerGroup"),
    Need::Each("mqSet", &[]),
];
/// The queues are looked at only if the group has locks.
const UNLOCKING: &[Need] = &[Need::NotNull("mqSet"), Need::Each("mqSet", &[])];

/// A queue that belongs to a member.
#[derive(Debug)]
struct Lock {
    client_id: Box<str>,
    last_update: Instant,
    _charge: Charge,
}

impl Lock {
    fn is_expired(&self, now: Instant) -> bool {
        now.since(self.last_update) > LIFE
    }
}

/// The locks of a broker, by group and queue. Kept in memory only: a broker that is started again knows of none.
#[derive(Debug)]
pub(super) struct Locks {
    groups: Named<SortedMap<QueueKey, Lock>>,
    budget: Budget,
}

impl Locks {
    pub(super) fn new(budget: &Budget) -> Self {
        Self { groups: Named::default(), budget: budget.clone() }
    }

    /// Who has locked a queue.
    pub(super) fn owner(&self, now: Instant, group: &str, queue: &QueueKey) -> Option<&str> {
        let lock = self.groups.get(group)?.get(queue)?;
        (!lock.is_expired(now)).then_some(&*lock.client_id)
    }

    /// Whether no queue of a group is locked.
    pub(super) fn are_all_expired(&self, group: &str, now: Instant) -> bool {
        self.groups.get(group).is_none_or(|locks| locks.values().all(|lock| lock.is_expired(now)))
    }

    /// Locks what nobody else has locked, and returns what the client has now.
    fn lock(&mut self, now: Instant, request: QueueLockRequest) -> SortedSet<QueueKey> {
        let QueueLockRequest { client_id, consumer_group, mq_set, .. } = request;
        let mut granted = SortedSet::new();
        for queue in mq_set {
            if self.lock_one(now, &consumer_group, &queue, &client_id) {
                granted.insert(queue);
            }
        }
        granted
    }

    fn lock_one(&mut self, now: Instant, group: &str, queue: &QueueKey, client_id: &str) -> bool {
        if let Some(lock) = self.groups.get_mut(group).and_then(|locks| locks.get_mut(queue)) {
            if &*lock.client_id != client_id && !lock.is_expired(now) {
                return false;
            }
            if &*lock.client_id == client_id {
                lock.last_update = now;
                return true;
            }
        }
        let name = queue.topic.len() + queue.broker_name.len();
        let first = if self.groups.contains(group) { 0 } else { FIRST };
        let cost = 2 * ENTRY + 2 * (name + client_id.len() + group.len()) + first * size_of::<(QueueKey, Lock)>();
        let charge = self.budget.charge(cost).or_else(|_| {
            self.forget_expired(now);
            self.budget.charge(cost)
        });
        let Ok(charge) = charge else {
            return false;
        };
        let lock = Lock { client_id: client_id.into(), last_update: now, _charge: charge };
        self.groups.get_or_insert_with(group, SortedMap::new).insert(queue.clone(), lock);
        true
    }

    /// Unlocks those of the queues that the client has locked.
    fn unlock(&mut self, request: &QueueLockRequest) {
        let Some(locks) = self.groups.get_mut(&request.consumer_group) else {
            return;
        };
        for queue in &request.mq_set {
            if locks.get(queue).is_some_and(|lock| *lock.client_id == *request.client_id) {
                locks.remove(queue);
            }
        }
        if locks.is_empty() {
            self.groups.remove(&request.consumer_group);
        }
    }

    fn forget_expired(&mut self, now: Instant) {
        self.groups.retain(|_, locks| {
            locks.retain(|_, lock| !lock.is_expired(now));
            !locks.is_empty()
        });
    }
}

impl Broker {
    pub(super) fn lock_queues(&mut self, now: Now, request: &Command) -> Result<Vec<u8>, Refusal> {
        let lock_ok_mq_set = match self.dialect {
            Dialect::Apache => {
                let request = read_body_with(request, LOCKING)?;
                self.locks.lock(now.mono, request)
            }
            // `TryLockBatch` takes the queues out of a set that is empty once it has been looked at.
            Dialect::Smartgo => SortedSet::new(),
        };
        Ok(body::to_vec(&LockedQueues { lock_ok_mq_set }))
    }

    pub(super) fn unlock_queues(&mut self, request: &Command) -> Result<(), Refusal> {
        if self.dialect == Dialect::Smartgo {
            return Ok(());
        }
        let unlocked: QueueLockRequest = read_body_with(request, &[Need::There("consumerGroup")])?;
        if self.locks.groups.contains(&unlocked.consumer_group) {
            self.locks.unlock(&read_body_with(request, UNLOCKING)?);
        }
        Ok(())
    }
}
