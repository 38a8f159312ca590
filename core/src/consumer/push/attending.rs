//! What a queue does next, or what it waits for: one function of its whole state.
//!
//! No event remembers what has to follow from it. Every verb and every answer changes queues, and at its end each queue
//! that was changed is looked after here, until all that is left is to wait.

use super::queue::{AssignedQueue, Begin, Fetch, Leave, QueueId, Stage};
use super::{PushConsumer, Timer, queue_timer};
use crate::time::{Instant, Now};

/// What is done for a queue now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The lock is asked for, or renewed.
    AskLock,
    /// The lock is not ours any more.
    LoseLock,
    /// It is locked: where to begin is asked.
    Start,
    /// Where to begin is asked.
    AskBeginning,
    /// Deferred messages wait to be delivered again.
    WakeDeferred,
    /// It stands in the line of queues with something to deliver.
    LineUp,
    Pull,
    /// What is consumed and not committed is delivered again.
    RollBack,
    /// The pull under way is not wanted any more.
    CancelPull,
    Commit,
    /// The lock is given back.
    Unlock,
    /// It has left.
    Remove,
}

/// What a queue waits for: as long as one of these is there, somebody will wake it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// The answer to a question under way.
    pub(crate) for_answer: bool,
    /// A moment, at which its timer is set.
    pub(crate) until: Option<Instant>,
    /// The application: it has paused it, has messages of it, or is told that there are some.
    pub(crate) for_application: bool,
}

impl Waits {
    fn until(&mut self, at: Instant) {
        self.until = Some(self.until.map_or(at, |known| known.min(at)));
    }

    /// Whether anything will ever wake the queue.
    pub(crate) const fn has_reason(&self) -> bool {
        self.for_answer || self.for_application || self.until.is_some()
    }
}

/// Nothing to wait for yet, or something to do at once.
type Look = Result<(), Act>;

impl PushConsumer {
    /// Looks after every queue that was touched, and then after what concerns all.
    pub(super) fn attend(&mut self, now: Now) {
        loop {
            while let Some(id) = self.queues.next_touched() {
                self.attend_queue(now, id);
            }
            match self.places.due() {
                Some(at) if at <= now.mono => self.store_offsets(now.mono),
                Some(at) => self.set_not_later(Timer::Commit, at),
                None => {}
            }
            self.go_on_closing(now);
            if !self.queues.has_touched() {
                break;
            }
        }
        self.say_started(now.mono);
        self.say_ready();
        self.tell(now.mono);
    }

    fn attend_queue(&mut self, now: Now, id: QueueId) {
        loop {
            let Some(known) = self.queues.get(id) else {
                return;
            };
            match self.next_act(now.mono, known) {
                Ok(waits) => {
                    debug_assert!(waits.has_reason(), "nobody wakes {known:?}");
                    self.arm(id, waits.until);
                    return;
                }
                Err(act) => self.act(now, id, act),
            }
        }
    }

    /// What a queue waits for, or what is done for it now.
    fn next_act(&self, now: Instant, known: &AssignedQueue) -> Result<Waits, Act> {
        let mut waits = Waits::default();
        self.look_at_lock(now, known, &mut waits)?;
        if let Some(until) = known.rests_until(now) {
            return self.look_at_rest(now, known, until, waits);
        }
        match known.stage {
            // Once it is ours, it begins.
            Stage::Locking if known.lock.is_held(now) => Err(Act::Start),
            Stage::Locking => Ok(waits),
            Stage::Starting(Begin::Due(at)) if at <= now => Err(Act::AskBeginning),
            Stage::Starting(Begin::Due(at)) => {
                waits.until(at);
                Ok(waits)
            }
            Stage::Starting(Begin::Asked(_) | Begin::AwaitsEnd) => {
                waits.for_answer = true;
                Ok(waits)
            }
            Stage::Consuming => {
                self.look_at_messages(now, known, &mut waits)?;
                self.look_at_fetch(now, known, &mut waits)?;
                self.look_at_commit(now, known, &mut waits)?;
                Ok(waits)
            }
            Stage::Leaving(leave) => {
                self.look_at_leaving(now, known, leave, &mut waits)?;
                Ok(waits)
            }
        }
    }

