//! A program is about to stand still, for a time that it does not know, and hears no answers meanwhile: a page that is frozen, a
//! process that is stopped. Its queues are given up in one turn, and what there is to say of them is said once, without waiting for
//! an answer. So others go on where it was, and when it goes on, it begins where the group is by then.

use super::PushConsumer;
use super::queue::{AssignedQueue, Stage};
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::time::{Instant, Now};

/// What is said of queues that are given up: at once, on connections that stand, and once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GivenUp {
    /// How far the group is on queues that it has gone on with.
    pub(crate) offsets: Vec<(MessageQueue, u64)>,
    /// Which of them brokers may keep locked for us.
    pub(crate) locked: Vec<MessageQueue>,
    /// The offsets count on the locks.
    pub(crate) needs_lock: bool,
}

impl PushConsumer {
    /// Gives all queues up at once. What the application has of them does not count any more. A broadcasting consumer keeps its
    /// own, which nobody else gets, and has its offsets stored.
    ///
    /// What this gives is no wish: a consumer that closes may have ended by it.
    pub(crate) fn give_up_queues(&mut self, now: Now) -> GivenUp {
        if self.config.is_broadcasting() {
            // What is on its way may not arrive.
            self.places.doubt();
            self.store_offsets(now.mono);
        }
        let given_up = self.part_with_all(now);
        self.attend(now);
        given_up
    }

    /// The program has stood still for so long that brokers have forgotten us, and others have our queues: how far we were is of
    /// no interest any more. Queues come again with the next rebalance, which is due now.
    pub(crate) fn begin_anew(&mut self, now: Now) -> GivenUp {
        let count = self.queues.len();
        let given_up = GivenUp { offsets: Vec::new(), ..self.part_with_all(now) };
        if count > 0 && !self.config.is_broadcasting() && !self.is_closing() {
            let what = "the process stood still for so long that brokers forgot it: its queues begin anew, where the group is by now";
            self.notices.push(Notice::warn(what).about("count", count));
        }
        self.rebalance_soon(now.mono);
        self.attend(now);
        given_up
    }

    fn part_with_all(&mut self, now: Now) -> GivenUp {
        let needs_lock = self.needs_locks();
        let mut given_up = GivenUp { needs_lock, ..GivenUp::default() };
        if self.config.is_broadcasting() {
            return given_up;
        }
        for id in self.queues.ids() {
            self.leave(now, id);
            let Some(known) = self.queues.touch(id) else {
                continue;
            };
            if let Some(offset) = known.uncommitted().filter(|_| !needs_lock || known.lock.is_held(now.mono)) {
                given_up.offsets.push((known.queue.clone(), offset));
            }
            if known.lock.may_be_kept || known.lock.giving_back.is_some() {
                given_up.locked.push(known.queue.clone());
            }
            known.wait_for_nothing(now.mono);
        }
        self.forget_shares(now.mono);
        given_up
    }

    /// What is being asked of our share would bring queues back at once. It is asked again at the interval, and we have nothing of it
    /// until then.
    fn forget_shares(&mut self, now: Instant) {
        let topics: Vec<_> = self.subscriptions.keys().cloned().collect();
        for topic in topics {
            if let Some(subscription) = self.subscriptions.get_mut(&topic) {
                subscription.forget_share();
            }
            self.share_at(&topic, now + self.config.rebalance_interval);
        }
    }
}

impl AssignedQueue {
    /// It is leaving, and all has been said: nothing keeps it any more.
    fn wait_for_nothing(&mut self, now: Instant) {
        self.commit.under_way = None;
        (self.lock.asked, self.lock.giving_back, self.lock.may_be_kept) = (None, None, false);
        if let Stage::Leaving(leave) = &mut self.stage {
            (leave.until, leave.commits_left, leave.unlocks_left) = (now, 0, 0);
        }
        if let Some(listening) = &mut self.listening {
            listening.until = listening.until.min(now);
        }
    }
}
