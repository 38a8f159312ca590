//! Members of the group: they start, consume, fail, close and die.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use stgclient::simulator::Clients as _;
use stgclient::{
    BoxFuture, Client, OffsetStore, PushConsumer, PushConsumerBuilder, ReconsumeLater, RetryDelay, SuspendCurrentQueue,
};
use stgclient_core::consumer::allocation::{Allocation, AllocationRequest, Average};
use stgclient_core::consumer::{MessageSelector, ReceivedMessage};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::Duration;
use stgclient_simulator::Machine;

use super::following::{self, Ear};
use super::options::Kind;
use super::scene::{Member, Scene, between};
use super::{GROUP, SECOND, SECOND_TOPIC, TOPIC, drawn_panic, trouble};

/// For how long a handler may have a message where handlers hang.
pub(super) const CONSUME_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long one hangs.
const HANG: Duration = Duration::from_secs(70);
/// How long what is in work may take when a consumer closes.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// What closing may take beyond that: a commit, an unlock and a farewell, each with the time of a request.
pub(super) const CLOSING: Duration = Duration::from_secs(12);

/// What starts, and its listener.
type Started = (PushConsumer, Option<Arc<Ear>>);

/// A member's place: its machine, where it keeps its offsets, and the chance by which it acts.
pub(super) struct Seat {
    pub(super) number: u32,
    pub(super) machine: Arc<Machine>,
    pub(super) random: Random,
    /// By which chance its listeners act, and how many of them are at it.
    listening: (Random, Arc<AtomicUsize>),
    store: Store,
}

impl Seat {
    pub(super) fn new(number: u32, machine: Arc<Machine>, seed: u64) -> Self {
        let random = Random::new(seed ^ (u64::from(number) + 1) << 32);
        let store = Store { stored: Arc::default(), chance: Arc::new(Mutex::new(None)) };
        let listening = (Random::new(seed ^ 0x0115_7E4E ^ (u64::from(number) + 1) << 32), Arc::default());
        Self { number, machine, random, listening, store }
    }

    /// Starts a member, as often as it takes.
    pub(super) async fn join(&mut self, scene: &Arc<Scene>) -> Member {
        loop {
            let connected = self.machine.client(scene.name_servers()).dialect(scene.options.dialect).connect().await;
            if let Ok(client) = connected {
                let pauses = scene.options.has(Kind::Pauses) && scene.ledger.lock().healed.is_none();
                if pauses {
                    trouble::refuse_beginnings(scene, self.number);
                }
                match self.start(scene, &client).await {
                    Ok((consumer, ear)) => {
                        let now = scene.now();
                        scene.ledger.starts(self.number, now);
                        let stored = Arc::clone(&self.store.stored);
                        let member = Member { machine: Arc::clone(&self.machine), client, consumer, stored, ear };
                        scene.members().insert(self.number, member.clone());
                        following::has_started(scene, self.number, &member, &mut self.listening.0);
                        if pauses {
                            trouble::pause_at_start(scene, &member, &mut self.random).await;
                        }
                        return member;
                    }
                    Err(error) => scene.ledger.found("a-start-that-failed-leaves-nothing", format!("{error:?}")),
                }
            }
            self.machine.sleep(SECOND).await;
        }
    }

    async fn start(&mut self, scene: &Arc<Scene>, client: &Client) -> Result<Started, Error> {
        if scene.options.has(Kind::FailedStarts) {
            let wrong = client.push_consumer(GROUP).subscribe("", "*").concurrently(|_| async { Ok(()) });
            if wrong.start().await.is_ok() {
                scene.ledger.found("a-topic-without-a-name-is-none", "it was subscribed to");
            }
        }
        if scene.options.has(Kind::StoreFails) {
            let random = Random::new(self.random.next_u64());
            *self.store.chance.lock().unwrap() = Some(Chance { random, scene: Arc::clone(scene), has_failed: false });
        }
        let seed = self.random.next_u64();
        let mut builder = self.builder(scene, client, seed);
        let ear = scene.options.following.listener.map(|how| {
            let (random, at_it) = (Random::new(self.listening.0.next_u64()), Arc::clone(&self.listening.1));
            Ear::new((self.number, how), &self.machine, scene, random, at_it)
        });
        if let Some(ear) = ear.clone() {
            builder = builder.rebalance_listener(move |change| Arc::clone(&ear).hears(&change));
        }
        let hands = Arc::new(Hands {
            number: self.number,
            machine: Arc::clone(&self.machine),
            scene: Arc::clone(scene),
            random: Mutex::new(Random::new(self.random.next_u64())),
            ear: ear.clone(),
        });
        if scene.options.is_orderly() {
            let handler = move |message| {
                let handling = Arc::clone(&hands).handle(message);
                async move { if handling.await { Ok(()) } else { Err(SuspendCurrentQueue::after(SECOND)) } }
            };
            return Ok((builder.orderly(handler).start().await?, ear));
        }
        let handler = move |message| {
            let handling = Arc::clone(&hands).handle(message);
            let later = || ReconsumeLater::after(RetryDelay::Level(1));
            async move { if handling.await { Ok(()) } else { Err(later()) } }
        };
        Ok((builder.concurrently(handler).start().await?, ear))
    }

