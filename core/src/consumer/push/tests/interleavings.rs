//! Whatever the order in which brokers act and answer, the application settles, pauses and changes its mind, and members,
//! connections and administrators come and go: no queue is ever idle without a reason; nothing is committed that is not
//! settled; nothing orderly is delivered or committed without the broker's lock, or out of order; no more is fetched than
//! may be; in the end everything is settled and committed; and a consumer that has closed keeps no lock.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::ask::Ask;
use super::super::asked::{self, Asked as _, Ticket};
use super::super::closing::Closing;
use super::super::queue::{Begin, Fetch, Stage};
use super::super::{ConsumeFrom, Delivery, MessageModel, Outcome, PushConfig, PushEvent, RetryDelay, Unopened};
use super::scene::{ME, SECOND, Scene, TOPIC, answer, failed, found, found_batch, queue};
use crate::consumer::{MessageSelector, PullStatus};
use crate::error::{Error, ErrorKind};
use crate::time::{Duration, Instant};
use crate::wire::code::ResponseCode;

const QUEUES: u32 = 3;
/// How many messages each queue has at first.
const MESSAGES: u64 = 30;
/// How many a pull brings.
const BATCH: u64 = 5;
const MOST_CACHED: usize = 8;
/// How long a broker keeps a lock that is not renewed (`RebalanceLockManager`).
const BROKERS_LOCK: Duration = Duration::from_secs(60);

/// What happens next. Numbers pick one of those that there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    /// The process stands still for longer than locks count.
    StandStill,
    /// A broker does what it is asked, and does not answer yet.
    Do(usize),
    /// One of the questions is answered.
    Answer(usize),
    /// One of the questions fails; what it asked for has been done, or not.
    Fail(usize, bool),
    /// A broker is too busy for one of the questions.
    Refuse(usize),
    /// A batch is opened.
    Open(usize),
    Deliver(usize),
    Succeed(usize),
    /// It is consumed, and committed by a later one.
    SucceedUncommitted(usize),
    /// It fails, or an orderly queue rests.
    Retry(usize),
    /// It is to come again behind others, also if it was in order.
    SendBack(usize),
    /// What is not committed yet is to be delivered again.
    RollBack(usize),
    /// Another member comes or goes.
    Other(bool),
    /// The connection to the broker ends.
    Disconnect,
    /// The broker grants locks, or does not.
    Grant(bool),
    Pause(bool),
    PauseQueue(u32, bool),
    Subscribe(bool),
    /// Nothing is wanted of the topic any more, until it is subscribed to again.
    Unsubscribe,
    /// The topic's route has so many queues from now on.
    Route(u32),
    /// The topic exists no more, or again.
    Gone(bool),
    /// An administrator sets the group's offset.
    Reset(u32, u64),
    Send(u32),
    Close,
    /// A part of a delivery is settled, and then the rest.
    Part(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..6000).prop_map(Step::Pass),
        1 => Just(Step::StandStill),
        4 => any::<usize>().prop_map(Step::Do),
        24 => any::<usize>().prop_map(Step::Answer),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(number, is_done)| Step::Fail(number, is_done)),
        1 => any::<usize>().prop_map(Step::Refuse),
        6 => any::<usize>().prop_map(Step::Open),
        16 => (0_usize..7).prop_map(Step::Deliver),
        14 => any::<usize>().prop_map(Step::Succeed),
        4 => any::<usize>().prop_map(Step::SucceedUncommitted),
        4 => any::<usize>().prop_map(Step::Retry),
        2 => any::<usize>().prop_map(Step::SendBack),
        1 => any::<usize>().prop_map(Step::RollBack),
        2 => any::<bool>().prop_map(Step::Other),
        2 => Just(Step::Disconnect),
        2 => any::<bool>().prop_map(Step::Grant),
        2 => any::<bool>().prop_map(Step::Pause),
        2 => (0..QUEUES, any::<bool>()).prop_map(|(queue, is_paused)| Step::PauseQueue(queue, is_paused)),
        2 => any::<bool>().prop_map(Step::Subscribe),
        1 => Just(Step::Unsubscribe),
        2 => (0..=QUEUES).prop_map(Step::Route),
        1 => any::<bool>().prop_map(Step::Gone),
        1 => (0..QUEUES, 0..MESSAGES).prop_map(|(queue, offset)| Step::Reset(queue, offset)),
        3 => (0..QUEUES).prop_map(Step::Send),
        6 => (any::<usize>(), any::<usize>(), any::<bool>()).prop_map(|(a, b, c)| Step::Part(a, b, c)),
    ]
}

