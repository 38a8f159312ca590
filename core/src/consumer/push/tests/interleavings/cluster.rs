//! What brokers do, what they answer, and what other members and administrators do there.

use std::collections::BTreeMap;

use super::super::super::asked::{self, Asked as _};
use super::super::super::giving_up::GivenUp;
use super::super::super::wish::Wish;
use super::super::scene::{ME, TOPIC, answer, failed, found, found_batch, queue};
use crate::consumer::PullStatus;
use crate::consumer::allocation::{Allocation as _, AllocationRequest, Average};
use crate::error::{Error, ErrorKind};

use super::play::{AtBroker, BATCH, BROKERS_LOCK, CLAIM, CLAIMED_AFTER, MESSAGES, Play, Question};

impl Play {
    pub(super) fn at_broker(&mut self, queue_id: u32) -> &mut AtBroker {
        self.broker.get_mut(&queue_id).expect("it has this queue")
    }

    /// The broker does what a question asks for.
    pub(super) fn act(&mut self, index: usize) {
        if self.questions[index].done.is_some() {
            return;
        }
        let now = self.scene.now.mono;
        self.let_other_begin();
        let mut granted = Vec::new();
        match &self.questions[index].ask {
            Wish::Commit { queue, offset, .. } => {
                self.commit(queue.queue_id, *offset);
            }
            Wish::Lock { queues, .. } => {
                for queue_id in queues.iter().map(|queue| queue.queue_id).collect::<Vec<_>>() {
                    let grants = self.grants;
                    let lock = &mut self.at_broker(queue_id).lock;
                    let is_ours = lock.is_some_and(|(owner, _)| owner == ME);
                    if is_ours || (grants && lock.is_none_or(|(_, until)| until <= now)) {
                        *lock = Some((ME, now + BROKERS_LOCK));
                        granted.push(queue_id);
                    }
                }
            }
            Wish::Unlock { queues, .. } => {
                for queue_id in queues.iter().map(|queue| queue.queue_id).collect::<Vec<_>>() {
                    self.at_broker(queue_id).lock.take_if(|(owner, _)| *owner == ME);
                }
            }
            _ => {}
        }
        self.questions[index].done = Some(granted);
    }

    fn commit(&mut self, queue_id: u32, offset: u64) {
        let open = (0..offset).find(|offset| !self.settled.contains(&(queue_id, *offset)));
        assert_eq!(open, None, "{offset} is committed of queue {queue_id}");
        self.at_broker(queue_id).committed = Some(offset);
    }

    /// Queues are given up: nobody answers, and commits that are under way end.
    pub(super) fn take_given_up(&mut self, given_up: &GivenUp) {
        assert!(self.broadcasts || self.scene.consumer.queues.len() == 0, "none is kept");
        let is_commit = |known: &Question| matches!(known.ask, Wish::Commit { .. } | Wish::CommitEnd { .. });
        while let Some(index) = self.questions.iter().position(is_commit) {
            self.fail(index, false, failed());
        }
        for (queue, offset) in &given_up.offsets {
            if self.is_orderly {
                self.check_lock(queue.queue_id, "committed");
            }
            self.commit(queue.queue_id, *offset);
        }
        for queue in &given_up.locked {
            self.at_broker(queue.queue_id).lock.take_if(|(owner, _)| *owner == ME);
        }
    }

