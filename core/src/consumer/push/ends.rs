//! Where the queues of a topic ended when it was subscribed to, which is where a new group begins with `LastOffset`.
//!
//! What is sent once a consumer has started is consumed, whoever gets its queue by then: so a consumer has started only when
//! brokers know where a new group begins, of every queue and not only of its own. It may say so before it has a queue's lock:
//! first it asks where the queue ends, and then whether the group has an offset. If not, nobody of the group has started who
//! may have promised less; and what others say at the same time is no more than what was there when they asked.
//!
//! A group that has offsets of other queues of the topic is not new, and a queue of which it has none is newer than the group:
//! it begins with its first message. Members of a new group that start at the same time are not taken for that: it is asked once
//! more a moment later.

use std::collections::BTreeMap;

use super::ask::Ask;
use super::asked::{self, Ticket};
use super::queue::{Begin, Stage};
use super::{ConsumeFrom, PushConsumer, Timer};
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::time::{Duration, Now};

/// Where a queue ended when its topic was subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is being asked.
    Asked(Ticket),
    /// Here. Whether the group has an offset of the queue is being asked, perhaps once more.
    Compared { ticket: Ticket, end: u64, is_again: bool },
    /// Here, and the group has none. It has to be asked about other queues yet.
    Free(u64),
    /// Here. Whether the group has an offset is asked again a moment later: the broker did not say, or there is none though there
    /// are some of other queues.
    Doubted(u64),
    /// Here, where the group is to begin, which is being committed.
    Committed(Ticket, u64),
    /// Here.
    Known(u64),
    /// It does not matter: the group is older than the queue.
    Newer,
    /// It could not be had: what was stored since then is found by its time.
    Unknown,
}

/// Members that start at the same time have told brokers by then where the group begins.
const DOUBTED_FOR: Duration = Duration::from_secs(1);

impl End {
    /// Whether the group may begin elsewhere than where it is known to by now.
    const fn is_open(self) -> bool {
        !matches!(self, Self::Known(_) | Self::Newer | Self::Unknown)
    }

    /// Whether it is not known yet if the group is new.
    const fn is_asked(self) -> bool {
        matches!(self, Self::Asked(_) | Self::Compared { .. })
    }
}

/// Where the queues of a topic ended that there were when it was first subscribed to.
#[derive(Debug, Default)]
pub(super) struct Ends {
    by_queue: BTreeMap<MessageQueue, End>,
    /// How many of them are open, and of these are being asked for, or wait for others to be.
    open: usize,
    asked: usize,
    free: usize,
    /// The group has offsets of the topic: what others do with them is theirs.
    has_offsets: bool,
}

impl Ends {
    /// `None` of a queue that was not there.
    pub(super) fn get(&self, queue: &MessageQueue) -> Option<End> {
        self.by_queue.get(queue).copied()
    }

    pub(super) fn set(&mut self, queue: &MessageQueue, end: End) {
        self.open += usize::from(end.is_open());
        self.asked += usize::from(end.is_asked());
        self.free += usize::from(matches!(end, End::Free(_)));
        if let Some(before) = self.by_queue.insert(queue.clone(), end) {
            self.open -= usize::from(before.is_open());
            self.asked -= usize::from(before.is_asked());
            self.free -= usize::from(matches!(before, End::Free(_)));
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
                End::Compared { end, .. } | End::Free(end) | End::Doubted(end) | End::Committed(_, end) => {
                    End::Known(end)
                }
                known => known,
            };
        }
        (self.open, self.asked, self.free) = (0, 0, 0);
    }

    /// Those that are to be asked about again.
    fn doubted(&self) -> Vec<(MessageQueue, u64)> {
        let doubted = self.by_queue.iter().filter_map(|(queue, end)| match end {
            End::Doubted(end) => Some((queue.clone(), *end)),
            _ => None,
        });
        doubted.collect()
    }

    /// The queues where a new group is to begin, once it is known to be new, or not to be.
    fn free(&self) -> Vec<(MessageQueue, u64)> {
        if self.asked > 0 || self.free == 0 {
            return Vec::new();
        }
        let free = self.by_queue.iter().filter_map(|(queue, end)| match end {
            End::Free(offset) => Some((queue.clone(), *offset)),
            _ => None,
        });
        free.collect()
    }
}