    fn builder(&self, scene: &Arc<Scene>, client: &Client, seed: u64) -> PushConsumerBuilder {
        let options = &scene.options;
        let tags = if options.has(Kind::Subscriptions) && scene.ledger.lock().widened.is_none() { "a" } else { "*" };
        let mut builder = client.push_consumer(GROUP).subscribe(TOPIC, tags).consume_from(options.from);
        if options.has_any(&[Kind::Appears, Kind::Vanishes]) {
            let all = MessageSelector::by_sql("TAGS IS NOT NULL").expect("an expression");
            let selector = if options.by_sql { all } else { MessageSelector::all() };
            builder = builder.subscribe(SECOND_TOPIC, selector);
        }
        if options.has(Kind::Strategies) {
            builder = builder.allocation(Panicking { scene: Arc::clone(scene), random: Mutex::new(Random::new(seed)) });
        }
        if options.is_broadcasting() {
            builder = builder.offset_store(self.store.clone());
        }
        let hangs = options.has(Kind::Hangs);
        builder.message_model(options.model).configure(|config| {
            config.consume_batch_size = options.batch;
            if hangs {
                config.consume_timeout = CONSUME_TIMEOUT;
                config.max_cached_messages = 8;
                config.max_span = 10;
            }
        })
    }

    /// Lives as the plan has it, again and again.
    pub(super) async fn live(mut self, scene: Arc<Scene>, mut joined: Option<Member>) {
        loop {
            let member = match joined.take() {
                Some(member) => member,
                None => self.join(&scene).await,
            };
            let Some((life, dies)) = self.fate(&scene) else {
                return;
            };
            self.machine.sleep(life).await;
            if scene.is_over() {
                return;
            }
            if dies {
                scene.members().remove(&self.number);
                scene.ears().retain(|ear| ear.number != self.number);
                self.machine.lose_power();
                return outlive(&scene, self.number, &member).await;
            }
            scene.members().remove(&self.number);
            close(&scene, self.number, member).await;
            // Long enough for something to come that it would miss.
            let most = if scene.options.has(Kind::StoreFails) { 40 * SECOND } else { 10 * SECOND };
            if !scene.pause(&mut self.random, Duration::ZERO, most).await {
                return;
            }
        }
    }

    /// After what time it ends, and whether without a word; `None` when it stays.
    fn fate(&mut self, scene: &Scene) -> Option<(Duration, bool)> {
        let options = &scene.options;
        if self.number == 0 && options.has(Kind::EarlyEnd) {
            return Some((between(&mut self.random, SECOND, 5 * SECOND), self.random.below(2) == 0));
        }
        let dies = options.has(Kind::Deaths) && self.random.below(2) == 0;
        let closes = options.has_any(&[Kind::ComeAndGo, Kind::StoreFails]);
        // Where a broadcasting consumer that dies has stored its offsets is nobody's business but its own.
        (dies && !options.is_broadcasting() || closes)
            .then(|| (between(&mut self.random, 6 * SECOND, 40 * SECOND), dies && !options.is_broadcasting()))
    }
}

/// Shares evenly, and panics one time of four until all is well.
struct Panicking {
    scene: Arc<Scene>,
    random: Mutex<Random>,
}

impl fmt::Debug for Panicking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Panicking")
    }
}

impl Allocation for Panicking {
    fn name(&self) -> &str {
        Average.name()
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        if self.scene.ledger.lock().healed.is_none() && self.random.lock().unwrap().below(4) == 0 {
            drawn_panic();
        }
        Average.allocate(request)
    }
}

/// Whoever has a client whose machine is gone hears that at once, whatever it asks.
async fn outlive(scene: &Scene, number: u32, member: &Member) {
    let begin = scene.now();
    let asked = member.client.admin().topic_list().await;
    let told = asked.as_ref().map(Vec::len).map_err(Error::kind);
    let took = scene.now().since(begin);
    if told != Err(ErrorKind::Closed) || took > Duration::ZERO {
        scene.ledger.found("whoever-outlives-a-host-hears-that", format!("member {number}: {told:?} after {took:?}"));
    }
}

