//! Settlement: what becomes of messages when the application is done with them (`ConsumeMessageConcurrentlyService`,
//! `ConsumeMessageOrderlyService`).

use super::asked::{self, Ticket};
use super::config::RetryDelay;
use super::delivering::Settlement;
use super::queue::{AssignedQueue, QueueId, Stage};
use super::wish::{SendingBack, Wish};
use super::{PushConsumer, Timer};
use crate::error::Error;
use crate::notice::Notice;
use crate::time::{Duration, Instant, Now};
use crate::wire::message::{StoredMessage, property};

/// A message that could not be sent back is delivered here again after this time (`submitConsumeRequestLater`).
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The delay level for what the application had for too long (`cleanExpiredMsg`): 10 s.
const EXPIRED_LEVEL: i32 = 3;

/// How the application is done with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumeOutcome {
    /// They are consumed. With an orderly consumer that does not commit by itself they can still be rolled back.
    Success,
    /// They failed: the broker brings them again later, to any member of the group, behind what came meanwhile. A
    /// broadcasting consumer drops them.
    ReconsumeLater(RetryDelay),
    /// They failed, and their queue rests until they are delivered again; `None`: for as long as is set up. Orderly
    /// consumption only; otherwise it means [`ConsumeOutcome::ReconsumeLater`].
    SuspendCurrentQueue(Option<Duration>),
    /// They are consumed, and with them is committed what was consumed before. Orderly consumption only.
    Commit,
    /// They and what was consumed and not committed before are delivered again. Orderly consumption only.
    Rollback,
}

impl PushConsumer {
    /// The application is done with messages. Returns whether that still counts: it does not for a queue that has gone
    /// to another member or goes on at another offset, nor for messages that it had for too long.
    pub(crate) fn settle(&mut self, now: Now, settlement: Settlement, outcome: ConsumeOutcome) -> bool {
        self.in_work = self.in_work.saturating_sub(settlement.count);
        let ended = self.abandoned.settled(settlement.delivery, settlement.first, settlement.last);
        // The queue may have come back, and wait for that.
        if let Some(id) = ended.and_then(|queue| self.queues.find(&queue)) {
            self.queues.touch(id);
        }
        let counts = if self.config.is_orderly() {
            self.settle_orderly(now, settlement, outcome)
        } else {
            self.settle_concurrent(settlement, outcome)
        };
        self.note_consumed(now, settlement.queue, settlement.count, outcome);
        self.attend(now);
        counts > 0
    }

    /// Messages that the application has have failed. Said of the first of them, as of whom a reader would look for.
    pub(crate) fn note_failed(&mut self, settlement: Settlement, why: &str) {
        let Settlement { queue, delivery, first, last, count } = settlement;
        let Some(known) = self.queues.get(queue) else {
            return;
        };
        let mut notice = Notice::warn("a message was not consumed").about("queue", &known.queue).about("offset", first);
        if count > 1 {
            notice = notice.about("count", count);
        }
        if let Some((message, failures)) = known.messages.in_hand(delivery, first, last).first() {
            notice = about_message(notice, message, *failures);
        }
        self.notices.push(notice.about("error", why));
    }

    /// Whether a delivery's queue is still consumed here.
    pub(crate) fn is_ours(&self, settlement: Settlement) -> bool {
        self.queues.get(settlement.queue).is_some_and(AssignedQueue::is_consuming)
    }