    pub(super) fn answer(&mut self, number: usize) {
        let Some(index) = number.checked_rem(self.questions.len()) else { return };
        self.act(index);
        let Question { ask, done } = self.questions.remove(index);
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match ask {
            Wish::Queues { asked: asked::Queues(topic, ticket), .. } => {
                let queues = if &*topic == TOPIC { (0..self.routed).map(queue).collect() } else { Vec::new() };
                let answer = if self.is_gone { Err(Error::new(ErrorKind::TopicNotFound, "")) } else { Ok(queues) };
                consumer.take_queues(now, &topic, ticket, answer);
            }
            Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                let others = self.has_other.then(|| "other".to_owned());
                consumer.take_members(
                    now,
                    (&topic, ticket, broker),
                    Ok(others.into_iter().chain([ME.to_owned()]).collect()),
                );
            }
            Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), queue } => {
                consumer.take_group_offset(now, id, ticket, Ok(self.broker[&queue.queue_id].committed));
            }
            Wish::FormerOffset { asked, queue } => {
                asked.take(consumer, now, Ok(self.broker[&queue.queue_id].committed));
            }
            Wish::MaxOffset { asked: asked::End(known, ticket), .. } => {
                // What came while it was asked may be passed over.
                let end = self.broker[&known.queue_id].end;
                self.settled.extend((0..end).map(|offset| (known.queue_id, offset)));
                self.next.insert(known.queue_id, end);
                consumer.take_end(now, &known, ticket, Ok(Some(end)));
            }
            Wish::EndOffset { asked, queue } => {
                asked.take(consumer, now, Ok(self.broker[&queue.queue_id].committed));
            }
            Wish::CommitEnd { asked, queue, offset } => {
                self.broker.entry(queue.queue_id).or_default().committed = Some(offset);
                asked.take(consumer, now, Ok(()));
            }
            Wish::MinOffset { asked: asked::FirstOffset(id, ticket), .. } => {
                consumer.take_first_offset(now, id, ticket, Ok(Some(0)));
            }
            Wish::OffsetAt { asked: asked::FirstOffset(id, ticket), .. } => {
                consumer.take_first_offset(now, id, ticket, Ok(Some(MESSAGES)));
            }
            Wish::Pull { asked: asked::Pull(id, ticket), queue, offset, .. } => {
                let end = self.broker[&queue.queue_id].end.min(offset + BATCH);
                let pulled = if offset < end && offset % 3 == 0 {
                    found_batch(queue, offset..end, false)
                } else if offset < end {
                    found(queue, offset..end)
                } else {
                    answer(queue, PullStatus::NoNewMessage, offset, Default::default())
                };
                consumer.take_pulled(now, id, ticket, Ok(pulled));
            }
            Wish::Check { asked: asked::Check(topic, ticket), .. } => {
                consumer.take_checked(now, &topic, ticket, Ok(()))
            }
            Wish::Commit { asked: asked::Commit(id, ticket), .. } => consumer.take_committed(now, id, ticket, Ok(())),
            Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } => {
                let granted = done.unwrap_or_default().into_iter().map(queue).collect();
                consumer.take_locked(now, ticket, (&queues, at), Ok(granted));
            }
            Wish::Unlock { asked: asked::Unlock(id, ticket), .. } => consumer.take_unlocked(now, id, ticket, Ok(())),
            Wish::SendBack { asked: asked::SendBack(id, begun, offset), message } => {
                // The broker has it: it will come back by itself.
                self.settled.insert((message.queue.queue_id, offset));
                consumer.take_sent_back(now, id, begun, offset, Ok(()));
            }
            Wish::Heartbeat | Wish::CancelPull { .. } | Wish::OvertakePull { .. } => {}
        }
    }

    pub(super) fn fail(&mut self, number: usize, is_done: bool, error: Error) {
        let Some(index) = number.checked_rem(self.questions.len()) else { return };
        let is_unlock = matches!(self.questions[index].ask, Wish::Unlock { .. });
        if is_done || (is_unlock && core::mem::replace(&mut self.has_lost_unlock, true)) {
            self.act(index);
        }
        let Question { ask, .. } = self.questions.remove(index);
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match ask {
            Wish::Queues { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Members { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Check { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::MaxOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::EndOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::CommitEnd { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::FormerOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::MinOffset { asked, .. } | Wish::OffsetAt { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Pull { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Commit { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Lock { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Unlock { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::SendBack { asked, .. } => asked.take(consumer, now, Err(error)),
            Wish::Heartbeat | Wish::CancelPull { .. } | Wish::OvertakePull { .. } => {}
        }
    }

    pub(super) fn open(&mut self, number: usize) {
        if let Some(index) = number.checked_rem(self.unopened.len()) {
            let opened = self.unopened.remove(index).open();
            self.scene.consumer.take_opened(self.scene.now, opened);
        }
    }

    /// What is there already is done with, whatever became of it.
    pub(super) fn reset(&mut self, queue_id: u32, offset: u64) {
        self.settled.extend((0..offset).map(|offset| (queue_id, offset)));
        let next = self.next.entry(queue_id).or_default();
        *next = offset.max(*next);
        self.at_broker(queue_id).committed = Some(offset);
        self.scene.consumer.reset_offsets(self.scene.now, TOPIC, &BTreeMap::from([(queue(queue_id), offset)]));
    }

    /// Where nobody locks anything, the other member begins with what it is given as late as it has to; what it has to give up, or
    /// is cut off from, it goes on with for as long as it may.
    pub(super) fn share_with_other(&mut self) {
        let (now, queues): (_, Vec<_>) = (self.scene.now.mono, (0..self.routed).map(queue).collect());
        let members = [ME.to_owned(), "other".to_owned()];
        let request = AllocationRequest { group: "G", client_id: "other", queues: &queues, members: &members };
        let others = if self.has_other { Average.allocate(&request) } else { Vec::new() };
        for (queue_id, at_broker) in &mut self.broker {
            if others.contains(&queue(*queue_id)) {
                at_broker.other_since.get_or_insert(now);
            } else if at_broker.other_since.take().is_some_and(|since| now >= since + CLAIMED_AFTER) {
                at_broker.committed.get_or_insert(0);
                at_broker.other_until = Some(now + CLAIM);
            }
        }
    }

    /// The other member commits at once where it begins.
    fn let_other_begin(&mut self) {
        let now = self.scene.now.mono;
        for at_broker in self.broker.values_mut() {
            if at_broker.other_since.is_some_and(|since| now >= since + CLAIMED_AFTER) {
                at_broker.committed.get_or_insert(0);
            }
        }
    }

    /// Whether the other member may deliver messages of a queue at this moment.
    pub(super) fn other_may_have(&self, queue_id: u32) -> bool {
        let (now, at_broker) = (self.scene.now.mono, &self.broker[&queue_id]);
        let is_giving_up = at_broker.other_until.is_some_and(|until| now < until);
        is_giving_up || at_broker.other_since.is_some_and(|since| now >= since + CLAIMED_AFTER)
    }

    /// The other member takes the locks that are free.
    pub(super) fn let_other_lock(&mut self) {
        let (now, has_other) = (self.scene.now.mono, self.has_other);
        for at_broker in self.broker.values_mut() {
            match at_broker.lock {
                Some((ME, until)) if now < until => {}
                _ => at_broker.lock = has_other.then(|| ("other", now + BROKERS_LOCK)),
            }
        }
    }
}
