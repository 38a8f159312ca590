//! How a queue leaves: what is under way ends, what is finished is committed, its lock goes back, and only then is it
//! forgotten. So whoever gets it back, we too, begins after all that.

use super::asked::{self, Ticket};
use super::closing::ConsumerClosing;
use super::locking::AGAIN_AFTER;
use super::queue::{Leave, QueueId, ResetBy, Stage};
use super::wish::Wish;
use super::{PushConsumer, queue_timer};
use crate::error::Error;
use crate::notice::Notice;
use crate::time::{Duration, Now};

/// How long an orderly delivery of a queue that leaves may hold it up. The next owner waits for the lock so long.
const HANDOVER: Duration = Duration::from_secs(20);

impl PushConsumer {
    /// A queue is another member's now. What is in work goes on, but does not count any more, except for an orderly
    /// delivery while we have the lock.
    pub(super) fn leave(&mut self, now: Now, id: QueueId) {
        self.cancel_pull(id);
        let until = match self.closing {
            ConsumerClosing::No | ConsumerClosing::Draining { .. } => now.mono + HANDOVER,
            ConsumerClosing::Leaving { until } => until,
            ConsumerClosing::Unlocking | ConsumerClosing::Closed => now.mono,
        };
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        known.claim.end();
        match &mut known.stage {
            Stage::Leaving(leave) => {
                leave.is_wanted_back = false;
                leave.until = leave.until.min(until);
            }
            Stage::Locking | Stage::Starting(_) | Stage::Consuming => {
                self.notices.push(Notice::debug("queue revoked").about("queue", &known.queue));
                self.totals.metrics.revoked += 1;
                // Nobody else knows where our application wants it to go on.
                if known.stage != Stage::Consuming
                    && let Some(reset) = known.reset_to.filter(|reset| reset.by == ResetBy::Application)
                {
                    known.stand_at(reset);
                }
                known.stage = Stage::Leaving(Leave::new(until));
                known.commit.due = None;
                if !known.is_told_lost {
                    self.tell_revoked(id, until);
                }
            }
        }
    }

    /// Gives the lock of a queue that leaves back, after its last commit, so that the next owner reads what we committed.
    pub(super) fn unlock(&mut self, id: QueueId) {
        let ticket = self.next_ticket();
        if let Some(known) = self.queues.touch(id) {
            if let Stage::Leaving(leave) = &mut known.stage {
                leave.unlocks_left = leave.unlocks_left.saturating_sub(1);
            }
            (known.lock.may_be_kept, known.lock.until, known.lock.back_at) = (false, None, None);
            known.lock.giving_back = Some(ticket);
            let queues = vec![known.queue.clone()];
            self.wish(Wish::Unlock { asked: asked::Unlock(id, ticket), queues });
        }
    }

    /// The broker has taken a lock back, or will not: then it is asked once more, up to a bound, since the next owner
    /// would wait for a minute.
    pub(crate) fn take_unlocked(&mut self, now: Now, id: QueueId, ticket: Ticket, result: Result<(), Error>) {
        if let Some(known) = self.queues.touch(id)
            && known.lock.giving_back.take_if(|known| *known == ticket).is_some()
            && let (Err(error), Stage::Leaving(leave)) = (result, known.stage)
        {
            let notice = Notice::warn("a lock was not given back");
            self.notices.push(notice.about("queue", &known.queue).about("error", error));
            known.lock.may_be_kept = leave.unlocks_left > 0;
            known.lock.back_at = Some(now.mono + AGAIN_AFTER);
        }
        self.attend(now);
    }

    /// Forgets a queue that has left; one that is wanted back joins anew.
    pub(super) fn remove(&mut self, now: Now, id: QueueId) {
        self.note_place(now.mono, id);
        let Some(known) = self.queues.remove(id) else {
            return;
        };
        self.abandoned.take_from(&known);
        self.timers.clear(queue_timer(id));
        if let Stage::Leaving(Leave { is_wanted_back: true, .. }) = known.stage
            && !self.is_closing()
            && self.subscriptions.contains_key(&known.queue.topic)
        {
            let id = self.join(now, known.queue, known.reset_to);
            if let Some(again) = self.queues.touch(id) {
                again.claim = known.claim;
            }
        }
    }
}
