//! Seeded histories: members come, close and die, connections break and brokers stop while messages are sent; then the
//! world heals, and it must converge. What must never happen is looked for all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::dialect::Dialect;
use stgclient_runtime::{PushConsumer, ReconsumeLater, RetryDelay, SuspendCurrentQueue};
use stgclient_simulator::server::{ClusterConfig, Memory, ServerId};
use stgclient_simulator::world::{Client, ClusterHandle, Machine, World};

use super::stage::{GROUP, SECOND, TOPIC};

/// How many histories of each kind there are; more when the tests are built with STGCLIENT_LONG set.
const SEEDS: u64 = if option_env!("STGCLIENT_LONG").is_some() { 500 } else { 12 };

const TROUBLE: Duration = Duration::from_secs(90);
/// A half-open death takes the broker 120 s to notice, and a second look 10 s more; then the queues are shared anew, and
/// what is left of them is consumed.
const RECOVERY: Duration = Duration::from_secs(240);
const BROKERS: u8 = 2;
const QUEUES: u32 = 3;
const DIALECTS: [Dialect; 2] = [Dialect::Apache, Dialect::Smartgo];

/// A delivery that began, and perhaps ended.
#[derive(Clone, Debug)]
struct Work {
    member: u32,
    begin: Instant,
    end: Option<Instant>,
}

/// What happened.
#[derive(Debug, Default)]
struct Ledger {
    /// Bodies that a broker has acknowledged.
    sent: BTreeSet<String>,
    /// Bodies that a handler has consumed.
    consumed: BTreeSet<String>,
    /// By queue and offset: what handlers had.
    work: BTreeMap<(MessageQueue, u64), Vec<Work>>,
    /// When brokers stopped.
    stops: Vec<(String, Instant)>,
    deaths: usize,
}

impl Ledger {
    fn begin(&mut self, member: u32, message: &ReceivedMessage, now: Instant) {
        let place = (message.queue().clone(), message.queue_offset());
        self.work.entry(place).or_default().push(Work { member, begin: now, end: None });
    }

    fn end(&mut self, member: u32, message: &ReceivedMessage, now: Instant, is_consumed: bool) {
        let place = (message.queue().clone(), message.queue_offset());
        let open = self.work.get_mut(&place).into_iter().flatten();
        if let Some(work) = open.rev().find(|work| work.member == member && work.end.is_none()) {
            work.end = Some(now);
        }
        if is_consumed {
            self.consumed.insert(String::from_utf8_lossy(message.body()).into_owned());
        }
    }

    /// What is committed of a queue is settled, all of it.
    fn check_committed(&self, queue: &MessageQueue, committed: u64, seed: u64) {
        for offset in 0..committed {
            let work = self.work.get(&(queue.clone(), offset));
            let is_settled = work.is_some_and(|work| work.iter().any(|work| work.end.is_some()));
            assert!(is_settled, "seed {seed}: {committed} is committed of {queue}, and {offset} was never settled");
        }
    }

    /// First deliveries of an orderly queue come in the order of the offsets; two members have a queue at one time only
    /// when its broker has forgotten a lock, and then one delivery that was in hand.
    fn check_order(&self, seed: u64) {
        let mut by_queue: BTreeMap<&MessageQueue, Vec<(u64, &Work)>> = BTreeMap::new();
        for ((queue, offset), works) in self.work.iter().filter(|((queue, _), _)| &*queue.topic == TOPIC) {
            by_queue.entry(queue).or_default().extend(works.iter().map(|work| (*offset, work)));
        }
        for (queue, mut works) in by_queue {
            works.sort_by_key(|(offset, work)| (work.begin, *offset));
            let mut next = 0;
            for (offset, work) in &works {
                assert!(*offset <= next, "seed {seed}: {queue} {offset} comes before {next}");
                next = next.max(offset + 1);
                let overlaps = works.iter().filter(|(_, other)| {
                    other.member != work.member
                        && other.begin <= work.begin
                        && other.end.is_some_and(|end| end > work.begin)
                });
                for (_, other) in overlaps {
                    let forgotten = self.stops.iter().any(|(broker, at)| {
                        *broker == *queue.broker_name && *at + 30 * SECOND >= other.begin && *at <= work.begin
                    });
                    assert!(forgotten, "seed {seed}: {queue} has two owners: {other:?} and {work:?}");
                }
            }
        }
    }
}

struct History {
    world: World,
    dialect: Dialect,
    cluster: ClusterHandle,
    ledger: Arc<Mutex<Ledger>>,
    is_orderly: bool,
    end: Instant,
}

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (seed, journal) = (self.world.seed(), self.world.journal());
            eprintln!("seed {seed}, {}; the last of what happened:\n{journal}", self.dialect);
        }
    }
}