/// How the consumer is set up.
#[derive(Clone, Copy, Debug)]
struct Kind {
    is_orderly: bool,
    auto_commit: bool,
    /// What fails twice in order goes to the dead letters.
    gives_up: bool,
    from_last: bool,
    broadcasts: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    any::<[bool; 5]>().prop_map(|[is_orderly, auto_commit, gives_up, from_last, broadcasts]| Kind {
        broadcasts,
        is_orderly,
        auto_commit: auto_commit || !is_orderly,
        gives_up,
        from_last,
    })
}

/// A question, and whether its broker has done already what it asks for: the granted locks, for one that asks for locks.
struct Question {
    ask: Ask,
    done: Option<Vec<u32>>,
}

/// The broker's side of a queue.
#[derive(Default)]
struct AtBroker {
    end: u64,
    committed: Option<u64>,
    /// Who has the lock, and until when.
    lock: Option<(&'static str, Instant)>,
}

/// The broker, the application, and what has been seen of both.
struct Play {
    scene: Scene,
    is_orderly: bool,
    broadcasts: bool,
    /// How often offsets were to be stored; each third time they are not.
    stores: u64,
    has_other: bool,
    /// How many queues the topic's route has.
    routed: u32,
    is_gone: bool,
    grants: bool,
    questions: Vec<Question>,
    /// Batches that the application has yet to open.
    unopened: Vec<Unopened>,
    broker: BTreeMap<u32, AtBroker>,
    deliveries: Vec<Delivery>,
    settled: BTreeSet<(u32, u64)>,
    /// By queue: what is to be delivered for the first time next.
    next: BTreeMap<u32, u64>,
    is_closed: bool,
    /// A broker was asked in vain to take a lock back; often enough, and nobody would ask again.
    has_lost_unlock: bool,
    was_leaving: bool,
}

impl Play {
    fn new(kind: Kind) -> Self {
        let Kind { is_orderly, auto_commit, gives_up, from_last, broadcasts } = kind;
        let bound = |config: &mut PushConfig| {
            config.max_cached_messages = MOST_CACHED;
            config.batch_size = 4;
            config.consume_timeout = Duration::from_secs(1_000_000);
            if broadcasts {
                config.message_model = MessageModel::Broadcasting;
            }
            config.auto_commit = auto_commit;
            config.max_reconsume_times = (is_orderly && gives_up).then_some(1);
            config.consume_from = if from_last { ConsumeFrom::LastOffset } else { ConsumeFrom::FirstOffset };
        };
        let scene = if is_orderly { Scene::orderly(bound) } else { Scene::new(bound) };
        let broker = (0..QUEUES).map(|id| (id, AtBroker { end: MESSAGES, ..AtBroker::default() })).collect();
        let passed_over = if from_last { MESSAGES } else { 0 };
        Self {
            scene,
            is_orderly,
            broadcasts,
            stores: 0,
            has_other: false,
            routed: QUEUES,
            is_gone: false,
            grants: true,
            questions: Vec::new(),
            unopened: Vec::new(),
            broker,
            deliveries: Vec::new(),
            settled: (0..QUEUES).flat_map(|id| (0..passed_over).map(move |offset| (id, offset))).collect(),
            next: (0..QUEUES).map(|id| (id, passed_over)).collect(),
            is_closed: false,
            has_lost_unlock: false,
            was_leaving: false,
        }
    }

    fn at_broker(&mut self, queue_id: u32) -> &mut AtBroker {
        self.broker.get_mut(&queue_id).expect("it has this queue")
    }

