//! A consumer, and whoever answers what it asks.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::asked::{self, Asked as _};
use super::super::wish::Wish;
use super::super::{ConsumeFrom, ConsumeOrder, Delivery, PushConfig, PushConsumer, PushEvent};
use crate::consumer::allocation::{Allocation, Average};
use crate::consumer::{MessageSelector, PullStatus, Pulled};
use crate::error::{Error, ErrorKind};
use crate::queue::MessageQueue;
use crate::sorted::SortedSet;
use crate::time::{Duration, Instant, Now};
use crate::wire::dialect::Dialect;
use crate::wire::message::{StoredFields, batch, sys_flag};

pub(super) const TOPIC: &str = "T";
pub(super) const ME: &str = "me";
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn queue(queue_id: u32) -> MessageQueue {
    MessageQueue::new(TOPIC, "a", queue_id)
}

pub(super) fn failed() -> Error {
    Error::new(ErrorKind::Timeout, "")
}

pub(super) struct Scene {
    pub(super) consumer: PushConsumer,
    pub(super) now: Now,
}

impl Scene {
    /// A consumer that subscribes to the topic, its retry topic left aside.
    pub(super) fn new(change: impl FnOnce(&mut PushConfig)) -> Self {
        let now = Now { mono: Instant::from_micros(1), unix_ms: 1_700_000_000_000 };
        let mut config = PushConfig { consume_from: ConsumeFrom::FirstOffset, ..PushConfig::default() };
        change(&mut config);
        let reading = (Dialect::Apache, 1 << 20);
        let mut consumer = PushConsumer::new(now, "G", ME.to_owned(), reading, config, BTreeMap::new()).unwrap();
        consumer.subscriptions.clear();
        consumer.subscribe(now, TOPIC, MessageSelector::all()).unwrap();
        Self { consumer, now }
    }

    pub(super) fn orderly(change: impl FnOnce(&mut PushConfig)) -> Self {
        Self::new(|config| {
            config.order = ConsumeOrder::Orderly;
            change(config);
        })
    }

    /// An orderly one whose brokers grant no locks.
    pub(super) fn claiming(change: impl FnOnce(&mut PushConfig)) -> Self {
        let mut scene = Self::orderly(change);
        scene.consumer.grants_locks = false;
        scene
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        self.now.unix_ms += time.as_millis() as u64;
        self.consumer.handle_timeout(self.now);
    }

    /// What is asked now.
    pub(super) fn wishes(&mut self) -> Vec<Wish> {
        std::iter::from_fn(|| self.consumer.poll_wish()).collect()
    }

    pub(super) fn wish(&mut self) -> Wish {
        self.consumer.poll_wish().expect("something is asked")
    }

    /// What the application is told, but for that it has started.
    pub(super) fn events(&mut self) -> Vec<PushEvent> {
        let events = std::iter::from_fn(|| self.consumer.poll_event());
        events.filter(|event| !matches!(event, PushEvent::Started)).collect()
    }

    /// Answers what a rebalance asks: these queues, these members.
    pub(super) fn rebalance(&mut self, queues: u32, members: &[&str]) {
        self.pass(Duration::ZERO);
        self.answer_queues(Ok((0..queues).map(queue).collect()));
        self.answer_members(Ok(members.iter().map(|member| (*member).to_owned()).collect()));
    }

    /// Answers the question for the topic's queues, which comes next.
    pub(super) fn answer_queues(&mut self, queues: Result<Vec<MessageQueue>, Error>) {
        let Wish::Queues { asked: asked::Queues(topic, ticket), .. } = self.wish() else {
            panic!("the queues come first")
        };
        self.consumer.take_queues(self.now, &topic, ticket, queues);
    }

    /// Answers the question for the members, which comes next, and then how the queues are shared.
    pub(super) fn answer_members(&mut self, members: Result<Vec<String>, Error>) {
        let Wish::Members { asked: asked::Members(topic, ticket, broker), .. } = self.wish() else {
            panic!("then the members")
        };
        self.consumer.take_members(self.now, (&topic, ticket, broker), members);
        self.allocate();
    }

    /// Shares queues evenly and opens batches wherever that is asked; other events stay.
    pub(super) fn allocate(&mut self) {
        for event in std::mem::take(&mut self.consumer.events) {
            match event {
                PushEvent::Allocate(question) => {
                    let ours = Average.allocate(&question.request());
                    self.consumer.take_allocated(self.now, &question, Ok(ours));
                }
                PushEvent::Open(unopened) => self.consumer.take_opened(self.now, unopened.open()),
                event => self.consumer.events.push_back(event),
            }
        }
    }

    /// The same as [`Scene::rebalance`], and answers where each queue is to begin: with 0.
    pub(super) fn begin(&mut self, queues: u32) {
        self.rebalance(queues, &[ME]);
        self.begin_at(0);
    }

    /// Answers every question for the group's offset.
    pub(super) fn begin_at(&mut self, offset: u64) {
        for ask in self.wishes() {
            let Wish::GroupOffset { asked: asked::GroupOffset(id, ticket), .. } = ask else { panic!("{ask:?}") };
            self.consumer.take_group_offset(self.now, id, ticket, Ok(Some(offset)));
        }
    }