    fn look_at_lock(&self, now: Instant, known: &AssignedQueue, waits: &mut Waits) -> Look {
        if !self.needs_locks() {
            return Ok(());
        }
        let is_held = known.lock.is_held(now);
        let counts_on_it = matches!(known.stage, Stage::Starting(_) | Stage::Consuming);
        if !is_held && (counts_on_it || known.lock.until.is_some()) {
            return Err(Act::LoseLock);
        }
        if let Some(until) = known.lock.until {
            waits.until(until);
        }
        // One that leaves keeps the lock for its delivery in hand only.
        if let Stage::Leaving(leave) = known.stage
            && !(is_held && known.messages.in_work() > 0 && now < leave.until)
            && known.rests_until(now).is_none()
        {
            return Ok(());
        }
        match known.lock.asked {
            Some(_) => waits.for_answer = true,
            None if known.lock.ask_at <= now => return Err(Act::AskLock),
            None => waits.until(known.lock.ask_at),
        }
        Ok(())
    }

    /// The application is at the queue: it has its say before the first message and before the last commit. Where no lock keeps the
    /// next owner from beginning, that owner is not to find an offset that moves backwards later: what is finished is committed as
    /// soon as without the application, and only then is the queue kept for it.
    fn look_at_rest(
        &self,
        now: Instant,
        known: &AssignedQueue,
        until: Instant,
        mut waits: Waits,
    ) -> Result<Waits, Act> {
        waits.until(until);
        waits.for_application = true;
        match known.stage {
            Stage::Leaving(leave) if !self.needs_locks() => match self.look_at_leaving(now, known, leave, &mut waits) {
                Ok(()) | Err(Act::Remove) => Ok(waits),
                Err(act) => Err(act),
            },
            _ => Ok(waits),
        }
    }

    fn look_at_messages(&self, now: Instant, known: &AssignedQueue, waits: &mut Waits) -> Look {
        let messages = &known.messages;
        match messages.next_deferred() {
            Some(at) if at <= now => return Err(Act::WakeDeferred),
            Some(at) => waits.until(at),
            None => {}
        }
        if !known.is_in_line && self.is_deliverable(now, known) {
            return Err(Act::LineUp);
        }
        if let Some(until) = known.suspended_until.filter(|until| now < *until) {
            waits.until(until);
        }
        waits.for_answer |= messages.sending_back() > 0;
        waits.for_application |= known.is_in_line || messages.in_work() > 0;
        waits.for_application |= self.config.is_orderly() && self.abandoned.has_any_of(&known.queue);
        Ok(())
    }

    fn look_at_fetch(&self, now: Instant, known: &AssignedQueue, waits: &mut Waits) -> Look {
        let is_unwanted = known.is_unchecked || self.is_closing();
        let rests = known.is_paused || self.is_paused || is_unwanted;
        waits.for_application |= rests;
        match known.fetch {
            // That of a queue that is paused goes on: with it a broker may tell of a reset of the offsets, and tells it once.
            Fetch::UnderWay { .. } if is_unwanted => return Err(Act::CancelPull),
            Fetch::UnderWay { .. } => waits.for_answer = true,
            Fetch::Opening { .. } => waits.for_application = true,
            Fetch::Delayed { until } if now < until => waits.until(until),
            Fetch::Idle | Fetch::Delayed { .. } if rests => {}
            Fetch::Idle | Fetch::Delayed { .. } if self.has_room(known) => return Err(Act::Pull),
            // Nothing else has the room that is missing, and nobody can commit it any more.
            Fetch::Idle | Fetch::Delayed { .. } if known.messages.uncommitted() == known.messages.len() => {
                return Err(Act::RollBack);
            }
            Fetch::Idle | Fetch::Delayed { .. } => {}
        }
        Ok(())
    }

    fn look_at_commit(&self, now: Instant, known: &AssignedQueue, waits: &mut Waits) -> Look {
        if self.config.is_broadcasting() || known.uncommitted().is_none() {
            return Ok(());
        }
        match (known.commit.under_way, known.commit.due) {
            (Some(_), _) => waits.for_answer = true,
            (None, Some(due)) if due <= now => return Err(Act::Commit),
            (None, Some(due)) => waits.until(due),
            (None, None) => {}
        }
        Ok(())
    }

