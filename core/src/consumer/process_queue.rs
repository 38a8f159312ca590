//! The messages of one queue between their fetch and their settlement (`ProcessQueue`).
//!
//! What may be committed is the offset of the first message that is not finished, so that nothing unfinished is ever
//! skipped, in whatever order messages end.

use std::collections::VecDeque;

use crate::sorted::SortedSet;
use crate::time::Instant;
use crate::wire::message::StoredMessage;

/// What a delivery is called, in the queue it comes from; no two deliveries of a consumer share a number.
pub(crate) type DeliveryNumber = u64;

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits to be delivered.
    Waiting,
    /// The application has it.
    InWork { delivery: DeliveryNumber, since: Instant },
    /// It failed, and waits to be delivered here again.
    Deferred,
    /// It failed, and the broker is asked to bring it again later.
    SendingBack,
    /// It is consumed, but not yet committed by the application.
    Uncommitted,
    /// It is finished.
    Finished,
}

#[derive(Debug)]
struct Slot {
    offset: u64,
    state: State,
    /// How often it was delivered here in vain.
    failures: u32,
    /// Dropped when it is finished.
    message: Option<StoredMessage>,
}

/// Messages given to the application.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Each with how often it was delivered here in vain before.
    pub(crate) messages: Vec<(StoredMessage, u32)>,
}

/// The fetched messages of a queue, by offset.
#[derive(Debug)]
pub(crate) struct ProcessQueue {
    slots: VecDeque<Slot>,
    /// No slot before this index waits.
    cursor: usize,
    waiting: usize,
    in_work: usize,
    sending_back: usize,
    unfinished: usize,
    bytes: usize,
    /// The offset to fetch from.
    end: u64,
    /// When deferred messages wait again.
    deferred: SortedSet<(Instant, u64)>,
    /// The delivery of which one message failed, so that the rest is to come after it once more. The application has that rest,
    /// and what becomes of it there does not count.
    overtaken: Option<DeliveryNumber>,
}

impl ProcessQueue {
    /// A queue that is consumed from `start` on.
    pub(crate) const fn new(start: u64) -> Self {
        Self {
            slots: VecDeque::new(),
            cursor: 0,
            waiting: 0,
            in_work: 0,
            sending_back: 0,
            unfinished: 0,
            bytes: 0,
            end: start,
            deferred: SortedSet::new(),
            overtaken: None,
        }
    }

    /// Takes in a fetched message. One that is not beyond all before it is none that was asked for.
    pub(crate) fn push(&mut self, message: StoredMessage) {
        let Ok(offset) = u64::try_from(message.fields.queue_offset) else {
            return;
        };
        if offset < self.end {
            return;
        }
        self.end = offset + 1;
        self.bytes += message.stored_length();
        self.waiting += 1;
        self.unfinished += 1;
        self.slots.push_back(Slot { offset, state: State::Waiting, failures: 0, message: Some(message) });
    }

