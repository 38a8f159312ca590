//! ConsumerClosing: what is in work may end, offsets are committed, locks go back; then it is told what never ended.

use super::queue::{AssignedQueue, Stage};
use super::{PushConsumer, PushEvent, Timer};
use crate::consumer::process_queue::DeliveryNumber;
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Duration, Instant, Now};

/// How long brokers have to take the last offsets.
const LAST_COMMITS: Duration = Duration::from_secs(2);
/// How long they have to take the locks after that, whatever came of the offsets.
const LAST_LOCKS: Duration = Duration::from_secs(1);

/// How far closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConsumerClosing {
    No,
    /// What is in work may end until then.
    Draining {
        until: Instant,
    },
    /// Every queue leaves: what is finished is committed, and the lock goes back. An application that follows its queues has
    /// until then for what it keeps of them.
    Leaving {
        until: Instant,
    },
    /// Nothing is committed any more: the locks go back.
    Unlocking,
    Closed,
}

/// What was in work when a consumer closed and did not end in time. It is delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The queue.
    pub queue: MessageQueue,
    /// The offsets of the messages.
    pub offsets: Vec<u64>,
}

/// What the application has of queues that know nothing of it any more: their lock was lost, they go on elsewhere, or they
/// have left.
#[derive(Debug, Default)]
pub(super) struct Abandoned {
    by_delivery: SortedMap<DeliveryNumber, Unfinished>,
    /// How many of these deliveries are of each queue.
    by_queue: SortedMap<MessageQueue, u64>,
}

impl Abandoned {
    /// A queue is about to forget its messages.
    pub(super) fn take_from(&mut self, known: &AssignedQueue) {
        for (delivery, offset) in known.messages.all_in_work() {
            let rest = self.by_delivery.get_or_insert_with(delivery, || {
                *self.by_queue.get_or_default(known.queue.clone()) += 1;
                Unfinished { queue: known.queue.clone(), offsets: Vec::new() }
            });
            rest.offsets.push(offset);
        }
    }

    /// A part of a delivery is settled. Gives its queue, if all of it is.
    pub(super) fn settled(&mut self, delivery: DeliveryNumber, first: u64, last: u64) -> Option<MessageQueue> {
        let rest = self.by_delivery.get_mut(&delivery)?;
        rest.offsets.retain(|offset| !(first..=last).contains(offset));
        if !rest.offsets.is_empty() {
            return None;
        }
        let queue = self.by_delivery.remove(&delivery)?.queue;
        if let Some(count) = self.by_queue.get_mut(&queue) {
            *count -= 1;
            if *count == 0 {
                self.by_queue.remove(&queue);
            }
        }
        Some(queue)
    }

    /// All of it: the number of its queue, and its offset.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, u64)> {
        let all = self.by_delivery.values();
        all.flat_map(|rest| rest.offsets.iter().map(|offset| (rest.queue.queue_id, *offset)))
    }

    /// Whether the application has anything of a queue.
    pub(super) fn has_any_of(&self, queue: &MessageQueue) -> bool {
        self.by_queue.contains_key(queue)
    }
}

impl PushConsumer {
    pub(super) fn is_closing(&self) -> bool {
        self.closing != ConsumerClosing::No
    }

    /// Begins to close: nothing more is fetched or delivered, what is in work may end within `grace`. Who closes again
    /// may make that shorter.
    pub(crate) fn close(&mut self, now: Now, grace: Duration) {
        let until = now.mono + grace;
        match self.closing {
            ConsumerClosing::No => {
                self.timers.clear(Timer::Rebalance as u32);
                self.queues.touch_all();
                self.drain_until(until);
            }
            ConsumerClosing::Draining { until: known } if until < known => self.drain_until(until),
            ConsumerClosing::Leaving { until: known } if until < known => self.leave_until(until),
            ConsumerClosing::Draining { .. }
            | ConsumerClosing::Leaving { .. }
            | ConsumerClosing::Unlocking
            | ConsumerClosing::Closed => {}
        }
        self.attend(now);
    }

