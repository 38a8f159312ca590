//! Where the queues of a topic ended when it was subscribed to, which is where a new group begins with `LastOffset`.
//!
//! What is sent once a consumer has started is consumed, whoever gets its queue by then: so a consumer has started only when
//! brokers know where a new group begins, of every queue and not only of its own. It may say so before it has a queue's lock:
//! first it asks where the queue ends, and then whether the group has an offset. If not, nobody of the group has started who
//! may have promised less; and what others say at the same time is no more than what was there when they asked.
//!
//! A group that has offsets of other queues of the topic is not new, and a queue of which it has none is probably newer than the
//! group: it begins with its first message, but with none that is older than [`NEWER`], since a broker may also have been away
//! when the group began. Members of a new group that start at the same time are not taken for that: it is asked once more a
//! moment later. And an offset of 0 says nothing: brokers before 5 say so of a young queue, too, where there is none.

use super::asked::{self, Ticket};
use super::queue::{Begin, Stage};
use super::wish::Wish;
use super::{ConsumeFrom, PushConsumer, Timer};
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant, Now};

/// Where a queue ended when its topic was subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is being asked.
    Asked(Ticket),
    /// Here. Whether the group has an offset of the queue is being asked, the how manyth time.
    Compared { ticket: Ticket, end: u64, tries: u8 },
    /// Here, and the group had none at this moment. It has to be asked about other queues yet.
    Free { end: u64, at: Instant, tries: u8 },
    /// Here. Whether the group has an offset is asked again a moment later: the broker did not say, or there is none though there
    /// are some of other queues.
    Doubted { end: u64, until: Instant, tries: u8 },
    /// Here, where the group is to begin, which is being committed.
    Committed { ticket: Ticket, end: u64, tries: u8 },
    /// Here.
    Known(u64),
    /// Here, if the group is new, which brokers did not say.
    Unsure(u64),
    /// It does not matter: the group is older than the queue.
    Newer,
    /// It could not be had: what was stored since then is found by its time.
    Unknown,
}

/// It is asked so often, with pauses that grow, as long as a broker does not say, or others may be about to commit.
const TRIES: u8 = 3;

/// A group that had no offset longer ago than this may have one by now.
const STALE_AFTER: Duration = Duration::from_millis(100);

/// A store that takes longer is not waited for.
const STORE_TIME: Duration = Duration::from_secs(3);

/// The first of these pauses. In all they are as long as a commit may take that a busy broker does not take at once.
const DOUBTED_FOR: Duration = Duration::from_millis(1500);

/// How long before the subscription a queue may have come that is taken for newer than its group.
pub(super) const NEWER: Duration = Duration::from_secs(30 * 60);

impl End {
    /// Whether the group may begin elsewhere than where it is known to by now.
    const fn is_open(self) -> bool {
        !matches!(self, Self::Known(_) | Self::Unsure(_) | Self::Newer | Self::Unknown)
    }

    /// Whether it is not known yet if the group is new.
    const fn is_asked(self) -> bool {
        matches!(self, Self::Asked(_) | Self::Compared { .. })
    }
}

/// Where the queues of a topic ended that there were when it was first subscribed to.
#[derive(Debug, Default)]
pub(super) struct Ends {
    by_queue: SortedMap<MessageQueue, End>,
    /// How many of them are open, and of these are being asked for, or wait for others to be.
    open: usize,
    asked: usize,
    free: usize,
    /// The group has offsets of the topic that are not ours.
    pub(super) has_offsets: bool,
    /// We have found it new: what it has from then on may be what we said.
    is_new: bool,
    /// When we have found that it had none of a queue, and said where it begins.
    found_new: SortedMap<MessageQueue, Instant>,
}

impl Ends {
    /// `None` of a queue that was not there.
    pub(super) fn get(&self, queue: &MessageQueue) -> Option<End> {
        self.by_queue.get(queue).copied()
    }

