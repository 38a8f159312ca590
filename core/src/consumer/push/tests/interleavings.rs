//! Whatever the order in which brokers answer, the application settles and members come and go: nothing is committed that
//! is not settled, no commit goes back, orderly queues stay in order, no more is fetched than may be, and in the end
//! everything is settled and committed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::ask::{Ask, Asked};
use super::super::queue::QueueId;
use super::super::{Delivery, Outcome, PushConfig, RetryDelay};
use super::scene::{ME, SECOND, Scene, answer, failed, found, queue};
use crate::consumer::PullStatus;
use crate::time::Duration;

const QUEUES: u32 = 3;
/// How many messages each queue has.
const MESSAGES: u64 = 40;
/// How many a pull brings.
const BATCH: u64 = 5;
const MOST_CACHED: usize = 8;

/// What happens next. Numbers pick one of those that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    /// One of the questions is answered.
    Answer(usize),
    /// One of the questions fails; what it asked for may have been done.
    Fail(usize),
    Deliver(usize),
    Succeed(usize),
    /// It fails, or an orderly queue rests.
    Retry(usize),
    /// Another member comes or goes.
    Other(bool),
    /// The connection to the broker ends.
    Disconnect,
    /// The broker grants locks, or does not.
    Grant(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..6000).prop_map(Step::Pass),
        12 => any::<usize>().prop_map(Step::Answer),
        1 => any::<usize>().prop_map(Step::Fail),
        8 => (1_usize..7).prop_map(Step::Deliver),
        7 => any::<usize>().prop_map(Step::Succeed),
        2 => any::<usize>().prop_map(Step::Retry),
        1 => any::<bool>().prop_map(Step::Other),
        1 => Just(Step::Disconnect),
        1 => any::<bool>().prop_map(Step::Grant),
    ]
}

/// The broker, the application, and what has been seen of both.
struct Play {
    scene: Scene,
    is_orderly: bool,
    has_other: bool,
    grants: bool,
    questions: Vec<(Asked, Ask)>,
    deliveries: Vec<Delivery>,
    /// By queue: what the broker has.
    committed: BTreeMap<u32, u64>,
    /// By assignment: the last commit.
    commits: BTreeMap<QueueId, u64>,
    settled: BTreeSet<(u32, u64)>,
    /// By queue: what is to be delivered for the first time next.
    next: BTreeMap<u32, u64>,
}

impl Play {
    fn new(is_orderly: bool) -> Self {
        let bound = |config: &mut PushConfig| {
            config.max_cached_messages = MOST_CACHED;
            config.batch_size = 4;
        };
        let scene = if is_orderly { Scene::orderly(bound) } else { Scene::new(bound) };
        Self {
            scene,
            is_orderly,
            has_other: false,
            grants: true,
            questions: Vec::new(),
            deliveries: Vec::new(),
            committed: BTreeMap::new(),
            commits: BTreeMap::new(),
            settled: BTreeSet::new(),
            next: BTreeMap::new(),
        }
    }

    /// The broker does what it is asked, in the order in which it is asked; its answers may take their time.
    fn look(&mut self) {
        for (asked, ask) in self.scene.asks() {
            match (&asked, &ask) {
                (Asked::Pull(id), Ask::CancelPull) => {
                    self.questions.retain(|(known, _)| !matches!(known, Asked::Pull(known) if known == id));
                    continue;
                }
                (Asked::Pull(_), Ask::Pull { queue, .. }) => self.check_room(queue.queue_id),
                (Asked::Commit(id, _), Ask::Commit { queue, offset }) => {
                    let before = self.commits.insert(*id, *offset);
                    assert!(before.is_none_or(|before| before <= *offset), "{queue}: {offset} after {before:?}");
                    self.commit(queue.queue_id, *offset);
                }
                (Asked::LastCommit { .. }, Ask::Commit { queue, offset }) => self.commit(queue.queue_id, *offset),
                _ => {}
            }
            self.questions.push((asked, ask));
        }
    }

    /// What is committed of a queue is settled, all of it.
    fn commit(&mut self, queue_id: u32, offset: u64) {
        let open = (0..offset).find(|offset| !self.settled.contains(&(queue_id, *offset)));
        assert_eq!(open, None, "{offset} is committed of queue {queue_id}");
        self.committed.insert(queue_id, offset);
    }

    fn check_room(&self, queue_id: u32) {
        let status = self.scene.consumer.status(self.scene.now);
        let queue = status.queues.iter().find(|known| known.queue.queue_id == queue_id).expect("it is ours");
        assert!(queue.cached_messages < MOST_CACHED, "{queue:?}");
    }