/// A member's place: who it is, and by which chance it acts.
struct Seat {
    number: u32,
    machine: Arc<Machine>,
    name_servers: String,
    dialect: Dialect,
    ledger: Arc<Mutex<Ledger>>,
    random: Random,
    is_orderly: bool,
}

impl Seat {
    /// Starts a member, as often as it takes.
    async fn join(&mut self) -> (Client, PushConsumer) {
        loop {
            if let Ok(client) = self.machine.client(&self.name_servers).dialect(self.dialect).connect().await
                && let Ok(consumer) = self.start(&client).await
            {
                return (client, consumer);
            }
            self.machine.sleep(SECOND).await;
        }
    }

    async fn start(&mut self, client: &Client) -> Result<PushConsumer, stgclient_core::error::Error> {
        let builder = client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(ConsumeFrom::FirstOffset);
        let (number, machine, ledger) = (self.number, Arc::clone(&self.machine), Arc::clone(&self.ledger));
        let chance = Arc::new(Mutex::new(Random::new(self.random.next_u64())));
        let handle = move |message: ReceivedMessage| {
            let (machine, ledger) = (Arc::clone(&machine), Arc::clone(&ledger));
            let mut chance = chance.lock().unwrap();
            let (fails, pause) = (chance.below(20) == 0, Duration::from_millis(chance.below(4) * chance.below(150)));
            async move {
                ledger.lock().unwrap().begin(number, &message, machine.clock().mono);
                if !pause.is_zero() {
                    machine.sleep(pause).await;
                }
                ledger.lock().unwrap().end(number, &message, machine.clock().mono, !fails);
                fails
            }
        };
        if self.is_orderly {
            let handle = move |message| {
                let handled = handle(message);
                async move { if handled.await { Err(SuspendCurrentQueue::for_time(SECOND)) } else { Ok(()) } }
            };
            return builder.orderly(handle).start().await;
        }
        let handle = move |message| {
            let handled = handle(message);
            let later = || ReconsumeLater::with_delay(RetryDelay::Level(1));
            async move { if handled.await { Err(later()) } else { Ok(()) } }
        };
        builder.concurrently(handle).start().await
    }
}

/// Members come and go: they close, or their machine is cut off for good.
async fn live(mut seat: Seat, world: stgclient_simulator::world::NetworkHandle, end: Instant) {
    let life = Duration::from_secs(5 + seat.random.below(60));
    let (client, consumer) = seat.join().await;
    seat.machine.sleep(life).await;
    if seat.machine.clock().mono >= end {
        // Whoever is there at the end stays.
        return std::future::pending().await;
    }
    if seat.random.below(3) == 0 {
        seat.ledger.lock().unwrap().deaths += 1;
        world.partition(&seat.machine.ip().to_string(), true);
        return std::future::pending().await;
    }
    consumer.close_within(5 * SECOND).await;
    client.close().await;
}

async fn send(seat: Seat, end: Instant) {
    let mut seat = seat;
    let client = loop {
        match seat.machine.client(&seat.name_servers).dialect(seat.dialect).connect().await {
            Ok(client) => break client,
            Err(_) => seat.machine.sleep(SECOND).await,
        }
    };
    let producer = client.producer("shop").start().await.unwrap();
    for number in 0.. {
        if seat.machine.clock().mono >= end {
            break;
        }
        let body = number.to_string();
        if producer.send(Message::new(TOPIC, body.clone())).await.is_ok() {
            seat.ledger.lock().unwrap().sent.insert(body);
        }
        let pause = Duration::from_millis(seat.random.below(300));
        seat.machine.sleep(pause).await;
    }
    client.close().await;
}

/// Connections break, brokers are cut off, and stop.
async fn trouble(
    mut seat: Seat,
    cluster: ClusterHandle,
    network: stgclient_simulator::world::NetworkHandle,
    end: Instant,
) {
    let brokers = cluster.brokers();
    while seat.machine.clock().mono < end {
        let pause = Duration::from_millis(2000 + seat.random.below(12_000));
        seat.machine.sleep(pause).await;
        let index = seat.random.below(brokers.len() as u64) as usize;
        let duration = Duration::from_millis(seat.random.below(8000));
        match seat.random.below(4) {
            0 | 1 => network.reset(&brokers[index]),
            2 => {
                network.partition(&brokers[index], true);
                seat.machine.sleep(duration).await;
                network.partition(&brokers[index], false);
            }
            _ => {
                let name = format!("broker-{}", ["a", "b"][index]);
                seat.ledger.lock().unwrap().stops.push((name, seat.machine.clock().mono));
                cluster.stop(ServerId::Broker(index));
                seat.machine.sleep(duration).await;
                cluster.start(ServerId::Broker(index), Memory::Kept);
            }
        }
    }
}