    pub(super) fn set(&mut self, queue: &MessageQueue, end: End) {
        self.open += usize::from(end.is_open());
        self.asked += usize::from(end.is_asked());
        self.free += usize::from(matches!(end, End::Free { .. }));
        if let Some(before) = self.by_queue.insert(queue.clone(), end) {
            self.open -= usize::from(before.is_open());
            self.asked -= usize::from(before.is_asked());
            self.free -= usize::from(matches!(before, End::Free { .. }));
        }
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Nobody takes answers any more.
    pub(super) fn give_up(&mut self) {
        for end in self.by_queue.values_mut() {
            *end = match *end {
                End::Asked(_) => End::Unknown,
                End::Compared { end, .. } | End::Free { end, .. } | End::Doubted { end, .. } => End::Unsure(end),
                End::Committed { end, .. } => End::Known(end),
                known => known,
            };
        }
        (self.open, self.asked, self.free) = (0, 0, 0);
    }

    /// Those that are to be asked about again, and when.
    fn doubted(&self) -> impl Iterator<Item = (&MessageQueue, u64, Instant, u8)> {
        self.by_queue.iter().filter_map(|(queue, end)| match *end {
            End::Doubted { end, until, tries } => Some((queue, end, until, tries)),
            _ => None,
        })
    }

    /// The queues where a new group is to begin, once it is known to be new, or not to be.
    fn free(&self) -> Vec<(MessageQueue, End)> {
        if self.asked > 0 || self.free == 0 {
            return Vec::new();
        }
        let free = self.by_queue.iter().filter(|(_, end)| matches!(end, End::Free { .. }));
        free.map(|(queue, end)| (queue.clone(), *end)).collect()
    }
}

impl PushConsumer {
    /// Asks where the queues of a topic end that are there when it is subscribed to.
    pub(super) fn ask_ends(&mut self, queues: &[MessageQueue]) {
        for queue in queues {
            let ticket = self.next_ticket();
            self.set_end(queue, End::Asked(ticket));
            self.wish(Wish::MaxOffset { asked: asked::End(queue.clone(), ticket), queue: queue.clone() });
        }
    }

    fn end_of(&self, queue: &MessageQueue) -> Option<End> {
        self.subscriptions.get(&queue.topic).and_then(|known| known.ends.as_ref()).and_then(|ends| ends.get(queue))
    }

    fn set_end(&mut self, queue: &MessageQueue, end: End) {
        if let Some(subscription) = self.subscriptions.get_mut(&queue.topic) {
            subscription.ends.get_or_insert_default().set(queue, end);
        }
    }

    /// Takes where a queue ended when its topic was subscribed to.
    pub(crate) fn take_end(
        &mut self,
        now: Now,
        queue: &MessageQueue,
        ticket: Ticket,
        offset: Result<Option<u64>, Error>,
    ) {
        if self.end_of(queue) == Some(End::Asked(ticket)) {
            match offset.map(Option::unwrap_or_default) {
                Err(_) => self.set_end(queue, End::Unknown),
                Ok(end) if self.is_closing() => self.set_end(queue, End::Known(end)),
                Ok(end) if self.config.is_broadcasting() => self.take_own_end(now, queue, end),
                Ok(end) => self.compare_end(queue, end, 1),
            }
            self.go_on_with_ends(now, queue);
        }
        self.attend(now);
    }

    /// A broadcasting consumer is a group of its own.
    fn take_own_end(&mut self, now: Now, queue: &MessageQueue, end: u64) {
        if self.places.get(queue).is_some() {
            return self.set_end(queue, End::Known(end));
        }
        let ends = self.subscriptions.get(&queue.topic).and_then(|known| known.ends.as_ref());
        let is_new = ends.is_none_or(|ends| !ends.has_offsets);
        self.set_end(queue, if is_new { End::Known(end) } else { End::Newer });
        if is_new {
            self.places.note(now.mono, queue, end);
            self.places.hurry();
        }
    }

    fn doubt_end(&mut self, now: Now, queue: &MessageQueue, end: u64, tries: u8) {
        let until = now.mono + DOUBTED_FOR * u32::from(tries);
        self.set_end(queue, End::Doubted { end, until, tries });
        self.set_not_later(Timer::Ends, until);
    }