    /// Takes what is asked and told, and checks what always holds.
    fn look(&mut self) {
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
        for ask in self.scene.asks() {
            match &ask {
                Ask::CancelPull { .. } => {
                    let ticket = ticket_of(&ask);
                    self.questions.retain(|known| ticket_of(&known.ask) != ticket);
                    continue;
                }
                Ask::Pull { queue, .. } => self.check_room(queue.queue_id),
                Ask::Commit { queue, .. } if self.is_orderly => self.check_lock(queue.queue_id, "committed"),
                _ => {}
            }
            self.questions.push(Question { ask, done: None });
        }
        self.check_books();
        self.is_closed |= self.scene.events().iter().any(|event| matches!(event, PushEvent::Closed(_)));
        self.scene.consumer.check_reasons(self.scene.now.mono);
        self.check_tickets();
    }

    /// What the application has, by queue and offset.
    fn hand(&self) -> BTreeSet<(u32, u64)> {
        let of = |delivery: &Delivery| {
            let id = delivery.queue.queue_id;
            delivery
                .messages
                .iter()
                .map(move |(message, _)| (id, message.fields.queue_offset as u64))
                .collect::<Vec<_>>()
        };
        self.deliveries.iter().flat_map(of).collect()
    }

    /// What is in the application's hands is in work, and nothing else is in the books.
    fn check_books(&mut self) {
        let consumer = &self.scene.consumer;
        let in_hand: usize = self.deliveries.iter().map(|delivery| delivery.messages.len()).sum();
        assert_eq!(consumer.in_work, in_hand, "in work");
        let hand = self.hand();
        let abandoned: BTreeSet<_> = consumer.abandoned.all().collect();
        assert!(abandoned.is_subset(&hand), "abandoned {abandoned:?} but in hand {hand:?}");
        if consumer.is_leaving() && !self.was_leaving {
            self.was_leaving = true;
            let closed = consumer.events.iter().find_map(|event| match event {
                PushEvent::Closed(unfinished) => Some(unfinished.clone()),
                _ => None,
            });
            let told = closed.unwrap_or_else(|| consumer.totals.unfinished.clone());
            let told: BTreeSet<_> =
                told.iter().flat_map(|u| u.offsets.iter().map(|o| (u.queue.queue_id, *o))).collect();
            // What a concurrent consumer has had for too long is not in work any more.
            let is_right = if self.is_orderly { told == hand } else { told.is_subset(&hand) };
            assert!(is_right, "told as unfinished: {told:?}, in hand: {hand:?}");
        }
    }

    /// Each answer that a queue waits for is one that will come.
    fn check_tickets(&self) {
        let consumer = &self.scene.consumer;
        let is_asked = |ticket: Ticket| self.questions.iter().any(|known| ticket_of(&known.ask) == Some(ticket));
        for (_, known) in consumer.queues.iter() {
            let stage = match known.stage {
                Stage::Starting(Begin::Asked(ticket)) => Some(ticket),
                _ => None,
            };
            let fetch = match known.fetch {
                Fetch::UnderWay { ticket, .. } => Some(ticket),
                Fetch::Opening { ticket } => {
                    let is_open = self.unopened.iter().any(|unopened| unopened.ticket == ticket);
                    assert!(is_open, "nobody opens what is awaited by {known:?}");
                    None
                }
                Fetch::Idle | Fetch::Delayed { .. } => None,
            };
            let commit = known.commit.under_way.map(|(ticket, _)| ticket);
            let tickets = [stage, fetch, commit, known.lock.asked, known.lock.giving_back];
            assert!(tickets.into_iter().flatten().all(is_asked), "nobody will answer {known:?}");
        }
        if consumer.closing == Closing::No {
            assert!(consumer.subscriptions.values().filter_map(|known| known.asking).all(is_asked));
        }
        if consumer.closing != Closing::Closed {
            assert!(consumer.owed.iter().copied().all(is_asked));
        }
    }

    fn check_room(&self, queue_id: u32) {
        let status = self.scene.consumer.status(self.scene.now);
        let queue = status.queues.iter().find(|known| known.queue.queue_id == queue_id).expect("it is ours");
        assert!(queue.cached_messages < MOST_CACHED, "{queue:?}");
    }

    fn check_lock(&self, queue_id: u32, what: &str) {
        if self.broadcasts {
            return;
        }
        let lock = self.broker[&queue_id].lock;
        assert!(lock.is_some_and(|(owner, _)| owner == ME), "queue {queue_id} is {what} while {lock:?} has the lock");
    }

