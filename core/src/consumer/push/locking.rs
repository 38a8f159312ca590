//! The brokers' locks on an orderly consumer's queues (`RebalanceImpl.lock`, `lockAll`).
//!
//! A lock counts for 30 s from when it was asked for, and ends at once with the connection to the broker that granted it:
//! a broker that was started anew has forgotten all locks, and another member may have it by now. Whatever was asked for
//! and is not ours any more is given back.

use super::PushConsumer;
use super::asked::{self, Ticket};
use super::queue::{AssignedQueue, Kept, Leave, QueueId, Reset, ResetBy, Stage};
use super::wish::Wish;
use crate::consumer::process_queue::ProcessQueue;
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::sorted::SortedSet;
use crate::time::{Duration, Instant, Now};

/// For how long a granted lock counts on our side (`ProcessQueue.REBALANCE_LOCK_MAX_LIVE_TIME`); a broker keeps it for 60 s.
pub(super) const LIFE: Duration = Duration::from_secs(30);
/// How often locks are renewed (`ProcessQueue.REBALANCE_LOCK_INTERVAL`).
pub(super) const RENEWAL: Duration = Duration::from_secs(20);
/// A lock that another member has, or that was not renewed or not taken back, is asked about again after this time.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// What is to be renewed within this time is renewed along with others of its broker.
const ALONG: Duration = Duration::from_secs(1);

impl PushConsumer {
    /// Asks for the lock on a queue, and in the same request for all others of its broker that want theirs.
    pub(super) fn ask_lock(&mut self, now: Instant, id: QueueId) {
        let Some(broker) = self.queues.get(id).map(|known| known.queue.broker_name.clone()) else {
            return;
        };
        let wants = |known: &AssignedQueue| {
            let is_due = known.lock.ask_at <= now + if known.lock.is_held(now) { ALONG } else { Duration::ZERO };
            known.lock.asked.is_none() && is_due && !known.is_leaving()
        };
        let mut ids = self.queues.of_broker(&broker);
        ids.retain(|other| *other == id || self.queues.get(*other).is_some_and(wants));
        let ticket = self.next_ticket();
        let mut asked = Vec::with_capacity(ids.len());
        for &id in &ids {
            if let Some(known) = self.queues.touch(id) {
                known.lock.asked = Some(ticket);
                known.lock.may_be_kept = true;
                asked.push((id, known.queue.clone()));
            }
        }
        self.owed.insert(ticket);
        let queues = asked.iter().map(|(_, queue)| queue.clone()).collect();
        self.wish(Wish::Lock { asked: asked::Lock { ticket, queues: asked, at: now }, queues });
    }

    /// Takes which of the queues are locked.
    pub(crate) fn take_locked(
        &mut self,
        now: Now,
        ticket: Ticket,
        (asked, at): (&[(QueueId, MessageQueue)], Instant),
        granted: Result<SortedSet<MessageQueue>, Error>,
    ) {
        if !self.owed.remove(&ticket) {
            return;
        }
        if let Err(error) = &granted {
            self.notices.push(Notice::debug("no locks").about("error", error));
        }
        let (granted, has_others) = (granted.ok(), self.has_others);
        for &(id, _) in asked {
            let Some(known) = self.queues.touch(id).filter(|known| known.lock.asked == Some(ticket)) else {
                continue;
            };
            known.lock.asked = None;
            match &granted {
                Some(granted) if granted.contains(&known.queue) => {
                    known.lock.until = Some(at + LIFE);
                    known.lock.ask_at = at + RENEWAL;
                    known.lock.granted_unix_ms = now.unix_ms;
                }
                Some(_) => {
                    known.lock.until = None;
                    known.lock.may_be_kept = false;
                    known.lock.ask_at = now.mono + AGAIN_AFTER;
                    // Whoever has it has heard of that too, and does it: unless it is gone, and its broker does not know that yet.
                    let is_locking = known.stage == Stage::Locking && has_others;
                    let is_known_to_all =
                        |reset: &mut Reset| reset.by == ResetBy::Administrator && reset.since < ticket;
                    known.reset_to.take_if(|reset| is_locking && is_known_to_all(reset));
                }
                // It may have been granted all the same, and counts on as it did.
                None => known.lock.ask_at = now.mono + AGAIN_AFTER,
            }
        }
        // Without an answer all may have been granted, if only after they were given back over another connection.
        let granted = granted.unwrap_or_else(|| asked.iter().map(|(_, queue)| queue.clone()).collect());
        self.give_back(now.mono, granted);
        self.attend(now);
    }

    /// What was or may have been granted to queues that have left since it was asked for is given back: they leave once more. Those that
    /// are still ours, or ours again, give it back when they leave.
    fn give_back(&mut self, now: Instant, granted: SortedSet<MessageQueue>) {
        for queue in granted {
            let known = self.queues.find(&queue);
            let id = known.unwrap_or_else(|| self.queues.insert(queue, Stage::Leaving(Leave::new(now))));
            if let Some(known) = self.queues.touch(id) {
                known.lock.may_be_kept = true;
            }
        }
    }

    /// The lock on a queue is not ours any more: nothing of it is delivered or committed until it is granted again, and
    /// then it begins where the group is by then, or if nobody else has gone on there, where we are now.
    pub(super) fn lose_lock(&mut self, now: Instant, id: QueueId) {
        self.cancel_pull(id);
        self.note_place(now, id);
        let grants_locks = self.grants_locks;
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        if known.lock.until.take().is_some() {
            known.lock.ask_at = known.lock.ask_at.min(now);
        }
        known.claim.since = None;
        let was_ours = matches!(known.stage, Stage::Starting(_) | Stage::Consuming);
        if was_ours {
            let what = if grants_locks { "lock lost" } else { "a queue in order may not be ours any more" };
            self.notices.push(Notice::info(what).about("queue", &known.queue));
            known.stage = Stage::Locking;
        }
        if known.begun > 0 {
            let place = known.messages.committable();
            let under_way = known.commit.under_way.map(|(_, offset)| offset);
            known.kept = known.commit.persisted.map(|persisted| Kept { persisted, under_way, place });
        }
        known.begun = 0;
        self.abandoned.take_from(known);
        known.messages = ProcessQueue::new(0);
        known.suspended_until = None;
        (known.commit.persisted, known.commit.again_at, known.commit.is_doubted) = (None, None, false);
        (known.commit.due, known.commit.is_urgent) = (None, false);
        if was_ours && !core::mem::replace(&mut known.is_told_lost, true) {
            // Another member may have it by now: there is nothing to hand over.
            self.tell_revoked(id, now);
        }
    }

    /// The connection to a broker has ended, and with it the locks that it granted.
    pub(crate) fn handle_disconnected(&mut self, now: Now, broker: &str) {
        if self.needs_locks() {
            for id in self.queues.of_broker(broker) {
                if let Some(known) = self.queues.touch(id) {
                    // An answer on its way would be one of the connection that has ended.
                    known.lock.asked = None;
                    known.lock.ask_at = now.mono;
                    known.claim.lose(now.mono);
                }
                self.lose_lock(now.mono, id);
            }
        }
        self.rebalance_soon(now.mono);
        self.attend(now);
    }
}