    fn settle_concurrent(&mut self, settlement: Settlement, outcome: ConsumeOutcome) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let Some(known) = self.queues.touch(id) else {
            return 0;
        };
        if !known.is_consuming() {
            // It does not count, but has ended: nothing of it is with the application any more.
            known.messages.release(delivery, first, last);
            return 0;
        }
        let level = match outcome {
            ConsumeOutcome::Success | ConsumeOutcome::Commit => {
                return known.messages.consumed(delivery, first, last, true);
            }
            ConsumeOutcome::ReconsumeLater(delay) => delay.level(),
            ConsumeOutcome::SuspendCurrentQueue(_) | ConsumeOutcome::Rollback => RetryDelay::Broker.level(),
        };
        let failed = known.messages.send_back(delivery, first, last);
        let count = failed.len();
        self.send_back(id, failed, level);
        count
    }

    fn settle_orderly(&mut self, now: Now, settlement: Settlement, outcome: ConsumeOutcome) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let auto_commit = self.config.auto_commit;
        let needs_locks = self.needs_locks();
        let Some(known) = self.queues.touch(id) else {
            return 0;
        };
        let is_over = match known.stage {
            Stage::Consuming => false,
            // The last commit is on its way, or was to be.
            Stage::Leaving(leave) => leave.has_committed() || leave.until <= now.mono,
            Stage::Locking | Stage::Starting(_) => true,
        };
        // Also when nobody has noticed yet that the time of the lock is over: another member may have it.
        if is_over || (needs_locks && !known.lock.is_held(now.mono)) {
            known.messages.release(delivery, first, last);
            return 0;
        }
        match outcome {
            ConsumeOutcome::Success => known.messages.consumed(delivery, first, last, auto_commit),
            ConsumeOutcome::Commit => {
                let count = known.messages.consumed(delivery, first, last, false);
                if count > 0 {
                    known.messages.commit();
                }
                count
            }
            ConsumeOutcome::Rollback => {
                let count = known.messages.consumed(delivery, first, last, false);
                if count > 0 {
                    known.messages.roll_back();
                    known.messages.overtake(delivery);
                    self.suspend(now.mono, id, None);
                }
                count
            }
            ConsumeOutcome::SuspendCurrentQueue(pause) => self.fail_orderly(now, settlement, pause),
            ConsumeOutcome::ReconsumeLater(delay) => {
                let failed = known.messages.send_back(delivery, first, last);
                let count = failed.len();
                self.send_back(id, failed, delay.level());
                count
            }
        }
    }

    /// Orderly messages that failed are delivered again here, after a rest, and before what follows them, also if the
    /// application has that already; those that have failed too often go to the dead letters.
    fn fail_orderly(&mut self, now: Now, settlement: Settlement, pause: Option<Duration>) -> usize {
        let Settlement { queue: id, delivery, first, last, .. } = settlement;
        let most = self.config.max_reconsume_times.filter(|_| !self.config.is_broadcasting());
        let Some(known) = self.queues.touch(id) else {
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
        known.messages.overtake(delivery);
        if given_up.len() < in_hand.len() {
            self.suspend(now.mono, id, pause);
        }
        self.send_back(id, failed, RetryDelay::Never.level());
        in_hand.len()
    }

    /// What the application has consumed and not committed takes all the room there is, so that it would never have a message to commit
    /// it with: it comes again.
    pub(super) fn roll_back_uncommitted(&mut self, now: Instant, id: QueueId) {
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        let notice =
            Notice::error("messages that are consumed and not committed have all room: they are delivered again");
        self.notices.push(notice.about("queue", &known.queue).about("count", known.messages.len()));
        known.messages.roll_back();
        self.suspend(now, id, None);
    }

    fn suspend(&mut self, now: Instant, id: QueueId, pause: Option<Duration>) {
        let until = now + pause.unwrap_or(self.config.suspend_time);
        if let Some(known) = self.queues.touch(id) {
            known.suspended_until = Some(until);
        }
    }

    /// Has brokers take messages back. A broadcasting consumer drops them: they would come again to a retry topic that
    /// none of its group reads.
    fn send_back(&mut self, id: QueueId, failed: Vec<(StoredMessage, u32)>, delay_level: i32) {
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        if self.config.is_broadcasting() {
            let notice = Notice::warn("a broadcasting consumer drops what failed").about("queue", &known.queue);
            self.notices.push(about_first(notice, &failed));
            let offsets = failed.iter().filter_map(|(message, _)| offset_of(message));
            return offsets.for_each(|offset| known.messages.sent_back(offset, None));
        }
        let (queue, begun) = (known.queue.clone(), known.begun);
        let max_reconsume_times = self.config.most_reconsume_times();
        for (message, _) in failed {
            let Some(offset) = offset_of(&message) else {
                continue;
            };
            self.sending_back += 1;
            // Smartgo's brokers cannot be told the maximum, but all know what this level means.
            let is_dead = message.fields.reconsume_times >= max_reconsume_times;
            let message = SendingBack {
                queue: queue.clone(),
                physical_offset: message.fields.physical_offset,
                message_id: message.fields.offset_id().to_string(),
                delay_level: if is_dead { RetryDelay::Never.level() } else { delay_level },
                max_reconsume_times,
            };
            self.wish(Wish::SendBack { asked: asked::SendBack(id, begun, offset), message });
        }
    }

    /// Takes what came of sending a message back. One that the broker has not taken stays, and is tried again here: in
    /// order, before all that follows it (`ConsumeMessageOrderlyService.checkReconsumeTimes`).
    pub(crate) fn take_sent_back(
        &mut self,
        now: Now,
        id: QueueId,
        begun: Ticket,
        offset: u64,
        result: Result<(), Error>,
    ) {
        self.sending_back = self.sending_back.saturating_sub(1);
        self.totals.metrics.sent_back += u64::from(result.is_ok());
        let rest = self.config.is_orderly().then_some(self.config.suspend_time);
        if let Some(known) = self.queues.touch(id).filter(|known| known.begun == begun) {
            let again = result.err().map(|error| {
                let notice = Notice::warn("a message that failed was not taken back").about("queue", &known.queue);
                self.notices.push(notice.about("offset", offset).about("error", error));
                known.suspended_until = rest.map(|rest| now.mono + rest);
                // It waits in front of all others at once, while its queue rests.
                if rest.is_some() { now.mono } else { now.mono + AGAIN_AFTER }
            });
            known.messages.sent_back(offset, again);
        }
        self.attend(now);
    }

    /// Deferred messages whose time has come wait to be delivered again.
    pub(super) fn wake_deferred(&mut self, now: Instant, id: QueueId) {
        if let Some(known) = self.queues.touch(id) {
            known.messages.wake_deferred(now);
        }
    }

    /// Takes from the application what it has had for too long; brokers bring it again.
    pub(super) fn expire(&mut self, now: Now) {
        let timeout = self.config.consume_timeout;
        self.set(Timer::Expire, now.mono + timeout);
        let since = now.mono - timeout;
        for id in self.queues.ids() {
            let Some(known) = self.queues.touch(id).filter(|known| known.is_consuming()) else {
                continue;
            };
            let late = known.messages.expire(since);
            if late.is_empty() {
                continue;
            }
            let notice = Notice::warn("messages are in work for longer than they may").about("queue", &known.queue);
            self.notices.push(about_first(notice, &late));
            self.note_consumed(now, id, late.len(), ConsumeOutcome::ReconsumeLater(RetryDelay::Broker));
            self.send_back(id, late, EXPIRED_LEVEL);
            if self.in_work >= self.config.max_in_work {
                let notice = Notice::error("nothing more is consumed: handlers that do not return have all places");
                self.notices.push(notice.about("max_in_work", self.config.max_in_work));
            }
        }
    }
}

/// Says which message a notice is about, as somebody would look for it.
fn about_message(notice: Notice, message: &StoredMessage, failures: u32) -> Notice {
    let properties = message.properties();
    let id = properties.get(property::UNIQ_KEY).map_or_else(|| message.fields.offset_id().to_string(), str::to_owned);
    let notice = notice.about("message_id", id);
    let keys = properties.get(property::KEYS);
    let notice = keys.into_iter().fold(notice, |notice, keys| notice.about("keys", keys));
    let before = u32::try_from(message.fields.reconsume_times).unwrap_or(0);
    notice.about("tries", before.saturating_add(failures).saturating_add(1))
}

/// Says how many messages of a queue a notice is about, and which is the first of them.
fn about_first(notice: Notice, messages: &[(StoredMessage, u32)]) -> Notice {
    let notice = notice.about("count", messages.len());
    let Some((first, failures)) = messages.first() else {
        return notice;
    };
    about_message(notice.about("offset", first.fields.queue_offset), first, *failures)
}

fn offset_of(message: &StoredMessage) -> Option<u64> {
    u64::try_from(message.fields.queue_offset).ok()
}
