//! Where a queue begins: the group's offset if it has one, else what one rule says
//! (`RebalancePushImpl.computePullFromWhere`).

use std::collections::BTreeMap;

use super::asked::{self, Ticket};
use super::committing::DOUBTED_AFTER;
use super::ends::{End, NEWER};
use super::queue::{Begin, Fetch, Leave, QueueId, Reset, ResetBy, Stage};
use super::wish::Wish;

use super::{AFTER_FAILURE, ConsumeFrom, PushConsumer};
use crate::consumer::process_queue::ProcessQueue;
use crate::error::Error;
use crate::notice::Notice;
use crate::queue::MessageQueue;
use crate::time::{Instant, Now};

/// Where a queue begins of which the group has no offset.
enum Beginning {
    /// Here.
    At(u64),
    /// With the first message that there is.
    First,
    /// With what was stored at this time or later, milliseconds since 1970 UTC.
    Since(u64),
    /// Where it ended when its topic was subscribed to, which is being asked.
    AwaitEnd,
}

impl PushConsumer {
    /// A queue is ours to consume: where to begin is to be asked.
    pub(super) fn start(&mut self, now: Instant, id: QueueId) {
        if let Some(known) = self.queues.touch(id) {
            known.stage = Stage::Starting(Begin::Due(now));
            known.fetch = Fetch::Idle;
            if core::mem::take(&mut known.is_told_lost) {
                self.tell_assigned(now, id);
            }
        }
    }