    /// Brokers have their time for the last offsets once the application has had its own.
    fn leave_until(&mut self, until: Instant) {
        self.closing = ConsumerClosing::Leaving { until };
        self.set(Timer::Close, until + LAST_COMMITS);
        for id in self.queues.ids() {
            if let Some(known) = self.queues.touch(id)
                && let Some(listening) = &mut known.listening
            {
                listening.until = listening.until.min(until);
            }
        }
    }

    fn drain_until(&mut self, until: Instant) {
        self.closing = ConsumerClosing::Draining { until };
        self.set(Timer::Close, until);
    }

    /// Ends at once: nobody carries anything out any more.
    pub(crate) fn abort(&mut self, now: Now) {
        match self.closing {
            ConsumerClosing::No | ConsumerClosing::Draining { .. } => self.note_unfinished(),
            ConsumerClosing::Leaving { .. } | ConsumerClosing::Unlocking => {}
            ConsumerClosing::Closed => return,
        }
        self.end(now);
    }

    /// Goes on with closing once nothing is in work, and ends it once every queue has left.
    pub(super) fn go_on_closing(&mut self, now: Now) {
        match self.closing {
            ConsumerClosing::Draining { until } if self.in_work + self.sending_back + self.directly == 0 => {
                self.leave_all(now, until);
            }
            ConsumerClosing::Leaving { .. } | ConsumerClosing::Unlocking
                if self.queues.len() == 0 && self.owed.is_empty() =>
            {
                self.end(now)
            }
            _ => {}
        }
    }

    /// The time of a stage of closing is up.
    pub(super) fn close_in_time(&mut self, now: Now) {
        match self.closing {
            ConsumerClosing::Draining { until } if until <= now.mono => self.leave_all(now, until),
            ConsumerClosing::Leaving { .. } => self.unlock_all(now),
            ConsumerClosing::Unlocking => self.end(now),
            ConsumerClosing::No | ConsumerClosing::Draining { .. } | ConsumerClosing::Closed => {}
        }
    }

    fn note_unfinished(&mut self) {
        let mut by_queue: SortedMap<&MessageQueue, SortedSet<u64>> = SortedMap::new();
        for (_, known) in self.queues.iter() {
            let offsets = known.messages.all_in_work().map(|(_, offset)| offset);
            by_queue.get_or_default(&known.queue).extend(offsets);
        }
        for left in self.abandoned.by_delivery.values() {
            by_queue.get_or_default(&left.queue).extend(left.offsets.iter().copied());
        }
        let unfinished = by_queue.into_iter().filter(|(_, offsets)| !offsets.is_empty());
        let unfinished = unfinished
            .map(|(queue, offsets)| Unfinished { queue: queue.clone(), offsets: offsets.into_iter().collect() });
        self.totals.unfinished = unfinished.collect();
    }

    /// All queues leave, and may rest until then for the application's sake.
    fn leave_all(&mut self, now: Now, until: Instant) {
        self.note_unfinished();
        let until = if self.config.follows_queues { until } else { now.mono };
        self.leave_until(until);
        for id in self.queues.ids() {
            self.leave(now, id);
        }
        if self.queues.len() == 0 && self.owed.is_empty() {
            self.end(now);
        }
    }

    /// Brokers have had their time for the last offsets. A lock that was asked for may be granted by now.
    fn unlock_all(&mut self, now: Now) {
        self.closing = ConsumerClosing::Unlocking;
        self.set(Timer::Close, now.mono + LAST_LOCKS);
        for id in self.queues.ids() {
            if let Some(known) = self.queues.touch(id) {
                known.commit.under_way = None;
                known.lock.asked = None;
                if let Stage::Leaving(leave) = &mut known.stage {
                    leave.commits_left = 0;
                }
            }
        }
    }

    fn end(&mut self, now: Now) {
        self.closing = ConsumerClosing::Closed;
        for id in self.queues.ids() {
            self.note_place(now.mono, id);
            self.queues.remove(id);
            self.timers.clear(super::queue_timer(id));
        }
        if self.config.is_broadcasting() {
            self.places.doubt();
            self.store_offsets(now.mono);
        }
        for timer in super::TIMERS {
            self.timers.clear(timer as u32);
        }
        self.line.clear();
        self.wishes.clear();
        self.events.push_back(PushEvent::Closed(core::mem::take(&mut self.totals.unfinished)));
    }
}