    fn look_at_leaving(&self, now: Instant, known: &AssignedQueue, leave: Leave, waits: &mut Waits) -> Look {
        let may_commit = !self.needs_locks() || known.lock.is_held(now);
        if known.messages.in_work() > 0 && self.needs_locks() && may_commit && now < leave.until {
            waits.until(leave.until);
            waits.for_application = true;
            return Ok(());
        }
        // What is under way has to end first, or it would take effect after what is said last.
        if known.lock.asked.is_some() || known.commit.under_way.is_some() || known.lock.giving_back.is_some() {
            waits.for_answer = true;
            return Ok(());
        }
        let is_sent_back = may_commit && known.messages.sending_back() > 0 && now < leave.until;
        // Each answer of those would be worth a commit of its own: there are two, one at once and one when all have come.
        let waits_first = is_sent_back && leave.has_committed();
        let has_more = may_commit && leave.commits_left > 0 && !self.config.is_broadcasting() && !waits_first;
        match (known.uncommitted(), known.commit.due) {
            // It was not taken a moment ago.
            (Some(_), Some(due)) if has_more && now < due => {
                waits.until(due);
                Ok(())
            }
            (Some(_), _) if has_more => Err(Act::Commit),
            // The broker brings it again: the next owner is not to get it as well.
            _ if is_sent_back => {
                waits.until(leave.until);
                Ok(())
            }
            _ if !known.lock.may_be_kept => Err(Act::Remove),
            // It was not taken back a moment ago.
            _ => match known.lock.back_at.filter(|at| now < *at) {
                Some(at) => {
                    waits.until(at);
                    Ok(())
                }
                None => Err(Act::Unlock),
            },
        }
    }

    fn act(&mut self, now: Now, id: QueueId, act: Act) {
        match act {
            Act::AskLock if self.claims_queues() => self.claim(now, id),
            Act::AskLock => self.ask_lock(now.mono, id),
            Act::LoseLock => self.lose_lock(now.mono, id),
            Act::Start => self.start(now.mono, id),
            Act::AskBeginning => self.ask_beginning(now, id),
            Act::WakeDeferred => self.wake_deferred(now.mono, id),
            Act::LineUp => self.line_up(id),
            Act::Pull => self.pull(now, id),
            Act::RollBack => self.roll_back_uncommitted(now.mono, id),
            Act::CancelPull => self.cancel_pull(id),
            Act::Commit => self.commit(id),
            Act::Unlock => self.unlock(id),
            Act::Remove => self.remove(now, id),
        }
    }

    /// Sets a queue's one timer.
    fn arm(&mut self, id: QueueId, until: Option<Instant>) {
        let key = queue_timer(id);
        match until {
            Some(at) if self.timers.at(key) == Some(at) => {}
            Some(at) => self.timers.set(key, at),
            None => self.timers.clear(key),
        }
    }

    /// What each queue waits for, and whether its timer is set for it.
    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_reasons(&self, now: Instant) {
        assert!(!self.queues.has_touched(), "something was changed and not looked after");
        for (id, known) in self.queues.iter() {
            match self.next_act(now, known) {
                Ok(waits) => {
                    assert!(waits.has_reason(), "nobody wakes {known:?}");
                    let timer = self.timers.at(queue_timer(id));
                    let is_armed = waits.until.is_none_or(|at| timer.is_some_and(|timer| timer <= at));
                    assert!(is_armed, "{waits:?}, but the timer is {timer:?}: {known:?}");
                }
                // Time alone makes it due: its timer has to be, too.
                Err(act) => {
                    let timer = self.timers.at(queue_timer(id));
                    assert!(timer.is_some_and(|timer| timer <= now), "{act:?} is not done: {known:?}");
                }
            }
            let is_heard = !known.is_in_line || self.is_told || self.budget_is_awaited();
            assert!(is_heard, "the application is not told of {known:?}");
        }
    }
}
