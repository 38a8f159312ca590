//! What has to hold after each step.

use std::collections::BTreeSet;

use super::super::super::asked::{self, Ticket};
use super::super::super::closing::ConsumerClosing;
use super::super::super::queue::{Begin, Fetch, Stage};
use super::super::super::wish::Wish;
use super::super::super::{Delivery, PushEvent, Rebalanced};
use super::super::scene::{ME, SECOND, queue};

use super::play::{MOST_CACHED, Play};

impl Play {
    /// What the application has, by queue and offset.
    pub(super) fn hand(&self) -> BTreeSet<(u32, u64)> {
        let of = |delivery: &Delivery| {
            let id = delivery.queue.queue_id;
            delivery
                .messages
                .iter()
                .map(move |(message, _)| (id, message.fields.queue_offset as u64))
                .collect::<Vec<_>>()
        };
        self.deliveries.iter().flat_map(of).collect()
    }

    /// What is in the application's hands is in work, and nothing else is in the books.
    pub(super) fn check_books(&mut self) {
        let consumer = &self.scene.consumer;
        let in_hand: usize = self.deliveries.iter().map(|delivery| delivery.messages.len()).sum();
        assert_eq!(consumer.in_work, in_hand, "in work");
        let hand = self.hand();
        let abandoned: BTreeSet<_> = consumer.abandoned.all().collect();
        assert!(abandoned.is_subset(&hand), "abandoned {abandoned:?} but in hand {hand:?}");
        if !matches!(consumer.closing, ConsumerClosing::No | ConsumerClosing::Draining { .. }) && !self.was_leaving {
            self.was_leaving = true;
            let closed = consumer.events.iter().find_map(|event| match event {
                PushEvent::Closed(unfinished) => Some(unfinished.clone()),
                _ => None,
            });
            let told = closed.unwrap_or_else(|| consumer.totals.unfinished.clone());
            let told: BTreeSet<_> =
                told.iter().flat_map(|u| u.offsets.iter().map(|o| (u.queue.queue_id, *o))).collect();
            // What a concurrent consumer has had for too long is not in work any more.
            let is_right = if self.is_orderly { told == hand } else { told.is_subset(&hand) };
            assert!(is_right, "told as unfinished: {told:?}, in hand: {hand:?}");
        }
    }

    /// Each answer that a queue waits for is one that will come.
    pub(super) fn check_tickets(&self) {
        let consumer = &self.scene.consumer;
        let is_asked = |ticket: Ticket| self.questions.iter().any(|known| ticket_of(&known.ask) == Some(ticket));
        for (_, known) in consumer.queues.iter() {
            let stage = match known.stage {
                Stage::Starting(Begin::Asked(ticket)) => Some(ticket),
                _ => None,
            };
            let fetch = match known.fetch {
                Fetch::UnderWay { ticket, .. } => Some(ticket),
                Fetch::Opening { ticket } => {
                    let is_open = self.unopened.iter().any(|unopened| unopened.ticket == ticket);
                    assert!(is_open, "nobody opens what is awaited by {known:?}");
                    None
                }
                Fetch::Idle | Fetch::Delayed { .. } => None,
            };
            let commit = known.commit.under_way.map(|(ticket, _)| ticket);
            let tickets = [stage, fetch, commit, known.lock.asked, known.lock.giving_back];
            assert!(tickets.into_iter().flatten().all(is_asked), "nobody will answer {known:?}");
        }
        if consumer.closing == ConsumerClosing::No {
            assert!(consumer.subscriptions.values().filter_map(|known| known.asking).all(is_asked));
        }
        if consumer.closing != ConsumerClosing::Closed {
            assert!(consumer.owed.iter().copied().all(is_asked));
        }
    }