    fn compare_end(&mut self, queue: &MessageQueue, end: u64, tries: u8) {
        let ticket = self.next_ticket();
        self.set_end(queue, End::Compared { ticket, end, tries });
        self.wish(Wish::EndOffset { asked: asked::EndOffset(queue.clone(), ticket), queue: queue.clone() });
    }

    /// Asks once more about queues of which it could not be said whether the group has an offset.
    pub(super) fn compare_again(&mut self, now: Instant) {
        let ends = self.subscriptions.values().filter_map(|known| known.ends.as_ref());
        let doubted = ends.flat_map(Ends::doubted);
        let doubted = doubted.map(|(queue, end, until, tries)| (queue.clone(), end, until, tries));
        for (queue, end, until, tries) in doubted.collect::<Vec<_>>() {
            if until <= now {
                self.compare_end(&queue, end, tries + 1);
            } else {
                self.set_not_later(Timer::Ends, until);
            }
        }
    }

    /// Whether what a broadcasting consumer is to begin with is still on its way to its store.
    pub(super) fn awaits_store(&mut self, now: Instant) -> bool {
        if !self.config.is_broadcasting() || !self.places.is_busy() {
            return false;
        }
        let until = *self.stored_until.get_or_insert(now + STORE_TIME);
        self.set_not_later(Timer::Ends, until);
        now < until
    }

    /// The group has an offset of a queue, so that it is not new. 0 may also mean that it has none.
    pub(super) fn note_group_offset(&mut self, topic: &str, offset: u64) {
        let ends = self.subscriptions.get_mut(topic).and_then(|known| known.ends.as_mut());
        if let Some(ends) = ends.filter(|ends| offset > 0 && !ends.is_new) {
            ends.has_offsets = true;
        }
    }

    /// Takes whether the group has an offset of a queue.
    pub(crate) fn take_end_offset(
        &mut self,
        now: Now,
        queue: &MessageQueue,
        ticket: Ticket,
        offset: &Result<Option<u64>, Error>,
    ) {
        if let Some(End::Compared { ticket: known, end, tries }) = self.end_of(queue)
            && known == ticket
        {
            if let Ok(Some(offset)) = offset {
                self.note_group_offset(&queue.topic, *offset);
            }
            let ends = self.subscriptions.get(&queue.topic).and_then(|known| known.ends.as_ref());
            let has_offsets = ends.is_some_and(|ends| ends.has_offsets);
            match offset {
                Ok(None) if tries >= TRIES && has_offsets => self.set_end(queue, End::Newer),
                Ok(None) => self.set_end(queue, End::Free { end, at: now.mono, tries }),
                Err(_) if tries < TRIES => self.doubt_end(now, queue, end, tries),
                Err(error) => {
                    let notice =
                        Notice::warn("brokers do not know where the group begins; what is sent may be passed over");
                    self.notices.push(notice.about("queue", queue).about("error", error));
                    self.set_end(queue, End::Unsure(end));
                }
                Ok(Some(_)) => self.set_end(queue, End::Known(end)),
            }
            self.go_on_with_ends(now, queue);
        }
        self.attend(now);
    }

    /// Takes what came of committing where a new group begins. If it failed, whose queue it is does it again.
    pub(crate) fn take_end_committed(
        &mut self,
        now: Now,
        queue: &MessageQueue,
        ticket: Ticket,
        result: Result<(), Error>,
    ) {
        if let Some(End::Committed { ticket: known, end, tries }) = self.end_of(queue)
            && known == ticket
        {
            if let Err(error) = &result {
                let notice = Notice::warn("where the group begins was not committed").about("queue", queue);
                self.notices.push(notice.about("error", error));
            }
            match result {
                Err(_) if tries < TRIES => self.compare_end(queue, end, tries + 1),
                _ => self.set_end(queue, End::Known(end)),
            }
            self.go_on_with_ends(now, queue);
        }
        self.attend(now);
    }

