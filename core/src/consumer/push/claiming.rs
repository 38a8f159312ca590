//! Orderly queues whose brokers grant no locks (smartgo's: `TryLockBatch` gives nothing to anybody). A queue is ours by
//! allocation alone.
//!
//! Each broker's list of members decides whose its own queues are. Lists of different brokers may differ for a while, and one
//! that misses a member says nothing of the queues which this member has at another broker; of a broker's own lists there is
//! only one at a time, and whom it misses has lost its connection, too.
//!
//! What the allocation says counts for 30 s from when the members were asked for by whom it goes, as a lock does from when
//! it was asked for, and ends with the connection to the queue's broker. So whoever else had the queue has stopped 30 s after
//! a list of members gave it to us, whether it hears of us or is cut off; and a little later at the latest where it goes by an
//! older route, since these are asked for every 30 s, too (while name servers are away or disagree it may be older than that: a
//! queue then has two owners, or none, rather than that all rest). Then we begin, once a newer list says the same. (A delivery
//! that it has in hand goes on, and is not committed.) We need not wait
//! - where the queue was ours a moment ago, for the same reason: nobody can have begun there since;
//! - where the group has never been, as long as nobody else is in it. So nothing is delivered before the broker has an offset
//!   of ours.

use super::PushConsumer;
use super::asked::{self, Ticket};
use super::locking::{AGAIN_AFTER, LIFE};
use super::queue::QueueId;
use super::wish::Wish;
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant, Now};

/// How long a new owner waits: as long as the allocation of another counts, or the route does by which it goes.
const WAIT: Duration = Duration::from_secs(35);

/// What the allocation says of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// When a list of members first gave it to us since it was not ours: the broker made the list at this moment at the latest.
    pub(crate) since: Option<Instant>,
    /// When the last such list was asked for: the broker made it at this moment at the earliest.
    confirmed: Option<Instant>,
    /// What was asked before the last connection to its broker ended says nothing.
    lost_at: Instant,
    /// The last such list has nobody else.
    is_alone: bool,
    /// Whether the group has ever been there is known, and that it has, or that others are in it.
    is_touched: bool,
    /// It has been said that it waits since this moment.
    told: Option<Instant>,
    /// Nobody else can have had it since it was ours the last time.
    pub(crate) is_unbroken: bool,
}

impl Claim {
    /// A list that was asked for at `asked_at`, and has come now, gives the queue to us. Between this list and the last one another
    /// member may have come, begun and gone, unless there was no time for that.
    fn confirm(&mut self, asked_at: Instant, now: Instant, is_alone: bool) {
        if asked_at < self.lost_at {
            return;
        }
        if self.since.is_none() || self.confirmed.is_none_or(|last| now >= last + LIFE) {
            self.since = Some(now);
        }
        (self.confirmed, self.is_alone) = (Some(asked_at), is_alone);
    }

    /// A list gives it to somebody else.
    pub(super) fn end(&mut self) {
        (self.since, self.confirmed) = (None, None);
    }

    /// The connection to the queue's broker has ended.
    pub(crate) fn lose(&mut self, now: Instant) {
        (self.since, self.confirmed, self.lost_at) = (None, None, now);
    }

    /// Whether another owner has had its time since the queue was first ours, by a list that was asked for after that.
    fn has_waited(&self) -> bool {
        self.since.zip(self.confirmed).is_some_and(|(since, confirmed)| confirmed >= since + WAIT)
    }
}

/// When queues were last ours for sure.
#[derive(Debug, Default)]
pub(super) struct Claims(SortedMap<MessageQueue, Instant>);

impl Claims {
    /// Whether nobody else can have begun since.
    fn may_go_on(&self, queue: &MessageQueue, now: Instant) -> bool {
        self.0.get(queue).is_some_and(|last| now < *last + LIFE)
    }

    pub(super) fn prune(&mut self, now: Instant) {
        self.0.retain(|_, last| now < *last + LIFE);
    }
}

impl PushConsumer {
    /// Whether queues are ours by allocation alone.
    pub(super) fn claims_queues(&self) -> bool {
        self.needs_locks() && !self.grants_locks
    }

    /// Says of queues of a topic that the list of members which their broker gave last gives them to us, and whether nobody
    /// else is on it.
    pub(super) fn confirm_claims(&mut self, now: Instant, topic: &str, ours: &[MessageQueue], is_alone: bool) {
        let asked_at = self.subscriptions.get(topic).and_then(|known| known.asked_at);
        let Some(asked_at) = asked_at.filter(|_| self.claims_queues()) else {
            return;
        };
        for queue in ours {
            let Some(known) = self.queues.find(queue).and_then(|id| self.queues.touch(id)) else {
                continue;
            };
            known.claim.confirm(asked_at, now, is_alone);
            if !known.is_leaving() {
                known.lock.ask_at = now;
            } else if self.claims.may_go_on(queue, now) {
                // Wanted back while a delivery is in hand: nobody else can begin, however long that takes.
                self.claims.0.insert(queue.clone(), asked_at);
            }
        }
    }