    /// Answers every pull that is asked for with the messages at `offsets`.
    pub(super) fn fill(&mut self, offsets: std::ops::Range<u64>) {
        for ask in self.wishes() {
            if let Wish::Pull { asked: asked::Pull(id, ticket), queue, offset, .. } = ask
                && offset < offsets.end
            {
                let pulled = found(queue, offset.max(offsets.start)..offsets.end);
                self.consumer.take_pulled(self.now, id, ticket, Ok(pulled));
            }
        }
    }

    /// What is finished is to be committed now, as at each interval.
    pub(super) fn commit_all(&mut self) {
        self.consumer.commit_now(self.now);
    }

    /// These are the topic's queues that we own.
    pub(super) fn share(&mut self, ours: &[MessageQueue]) {
        self.consumer.share(self.now, TOPIC, None, ours);
        self.consumer.attend(self.now);
    }

    pub(super) fn deliver(&mut self, most: usize) -> Option<Delivery> {
        self.consumer.next_delivery(self.now, most)
    }

    /// The offsets of commits that are asked for, which succeed.
    pub(super) fn commits(&mut self) -> Vec<u64> {
        let mut offsets = Vec::new();
        for ask in self.wishes() {
            if let Wish::Commit { asked: asked::Commit(id, ticket), offset, .. } = ask {
                offsets.push(offset);
                self.consumer.take_committed(self.now, id, ticket, Ok(()));
            }
        }
        offsets
    }
}

/// An answer with messages of ten bytes each.
pub(super) fn found(queue: MessageQueue, offsets: std::ops::Range<u64>) -> Pulled {
    let mut body = BytesMut::new();
    offsets.clone().for_each(|offset| store(&mut body, &queue, offset, 0, b"ten bytes."));
    answer(queue, PullStatus::Found, offsets.end, body.freeze())
}

/// The same as one inner batch; where `is_broken`, its last record is none.
pub(super) fn found_batch(queue: MessageQueue, offsets: std::ops::Range<u64>, is_broken: bool) -> Pulled {
    let (mut body, mut records) = (BytesMut::new(), BytesMut::new());
    for _ in offsets.clone() {
        batch::encode(&mut records, 0, "", b"ten bytes.").unwrap();
    }
    if is_broken {
        // Its body is longer than itself.
        let body_length = records.len() - 2 - 10 - 4;
        records[body_length..body_length + 4].copy_from_slice(&1000_u32.to_be_bytes());
    }
    let both = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
    store(&mut body, &queue, offsets.start, both, &records);
    answer(queue, PullStatus::Found, offsets.end, body.freeze())
}

/// Appends a stored message.
fn store(out: &mut BytesMut, queue: &MessageQueue, offset: u64, sys_flag: i32, body: &[u8]) {
    let host = SocketAddr::from(([127, 0, 0, 1], 10_911));
    let fields = StoredFields {
        body_crc: 0,
        queue_id: queue.queue_id as i32,
        flag: 0,
        queue_offset: offset as i64,
        physical_offset: offset as i64 * 1000,
        sys_flag,
        born_timestamp: 0,
        born_host: host,
        store_timestamp: 0,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    fields.encode(out, Dialect::Apache, &queue.topic, "", body).unwrap();
}

pub(super) fn answer(queue: MessageQueue, status: PullStatus, next_offset: u64, body: Bytes) -> Pulled {
    Pulled {
        status,
        next_offset,
        min_offset: 0,
        max_offset: next_offset,
        suggested_broker_id: 0,
        queue,
        expression: MessageSelector::all(),
        body,
    }
}

/// Answers whatever is asked; `check` says what broker says of an expression. Gives the queues that were pulled from.
pub(super) fn play(
    scene: &mut Scene,
    topic_queues: &[MessageQueue],
    check: impl Fn(&MessageQueue) -> Result<(), Error>,
) -> Vec<MessageQueue> {
    let mut pulled = Vec::new();
    for _ in 0..8 {
        for ask in scene.wishes() {
            let (now, consumer) = (scene.now, &mut scene.consumer);
            match ask {
                Wish::Queues { asked, .. } => asked.take(consumer, now, Ok(topic_queues.to_vec())),
                Wish::Members { asked: asked::Members(topic, ticket, broker), .. } => {
                    consumer.take_members(now, (&topic, ticket, broker), Ok(vec![ME.to_owned()]));
                }
                Wish::Check { asked, queue, .. } => asked.take(consumer, now, check(&queue)),
                Wish::GroupOffset { asked, .. } => asked.take(consumer, now, Ok(Some(0))),
                Wish::Commit { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::Lock { asked, queues } => asked.take(consumer, now, Ok(queues.into_iter().collect())),
                Wish::Unlock { asked, .. } => asked.take(consumer, now, Ok(())),
                Wish::Pull { queue, .. } => pulled.push(queue),
                _ => {}
            }
            scene.allocate();
        }
    }
    pulled
}

/// The connection to the broker of an orderly queue is reset; another member gets the queue, and we get it back.
pub(super) fn lose_and_regain(scene: &mut Scene) {
    scene.consumer.handle_disconnected(scene.now, "a");
    for ask in scene.wishes() {
        if let Wish::Lock { asked, .. } = ask {
            asked.take(&mut scene.consumer, scene.now, Ok(SortedSet::new()));
        }
    }
    scene.share(&[]);
    play(scene, &[queue(0)], |_| Ok(()));
    scene.share(&[queue(0)]);
}