    /// The application hears of queues: each is its own once, and then leaves.
    pub(super) fn hear(&mut self, queues: Rebalanced, leave: bool) {
        let told = (self.scene.now.mono, leave);
        for queue in &queues.queues {
            let is_new = if leave { self.owned.remove(&queue.queue_id) } else { self.owned.insert(queue.queue_id) };
            assert!(is_new, "{queue} is told twice, leaving: {leave}");
            // Of one whose lock is lost there is nothing to hand over.
            let id = self.scene.consumer.queues.find(queue);
            let known = id.and_then(|id| self.scene.consumer.queues.get(id));
            if known.is_some_and(|known| known.rests_until(self.scene.now.mono).is_some()) {
                self.resting.insert(queue.queue_id, told);
            } else {
                self.resting.remove(&queue.queue_id);
            }
        }
        self.told.push((queues, told));
    }

    /// The application is done with queues that it was told of, though perhaps not with what it was told of them since.
    pub(super) fn be_done(&mut self, index: usize) {
        let (done, told) = self.told.remove(index);
        for queue in &done.queues {
            if self.resting.get(&queue.queue_id) == Some(&told) {
                self.resting.remove(&queue.queue_id);
            }
        }
        self.scene.consumer.rebalanced(self.scene.now, &done);
    }

    /// The application is not at this queue, or has had its time.
    pub(super) fn check_rest(&self, queue_id: u32, what: &str) {
        let is_closing = self.scene.consumer.closing != ConsumerClosing::No;
        let rests = self
            .resting
            .get(&queue_id)
            .filter(|(since, leaves)| self.scene.now.mono < *since + 20 * SECOND && !(*leaves && is_closing));
        assert!(rests.is_none(), "queue {queue_id} is {what} while the application is at it: {rests:?}");
    }

    pub(super) fn check_room(&self, queue_id: u32) {
        let id = self.scene.consumer.queues.find(&queue(queue_id)).expect("it is ours");
        let messages = &self.scene.consumer.queues.get(id).expect("it is there").messages;
        assert!(messages.len() - messages.uncommitted() < MOST_CACHED, "{messages:?}");
    }

    pub(super) fn check_lock(&self, queue_id: u32, what: &str) {
        if self.broadcasts {
            return;
        }
        if self.claims {
            return assert!(
                !self.other_may_have(queue_id),
                "queue {queue_id} is {what} while another member may have it"
            );
        }
        let lock = self.broker[&queue_id].lock;
        assert!(lock.is_some_and(|(owner, _)| owner == ME), "queue {queue_id} is {what} while {lock:?} has the lock");
    }
}

pub(super) fn ticket_of(ask: &Wish) -> Option<Ticket> {
    match ask {
        Wish::Queues { asked: asked::Queues(_, ticket), .. }
        | Wish::Members { asked: asked::Members(_, ticket, _), .. }
        | Wish::Check { asked: asked::Check(_, ticket), .. }
        | Wish::MaxOffset { asked: asked::End(_, ticket), .. }
        | Wish::EndOffset { asked: asked::EndOffset(_, ticket), .. }
        | Wish::CommitEnd { asked: asked::EndCommitted(_, ticket), .. }
        | Wish::GroupOffset { asked: asked::GroupOffset(_, ticket), .. }
        | Wish::FormerOffset { asked: asked::FormerOffset(_, ticket), .. }
        | Wish::MinOffset { asked: asked::FirstOffset(_, ticket), .. }
        | Wish::OffsetAt { asked: asked::FirstOffset(_, ticket), .. }
        | Wish::Pull { asked: asked::Pull(_, ticket), .. }
        | Wish::CancelPull { asked: asked::Pull(_, ticket) }
        | Wish::OvertakePull { asked: asked::Pull(_, ticket), .. }
        | Wish::Commit { asked: asked::Commit(_, ticket), .. }
        | Wish::Lock { asked: asked::Lock { ticket, .. }, .. }
        | Wish::Unlock { asked: asked::Unlock(_, ticket), .. } => Some(*ticket),
        Wish::SendBack { .. } | Wish::Heartbeat => None,
    }
}
