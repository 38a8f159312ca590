//! A consumer, its cluster and its application, to which steps happen.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::wish::Wish;
use super::super::super::{
    ConsumeFrom, ConsumeOutcome, Delivery, MessageModel, PushConfig, PushEvent, Rebalanced, RetryDelay, Unopened,
};
use super::super::scene::{ME, SECOND, Scene, TOPIC, failed, queue};
use crate::consumer::MessageSelector;
use crate::error::Error;
use crate::time::{Duration, Instant};
use crate::wire::code::ResponseCode;

use super::checks::ticket_of;
use super::step::{Kind, Step};

pub(super) const QUEUES: u32 = 3;
/// How many messages each queue has at first.
pub(super) const MESSAGES: u64 = 30;
/// How many a pull brings.
pub(super) const BATCH: u64 = 5;
pub(super) const MOST_CACHED: usize = 8;
/// How long a broker keeps a lock that is not renewed (`RebalanceLockManager`).
pub(super) const BROKERS_LOCK: Duration = Duration::from_secs(60);

/// How long an allocation counts where nobody grants locks, and when a new owner begins.
pub(super) const CLAIM: Duration = Duration::from_secs(30);
pub(super) const CLAIMED_AFTER: Duration = Duration::from_secs(35);

/// A question, and whether its broker has done already what it asks for: the granted locks, for one that asks for locks.
pub(super) struct Question {
    pub(super) ask: Wish,
    pub(super) done: Option<Vec<u32>>,
}

/// The broker's side of a queue.
#[derive(Default)]
pub(super) struct AtBroker {
    pub(super) end: u64,
    pub(super) committed: Option<u64>,
    /// Who has the lock, and until when.
    pub(super) lock: Option<(&'static str, Instant)>,
    /// Since when the other member is given it, where nobody grants locks.
    pub(super) other_since: Option<Instant>,
    /// It had it then, and may go on until then.
    pub(super) other_until: Option<Instant>,
}

/// The broker, the application, and what has been seen of both.
pub(super) struct Play {
    pub(super) scene: Scene,
    pub(super) is_orderly: bool,
    pub(super) broadcasts: bool,
    /// How often offsets were to be stored; each third time they are not.
    pub(super) stores: u64,
    pub(super) has_other: bool,
    /// Brokers grant no locks.
    pub(super) claims: bool,
    /// How many queues the topic's route has.
    pub(super) routed: u32,
    pub(super) is_gone: bool,
    pub(super) grants: bool,
    pub(super) questions: Vec<Question>,
    /// Batches that the application has yet to open.
    pub(super) unopened: Vec<Unopened>,
    /// What the application was told of queues and is not done with, since when, and whether they leave.
    pub(super) told: Vec<(Rebalanced, (Instant, bool))>,
    /// The last of that for each queue.
    pub(super) resting: BTreeMap<u32, (Instant, bool)>,
    /// Those that are its own, as it was told.
    pub(super) owned: BTreeSet<u32>,
    pub(super) broker: BTreeMap<u32, AtBroker>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) settled: BTreeSet<(u32, u64)>,
    /// By queue: what is to be delivered for the first time next.
    pub(super) next: BTreeMap<u32, u64>,
    pub(super) is_closed: bool,
    /// A broker was asked in vain to take a lock back; often enough, and nobody would ask again.
    pub(super) has_lost_unlock: bool,
    pub(super) was_leaving: bool,
}