/// Closes a member and its client, which has to end in time.
pub(super) async fn close(scene: &Scene, number: u32, member: Member) {
    let begin = scene.now();
    member.consumer.close_within(GRACE).await;
    let took = scene.now().since(begin);
    // While its machine stands still nothing ends.
    let limit = GRACE + CLOSING + if scene.options.has(Kind::StandsStill) { 160 * SECOND } else { Duration::ZERO };
    if took > limit {
        scene.ledger.found("closing-ends-in-time", format!("the consumer of member {number} took {took:?}"));
    }
    if let Some(ear) = &member.ear {
        ear.is_closed();
    }
    drop(member.consumer);
    let begin = scene.now();
    member.client.close().await;
    let took = scene.now().since(begin);
    if took > limit {
        scene.ledger.found("closing-ends-in-time", format!("the client of member {number} took {took:?}"));
    }
    // A handler or a listener that hangs is a task that nobody can end.
    let listeners = member.ear.map_or(0, |ear| ear.at_it_there());
    if !scene.options.has_any(&[Kind::StandsStill, Kind::Hangs]) && member.machine.tasks() > listeners {
        let left = member.machine.tasks();
        scene.ledger.found("a-closed-client-leaves-no-task", format!("{left} of member {number}"));
    }
}

/// What a member does with messages.
struct Hands {
    number: u32,
    machine: Arc<Machine>,
    scene: Arc<Scene>,
    random: Mutex<Random>,
    ear: Option<Arc<Ear>>,
}

/// What becomes of one.
enum Fate {
    Succeeds,
    Fails,
    Panics,
    Hangs,
}

impl Hands {
    /// Whether the message is consumed.
    fn handle(self: Arc<Self>, message: ReceivedMessage) -> impl Future<Output = bool> + Send {
        let now = self.machine.clock().mono;
        if let Some(ear) = &self.ear {
            ear.is_handed(message.queue(), now);
        }
        let before = self.scene.ledger.begins(self.number, &message, now);
        let (fate, work) = self.draw(before);
        async move {
            if !work.is_zero() {
                self.machine.sleep(work).await;
            }
            if matches!(fate, Fate::Hangs) {
                self.machine.sleep(HANG).await;
            }
            let is_consumed = matches!(fate, Fate::Succeeds | Fate::Hangs);
            self.scene.ledger.ends(self.number, &message, self.machine.clock().mono, is_consumed);
            if matches!(fate, Fate::Panics) {
                drawn_panic();
            }
            is_consumed
        }
    }

    /// No message fails more than twice, and none once all is calm.
    fn draw(&self, before: u32) -> (Fate, Duration) {
        let options = &self.scene.options;
        if self.scene.ledger.lock().healed.is_some() {
            return (Fate::Succeeds, Duration::ZERO);
        }
        let mut random = self.random.lock().unwrap();
        let fate = match random.below(12) {
            0 if options.has(Kind::Failures) && before < 2 => Fate::Fails,
            1 if options.has(Kind::Panics) && before < 2 => Fate::Panics,
            2 if options.has(Kind::Hangs) && before < 1 && !options.is_orderly() => Fate::Hangs,
            _ => Fate::Succeeds,
        };
        (fate, between(&mut random, Duration::ZERO, options.work))
    }
}

/// What a broadcasting member has stored.
pub(super) type Stored = Arc<Mutex<BTreeMap<MessageQueue, u64>>>;

/// Offsets in memory, which fails or panics now and then where the plan wants it, but never twice in a row: a consumer that
/// closes tries once.
#[derive(Clone)]
struct Store {
    stored: Stored,
    chance: Arc<Mutex<Option<Chance>>>,
}

/// By which chance it fails.
struct Chance {
    random: Random,
    /// Says until when.
    scene: Arc<Scene>,
    has_failed: bool,
}

impl OffsetStore for Store {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let offsets = self.stored.lock().unwrap().clone();
        Box::pin(std::future::ready(Ok(offsets)))
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let drawn = self.chance.lock().unwrap().as_mut().map_or(9, |chance| {
            let is_calm = chance.has_failed || chance.scene.ledger.lock().healed.is_some();
            let drawn = if is_calm { 9 } else { chance.random.below(10) };
            chance.has_failed = drawn < 7;
            drawn
        });
        match drawn {
            0..5 => Box::pin(std::future::ready(Err(Error::new(ErrorKind::OffsetStore, "it was drawn")))),
            5 | 6 => drawn_panic(),
            _ => {
                *self.stored.lock().unwrap() = offsets;
                Box::pin(std::future::ready(Ok(())))
            }
        }
    }
}
