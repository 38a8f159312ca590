//! The brokers' locks on an orderly consumer's queues (`RebalanceImpl.lock`, `lockAll`).
//!
//! A lock counts for 30 s from when it was asked for, and ends at once with the connection to the broker that granted it:
//! a broker that was started anew has forgotten all locks, and another member may have it by now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ask::{Ask, Asked};
use super::queue::{AssignedQueue, QueueId, Stage};
use super::{PushConsumer, Timer};
use crate::consumer::process_queue::ProcessQueue;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};

/// How often locks are renewed (`ProcessQueue.REBALANCE_LOCK_INTERVAL`).
pub(super) const RENEWAL: Duration = Duration::from_secs(20);
/// A lock that another member has is asked for again after this time.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

impl PushConsumer {
    /// Asks every broker for the locks on its queues that are `wanted`, all in one request.
    pub(super) fn ask_locks(&mut self, now: Instant, wanted: impl Fn(&AssignedQueue) -> bool) {
        if !self.needs_locks() {
            return;
        }
        let mut by_broker: BTreeMap<Arc<str>, (Vec<QueueId>, Vec<MessageQueue>)> = BTreeMap::new();
        for (id, known) in self.queues.iter().filter(|(_, known)| wanted(known)) {
            let (ids, queues) = by_broker.entry(known.queue.broker_name.clone()).or_default();
            ids.push(id);
            queues.push(known.queue.clone());
        }
        for (broker, (ids, queues)) in by_broker {
            if self.asking_locks.contains(&broker) {
                self.set_not_later(Timer::LockAgain, now + AGAIN_AFTER);
                continue;
            }
            self.asking_locks.push(broker.clone());
            self.ask(Asked::Lock { broker, queues: ids, at: now }, Ask::Lock { queues });
        }
    }

    /// Takes which of the queues are locked.
    pub(crate) fn take_locked(
        &mut self,
        now: Now,
        broker: &Arc<str>,
        (asked, at): (&[QueueId], Instant),
        granted: Result<BTreeSet<MessageQueue>, Error>,
    ) {
        // After the connection ended, what it granted does not count any more.
        let Some(place) = self.asking_locks.iter().position(|known| known == broker) else {
            return self.set_not_later(Timer::LockAgain, now.mono);
        };
        self.asking_locks.swap_remove(place);
        let granted = match granted {
            Ok(granted) => granted,
            Err(error) => {
                tracing::debug!(group = &*self.group, broker = &**broker, %error, "no locks");
                return self.set_not_later(Timer::LockAgain, now.mono + AGAIN_AFTER);
            }
        };
        let mut has_refused = false;
        for &id in asked {
            let Some(known) = self.queues.get_mut(id) else {
                continue;
            };
            if granted.contains(&known.queue) {
                known.grant(now, at);
                if known.stage == Stage::Locking {
                    self.start(now, id);
                }
            } else {
                has_refused = true;
                self.lose_lock(now.mono, id);
            }
        }
        if has_refused {
            self.set_not_later(Timer::LockAgain, now.mono + AGAIN_AFTER);
        }
    }

    /// The lock on a queue is not ours any more: nothing of it is delivered or committed until it is granted again, and
    /// then it begins where the group is by then.
    pub(super) fn lose_lock(&mut self, now: Instant, id: QueueId) {
        self.cancel_fetch(id);
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        if known.locked_until.take().is_some() {
            tracing::info!(group = &*self.group, queue = %known.queue, "lock lost");
        }
        match known.stage {
            Stage::Locking => {}
            Stage::Starting | Stage::Consuming => {
                known.stage = Stage::Locking;
                known.messages = ProcessQueue::new(0);
                known.suspended_until = None;
                known.committing = None;
                known.persisted = None;
            }
            Stage::Leaving => {
                let queue = known.queue.clone();
                let is_wanted_back = known.is_wanted_back;
                self.by_queue.remove(&queue);
                self.queues.remove(id);
                if is_wanted_back {
                    self.rebalance_soon(now);
                }
            }
        }
    }

    /// The connection to a broker has ended.
    pub(crate) fn handle_disconnected(&mut self, now: Now, broker: &str) {
        if self.needs_locks() {
            self.asking_locks.retain(|known| &**known != broker);
            let of_broker = self.queues.iter().filter(|(_, known)| &*known.queue.broker_name == broker);
            let ids: Vec<QueueId> = of_broker.map(|(id, _)| id).collect();
            ids.into_iter().for_each(|id| self.lose_lock(now.mono, id));
            self.set_not_later(Timer::LockAgain, now.mono);
        }
        self.rebalance_soon(now.mono);
    }
}