    /// Everything before `end` has been fetched, or is not wanted.
    pub(crate) fn advance(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// The offset to fetch from.
    pub(crate) const fn fetch_offset(&self) -> u64 {
        self.end
    }

    /// The offset of the first message that is not finished.
    pub(crate) fn committable(&self) -> u64 {
        self.slots.front().map_or(self.end, |slot| slot.offset)
    }

    /// How many messages wait to be delivered.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many messages the application has.
    pub(crate) const fn in_work(&self) -> usize {
        self.in_work
    }

    /// How many messages brokers are being asked to bring again.
    pub(crate) const fn sending_back(&self) -> usize {
        self.sending_back
    }

    /// How many messages the application has consumed and has yet to commit.
    pub(crate) fn uncommitted(&self) -> usize {
        self.unfinished - self.waiting - self.in_work - self.sending_back - self.deferred.len()
    }

    /// How many messages are not finished.
    pub(crate) const fn len(&self) -> usize {
        self.unfinished
    }

    /// How many bytes those have as they are stored.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How far the last fetched message is from the first unfinished one, in offsets.
    pub(crate) fn span(&self) -> u64 {
        match (self.slots.front(), self.slots.back()) {
            (Some(first), Some(last)) => last.offset - first.offset,
            _ => 0,
        }
    }

    /// The offsets of the first and the last message that is fetched and not yet passed by what may be committed.
    pub(crate) fn bounds(&self) -> Option<(u64, u64)> {
        Some((self.slots.front()?.offset, self.slots.back()?.offset))
    }

    /// The messages that the application has: of which delivery, and where.
    pub(crate) fn all_in_work(&self) -> impl Iterator<Item = (DeliveryNumber, u64)> {
        let slots = self.slots.iter().filter(|_| self.in_work > 0);
        slots.filter_map(|slot| match slot.state {
            State::InWork { delivery, .. } => Some((delivery, slot.offset)),
            _ => None,
        })
    }

    /// Gives up to `most` messages that follow each other to the application.
    pub(crate) fn take(&mut self, now: Instant, delivery: DeliveryNumber, most: usize) -> Option<Taken> {
        if self.waiting == 0 {
            return None;
        }
        let is_waiting = |slot: &Slot| slot.state == State::Waiting;
        let from = self.cursor + self.slots.range(self.cursor..).take_while(|slot| !is_waiting(slot)).count();
        let mut messages = Vec::with_capacity(most.min(self.waiting));
        let mut last = 0;
        for slot in self.slots.range_mut(from..).take(most).take_while(|slot| is_waiting(slot)) {
            slot.state = State::InWork { delivery, since: now };
            last = slot.offset;
            messages.extend(slot.message.clone().map(|message| (message, slot.failures)));
        }
        self.cursor = from + messages.len();
        self.waiting -= messages.len();
        self.in_work += messages.len();
        Some(Taken { first: self.slots.get(from)?.offset, last, messages })
    }

    /// The messages of a delivery from `first` to `last` are consumed; an application that commits itself has yet to
    /// do so. Returns how many of them were still in its hands.
    pub(crate) fn consumed(&mut self, delivery: DeliveryNumber, first: u64, last: u64, is_committed: bool) -> usize {
        if self.is_overtaken(delivery, first, last) {
            return 0;
        }
        let to = if is_committed { State::Finished } else { State::Uncommitted };
        let count = self.settle(delivery, first, last, |slot, _| slot.state = to);
        self.pass();
        count
    }

    /// The messages of a delivery failed and are delivered here again at `at`, at once without. Returns how many.
    pub(crate) fn defer(&mut self, delivery: DeliveryNumber, first: u64, last: u64, at: Option<Instant>) -> usize {
        if self.is_overtaken(delivery, first, last) {
            return 0;
        }
        let mut waiting = 0;
        let count = self.settle(delivery, first, last, |slot, deferred| {
            slot.failures = slot.failures.saturating_add(1);
            if let Some(at) = at {
                slot.state = State::Deferred;
                deferred.insert((at, slot.offset));
            } else {
                slot.state = State::Waiting;
                waiting += 1;
            }
        });
        if waiting > 0 {
            self.waiting += waiting;
            self.cursor = self.cursor.min(self.index_of(first));
        }
        count
    }

    /// The messages of a delivery have ended, but that does not count: they wait as they did before it.
    pub(crate) fn release(&mut self, delivery: DeliveryNumber, first: u64, last: u64) {
        let count = self.settle(delivery, first, last, |slot, _| slot.state = State::Waiting);
        self.waiting += count;
        self.cursor = self.cursor.min(self.index_of(first));
    }

    /// What the application has left of a delivery does not come in its turn any more: it waits again once that has ended.
    pub(crate) const fn overtake(&mut self, delivery: DeliveryNumber) {
        self.overtaken = Some(delivery);
    }

    /// Whether messages of a delivery that have ended are no more than released.
    fn is_overtaken(&mut self, delivery: DeliveryNumber, first: u64, last: u64) -> bool {
        let is_overtaken = self.overtaken == Some(delivery);
        if is_overtaken {
            self.release(delivery, first, last);
        }
        is_overtaken
    }

    /// The messages from `first` to `last` that are still in the hands of a delivery.
    pub(crate) fn in_hand(&self, delivery: DeliveryNumber, first: u64, last: u64) -> Vec<(StoredMessage, u32)> {
        let is_in_hand = |slot: &&Slot| match slot.state {
            State::InWork { delivery: known, .. } => known == delivery && self.overtaken != Some(delivery),
            _ => false,
        };
        let slots = self.slots.range(self.index_of(first)..).take_while(|slot| slot.offset <= last);
        slots.filter(is_in_hand).filter_map(|slot| Some((slot.message.clone()?, slot.failures))).collect()
    }

    /// The messages of a delivery failed, and the broker is to bring them again. Returns them.
    pub(crate) fn send_back(&mut self, delivery: DeliveryNumber, first: u64, last: u64) -> Vec<(StoredMessage, u32)> {
        let mut messages = Vec::new();
        if self.is_overtaken(delivery, first, last) {
            return messages;
        }
        self.settle(delivery, first, last, |slot, _| {
            slot.state = State::SendingBack;
            messages.extend(slot.message.clone().map(|message| (message, slot.failures)));
        });
        self.sending_back += messages.len();
        messages
    }

    /// Takes the messages from the application that it has had since before `since`; the broker is to bring them again.
    pub(crate) fn expire(&mut self, since: Instant) -> Vec<(StoredMessage, u32)> {
        let mut messages = Vec::new();
        for slot in &mut self.slots {
            if let State::InWork { since: began, .. } = slot.state
                && began < since
            {
                slot.state = State::SendingBack;
                self.in_work -= 1;
                messages.extend(slot.message.clone().map(|message| (message, slot.failures)));
            }
        }
        self.sending_back += messages.len();
        messages
    }

    /// The broker has taken a message back, or has not, and then it is delivered here again at `again`.
    pub(crate) fn sent_back(&mut self, offset: u64, again: Option<Instant>) {
        let index = self.index_of(offset);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if slot.offset != offset || slot.state != State::SendingBack {
            return;
        }
        self.sending_back -= 1;
        if let Some(at) = again {
            slot.failures = slot.failures.saturating_add(1);
            slot.state = State::Deferred;
            self.deferred.insert((at, offset));
        } else {
            finish(slot, &mut self.unfinished, &mut self.bytes);
            self.pass();
        }
    }

    /// What the application has consumed is committed.
    pub(crate) fn commit(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Uncommitted) {
            finish(slot, &mut self.unfinished, &mut self.bytes);
        }
        self.pass();
    }

