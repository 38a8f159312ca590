//! Deliveries and their settlement: what the application gets, and what becomes of it when it is done
//! (`ConsumeMessageConcurrentlyService`, `ConsumeMessageOrderlyService`).

use super::ask::{Ask, Asked, SendingBack};
use super::config::RetryDelay;
use super::queue::{QueueId, Stage};
use super::{PushConsumer, PushEvent, QueueTimer, Timer};
use crate::consumer::process_queue::DeliveryNumber;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};
use crate::wire::message::StoredMessage;

/// A message that could not be sent back is delivered here again after this time (`submitConsumeRequestLater`).
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The delay level for what the application had for too long (`cleanExpiredMsg`): 10 s.
const EXPIRED_LEVEL: i32 = 3;

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
    queue: QueueId,
    delivery: DeliveryNumber,
    first: u64,
    last: u64,
    count: usize,
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

/// How the application is done with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// They are consumed. With an orderly consumer that does not commit by itself they can still be rolled back.
    Success,
    /// They failed: the broker brings them again later, to any member of the group, behind what came meanwhile. A
    /// broadcasting consumer drops them.
    ReconsumeLater(RetryDelay),
    /// They failed, and their queue rests until they are delivered again; `None`: for as long as is set up. Orderly
    /// consumption only; otherwise it means [`Outcome::ReconsumeLater`].
    SuspendCurrentQueue(Option<Duration>),
    /// They are consumed, and with them is committed what was consumed before. Orderly consumption only.
    Commit,
    /// They and what was consumed and not committed before are delivered again. Orderly consumption only.
    Rollback,
}

impl PushConsumer {
    /// The next delivery, with up to `most` messages; `None` when there is nothing now, and then
    /// [`PushEvent::Readable`] follows when there is. An orderly delivery has the batch size at the most.
    pub(crate) fn next_delivery(&mut self, now: Now, most: usize) -> Option<Delivery> {
        let budget = self.budget(now.mono);
        let delivery = if budget == 0 { None } else { self.deliver(now, most.min(budget)) };
        match &delivery {
            Some(delivery) => {
                self.in_work += delivery.messages.len();
                if let Some(rate) = &mut self.rate {
                    rate.spend(delivery.messages.len());
                }
            }
            None => self.is_told = false,
        }
        delivery
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

    fn deliver(&mut self, now: Now, most: usize) -> Option<Delivery> {
        let is_orderly = self.config.is_orderly();
        let most = if is_orderly { most.min(self.config.batch_size) } else { most };
        while let Some(id) = self.line.pop_front() {
            let may_go = self.is_deliverable(now.mono, id);
            let Some(known) = self.queues.get_mut(id) else {
                continue;
            };
            known.is_in_line = false;
            if !may_go {
                continue;
            }
            self.last_delivery += 1;
            let number = self.last_delivery;
            let Some(taken) = known.messages.take(now.mono, number, most) else {
                continue;
            };
            if is_orderly {
                known.in_hand = Some(number);
            }
            let settlement = Settlement {
                queue: id,
                delivery: number,
                first: taken.first,
                last: taken.last,
                count: taken.messages.len(),
            };
            let queue = known.queue.clone();
            self.line_up(now, id);
            return Some(Delivery { settlement, queue, messages: taken.messages });
        }
        None
    }

    /// Whether something of a queue may be delivered now.
    fn is_deliverable(&mut self, now: Instant, id: QueueId) -> bool {
        let needs_lock = self.needs_locks();
        let Some(known) = self.queues.get(id) else {
            return false;
        };
        let is_free = !self.config.is_orderly() || (known.in_hand.is_none() && !known.is_suspended(now));
        if known.stage != Stage::Consuming || known.is_paused || known.messages.waiting() == 0 || !is_free {
            return false;
        }
        if needs_lock && !known.is_locked(now) {
            self.lose_lock(now, id);
            self.ask_locks(now, |queue| queue.stage == Stage::Locking);
            return false;
        }
        true
    }

    /// Puts a queue in the line if it has something to deliver.
    pub(super) fn line_up(&mut self, now: Now, id: QueueId) {
        if self.queues.get(id).is_some_and(|known| !known.is_in_line) && self.is_deliverable(now.mono, id) {
            if let Some(known) = self.queues.get_mut(id) {
                known.is_in_line = true;
            }
            self.line.push_back(id);
        }
    }

    /// Lets the application know that there is something, once until it finds nothing.
    pub(super) fn tell(&mut self) {
        let has_room = self.in_work < self.config.max_in_work;
        if has_room && !self.is_paused && !self.is_closing() && !self.line.is_empty() && !self.is_told {
            self.is_told = true;
            self.events.push_back(PushEvent::Readable);
        }
    }

    /// The application is done with messages. Returns whether that still counts: it does not for a queue that has gone
    /// to another member or goes on at another offset, nor for messages that it had for too long.
    pub(crate) fn settle(&mut self, now: Now, settlement: Settlement, outcome: Outcome) -> bool {
        self.in_work = self.in_work.saturating_sub(settlement.count);
        let counts = if self.config.is_orderly() {
            self.settle_orderly(now, settlement, outcome)
        } else {
            self.settle_concurrent(settlement, outcome)
        };
        let id = settlement.queue;
        self.note_consumed(now, id, settlement.count, outcome);
        self.fetch(now, id);
        self.line_up(now, id);
        self.tell();
        self.go_on_closing(now);
        counts > 0
    }

    fn settle_concurrent(&mut self, settlement: Settlement, outcome: Outcome) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let is_broadcasting = self.config.is_broadcasting();
        let Some(known) = self.queues.get_mut(id) else {
            return 0;
        };
        let level = match outcome {
            Outcome::Success | Outcome::Commit => return known.messages.consumed(delivery, first, last, true),
            Outcome::ReconsumeLater(delay) => delay.level(),
            Outcome::SuspendCurrentQueue(_) | Outcome::Rollback => RetryDelay::Broker.level(),
        };
        if is_broadcasting {
            tracing::warn!(queue = %known.queue, first, last, "a broadcasting consumer failed, which drops messages");
            return known.messages.consumed(delivery, first, last, true);
        }
        let failed = known.messages.send_back(delivery, first, last);
        let count = failed.len();
        self.send_back(id, failed, level);
        count
    }