impl Play {
    pub(super) fn new(kind: Kind) -> Self {
        let Kind { is_orderly, auto_commit, gives_up, from_last, broadcasts, claims, follows } = kind;
        let bound = |config: &mut PushConfig| {
            config.max_cached_messages = MOST_CACHED;
            config.consume_batch_size = 4;
            config.consume_timeout = Duration::from_secs(1_000_000);
            if broadcasts {
                config.message_model = MessageModel::Broadcasting;
            }
            config.auto_commit = auto_commit;
            config.follows_queues = follows;
            config.max_reconsume_times = (is_orderly && gives_up).then_some(1);
            config.consume_from = if from_last { ConsumeFrom::LastOffset } else { ConsumeFrom::FirstOffset };
        };
        let scene = match (is_orderly, claims) {
            (true, true) => Scene::claiming(bound),
            (true, false) => Scene::orderly(bound),
            (false, _) => Scene::new(bound),
        };
        let broker = (0..QUEUES).map(|id| (id, AtBroker { end: MESSAGES, ..AtBroker::default() })).collect();
        let passed_over = if from_last { MESSAGES } else { 0 };
        Self {
            scene,
            is_orderly,
            broadcasts,
            stores: 0,
            has_other: false,
            claims,
            routed: QUEUES,
            is_gone: false,
            grants: true,
            questions: Vec::new(),
            unopened: Vec::new(),
            told: Vec::new(),
            resting: BTreeMap::new(),
            owned: BTreeSet::new(),
            broker,
            deliveries: Vec::new(),
            settled: (0..QUEUES).flat_map(|id| (0..passed_over).map(move |offset| (id, offset))).collect(),
            next: (0..QUEUES).map(|id| (id, passed_over)).collect(),
            is_closed: false,
            has_lost_unlock: false,
            was_leaving: false,
        }
    }

    /// Takes what is asked and told, and checks what always holds.
    pub(super) fn look(&mut self) {
        for event in std::mem::take(&mut self.scene.consumer.events) {
            match event {
                PushEvent::Open(unopened) => self.unopened.push(*unopened),
                PushEvent::StoreOffsets(offsets) => {
                    self.stores += 1;
                    for (queue, offset) in &offsets {
                        let open = (0..*offset).find(|offset| !self.settled.contains(&(queue.queue_id, *offset)));
                        assert_eq!(open, None, "{offset} is stored of {queue}");
                        self.at_broker(queue.queue_id).committed = Some(*offset);
                    }
                    let now = self.scene.now;
                    self.scene.consumer.offsets_stored(now, !self.stores.is_multiple_of(3));
                }
                event => self.scene.consumer.events.push_back(event),
            }
        }
        self.scene.allocate();
        for ask in self.scene.wishes() {
            match &ask {
                Wish::CancelPull { .. } => {
                    let ticket = ticket_of(&ask);
                    self.questions.retain(|known| ticket_of(&known.ask) != ticket);
                    continue;
                }
                Wish::Pull { queue, .. } => self.check_room(queue.queue_id),
                Wish::Commit { queue, .. } if self.is_orderly => {
                    self.check_rest(queue.queue_id, "committed");
                    self.check_lock(queue.queue_id, "committed");
                }
                _ => {}
            }
            self.questions.push(Question { ask, done: None });
        }
        self.check_books();
        for event in self.scene.events() {
            match event {
                PushEvent::Assigned(queues) => self.hear(queues, false),
                PushEvent::Revoked(queues) => self.hear(queues, true),
                PushEvent::Closed(_) => self.is_closed = true,
                _ => {}
            }
        }
        self.scene.consumer.check_reasons(self.scene.now.mono);
        self.check_tickets();
    }

    pub(super) fn deliver(&mut self, most: usize) {
        let Some(delivery) = self.scene.deliver(most) else { return };
        assert!(!delivery.messages.is_empty(), "a delivery has messages");
        self.check_rest(delivery.queue.queue_id, "delivered");
        if self.is_orderly {
            let queue_id = delivery.queue.queue_id;
            self.check_lock(queue_id, "delivered");
            let others = self.deliveries.iter().filter(|other| other.queue.queue_id == queue_id).count();
            // Also when the queue has left meanwhile and come back.
            assert_eq!(others, 0, "other deliveries of {} at once", delivery.queue);
            let next = self.next.entry(queue_id).or_default();
            for (message, _) in &delivery.messages {
                let offset = message.fields.queue_offset as u64;
                assert!(offset <= *next, "{} skips from {next} to {offset}", delivery.queue);
                *next = (offset + 1).max(*next);
            }
        }
        self.deliveries.push(delivery);
    }

