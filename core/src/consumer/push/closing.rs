//! Closing: what is in work may end, offsets are committed, locks go back; then it is told what never ended.

use super::queue::{QueueId, Stage};
use super::{PushConsumer, PushEvent, Timer};
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};

/// How long brokers have to take the last offsets and the locks.
const FAREWELL: Duration = Duration::from_secs(3);

/// How far closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// What is in work may end until then.
    Draining {
        until: Instant,
    },
    /// Every queue leaves.
    Leaving,
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

impl PushConsumer {
    pub(super) fn is_closing(&self) -> bool {
        self.closing != Closing::No
    }

    /// Whether what is in work has had its time.
    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self.closing, Closing::Leaving | Closing::Closed)
    }

    /// Begins to close: nothing more is fetched or delivered, what is in work may end within `grace`. Who closes again
    /// may make that shorter.
    pub(crate) fn close(&mut self, now: Now, grace: Duration) {
        let until = now.mono + grace;
        match self.closing {
            Closing::No => {
                self.timers.clear(Timer::Rebalance as u32);
                self.queues.touch_all();
                self.drain_until(until);
            }
            Closing::Draining { until: known } if until < known => self.drain_until(until),
            Closing::Draining { .. } | Closing::Leaving | Closing::Closed => {}
        }
        self.attend(now);
    }

    fn drain_until(&mut self, until: Instant) {
        self.closing = Closing::Draining { until };
        self.set(Timer::Close, until);
    }

    /// Ends at once: nobody carries anything out any more.
    pub(crate) fn abort(&mut self, now: Now) {
        match self.closing {
            Closing::No | Closing::Draining { .. } => self.note_unfinished(),
            Closing::Leaving => {}
            Closing::Closed => return,
        }
        self.end(now);
    }

    /// Goes on with closing once nothing is in work, and ends it once every queue has left.
    pub(super) fn go_on_closing(&mut self, now: Now) {
        match self.closing {
            Closing::Draining { .. } if self.in_work + self.sending_back + self.directly == 0 => self.leave_all(now),
            Closing::Leaving if self.queues.len() == 0 && self.owed.is_empty() => self.end(now),
            _ => {}
        }
    }

    /// The time of a stage of closing is up.
    pub(super) fn close_in_time(&mut self, now: Now) {
        match self.closing {
            Closing::Draining { until } if until <= now.mono => self.leave_all(now),
            Closing::Leaving => self.end(now),
            Closing::No | Closing::Draining { .. } | Closing::Closed => {}
        }
    }

    fn note_unfinished(&mut self) {
        self.totals.unfinished = self.queues.ids().into_iter().filter_map(|id| self.in_hand_of(id)).collect();
    }

    fn leave_all(&mut self, now: Now) {
        self.note_unfinished();
        self.closing = Closing::Leaving;
        self.set(Timer::Close, now.mono + FAREWELL);
        for id in self.queues.ids() {
            self.leave(now, id);
        }
        if self.queues.len() == 0 && self.owed.is_empty() {
            self.end(now);
        }
    }

    /// What the application has of a queue.
    fn in_hand_of(&self, id: QueueId) -> Option<Unfinished> {
        let known = self.queues.get(id).filter(|known| !matches!(known.stage, Stage::Starting(_)))?;
        let offsets: Vec<u64> = known.messages.in_work_offsets().collect();
        (!offsets.is_empty()).then(|| Unfinished { queue: known.queue.clone(), offsets })
    }

    fn end(&mut self, now: Now) {
        self.closing = Closing::Closed;
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
        self.asks.clear();
        self.events.push_back(PushEvent::Closed(core::mem::take(&mut self.totals.unfinished)));
    }
}