    fn settle_orderly(&mut self, now: Now, settlement: Settlement, outcome: Outcome) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let auto_commit = self.config.auto_commit;
        let Some(known) = self.queues.get_mut(id) else {
            return 0;
        };
        if known.in_hand == Some(delivery) {
            known.in_hand = None;
        }
        let count = match outcome {
            Outcome::Success => known.messages.consumed(delivery, first, last, auto_commit),
            Outcome::Commit => {
                let count = known.messages.consumed(delivery, first, last, false);
                if count > 0 {
                    known.messages.commit();
                }
                count
            }
            Outcome::Rollback => {
                let count = known.messages.consumed(delivery, first, last, false);
                if count > 0 {
                    known.messages.roll_back();
                    self.suspend(now, id, None);
                }
                count
            }
            Outcome::SuspendCurrentQueue(pause) => self.fail_orderly(now, settlement, pause),
            Outcome::ReconsumeLater(delay) => {
                let failed = known.messages.send_back(delivery, first, last);
                let count = failed.len();
                self.send_back(id, failed, delay.level());
                count
            }
        };
        if self.queues.get(id).is_some_and(|known| known.stage == Stage::Leaving) {
            self.remove(now, id);
        }
        count
    }

    /// Orderly messages that failed are delivered again here, after a rest; those that have failed too often go to the
    /// dead letters.
    fn fail_orderly(&mut self, now: Now, settlement: Settlement, pause: Option<Duration>) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let most = self.config.max_reconsume_times.filter(|_| !self.config.is_broadcasting());
        let Some(known) = self.queues.get_mut(id) else {
            return 0;
        };
        let times = |message: &StoredMessage, failures: u32| {
            u32::try_from(message.fields.reconsume_times).unwrap_or(0).saturating_add(failures)
        };
        let in_hand = known.messages.in_hand(delivery, first, last);
        let given_up =
            in_hand.iter().filter(|(message, failures)| most.is_some_and(|most| times(message, *failures) >= most));
        let given_up: Vec<u64> = given_up.filter_map(|(message, _)| offset_of(message)).collect();
        let mut failed = Vec::new();
        for offset in &given_up {
            failed.extend(known.messages.send_back(delivery, *offset, *offset));
        }
        known.messages.defer(delivery, first, last, None);
        if given_up.len() < in_hand.len() {
            self.suspend(now, id, pause);
        }
        self.send_back(id, failed, RetryDelay::Never.level());
        in_hand.len()
    }

    fn suspend(&mut self, now: Now, id: QueueId, pause: Option<Duration>) {
        let until = now.mono + pause.unwrap_or(self.config.suspend_time);
        if let Some(known) = self.queues.get_mut(id) {
            known.suspended_until = Some(until);
        }
        self.wake_at(id, until);
    }

    /// Has brokers take messages back.
    fn send_back(&mut self, id: QueueId, failed: Vec<(StoredMessage, u32)>, delay_level: i32) {
        let Some(queue) = self.queues.get(id).map(|known| known.queue.clone()) else {
            return;
        };
        let max_reconsume_times = self.config.most_reconsume_times();
        for (message, _) in failed {
            let Some(offset) = offset_of(&message) else {
                continue;
            };
            self.sending_back += 1;
            // Smartgo's brokers cannot be told the maximum, but all know what this level means.
            let is_dead = message.fields.reconsume_times >= max_reconsume_times;
            let sending_back = SendingBack {
                queue: queue.clone(),
                physical_offset: message.fields.physical_offset,
                message_id: message.fields.offset_id().to_string(),
                delay_level: if is_dead { RetryDelay::Never.level() } else { delay_level },
                max_reconsume_times,
            };
            self.ask(Asked::SendBack(id, offset), Ask::SendBack(sending_back));
        }
    }

    /// Takes what came of sending a message back. One that the broker has not taken stays, and is tried again here.
    pub(crate) fn take_sent_back(&mut self, now: Now, id: QueueId, offset: u64, result: Result<(), Error>) {
        self.sending_back = self.sending_back.saturating_sub(1);
        if let Some(known) = self.queues.get_mut(id) {
            let again = result.err().map(|error| {
                tracing::warn!(queue = %known.queue, offset, %error, "a message that failed was not taken back");
                now.mono + AGAIN_AFTER
            });
            known.messages.sent_back(offset, again);
            if let Some(at) = again {
                self.wake_at(id, at);
            }
            self.fetch(now, id);
        }
        self.go_on_closing(now);
    }

    /// Sees to it that [`PushConsumer::wake`] is called at `at`.
    fn wake_at(&mut self, id: QueueId, at: Instant) {
        let key = QueueTimer::Wake.key(id);
        if self.timers.at(key).is_none_or(|known| at < known) {
            self.timers.set(key, at);
        }
    }

    /// Something of a queue that waited for its time may go on.
    pub(super) fn wake(&mut self, now: Now, id: QueueId) {
        let Some(known) = self.queues.get_mut(id) else {
            return;
        };
        if known.stage == Stage::Leaving {
            // The delivery in hand has held the queue up for long enough.
            return self.remove(now, id);
        }
        known.messages.wake_deferred(now.mono);
        let next = known.messages.next_deferred().into_iter();
        let next = next.chain(known.suspended_until.filter(|until| now.mono < *until)).min();
        if let Some(at) = next {
            self.timers.set(QueueTimer::Wake.key(id), at);
        }
        self.line_up(now, id);
        self.tell();
    }

    /// Takes from the application what it has had for too long; brokers bring it again.
    pub(super) fn expire(&mut self, now: Now) {
        let timeout = self.config.consume_timeout;
        self.set(Timer::Expire, now.mono + timeout);
        let since = now.mono - timeout;
        for id in self.queue_ids() {
            let Some(known) = self.queues.get_mut(id).filter(|known| known.stage == Stage::Consuming) else {
                continue;
            };
            let late = known.messages.expire(since);
            if late.is_empty() {
                continue;
            }
            tracing::warn!(queue = %known.queue, count = late.len(), "messages are in work for longer than they may");
            if self.config.is_broadcasting() {
                let offsets = late.iter().filter_map(|(message, _)| offset_of(message));
                offsets.for_each(|offset| known.messages.sent_back(offset, None));
            } else {
                self.send_back(id, late, EXPIRED_LEVEL);
            }
        }
    }
}

fn offset_of(message: &StoredMessage) -> Option<u64> {
    u64::try_from(message.fields.queue_offset).ok()
}