    pub(super) fn settle(&mut self, number: usize, outcome: ConsumeOutcome) {
        let Some(index) = number.checked_rem(self.deliveries.len()) else { return };
        let delivery = self.deliveries.remove(index);
        let offsets: Vec<_> = delivery.messages.iter().map(|(message, _)| message.fields.queue_offset as u64).collect();
        let counts = self.scene.consumer.settle(self.scene.now, delivery.settlement, outcome);
        let drops = self.broadcasts && (!self.is_orderly || matches!(outcome, ConsumeOutcome::ReconsumeLater(_)));
        if counts && (drops || matches!(outcome, ConsumeOutcome::Success | ConsumeOutcome::Commit)) {
            self.settled.extend(offsets.iter().map(|offset| (delivery.queue.queue_id, *offset)));
        }
    }

    pub(super) fn settle_part(&mut self, number: usize, at: usize, outcome: ConsumeOutcome) {
        let Some(index) = number.checked_rem(self.deliveries.len()) else { return };
        let count = self.deliveries[index].messages.len();
        if count < 2 {
            return;
        }
        let delivery = self.deliveries.remove(index);
        let at = 1 + at % (count - 1);
        let mut messages = delivery.messages;
        let rest = messages.split_off(at);
        let offset = |message: &(crate::wire::message::StoredMessage, u32)| message.0.fields.queue_offset as u64;
        let part = |messages: &[(crate::wire::message::StoredMessage, u32)]| {
            delivery.settlement.part(offset(&messages[0]), offset(messages.last().unwrap()), messages.len())
        };
        let (first, second) = (part(&messages), part(&rest));
        self.deliveries.insert(index, Delivery::new(second, delivery.queue.clone(), rest));
        self.deliveries.push(Delivery::new(first, delivery.queue, messages));
        self.settle(self.deliveries.len() - 1, outcome);
    }

    pub(super) fn take(&mut self, step: Step) {
        let (now, done) =
            (self.scene.now, if self.is_orderly { ConsumeOutcome::Commit } else { ConsumeOutcome::Success });
        match step {
            Step::Pass(millis) => self.scene.pass(Duration::from_millis(millis)),
            Step::StandStill => self.scene.pass(35 * SECOND),
            Step::Do(number) => {
                if let Some(index) = number.checked_rem(self.questions.len()) {
                    self.act(index);
                }
            }
            Step::Answer(number) => self.answer(number),
            Step::Fail(number, is_done) => self.fail(number, is_done, failed()),
            Step::Refuse(number) => self.fail(number, false, Error::refused(ResponseCode::SYSTEM_BUSY, None)),
            Step::Open(number) => self.open(number),
            Step::Deliver(most) => self.deliver(most),
            Step::Succeed(number) => self.settle(number, done),
            Step::SucceedUncommitted(number) => self.settle(number, ConsumeOutcome::Success),
            Step::SendBack(number) => self.settle(number, ConsumeOutcome::ReconsumeLater(RetryDelay::Broker)),
            Step::RollBack(number) => self.settle(number, ConsumeOutcome::Rollback),
            Step::Retry(number) if self.is_orderly => self.settle(number, ConsumeOutcome::SuspendCurrentQueue(None)),
            Step::Retry(number) => self.settle(number, ConsumeOutcome::ReconsumeLater(RetryDelay::Broker)),
            Step::Other(is_there) => {
                self.has_other = is_there;
                self.let_other_lock();
                self.share_with_other();
            }
            Step::Disconnect => self.scene.consumer.handle_disconnected(now, "a"),
            Step::Grant(grants) => self.grants = grants,
            Step::Pause(true) => self.scene.consumer.pause(now),
            Step::Pause(false) => self.scene.consumer.resume(now),
            Step::PauseQueue(id, is_paused) => {
                self.scene.consumer.set_paused(now, &queue(id), is_paused);
            }
            Step::Subscribe(is_all) => {
                let selector = if is_all { MessageSelector::all() } else { MessageSelector::by_sql("1 = 1").unwrap() };
                self.scene.consumer.subscribe(now, TOPIC, selector).unwrap();
            }
            Step::Unsubscribe => self.scene.consumer.unsubscribe(now, TOPIC),
            Step::Route(count) => {
                self.routed = count;
                self.share_with_other();
            }
            Step::Gone(is_gone) => self.is_gone = is_gone,
            Step::Reset(queue_id, offset) => self.reset(queue_id, offset),
            Step::Send(queue_id) => self.at_broker(queue_id).end += 1,
            Step::Rebalanced(number) => {
                if let Some(index) = number.checked_rem(self.told.len()) {
                    self.be_done(index);
                }
            }
            Step::GiveUp => {
                let given_up = self.scene.consumer.give_up_queues(now);
                self.take_given_up(&given_up);
            }
            Step::BeginAnew => {
                let given_up = self.scene.consumer.begin_anew(now);
                assert_eq!(given_up.offsets, [], "others have gone on from somewhere else");
                self.take_given_up(&given_up);
            }
            Step::Close => self.scene.consumer.close(now, 2 * SECOND),
            Step::Part(number, at, succeeds) => {
                self.settle_part(number, at, if succeeds { done } else { ConsumeOutcome::SuspendCurrentQueue(None) })
            }
        }
        self.look();
    }