    /// Commits where a new group begins once it is known to be new, and lets the queue go on that has waited for that.
    fn go_on_with_ends(&mut self, now: Now, queue: &MessageQueue) {
        let ends = self.subscriptions.get_mut(&queue.topic).and_then(|known| known.ends.as_mut());
        let (free, is_new) = ends.map_or((Vec::new(), false), |ends| {
            let free = ends.free();
            ends.is_new |= !free.is_empty() && !ends.has_offsets;
            (free, ends.is_new)
        });
        for (queue, free) in free {
            let End::Free { end, at, tries } = free else { continue };
            if !is_new {
                self.doubt_end(now, &queue, end, tries);
            } else if at + STALE_AFTER < now.mono && tries < TRIES {
                // It has waited for a slow broker, and another member may have begun there.
                self.compare_end(&queue, end, tries + 1);
            } else if !self.is_closing() {
                let ticket = self.next_ticket();
                self.set_end(&queue, End::Committed { ticket, end, tries });
                self.note_found_new(&queue, at);
                let asked = asked::EndCommitted(queue.clone(), ticket);
                self.wish(Wish::CommitEnd { asked, queue, offset: end });
            }
        }
        self.begin_after_end(now, queue);
    }

    fn note_found_new(&mut self, queue: &MessageQueue, at: Instant) {
        if !self.claims_queues() {
            return;
        }
        if let Some(ends) = self.subscriptions.get_mut(&queue.topic).and_then(|known| known.ends.as_mut()) {
            ends.found_new.insert(queue.clone(), at);
        }
    }

    /// Whether the group was found to have no offset of a queue since this moment, when its topic was subscribed to, so that what
    /// it has is what we have said; `None` when that was not looked at, or is not known yet.
    pub(super) fn has_found_new(&self, queue: &MessageQueue, since: Instant) -> Option<bool> {
        let ends = self.subscriptions.get(&queue.topic).and_then(|known| known.ends.as_ref());
        let known = ends.filter(|ends| matches!(ends.get(queue), Some(End::Known(_))));
        known.map(|ends| ends.found_new.get(queue).is_some_and(|at| *at >= since))
    }

    /// Whether that is yet to come.
    pub(super) fn awaits_end(&self, queue: &MessageQueue) -> bool {
        self.end_of(queue).is_some_and(End::is_open)
    }

    fn begin_after_end(&mut self, now: Now, queue: &MessageQueue) {
        let is_open = self.end_of(queue).is_some_and(End::is_open);
        if let Some(id) = self.queues.find(queue).filter(|_| !is_open)
            && self.queues.get(id).is_some_and(|known| known.stage == Stage::Starting(Begin::AwaitsEnd))
        {
            self.start(now.mono, id);
        }
    }

    /// Whether new groups begin where queues end.
    pub(super) fn is_from_last(&self) -> bool {
        self.config.consume_from == ConsumeFrom::LastOffset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_new_only_when_all_queues_say_so() {
        let queues = [0, 1].map(|id| MessageQueue::new("T", "a", id));
        let mut ends = Ends::default();
        let free = End::Free { end: 3, at: Instant::default(), tries: 1 };
        ends.set(&queues[0], free);
        ends.set(&queues[1], End::Compared { ticket: 1, end: 4, tries: 1 });
        assert_eq!((ends.free(), ends.is_open()), (Vec::new(), true));
        ends.set(&queues[1], End::Known(4));
        assert_eq!(ends.free(), [(queues[0].clone(), free)]);
        ends.set(&queues[0], End::Committed { ticket: 2, end: 3, tries: 1 });
        assert!(ends.free().is_empty() && ends.is_open());
        ends.set(&queues[0], End::Known(3));
        assert!(!ends.is_open());
    }

    #[test]
    fn what_is_given_up_waits_for_nothing() {
        let queues = [0, 1].map(|id| MessageQueue::new("T", "a", id));
        let mut ends = Ends::default();
        ends.set(&queues[0], End::Asked(1));
        ends.set(&queues[1], End::Committed { ticket: 2, end: 4, tries: 1 });
        ends.give_up();
        assert_eq!(queues.map(|queue| ends.get(&queue)), [Some(End::Unknown), Some(End::Known(4))]);
        assert!(!ends.is_open());
    }
}
