//! What is committed of a queue, when, and what came of it (`OffsetStore`).
//!
//! One commit of a queue is under way at a time, so that an older one never lands last; but for the one that is said when the
//! queue is given up (`giving_up`), after which nobody can wait. Nothing is committed of a queue whose lock is not ours.

use super::asked::{self, Ticket};
use super::locking::AGAIN_AFTER;
use super::queue::{QueueId, Stage};
use super::wish::Wish;
use super::{AFTER_FAILURE, PushConsumer, PushEvent};
use crate::error::Error;
use crate::notice::Notice;
use crate::time::{Duration, Instant, Now};

/// How long a commit is believed. While members do not agree, one that was the owner before may say an older offset after us
/// (Java says all offsets at each interval, the same ones too).
pub(super) const DOUBTED_AFTER: Duration = Duration::from_secs(30);

impl PushConsumer {
    /// Commits what is finished now, as at each interval.
    pub(crate) fn commit_now(&mut self, now: Now) {
        self.commit_all(now.mono);
        self.attend(now);
    }

    /// What is finished of all queues is to be committed.
    pub(super) fn commit_all(&mut self, now: Instant) {
        if self.config.is_broadcasting() {
            return self.store_offsets(now);
        }
        for id in self.queues.ids() {
            let Some(known) = self.queues.get(id).filter(|known| known.is_consuming()) else {
                continue;
            };
            let is_doubted = known.commit.again_at.is_some_and(|again_at| again_at <= now);
            if (is_doubted || known.uncommitted().is_some())
                && let Some(known) = self.queues.touch(id)
            {
                known.commit.is_doubted |= is_doubted;
                known.commit.due = Some(known.commit.due.map_or(now, |due| due.min(now)));
            }
        }
    }

    /// Commits what is finished of a queue.
    pub(super) fn commit(&mut self, id: QueueId) {
        let (ticket, needs_lock) = (self.next_ticket(), self.needs_locks());
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        let offset = known.messages.committable();
        known.commit.under_way = Some((ticket, offset));
        known.commit.due = None;
        if let Stage::Leaving(leave) = &mut known.stage {
            leave.commits_left = leave.commits_left.saturating_sub(1);
        }
        let queue = known.queue.clone();
        self.wish(Wish::Commit { asked: asked::Commit(id, ticket), queue, offset, needs_lock });
    }

    /// Takes what came of a commit. One that failed is tried again at the next interval, unless
    /// it is urgent, or the last one.
    pub(crate) fn take_committed(&mut self, now: Now, id: QueueId, ticket: Ticket, result: Result<(), Error>) {
        if let Some(known) = self.queues.touch(id)
            && let Some((_, offset)) = known.commit.under_way.take_if(|(known, _)| *known == ticket)
        {
            match result {
                Ok(()) => {
                    known.reset_to.take_if(|reset| reset.since < ticket);
                    known.commit.persisted = Some(offset);
                    (known.commit.again_at, known.commit.is_doubted) = (Some(now.mono + DOUBTED_AFTER), false);
                    known.commit.is_urgent &= known.commit.due.is_some();
                }
                Err(error) => {
                    let notice = Notice::warn("offset not committed").about("queue", &known.queue);
                    self.notices.push(notice.about("offset", offset).about("error", error));
                    let again = match known.stage {
                        Stage::Leaving(_) => Some(AGAIN_AFTER),
                        _ if known.commit.is_urgent && known.commit.due.is_none() => Some(AFTER_FAILURE),
                        _ => None,
                    };
                    known.commit.due = again.map(|pause| now.mono + pause).or(known.commit.due);
                }
            }
        }
        self.attend(now);
    }

    /// A broadcasting consumer's offsets go to its application, all of them when one has changed.
    pub(super) fn store_offsets(&mut self, now: Instant) {
        for id in self.queues.ids() {
            self.note_place(now, id);
        }
        if let Some(offsets) = self.places.take_unstored(now) {
            for id in self.queues.ids() {
                if let Some(known) = self.queues.touch(id).filter(|known| known.begun > 0) {
                    known.commit.persisted = offsets.get(&known.queue).copied();
                }
            }
            self.events.push_back(PushEvent::StoreOffsets(offsets));
        }
    }

    /// Remembers how far a queue of ours is, which has begun.
    pub(super) fn note_place(&mut self, now: Instant, id: QueueId) {
        if let Some(known) = self.queues.get(id).filter(|known| known.begun > 0) {
            self.places.note(now, &known.queue, known.messages.committable());
        }
    }

    /// The offsets that were to be stored last have been, or could not be: then they are stored with the next ones.
    pub(crate) fn offsets_stored(&mut self, now: Now, is_stored: bool) {
        self.places.note_stored(is_stored);
        self.attend(now);
    }
}