    fn answer(&mut self, number: usize) {
        let Some((asked, ask)) = self.take_question(number) else { return };
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match (asked, ask) {
            (Asked::Queues(topic), _) => consumer.take_queues(now, &topic, Ok((0..QUEUES).map(queue).collect())),
            (Asked::Members(topic), _) => {
                let others = self.has_other.then(|| "other".to_owned());
                consumer.take_members(now, &topic, Ok(others.into_iter().chain([ME.to_owned()]).collect()));
            }
            (Asked::GroupOffset(id), Ask::GroupOffset { queue }) => {
                let committed = self.committed.get(&queue.queue_id).copied().unwrap_or(0);
                consumer.take_group_offset(now, id, Ok(Some(committed)));
            }
            (Asked::Pull(id), Ask::Pull { queue, offset, .. }) => {
                let end = MESSAGES.min(offset + BATCH);
                let pulled = if offset < end {
                    found(queue, offset..end)
                } else {
                    answer(queue, PullStatus::NoNewMessage, offset, Default::default())
                };
                consumer.take_pulled(now, id, Ok(pulled));
            }
            (Asked::Commit(id, offset), _) => consumer.take_committed(id, offset, Ok(())),
            (Asked::LastCommit { queue, is_locked }, _) => consumer.take_last_commit(queue, is_locked, Ok(())),
            (Asked::Lock { broker, queues, at }, Ask::Lock { queues: wanted }) => {
                let granted = wanted.into_iter().filter(|_| self.grants).collect();
                consumer.take_locked(now, &broker, (&queues, at), Ok(granted));
            }
            (Asked::SendBack(id, offset), Ask::SendBack(message)) => {
                // The broker has it: it will come back by itself.
                self.settled.insert((message.queue.queue_id, offset));
                consumer.take_sent_back(now, id, offset, Ok(()));
            }
            (Asked::Farewell, _) => consumer.take_farewell(),
            (Asked::Nothing, _) => {}
            (asked, ask) => panic!("{asked:?}: {ask:?}"),
        }
    }

    fn fail(&mut self, number: usize) {
        let Some((asked, _)) = self.take_question(number) else { return };
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match asked {
            Asked::Queues(topic) => consumer.take_queues(now, &topic, Err(failed())),
            Asked::Members(topic) => consumer.take_members(now, &topic, Err(failed())),
            Asked::GroupOffset(id) => consumer.take_group_offset(now, id, Err(failed())),
            Asked::FirstOffset(id) => consumer.take_first_offset(now, id, Err(failed())),
            Asked::Pull(id) => consumer.take_pulled(now, id, Err(failed())),
            Asked::Commit(id, offset) => consumer.take_committed(id, offset, Err(failed())),
            Asked::LastCommit { queue, is_locked } => consumer.take_last_commit(queue, is_locked, Err(failed())),
            Asked::Lock { broker, queues, at } => consumer.take_locked(now, &broker, (&queues, at), Err(failed())),
            Asked::SendBack(id, offset) => consumer.take_sent_back(now, id, offset, Err(failed())),
            Asked::Farewell => consumer.take_farewell(),
            Asked::Nothing => {}
        }
    }

    fn take_question(&mut self, number: usize) -> Option<(Asked, Ask)> {
        let index = number.checked_rem(self.questions.len())?;
        Some(self.questions.remove(index))
    }

    fn deliver(&mut self, most: usize) {
        if let Some(delivery) = self.scene.deliver(most) {
            let next = self.next.entry(delivery.queue.queue_id).or_default();
            for (message, _) in delivery.messages.iter().filter(|_| self.is_orderly) {
                let offset = message.fields.queue_offset as u64;
                assert!(offset <= *next, "{} skips from {next} to {offset}", delivery.queue);
                *next = (offset + 1).max(*next);
            }
            self.deliveries.push(delivery);
        }
    }

    fn settle(&mut self, number: usize, outcome: Outcome) {
        let Some(index) = number.checked_rem(self.deliveries.len()) else { return };
        let delivery = self.deliveries.remove(index);
        let offsets: Vec<_> = delivery.messages.iter().map(|(message, _)| message.fields.queue_offset as u64).collect();
        let counts = self.scene.consumer.settle(self.scene.now, delivery.settlement, outcome);
        if counts && outcome == Outcome::Success {
            self.settled.extend(offsets.iter().map(|offset| (delivery.queue.queue_id, *offset)));
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.scene.pass(Duration::from_millis(millis)),
            Step::Answer(number) => self.answer(number),
            Step::Fail(number) => self.fail(number),
            Step::Deliver(most) => self.deliver(most),
            Step::Succeed(number) => self.settle(number, Outcome::Success),
            Step::Retry(number) if self.is_orderly => self.settle(number, Outcome::SuspendCurrentQueue(None)),
            Step::Retry(number) => self.settle(number, Outcome::ReconsumeLater(RetryDelay::Broker)),
            Step::Other(is_there) => self.has_other = is_there,
            Step::Disconnect => self.scene.consumer.handle_disconnected(self.scene.now, "a"),
            Step::Grant(grants) => self.grants = grants,
        }
        self.look();
    }

    /// Everything is well again: what is asked is answered, what is delivered is consumed.
    fn finish(&mut self) {
        (self.has_other, self.grants) = (false, true);
        for _ in 0..200 {
            while !self.questions.is_empty()
                && self.scene.consumer.poll_timeout().is_none_or(|due| due.at > self.scene.now.mono)
            {
                // A pull at the end of its queue would be asked again and again.
                let at_end = |(_, ask): &(Asked, Ask)| matches!(ask, Ask::Pull { offset, .. } if *offset >= MESSAGES);
                let Some(index) = self.questions.iter().position(|question| !at_end(question)) else { break };
                self.answer(index);
                self.look();
            }
            self.deliver(BATCH as usize);
            self.settle(0, Outcome::Success);
            self.look();
            self.scene.pass(SECOND);
            self.look();
        }
        let all = (0..QUEUES).map(|queue_id| (queue_id, MESSAGES));
        assert!(self.committed.clone().into_iter().eq(all), "in the end: {:?}", self.committed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn nothing_unsettled_is_committed_nothing_is_skipped_and_in_the_end_all_is_done(
        is_orderly: bool,
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut play = Play::new(is_orderly);
        for step in steps {
            play.take(step);
        }
        play.finish();
    }
}