fn queues() -> impl Iterator<Item = MessageQueue> {
    ["broker-a", "broker-b"]
        .into_iter()
        .flat_map(|broker| (0..QUEUES).map(move |id| MessageQueue::new(TOPIC, broker, id)))
}

impl History {
    fn new(seed: u64, dialect: Dialect, is_orderly: bool) -> Self {
        let world = World::new(seed);
        let mut config = ClusterConfig::with_servers(1, BROKERS);
        config.dialect = dialect;
        let cluster = world.cluster(config);
        cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, QUEUES).unwrap()));
        let end = world.now().mono + TROUBLE;
        Self { world, dialect, cluster, ledger: Arc::default(), is_orderly, end }
    }

    fn seat(&self, number: u32) -> Seat {
        Seat {
            number,
            machine: self.world.machine(),
            name_servers: self.cluster.name_servers().join(";"),
            dialect: self.dialect,
            ledger: Arc::clone(&self.ledger),
            random: Random::new(self.world.seed() ^ u64::from(number) << 32),
            is_orderly: self.is_orderly,
        }
    }

    fn committed(&self, queue: &MessageQueue) -> u64 {
        let of = |broker: &mut stgclient_simulator::server::Broker| broker.committed(GROUP, TOPIC, queue.queue_id);
        self.cluster.broker(&queue.broker_name, of).map_or(0, |offset| offset as u64)
    }

    fn stored(&self, queue: &MessageQueue) -> u64 {
        let offsets = self.cluster.broker(&queue.broker_name, |broker| broker.offsets(TOPIC, queue.queue_id));
        offsets.map_or(0, |(_, max)| max as u64)
    }

    /// Lets time pass, and looks at what is committed meanwhile.
    fn watch(&self, time: Duration) {
        let end = self.world.now().mono + time;
        while self.world.now().mono < end {
            self.world.run_for(Duration::from_millis(500));
            let ledger = self.ledger.lock().unwrap();
            queues().for_each(|queue| ledger.check_committed(&queue, self.committed(&queue), self.world.seed()));
        }
    }

    fn play(&self) {
        let mut random = Random::new(self.world.seed());
        self.world.spawn(send(self.seat(100), self.end));
        self.world.spawn(trouble(self.seat(101), self.cluster.clone(), self.world.network(), self.end));
        for number in 0..8 {
            self.world.spawn(live(self.seat(number), self.world.network(), self.end));
            self.watch(Duration::from_millis(random.below(16_000)));
        }
        let left = self.end.since(self.world.now().mono);
        self.watch(left);
        // Dead machines stay dead; everything else is well again.
        self.cluster.heal();
        self.world.spawn(live(self.seat(50), self.world.network(), self.world.now().mono));
        self.watch(RECOVERY);
        let ledger = self.ledger.lock().unwrap();
        let seed = self.world.seed();
        let missing: Vec<&String> = ledger.sent.difference(&ledger.consumed).collect();
        assert!(missing.is_empty(), "seed {seed}: acknowledged and never consumed: {missing:?}");
        for queue in queues() {
            let (committed, stored) = (self.committed(&queue), self.stored(&queue));
            assert_eq!(committed, stored, "seed {seed}: of {queue} everything is committed in the end");
        }
        if self.is_orderly {
            ledger.check_order(seed);
        }
    }
}

#[test]
fn whatever_happens_to_a_concurrent_group_every_message_is_consumed_and_nothing_unsettled_is_committed() {
    for (seed, dialect) in (0..SEEDS).flat_map(|seed| DIALECTS.map(|dialect| (seed, dialect))) {
        History::new(seed, dialect, false).play();
    }
}

#[test]
fn whatever_happens_to_an_orderly_group_its_queues_stay_in_order_with_one_owner_at_a_time() {
    for (seed, dialect) in (1000..1000 + SEEDS).flat_map(|seed| DIALECTS.map(|dialect| (seed, dialect))) {
        History::new(seed, dialect, true).play();
    }
}

#[test]
fn a_history_with_members_is_the_same_every_time() {
    let hash = |(seed, dialect)| {
        let history = History::new(seed, dialect, seed % 2 == 0);
        history.play();
        history.world.trace_hash()
    };
    for history in [(7, Dialect::Apache), (8, Dialect::Smartgo)] {
        assert_eq!(hash(history), hash(history));
    }
}