impl PushConsumer {
    /// Asks where the queues of a topic end that are there when it is subscribed to.
    pub(super) fn ask_ends(&mut self, queues: &[MessageQueue]) {
        for queue in queues {
            let ticket = self.next_ticket();
            self.set_end(queue, End::Asked(ticket));
            self.ask(Ask::MaxOffset { asked: asked::End(queue.clone(), ticket), queue: queue.clone() });
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
                Ok(end) => self.compare_end(queue, end, false),
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
        let is_new = self.subscriptions.get(&queue.topic).is_none_or(|known| !known.had_places);
        self.set_end(queue, if is_new { End::Known(end) } else { End::Newer });
        if is_new {
            self.places.note(now.mono, queue, end);
            self.places.hurry();
        }
    }

    fn doubt_end(&mut self, now: Now, queue: &MessageQueue, end: u64) {
        self.set_end(queue, End::Doubted(end));
        self.set_not_later(Timer::Ends, now.mono + DOUBTED_FOR);
    }

    fn compare_end(&mut self, queue: &MessageQueue, end: u64, is_again: bool) {
        let ticket = self.next_ticket();
        self.set_end(queue, End::Compared { ticket, end, is_again });
        self.ask(Ask::EndOffset { asked: asked::EndOffset(queue.clone(), ticket), queue: queue.clone() });
    }

    /// Asks once more about queues of which a group has no offset that has others.
    pub(super) fn compare_again(&mut self) {
        let ends = self.subscriptions.values().filter_map(|known| known.ends.as_ref());
        for (queue, end) in ends.flat_map(Ends::doubted).collect::<Vec<_>>() {
            self.compare_end(&queue, end, true);
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
        if let Some(End::Compared { ticket: known, end, is_again }) = self.end_of(queue)
            && known == ticket
        {
            let ends = self.subscriptions.get_mut(&queue.topic).and_then(|known| known.ends.as_mut());
            let has_offsets = ends.is_some_and(|ends| {
                ends.has_offsets |= matches!(offset, Ok(Some(_)));
                ends.has_offsets
            });
            match offset {
                Ok(None) if is_again && has_offsets => self.set_end(queue, End::Newer),
                Ok(None) => self.set_end(queue, End::Free(end)),
                Err(_) if !is_again => self.doubt_end(now, queue, end),
                _ => self.set_end(queue, End::Known(end)),
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
        if let Some(End::Committed(known, end)) = self.end_of(queue)
            && known == ticket
        {
            if let Err(error) = result {
                let notice = Notice::warn("where the group begins was not committed").about("queue", queue);
                self.notices.push(notice.about("error", error));
            }
            self.set_end(queue, End::Known(end));
            self.go_on_with_ends(now, queue);
        }
        self.attend(now);
    }

    /// Commits where a new group begins once it is known to be new, and lets the queue go on that has waited for that.
    fn go_on_with_ends(&mut self, now: Now, queue: &MessageQueue) {
        let ends = self.subscriptions.get_mut(&queue.topic).and_then(|known| known.ends.as_mut());
        let (free, is_new) = ends.map_or((Vec::new(), false), |ends| (ends.free(), !ends.has_offsets));
        for (queue, end) in free {
            if is_new && !self.is_closing() {
                let ticket = self.next_ticket();
                self.set_end(&queue, End::Committed(ticket, end));
                let asked = asked::EndCommitted(queue.clone(), ticket);
                self.ask(Ask::CommitEnd { asked, queue, offset: end });
            } else {
                self.doubt_end(now, &queue, end);
            }
        }
        self.begin_after_end(now, queue);
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
        ends.set(&queues[0], End::Free(3));
        ends.set(&queues[1], End::Compared { ticket: 1, end: 4, is_again: false });
        assert_eq!((ends.free(), ends.is_open()), (Vec::new(), true));
        ends.set(&queues[1], End::Known(4));
        assert_eq!(ends.free(), [(queues[0].clone(), 3)]);
        ends.set(&queues[0], End::Committed(2, 3));
        assert!(ends.free().is_empty() && ends.is_open());
        ends.set(&queues[0], End::Known(3));
        assert!(!ends.is_open());
    }

    #[test]
    fn what_is_given_up_waits_for_nothing() {
        let queues = [0, 1].map(|id| MessageQueue::new("T", "a", id));
        let mut ends = Ends::default();
        ends.set(&queues[0], End::Asked(1));
        ends.set(&queues[1], End::Committed(2, 4));
        ends.give_up();
        assert_eq!(queues.map(|queue| ends.get(&queue)), [Some(End::Unknown), Some(End::Known(4))]);
        assert!(!ends.is_open());
    }
}