    /// Asks where a queue is to begin: first of all what the group has committed.
    pub(super) fn ask_beginning(&mut self, now: Now, id: QueueId) {
        let Some(queue) = self.queues.get(id).map(|known| known.queue.clone()) else {
            return;
        };
        if !self.config.is_broadcasting() {
            let ask = |ticket| Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), queue };
            return self.ask_about_beginning(id, ask);
        }
        match self.places.get(&queue) {
            Some(offset) => self.begin_at(now, id, offset, true),
            None => self.begin_without_offset(now, id),
        }
    }

    fn ask_about_beginning(&mut self, id: QueueId, ask: impl FnOnce(Ticket) -> Wish) {
        let ticket = self.next_ticket();
        if let Some(known) = self.queues.touch(id) {
            known.stage = Stage::Starting(Begin::Asked(ticket));
            self.wish(ask(ticket));
        }
    }

    /// Whether this is the answer that a queue waits for.
    fn awaits(&self, id: QueueId, ticket: Ticket) -> bool {
        self.queues.get(id).is_some_and(|known| known.stage == Stage::Starting(Begin::Asked(ticket)))
    }

    /// Takes what the group has committed. Only a broker that knows the group and has no offset of it says so with
    /// `None`; whatever else goes wrong is asked again.
    pub(crate) fn take_group_offset(
        &mut self,
        now: Now,
        id: QueueId,
        ticket: Ticket,
        offset: Result<Option<u64>, Error>,
    ) {
        if self.awaits(id, ticket) {
            match offset {
                Ok(Some(offset)) => {
                    if let Some(topic) = self.queues.get(id).map(|known| known.queue.topic.clone()) {
                        self.note_group_offset(&topic, offset);
                    }
                    let place = self.queues.touch(id).map_or(offset, |known| {
                        let is_unbroken = known.claim.is_unbroken;
                        known.kept.take().map_or(offset, |kept| kept.place_for(offset, is_unbroken))
                    });
                    self.begin_at(now, id, place, place == offset);
                }
                Ok(None) => self.begin_without_offset(now, id),
                Err(error) => self.begin_later(now.mono, id, &error),
            }
        }
        self.attend(now);
    }

    /// The group has no offset of a queue.
    fn begin_without_offset(&mut self, now: Now, id: QueueId) {
        let Some(queue) = self.queues.get(id).map(|known| known.queue.clone()) else {
            return;
        };
        match self.beginning(&queue) {
            Beginning::At(offset) => self.begin_at(now, id, offset, false),
            Beginning::First => {
                self.ask_about_beginning(id, |ticket| Wish::MinOffset { asked: asked::FirstOffset(id, ticket), queue });
            }
            Beginning::Since(unix_ms) => {
                let asked = |ticket| asked::FirstOffset(id, ticket);
                self.ask_about_beginning(id, |ticket| Wish::OffsetAt { asked: asked(ticket), queue, unix_ms });
            }
            Beginning::AwaitEnd => {
                if let Some(known) = self.queues.touch(id) {
                    known.stage = Stage::Starting(Begin::AwaitsEnd);
                }
            }
        }
    }

    /// The one rule. A queue that we were on already goes on from there. One that was there when its topic was subscribed
    /// to begins, with `LastOffset`, where it ended then, or if that could not be had, with what was stored since then by
    /// the clocks; one that came later is newer than the group, and begins with its first message.
    fn beginning(&self, queue: &MessageQueue) -> Beginning {
        let subscription = self.subscriptions.get(&queue.topic);
        let is_retry = subscription.is_some_and(|known| known.is_retry);
        if let Some(offset) = self.places.get(queue) {
            return Beginning::At(offset);
        }
        match self.config.consume_from {
            // What failed before the group had an offset has to be consumed all the same.
            _ if is_retry => Beginning::First,
            ConsumeFrom::FirstOffset => Beginning::First,
            ConsumeFrom::Timestamp(unix_ms) => Beginning::Since(unix_ms),
            ConsumeFrom::LastOffset => {
                let ends = subscription.and_then(|known| known.ends.as_ref());
                let has_offsets = ends.is_some_and(|ends| ends.has_offsets);
                let since = subscription.map_or(self.started_unix_ms, |known| known.since_unix_ms);
                match ends.and_then(|ends| ends.get(queue)) {
                    None => Beginning::First,
                    Some(End::Known(offset)) => Beginning::At(offset),
                    Some(End::Unsure(offset)) if !has_offsets => Beginning::At(offset),
                    Some(End::Unknown) if !has_offsets => Beginning::Since(since),
                    Some(End::Unsure(_) | End::Unknown | End::Newer) => {
                        Beginning::Since(since.saturating_sub(NEWER.as_millis() as u64))
                    }
                    Some(_) => Beginning::AwaitEnd,
                }
            }
        }
    }

    /// Takes where a group without an offset begins.
    pub(crate) fn take_first_offset(
        &mut self,
        now: Now,
        id: QueueId,
        ticket: Ticket,
        offset: Result<Option<u64>, Error>,
    ) {
        if self.awaits(id, ticket) {
            match offset {
                Ok(offset) => self.begin_at(now, id, offset.unwrap_or(0), false),
                Err(error) => self.begin_later(now.mono, id, &error),
            }
        }
        self.attend(now);
    }

    fn begin_later(&mut self, now: Instant, id: QueueId, error: &Error) {
        if let Some(known) = self.queues.touch(id) {
            let notice = Notice::warn("where to begin cannot be had");
            self.notices.push(notice.about("queue", &known.queue).about("error", error));
            known.stage = Stage::Starting(Begin::Due(now + AFTER_FAILURE));
        }
    }

    /// A queue is consumed from `offset` on; whatever of it is in work does not count any more. What its broker does not
    /// have yet is committed at once: or the next owner, or we after the next failure, would begin anew.
    pub(super) fn begin_at(&mut self, now: Now, id: QueueId, offset: u64, is_persisted: bool) {
        let (begun, is_broadcasting) = (self.next_ticket(), self.config.is_broadcasting());
        let Some(known) = self.queues.touch(id) else {
            return;
        };
        let (offset, is_persisted) = known.reset_to.map_or((offset, is_persisted), |reset| (reset.offset, false));
        self.notices.push(Notice::debug("consuming").about("queue", &known.queue).about("offset", offset));
        known.stage = Stage::Consuming;
        known.begun = begun;
        self.abandoned.take_from(known);
        known.messages = ProcessQueue::new(offset);
        known.fetch = Fetch::Idle;
        known.suspended_until = None;
        known.commit.persisted = is_persisted.then_some(offset);
        (known.commit.again_at, known.commit.is_doubted) = (Some(now.mono + DOUBTED_AFTER), false);
        known.commit.due = (!is_persisted).then_some(now.mono);
        known.commit.is_urgent = !is_persisted;
        if is_broadcasting {
            // Its place is kept here, and no broker has to take it.
            known.reset_to = None;
        }
        if is_broadcasting && !is_persisted {
            self.note_place(now.mono, id);
            self.places.hurry();
        }
    }

    /// A queue goes on at another offset, because the broker does not have the one we asked for any more, whoever wanted
    /// that (`ConsumerOffset` is updated and frozen in Java until the queue is there anew).
    pub(super) fn move_to(&mut self, now: Now, id: QueueId, offset: u64) {
        self.go_on_at(now, id, offset, None);
    }

    fn go_on_at(&mut self, now: Now, id: QueueId, offset: u64, reset_to: Option<Reset>) {
        self.cancel_pull(id);
        if let Some(known) = self.queues.touch(id) {
            known.reset_to = reset_to;
            let what = "the queue goes on at another offset";
            // Somebody wanted that; or the broker has no such offset any more.
            let notice = if reset_to.is_some() { Notice::info(what) } else { Notice::warn(what) };
            let notice = notice.about("queue", &known.queue);
            self.notices.push(notice.about("from", known.messages.fetch_offset()).about("offset", offset));
        }
        self.begin_at(now, id, offset, false);
    }

    /// The application has a queue go on at another offset. Returns whether it is ours.
    pub(crate) fn seek(&mut self, now: Now, queue: &MessageQueue, offset: u64) -> bool {
        let is_ours =
            self.queues.find(queue).and_then(|id| self.queues.get(id)).is_some_and(|known| !known.is_leaving());
        if is_ours {
            self.reset(now, queue, offset, ResetBy::Application);
            self.attend(now);
        }
        is_ours
    }

    /// Offsets that an administrator sets; those of queues that are not ours are passed over. A queue that leaves commits
    /// what was set, since we may get it back, and nobody says it once more.
    pub(crate) fn reset_offsets(&mut self, now: Now, topic: &str, offsets: &BTreeMap<MessageQueue, u64>) {
        for (queue, &offset) in offsets.iter().filter(|(queue, _)| &*queue.topic == topic) {
            self.reset(now, queue, offset, ResetBy::Administrator);
        }
        self.attend(now);
    }

    fn reset(&mut self, now: Now, queue: &MessageQueue, offset: u64, by: ResetBy) {
        let Some(id) = self.queues.find(queue) else {
            return;
        };
        let reset = Reset { offset, by, since: self.next_ticket() };
        match self.queues.get(id).map(|known| known.stage) {
            Some(Stage::Consuming) => self.go_on_at(now, id, offset, Some(reset)),
            Some(Stage::Locking | Stage::Starting(_)) => {
                if let Some(known) = self.queues.touch(id) {
                    known.reset_to = Some(reset);
                }
            }
            Some(Stage::Leaving(leave)) => {
                if let Some(known) = self.queues.touch(id) {
                    known.stage = Stage::Leaving(Leave { commits_left: Leave::TRIES, ..leave });
                    self.abandoned.take_from(known);
                    known.stand_at(reset);
                }
            }
            None => {}
        }
    }
}
