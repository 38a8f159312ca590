//! Closing: what is in work may end, offsets are committed, locks go back; then it is told what never ended.

use super::ask::{Ask, Asked};
use super::queue::{QueueId, Stage};
use super::{PushConsumer, PushEvent, Timer};
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant, Now};

/// How long brokers have to take the last offsets and the locks.
pub(crate) const FAREWELL: Duration = Duration::from_secs(3);

/// How far closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// What is in work may end until then.
    Draining {
        until: Instant,
    },
    /// So many brokers' answers are waited for.
    Leaving {
        answers: usize,
    },
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

    /// Begins to close: nothing more is fetched or delivered, what is in work may end within `grace`.
    pub(crate) fn close(&mut self, now: Now, grace: Duration) {
        if self.is_closing() {
            return;
        }
        let until = now.mono + grace;
        self.closing = Closing::Draining { until };
        self.timers.clear(Timer::Rebalance as u32);
        self.set(Timer::Close, until);
        for id in self.queue_ids() {
            self.cancel_fetch(id);
        }
        self.go_on_closing(now);
    }

    /// Goes on with closing once nothing is in work.
    pub(super) fn go_on_closing(&mut self, now: Now) {
        if matches!(self.closing, Closing::Draining { .. }) && self.in_work == 0 && self.sending_back == 0 {
            self.leave_all(now);
        }
    }

    /// The time of a stage of closing is up.
    pub(super) fn close_in_time(&mut self, now: Now) {
        match self.closing {
            Closing::Draining { until } if until <= now.mono => self.leave_all(now),
            Closing::Leaving { .. } => self.end(),
            Closing::No | Closing::Draining { .. } | Closing::Closed => {}
        }
    }

    fn leave_all(&mut self, now: Now) {
        let mut unfinished = Vec::new();
        for id in self.queue_ids() {
            unfinished.extend(self.in_hand_of(id));
        }
        self.totals.unfinished = unfinished;
        self.closing = Closing::Leaving { answers: 0 };
        self.set(Timer::Close, now.mono + FAREWELL);
        if self.config.is_broadcasting() {
            self.store_offsets();
        }
        for id in self.queue_ids() {
            self.remove(now, id);
        }
        if self.closing == (Closing::Leaving { answers: 0 }) {
            self.end();
        }
    }

    /// What the application has of a queue.
    fn in_hand_of(&self, id: QueueId) -> Option<Unfinished> {
        let known = self.queues.get(id).filter(|known| known.stage != Stage::Starting)?;
        let offsets: Vec<u64> = known.messages.in_work_offsets().collect();
        (!offsets.is_empty()).then(|| Unfinished { queue: known.queue.clone(), offsets })
    }

    /// Commits for the last time what is finished of a queue, and then gives its lock back.
    pub(super) fn say_farewell(&mut self, queue: MessageQueue, offset: Option<u64>, is_locked: bool) {
        match offset.filter(|_| !self.config.is_broadcasting()) {
            Some(offset) => {
                let asked = Asked::LastCommit { queue: queue.clone(), is_locked };
                self.farewell(asked, Ask::Commit { queue, offset });
            }
            None if is_locked => self.farewell(Asked::Farewell, Ask::Unlock { queues: vec![queue] }),
            None => {}
        }
    }

    fn farewell(&mut self, asked: Asked, ask: Ask) {
        if let Closing::Leaving { answers } = &mut self.closing {
            *answers += 1;
        }
        self.ask(asked, ask);
    }

    /// Takes what came of a last commit. The lock goes back only now, so that the next owner reads what we committed.
    pub(crate) fn take_last_commit(&mut self, queue: MessageQueue, is_locked: bool, result: Result<(), Error>) {
        if let Err(error) = result {
            tracing::warn!(group = &*self.group, %queue, %error, "the last offset was not committed");
        }
        if is_locked {
            self.farewell(Asked::Farewell, Ask::Unlock { queues: vec![queue] });
        }
        self.take_farewell();
    }

    /// A broker has answered the last that is said of a queue, or will not.
    pub(crate) fn take_farewell(&mut self) {
        if let Closing::Leaving { answers } = &mut self.closing {
            *answers = answers.saturating_sub(1);
            if *answers == 0 {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.closing = Closing::Closed;
        for timer in super::TIMERS {
            self.timers.clear(timer as u32);
        }
        self.asks.clear();
        self.events.push_back(PushEvent::Closed(core::mem::take(&mut self.totals.unfinished)));
    }
}