    /// What the application has consumed and not committed waits again.
    pub(crate) fn roll_back(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Uncommitted) {
            slot.state = State::Waiting;
            self.waiting += 1;
        }
        self.cursor = 0;
    }

    /// When the next deferred message waits again.
    pub(crate) fn next_deferred(&self) -> Option<Instant> {
        self.deferred.first().map(|(at, _)| *at)
    }

    /// Deferred messages whose time has come wait again.
    pub(crate) fn wake_deferred(&mut self, now: Instant) {
        while let Some(&(at, offset)) = self.deferred.first().filter(|(at, _)| *at <= now) {
            self.deferred.remove(&(at, offset));
            let index = self.index_of(offset);
            if let Some(slot) = self.slots.get_mut(index) {
                slot.state = State::Waiting;
                self.waiting += 1;
                self.cursor = self.cursor.min(index);
            }
        }
    }

    /// The index of the first slot at `offset` or beyond. Offsets mostly follow each other without a gap.
    fn index_of(&self, offset: u64) -> usize {
        let guess = self.slots.front().map_or(0, |first| offset.saturating_sub(first.offset)) as usize;
        match self.slots.get(guess) {
            Some(slot) if slot.offset == offset => guess,
            _ => self.slots.partition_point(|slot| slot.offset < offset),
        }
    }

    /// Changes the slots from `first` to `last` that are still in the hands of this delivery, and counts them.
    fn settle(
        &mut self,
        delivery: DeliveryNumber,
        first: u64,
        last: u64,
        mut change: impl FnMut(&mut Slot, &mut SortedSet<(Instant, u64)>),
    ) -> usize {
        let from = self.index_of(first);
        let mut count = 0;
        for slot in self.slots.range_mut(from..).take_while(|slot| slot.offset <= last) {
            if matches!(slot.state, State::InWork { delivery: known, .. } if known == delivery) {
                change(slot, &mut self.deferred);
                count += 1;
                if slot.state == State::Finished {
                    finish(slot, &mut self.unfinished, &mut self.bytes);
                }
            }
        }
        self.in_work -= count;
        count
    }

    /// Passes by what is finished at the front.
    fn pass(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.state == State::Finished) {
            self.slots.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
    }
}

/// Frees what a finished message holds.
fn finish(slot: &mut Slot, unfinished: &mut usize, bytes: &mut usize) {
    slot.state = State::Finished;
    if let Some(message) = slot.message.take() {
        *unfinished -= 1;
        *bytes -= message.stored_length();
    }
}

#[cfg(test)]
mod tests;
