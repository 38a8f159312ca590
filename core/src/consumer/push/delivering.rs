//! Deliveries: what the application gets, and in which turn (`ConsumeMessageConcurrentlyService`,
//! `ConsumeMessageOrderlyService`).

use super::queue::{AssignedQueue, QueueId};
use super::{PushConsumer, PushEvent, Timer};
use crate::consumer::process_queue::DeliveryNumber;
use crate::queue::MessageQueue;
use crate::time::{Instant, Now};
use crate::wire::message::StoredMessage;

/// How many messages may be consumed at once, apart from all others: an administrator looks at one at a time.
const MOST_DIRECTLY: usize = 16;

/// Messages for the application, consecutive ones of one queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// What to settle it with.
    pub settlement: Settlement,
    /// The queue.
    pub queue: MessageQueue,
    /// The messages as they are stored, each with how often it was delivered here in vain.
    pub messages: Vec<(StoredMessage, u32)>,
}

impl Delivery {
    /// A delivery, or a part of one.
    pub const fn new(settlement: Settlement, queue: MessageQueue, messages: Vec<(StoredMessage, u32)>) -> Self {
        Self { settlement, queue, messages }
    }
}

/// Which messages are settled: all of a delivery, or some that follow each other. Each message has to be settled once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub(super) queue: QueueId,
    pub(super) delivery: DeliveryNumber,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: usize,
}

impl Settlement {
    /// The part with `count` messages, whose offsets are from `first` to `last`.
    #[must_use]
    pub const fn part(self, first: u64, last: u64, count: usize) -> Self {
        Self { first, last, count, ..self }
    }

    /// How many messages it is about.
    pub const fn count(&self) -> usize {
        self.count
    }
}

impl PushConsumer {
    /// The next delivery, with up to `most` messages, one at least; `None` when there is nothing now, and then
    /// [`PushEvent::Readable`] follows when there is. An orderly delivery has the batch size at the most.
    pub(crate) fn next_delivery(&mut self, now: Now, most: usize) -> Option<Delivery> {
        let budget = self.budget(now.mono);
        let delivery = if budget == 0 { None } else { self.deliver(now.mono, most.clamp(1, budget)) };
        match &delivery {
            Some(delivery) => {
                self.in_work += delivery.messages.len();
                if let Some(rate) = &mut self.rate {
                    rate.spend(delivery.messages.len());
                }
            }
            None => self.is_told = false,
        }
        self.attend(now);
        delivery
    }

    /// A broker wants a message consumed at once. Returns whether it may be.
    pub(crate) fn begin_directly(&mut self) -> bool {
        let may_be = !self.is_closing() && self.directly < MOST_DIRECTLY;
        self.directly += usize::from(may_be);
        may_be
    }

    /// A message that a broker wanted consumed at once is.
    pub(crate) fn end_directly(&mut self, now: Now) {
        self.directly = self.directly.saturating_sub(1);
        self.attend(now);
    }

    /// How many messages may be delivered now.
    fn budget(&mut self, now: Instant) -> usize {
        if self.is_paused || self.is_closing() {
            return 0;
        }
        let room = self.config.max_in_work.saturating_sub(self.in_work);
        let Some(rate) = &mut self.rate else {
            return room;
        };
        let allowed = rate.allowed(now);
        if allowed == 0 {
            let at = rate.next(now);
            self.set(Timer::Rate, at);
        }
        room.min(allowed)
    }

    fn deliver(&mut self, now: Instant, most: usize) -> Option<Delivery> {
        let is_orderly = self.config.is_orderly();
        let most = if is_orderly { most.min(self.config.consume_batch_size) } else { most };
        while let Some(id) = self.line.pop_front() {
            let may_go = self.queues.get(id).is_some_and(|known| self.is_deliverable(now, known));
            let Some(known) = self.queues.touch(id) else {
                continue;
            };
            known.is_in_line = false;
            if !may_go {
                continue;
            }
            self.last_delivery += 1;
            let number = self.last_delivery;
            let Some(taken) = known.messages.take(now, number, most) else {
                continue;
            };
            let settlement = Settlement {
                queue: id,
                delivery: number,
                first: taken.first,
                last: taken.last,
                count: taken.messages.len(),
            };
            return Some(Delivery { settlement, queue: known.queue.clone(), messages: taken.messages });
        }
        None
    }

    /// Whether something of a queue may be delivered now.
    pub(super) fn is_deliverable(&self, now: Instant, known: &AssignedQueue) -> bool {
        let is_at_rest = || {
            // A delivery cannot be recalled: no other is made before all of it has ended, whatever became of the lock meanwhile.
            let has_any = known.messages.in_work() > 0 || self.abandoned.has_any_of(&known.queue);
            !has_any && known.messages.sending_back() == 0 && !known.is_suspended(now)
        };
        let is_free = !self.config.is_orderly() || is_at_rest();
        let is_ours = known.is_consuming() && (!self.needs_locks() || known.lock.is_held(now));
        // Where the group has never been, others begin at once: they have to see by its offset that we are there.
        let is_seen = !self.claims_queues() || known.commit.persisted.is_some();
        is_ours && is_seen && is_free && !known.is_paused && known.messages.waiting() > 0
    }

    /// Puts a queue in the line of those with something to deliver.
    pub(super) fn line_up(&mut self, id: QueueId) {
        if let Some(known) = self.queues.touch(id) {
            known.is_in_line = true;
            self.line.push_back(id);
        }
    }

    /// Lets the application know that there is something, once until it finds nothing.
    pub(super) fn tell(&mut self, now: Instant) {
        if !self.is_told && !self.line.is_empty() && self.budget(now) > 0 {
            self.is_told = true;
            self.events.push_back(PushEvent::Readable);
        }
    }

    /// Whether the application is not told of what is in line because something has to come first, which will.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn budget_is_awaited(&self) -> bool {
        let is_full = self.in_work >= self.config.max_in_work;
        self.is_paused || self.is_closing() || is_full || self.timers.at(Timer::Rate as u32).is_some()
    }
}