    /// Answers what can be answered now. A pull at the end of its queue is held.
    pub(super) fn answer_all(&mut self) {
        loop {
            let at_end = |known: &Question| match &known.ask {
                Wish::Pull { queue, offset, wait, .. } => {
                    !wait.is_zero() && *offset >= self.broker[&queue.queue_id].end
                }
                _ => false,
            };
            let index = self.questions.iter().position(|question| !at_end(question));
            match index {
                Some(index) => self.answer(index),
                None if self.unopened.is_empty() => return,
                None => self.open(0),
            }
            self.look();
        }
    }

    /// Everything is well again: what is asked is answered, what is delivered is consumed.
    pub(super) fn finish(&mut self) {
        (self.has_other, self.grants) = (false, true);
        (self.routed, self.is_gone) = (QUEUES, false);
        self.let_other_lock();
        self.share_with_other();
        self.take(Step::Subscribe(true));
        self.take(Step::Pause(false));
        for queue_id in 0..QUEUES {
            self.take(Step::PauseQueue(queue_id, false));
            // With it is committed what was consumed and not committed before.
            self.take(Step::Send(queue_id));
        }
        let outcome = if self.is_orderly { ConsumeOutcome::Commit } else { ConsumeOutcome::Success };
        for _ in 0..200 {
            self.take(Step::Rebalanced(0));
            self.answer_all();
            self.deliver(BATCH as usize);
            self.settle(0, outcome);
            self.look();
            self.scene.pass(SECOND);
            // A queue that was not ours may have been paused before.
            for queue_id in 0..QUEUES {
                self.scene.consumer.set_paused(self.scene.now, &queue(queue_id), false);
            }
            self.look();
        }
        for (queue_id, at_broker) in &self.broker {
            assert_eq!(at_broker.committed, Some(at_broker.end), "in the end, of queue {queue_id}");
        }
        let status = self.scene.consumer.status(self.scene.now);
        assert_eq!(status.lag(), Some(0), "{status:?}");
    }

    /// The consumer closes, and brokers answer all that it asks within its time.
    pub(super) fn close(&mut self) {
        self.take(Step::Close);
        for _ in 0..60 {
            self.answer_all();
            self.scene.pass(Duration::from_millis(100));
            self.look();
        }
        assert!(self.is_closed, "{:?}", self.scene.consumer.closing);
        assert!(self.scene.consumer.poll_timeout().is_none(), "nothing is left to do");
        let kept =
            self.broker.values().filter(|at_broker| at_broker.lock.is_some_and(|(owner, _)| owner == ME)).count();
        assert_eq!(kept, 0, "locks that nobody gives back");
    }
}