    /// The broker does what a question asks for.
    fn act(&mut self, index: usize) {
        if self.questions[index].done.is_some() {
            return;
        }
        let now = self.scene.now.mono;
        let mut granted = Vec::new();
        match &self.questions[index].ask {
            Ask::Commit { queue, offset, .. } => {
                let (queue_id, offset) = (queue.queue_id, *offset);
                let open = (0..offset).find(|offset| !self.settled.contains(&(queue_id, *offset)));
                assert_eq!(open, None, "{offset} is committed of queue {queue_id}");
                self.at_broker(queue_id).committed = Some(offset);
            }
            Ask::Lock { queues, .. } => {
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
            Ask::Unlock { queues, .. } => {
                for queue_id in queues.iter().map(|queue| queue.queue_id).collect::<Vec<_>>() {
                    self.at_broker(queue_id).lock.take_if(|(owner, _)| *owner == ME);
                }
            }
            _ => {}
        }
        self.questions[index].done = Some(granted);
    }

    fn answer(&mut self, number: usize) {
        let Some(index) = number.checked_rem(self.questions.len()) else { return };
        self.act(index);
        let Question { ask, done } = self.questions.remove(index);
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match ask {
            Ask::Queues { asked: asked::Queues(topic, ticket), .. } => {
                let queues = if &*topic == TOPIC { (0..self.routed).map(queue).collect() } else { Vec::new() };
                let answer = if self.is_gone { Err(Error::new(ErrorKind::TopicNotFound, "")) } else { Ok(queues) };
                consumer.take_queues(now, &topic, ticket, answer);
            }
            Ask::Members { asked: asked::Members(topic, ticket), .. } => {
                let others = self.has_other.then(|| "other".to_owned());
                consumer.take_members(now, &topic, ticket, Ok(others.into_iter().chain([ME.to_owned()]).collect()));
            }
            Ask::GroupOffset { asked: asked::GroupOffset(id, ticket), queue } => {
                consumer.take_group_offset(now, id, ticket, Ok(self.broker[&queue.queue_id].committed));
            }
            Ask::MaxOffset { asked: asked::End(known, ticket), .. } => {
                // What came while it was asked may be passed over.
                let end = self.broker[&known.queue_id].end;
                self.settled.extend((0..end).map(|offset| (known.queue_id, offset)));
                self.next.insert(known.queue_id, end);
                consumer.take_end(now, &known, ticket, Ok(Some(end)));
            }
            Ask::EndOffset { asked, queue } => {
                asked.take(consumer, now, Ok(self.broker[&queue.queue_id].committed));
            }
            Ask::CommitEnd { asked, queue, offset } => {
                self.broker.entry(queue.queue_id).or_default().committed = Some(offset);
                asked.take(consumer, now, Ok(()));
            }
            Ask::MinOffset { asked: asked::FirstOffset(id, ticket), .. } => {
                consumer.take_first_offset(now, id, ticket, Ok(Some(0)));
            }
            Ask::OffsetAt { asked: asked::FirstOffset(id, ticket), .. } => {
                consumer.take_first_offset(now, id, ticket, Ok(Some(MESSAGES)));
            }
            Ask::Pull { asked: asked::Pull(id, ticket), queue, offset, .. } => {
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
            Ask::Check { asked: asked::Check(topic, ticket), .. } => consumer.take_checked(now, &topic, ticket, Ok(())),
            Ask::Commit { asked: asked::Commit(id, ticket), .. } => consumer.take_committed(now, id, ticket, Ok(())),
            Ask::Lock { asked: asked::Lock { ticket, queues, at }, .. } => {
                let granted = done.unwrap_or_default().into_iter().map(queue).collect();
                consumer.take_locked(now, ticket, (&queues, at), Ok(granted));
            }
            Ask::Unlock { asked: asked::Unlock(id, ticket), .. } => consumer.take_unlocked(now, id, ticket, Ok(())),
            Ask::SendBack { asked: asked::SendBack(id, begun, offset), message } => {
                // The broker has it: it will come back by itself.
                self.settled.insert((message.queue.queue_id, offset));
                consumer.take_sent_back(now, id, begun, offset, Ok(()));
            }
            Ask::Heartbeat | Ask::CancelPull { .. } | Ask::OvertakePull { .. } => {}
        }
    }

    fn fail(&mut self, number: usize, is_done: bool, error: Error) {
        let Some(index) = number.checked_rem(self.questions.len()) else { return };
        let is_unlock = matches!(self.questions[index].ask, Ask::Unlock { .. });
        if is_done || (is_unlock && core::mem::replace(&mut self.has_lost_unlock, true)) {
            self.act(index);
        }
        let Question { ask, .. } = self.questions.remove(index);
        let (now, consumer) = (self.scene.now, &mut self.scene.consumer);
        match ask {
            Ask::Queues { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Members { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Check { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::MaxOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::EndOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::CommitEnd { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::GroupOffset { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::MinOffset { asked, .. } | Ask::OffsetAt { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Pull { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Commit { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Lock { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Unlock { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::SendBack { asked, .. } => asked.take(consumer, now, Err(error)),
            Ask::Heartbeat | Ask::CancelPull { .. } | Ask::OvertakePull { .. } => {}
        }
    }

    fn open(&mut self, number: usize) {
        if let Some(index) = number.checked_rem(self.unopened.len()) {
            let opened = self.unopened.remove(index).open();
            self.scene.consumer.take_opened(self.scene.now, opened);
        }
    }

    fn deliver(&mut self, most: usize) {
        let Some(delivery) = self.scene.deliver(most) else { return };
        assert!(!delivery.messages.is_empty(), "a delivery has messages");
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

    fn settle(&mut self, number: usize, outcome: Outcome) {
        let Some(index) = number.checked_rem(self.deliveries.len()) else { return };
        let delivery = self.deliveries.remove(index);
        let offsets: Vec<_> = delivery.messages.iter().map(|(message, _)| message.fields.queue_offset as u64).collect();
        let counts = self.scene.consumer.settle(self.scene.now, delivery.settlement, outcome);
        let drops = self.broadcasts && (!self.is_orderly || matches!(outcome, Outcome::ReconsumeLater(_)));
        if counts && (drops || matches!(outcome, Outcome::Success | Outcome::Commit)) {
            self.settled.extend(offsets.iter().map(|offset| (delivery.queue.queue_id, *offset)));
        }
    }

    fn settle_part(&mut self, number: usize, at: usize, outcome: Outcome) {
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

    /// What is there already is done with, whatever became of it.
    fn reset(&mut self, queue_id: u32, offset: u64) {
        self.settled.extend((0..offset).map(|offset| (queue_id, offset)));
        let next = self.next.entry(queue_id).or_default();
        *next = offset.max(*next);
        self.at_broker(queue_id).committed = Some(offset);
        self.scene.consumer.reset_offsets(self.scene.now, TOPIC, &BTreeMap::from([(queue(queue_id), offset)]));
    }

    /// The other member takes the locks that are free.
    fn let_other_lock(&mut self) {
        let (now, has_other) = (self.scene.now.mono, self.has_other);
        for at_broker in self.broker.values_mut() {
            match at_broker.lock {
                Some((ME, until)) if now < until => {}
                _ => at_broker.lock = has_other.then(|| ("other", now + BROKERS_LOCK)),
            }
        }
    }

    fn take(&mut self, step: Step) {
        let (now, done) = (self.scene.now, if self.is_orderly { Outcome::Commit } else { Outcome::Success });
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
            Step::SucceedUncommitted(number) => self.settle(number, Outcome::Success),
            Step::SendBack(number) => self.settle(number, Outcome::ReconsumeLater(RetryDelay::Broker)),
            Step::RollBack(number) => self.settle(number, Outcome::Rollback),
            Step::Retry(number) if self.is_orderly => self.settle(number, Outcome::SuspendCurrentQueue(None)),
            Step::Retry(number) => self.settle(number, Outcome::ReconsumeLater(RetryDelay::Broker)),
            Step::Other(is_there) => {
                self.has_other = is_there;
                self.let_other_lock();
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
            Step::Route(count) => self.routed = count,
            Step::Gone(is_gone) => self.is_gone = is_gone,
            Step::Reset(queue_id, offset) => self.reset(queue_id, offset),
            Step::Send(queue_id) => self.at_broker(queue_id).end += 1,
            Step::Close => self.scene.consumer.close(now, 2 * SECOND),
            Step::Part(number, at, succeeds) => {
                self.settle_part(number, at, if succeeds { done } else { Outcome::SuspendCurrentQueue(None) })
            }
        }
        self.look();
    }

    /// Answers what can be answered now. A pull at the end of its queue is held.
    fn answer_all(&mut self) {
        loop {
            let at_end = |known: &Question| match &known.ask {
                Ask::Pull { queue, offset, .. } => *offset >= self.broker[&queue.queue_id].end,
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
    fn finish(&mut self) {
        (self.has_other, self.grants) = (false, true);
        (self.routed, self.is_gone) = (QUEUES, false);
        self.let_other_lock();
        self.take(Step::Subscribe(true));
        self.take(Step::Pause(false));
        for queue_id in 0..QUEUES {
            self.take(Step::PauseQueue(queue_id, false));
            // With it is committed what was consumed and not committed before.
            self.take(Step::Send(queue_id));
        }
        let outcome = if self.is_orderly { Outcome::Commit } else { Outcome::Success };
        for _ in 0..200 {
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
        assert_eq!(self.scene.consumer.status(self.scene.now).lag(), 0);
    }

    /// The consumer closes, and brokers answer all that it asks within its time.
    fn close(&mut self) {
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

fn ticket_of(ask: &Ask) -> Option<Ticket> {
    match ask {
        Ask::Queues { asked: asked::Queues(_, ticket), .. }
        | Ask::Members { asked: asked::Members(_, ticket), .. }
        | Ask::Check { asked: asked::Check(_, ticket), .. }
        | Ask::MaxOffset { asked: asked::End(_, ticket), .. }
        | Ask::EndOffset { asked: asked::EndOffset(_, ticket), .. }
        | Ask::CommitEnd { asked: asked::EndCommitted(_, ticket), .. }
        | Ask::GroupOffset { asked: asked::GroupOffset(_, ticket), .. }
        | Ask::MinOffset { asked: asked::FirstOffset(_, ticket), .. }
        | Ask::OffsetAt { asked: asked::FirstOffset(_, ticket), .. }
        | Ask::Pull { asked: asked::Pull(_, ticket), .. }
        | Ask::CancelPull { asked: asked::Pull(_, ticket) }
        | Ask::OvertakePull { asked: asked::Pull(_, ticket), .. }
        | Ask::Commit { asked: asked::Commit(_, ticket), .. }
        | Ask::Lock { asked: asked::Lock { ticket, .. }, .. }
        | Ask::Unlock { asked: asked::Unlock(_, ticket), .. } => Some(*ticket),
        Ask::SendBack { .. } | Ask::Heartbeat => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn no_queue_is_idle_without_a_reason_nothing_unsettled_is_committed_and_in_the_end_all_is_done(
        kind in kind(),
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut play = Play::new(kind);
        for step in steps {
            play.take(step);
        }
        play.finish();
    }

    #[test]
    fn a_consumer_that_closes_at_any_moment_ends_in_its_time_and_keeps_no_lock(
        kind in kind(),
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut play = Play::new(kind);
        for step in steps {
            play.take(step);
        }
        play.close();
    }
}

/// As the second of the above has found it.
#[test]
fn a_lock_that_is_granted_once_more_while_it_is_being_given_back_goes_back_at_once() {
    let mut play =
        Play::new(Kind { is_orderly: true, auto_commit: false, gives_up: false, from_last: true, broadcasts: false });
    play.take(Step::Route(1));
    play.take(Step::Pass(1));
    // The queues, and the members: then the lock is asked for.
    play.take(Step::Answer(0));
    play.take(Step::Answer(1));
    // The connection ends before that is written, so that it waits for the next one; it is asked for once more.
    play.take(Step::Disconnect);
    play.take(Step::Unsubscribe);
    // The second question is answered first: the lock goes back, and the broker takes it.
    play.take(Step::Answer(2));
    play.take(Step::Do(2));
    // Then the broker sees to the first question, and grants it again.
    play.take(Step::Answer(1));
    play.answer_all();
    assert!(play.broker[&0].lock.is_none(), "nobody gives it back: {:?}", play.broker[&0].lock);
}