    /// Takes a queue as ours, if it is by now.
    pub(super) fn claim(&mut self, now: Now, id: QueueId) {
        let Some(known) = self.queues.get(id) else {
            return;
        };
        let (claim, lock, is_leaving) = (known.claim, known.lock, known.is_leaving());
        let may_begin = lock.is_held(now.mono) || claim.has_waited() || self.claims.may_go_on(&known.queue, now.mono);
        match claim.confirmed.map(|confirmed| (confirmed, confirmed + LIFE)) {
            _ if is_leaving => self.look_at_claim_at(id, lock.until.unwrap_or(now.mono + AGAIN_AFTER)),
            Some((confirmed, until)) if may_begin && now.mono < until => self.take_claim(now, id, confirmed, until),
            Some(_) if !claim.is_touched && claim.is_alone => self.ask_if_untouched(now, id),
            _ => self.await_claim(now.mono, id, claim),
        }
    }

    fn take_claim(&mut self, now: Now, id: QueueId, confirmed: Instant, until: Instant) {
        if let Some(known) = self.queues.touch(id) {
            (known.lock.until, known.lock.ask_at) = (Some(until), until);
            known.lock.granted_unix_ms = now.unix_ms;
            known.claim.is_unbroken = self.claims.may_go_on(&known.queue, now.mono);
            self.claims.0.insert(known.queue.clone(), confirmed);
        }
    }

    /// Another owner may not have stopped yet, or no list of now has said that the queue is ours.
    fn await_claim(&mut self, now: Instant, id: QueueId, claim: Claim) {
        let due = claim.since.map(|since| since + WAIT);
        if due.is_some_and(|due| due <= now)
            && let Some(topic) = self.queues.get(id).map(|known| known.queue.topic.clone())
        {
            self.share_soon(now, &topic);
        }
        self.look_at_claim_at(id, due.filter(|due| *due > now).unwrap_or(now + AGAIN_AFTER));
        if let Some(known) = self.queues.touch(id)
            && due.is_some()
            && known.claim.told != claim.since
        {
            known.claim.told = claim.since;
            let notice = Notice::info("a queue in order waits until another owner must have stopped");
            self.notices.push(notice.about("queue", &known.queue).about("seconds", WAIT.as_secs()));
        }
    }

    fn look_at_claim_at(&mut self, id: QueueId, at: Instant) {
        if let Some(known) = self.queues.touch(id) {
            known.lock.ask_at = at;
        }
    }

    /// Asks whether the group has ever been on a queue. Where a new group begins at the end, this may have said so itself.
    fn ask_if_untouched(&mut self, now: Now, id: QueueId) {
        let Some(queue) = self.queues.get(id).map(|known| known.queue.clone()) else {
            return;
        };
        // Whoever came since has to wait as long.
        let since = now.mono - LIFE;
        match self.has_found_new(&queue, since) {
            Some(is_new) => self.take_if_untouched(now, id, is_new),
            None if self.awaits_end(&queue) => self.look_at_claim_at(id, now.mono + AGAIN_AFTER),
            None => {
                let ticket = self.next_ticket();
                if let Some(known) = self.queues.touch(id) {
                    known.lock.asked = Some(ticket);
                }
                self.wish(Wish::FormerOffset { asked: asked::FormerOffset(id, ticket), queue });
            }
        }
    }

    /// Where the group has never been, and nobody else is, we need not wait.
    fn take_if_untouched(&mut self, now: Now, id: QueueId, is_untouched: bool) {
        let Some(known) = self.queues.touch(id).filter(|known| !known.is_leaving()) else {
            return;
        };
        known.claim.is_touched = true;
        known.lock.ask_at = now.mono;
        let Claim { confirmed, is_alone, .. } = known.claim;
        if let Some(confirmed) = confirmed.filter(|at| is_untouched && is_alone && now.mono < *at + LIFE) {
            self.take_claim(now, id, confirmed, confirmed + LIFE);
        }
    }

    /// Takes the offset that the group has of a queue that is to be claimed. Nobody saying is as good as some offset, until
    /// it is asked again.
    pub(crate) fn take_former_offset(
        &mut self,
        now: Now,
        id: QueueId,
        ticket: Ticket,
        offset: Result<Option<u64>, Error>,
    ) {
        let known = self.queues.touch(id).filter(|known| known.lock.asked == Some(ticket));
        if let Some(known) = known {
            known.lock.asked = None;
            match offset {
                Ok(offset) => self.take_if_untouched(now, id, offset.is_none()),
                Err(_) => known.lock.ask_at = now.mono + AGAIN_AFTER,
            }
        }
        self.attend(now);
    }
}
