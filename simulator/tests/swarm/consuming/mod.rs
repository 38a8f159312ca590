//! Histories of consumers: members of a group come, consume and go while messages are sent and things go wrong. Then all
//! heals, and it must converge.

mod following;
mod ledger;
mod member;
mod options;
mod rules;
mod scene;
mod sender;
mod trouble;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient_core::queue::MessageQueue;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_servers::{Broker, ClusterConfig};
use stgclient_simulator::{Patience, StuckReason, World};

use super::seeds::{self, Finding, PLAN};
use member::Seat;
use options::{Kind, Options};
use scene::{Scene, between};

const SECOND: Duration = Duration::from_secs(1);
const TOPIC: &str = "orders";
const SECOND_TOPIC: &str = "audits";
const GROUP: &str = "billing";
/// What code of users says that panics because the plan wants it.
const DRAWN: &str = "this panic was drawn";

thread_local! {
    static HAS_PANICKED: Cell<bool> = const { Cell::new(false) };
}

/// Panics, as the plan wants it.
fn drawn_panic() -> ! {
    HAS_PANICKED.set(true);
    std::panic::resume_unwind(Box::new(DRAWN))
}

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(500);
/// How many events and turns of tasks a tick has at the most: more is something that goes round in circles.
const STEPS: u64 = 15_000;
/// How soon a message is delivered when all is well.
const SOON: Duration = Duration::from_secs(3);

/// One history.
struct History {
    world: World,
    scene: Arc<Scene>,
    random: Random,
    at_work: Arc<AtomicUsize>,
    probes: u32,
}

/// A rule is broken, and the ledger has it: the history ends here.
struct Broken;

impl History {
    fn new(seed: u64) -> Self {
        let options = Options::drawn(seed);
        let world = World::new(seed);
        world.catch_panics();
        let mut config = ClusterConfig::with_servers(1, options.brokers);
        config.dialect = options.dialect;
        config.brokers.iter_mut().for_each(|broker| broker.property_filter = true);
        let cluster = world.cluster(config);
        let make = |broker: &mut Broker, topic: &str, queues| broker.create_topic(topic, queues).expect("it has room");
        cluster.with(|cluster| {
            for broker in cluster.brokers() {
                make(broker, TOPIC, options.queues);
                if options.has(Kind::Vanishes) {
                    make(broker, SECOND_TOPIC, 2);
                }
            }
        });
        let has_second = options.has(Kind::Vanishes);
        let scene = Arc::new(Scene::new(cluster, world.network(), options, world.machine(), has_second));
        let random = Random::new(seed ^ 0x4157_0A7E);
        Self { world, scene, random, at_work: Arc::default(), probes: 0 }
    }

    fn broken(&self) -> Result<(), Broken> {
        if self.scene.ledger.findings().is_empty() { Ok(()) } else { Err(Broken) }
    }

    fn found<T>(&self, rule: &'static str, what: impl std::fmt::Display) -> Result<T, Broken> {
        self.scene.ledger.found(rule, what);
        Err(Broken)
    }

    /// Runs something to its end, which has to come within `limit`.
    fn within<T>(&self, limit: Duration, what: &str, future: impl Future<Output = T>) -> Result<T, Broken> {
        let patience = Patience { time: limit, steps: 4_000_000 };
        match self.world.try_block_on(patience, future) {
            Ok(value) => self.broken().map(|()| value),
            Err(stuck) if stuck.reason == StuckReason::Steps => {
                self.found("nothing-goes-round-in-circles", format!("{what}\n{}", stuck.journal))
            }
            Err(_) => self.found("what-is-begun-ends", format!("{what}: not within {limit:?}")),
        }
    }

    /// A part of the history beside others, which has to end before all is looked at.
    fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        let at_work = Arc::clone(&self.at_work);
        self.world.spawn(async move {
            part.await;
            at_work.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Lets time pass, and looks on.
    fn watch(&self, time: Duration) -> Result<(), Broken> {
        let end = self.scene.now() + time;
        while self.scene.now() < end {
            let patience = Patience { time: 2 * TICK, steps: STEPS };
            if let Err(stuck) = self.world.try_block_on(patience, self.scene.sleep(TICK)) {
                let rule = "nothing-goes-round-in-circles";
                return self.found(rule, format!("{:?} at {:?}\n{}", stuck.reason, stuck.now.mono, stuck.journal));
            }
            rules::watch(&self.scene);
            self.broken()?;
        }
        Ok(())
    }

    fn seat(&self, number: u32) -> Seat {
        Seat::new(number, self.world.machine(), self.world.seed())
    }

    fn play(&mut self) -> Result<(), Broken> {
        self.begin()?;
        let left = self.scene.end.since(self.scene.now());
        self.watch(left)?;
        trouble::heal(&self.scene);
        if self.scene.members().is_empty() || self.scene.options.has_any(&[Kind::Deaths, Kind::EarlyEnd]) {
            self.spawn(self.seat(50).live(Arc::clone(&self.scene), None));
        }
        let recovery = self.scene.options.recovery();
        self.watch(recovery)?;
        if self.at_work.load(Ordering::Relaxed) > 0 {
            return self.found("what-is-begun-ends", "a part of the history, such as a send");
        }
        rules::check(&self.scene);
        self.broken()?;
        self.seek_everywhere()?;
        self.probe(SOON)?;
        // Long enough for a lock to lapse that nobody renews.
        self.watch(50 * SECOND)?;
        self.probe(SOON)?;
        self.hand_over(0)?;
        self.hand_over(1)?;
        self.close()
    }

    /// The group begins in peace, and then trouble does.
    fn begin(&mut self) -> Result<(), Broken> {
        let scene = Arc::clone(&self.scene);
        let machine = self.world.machine();
        let sender = self.within(10 * SECOND, "a producer starts", sender::start(&scene, &machine))?;
        scene.set_sender(Some(sender.clone()));
        let old = async {
            for number in 0..scene.options.old {
                let body = format!("old {number}");
                let message = sender::message(&scene, &body, TOPIC);
                if let Ok(receipt) = sender.producer.send(message).await {
                    scene.ledger.acknowledged(&body, &receipt, scene.now());
                }
            }
        };
        self.within(60 * SECOND, "old messages are sent", old)?;
        let mut seat = self.seat(0);
        let first = self.within(30 * SECOND, "the first member starts", seat.join(&scene))?;
        self.spawn(seat.live(Arc::clone(&scene), Some(first)));
        let random = Random::new(self.random.next_u64());
        self.spawn(sender::run(Arc::clone(&scene), random));
        trouble::begin(&self.world, &scene);
        following::begin(&self.world, &scene);
        for number in 1..scene.options.members {
            let seat = self.seat(number);
            let (scene, pause) = (Arc::clone(&scene), between(&mut self.random, Duration::ZERO, 20 * SECOND));
            self.spawn(async move {
                scene.sleep(pause).await;
                seat.live(scene, None).await;
            });
        }
        Ok(())
    }

    /// Members seek in each of their queues: what lies behind comes again, and then everything is as before.
    fn seek_everywhere(&self) -> Result<(), Broken> {
        let scene = Arc::clone(&self.scene);
        if !scene.options.following.seeks {
            return Ok(());
        }
        scene.ledger.lock().calm = Some(scene.now());
        let mut random = Random::new(self.world.seed() ^ 0x5EEC_0DE5);
        let members = scene.members().clone();
        let pauses = !scene.options.is_broadcasting() && random.below(2) == 0;
        for (number, member) in &members {
            if pauses {
                member.consumer.pause();
            }
            following::seek_all(&scene, *number, member, &mut random);
        }
        if pauses {
            self.watch(2 * SECOND)?;
            if let Some(wrong) = following::uncommitted(&scene) {
                return self.found("a-seek-is-committed-at-once", wrong);
            }
            members.values().for_each(|member| member.consumer.resume());
        }
        self.watch(10 * SECOND)?;
        rules::check(&scene);
        self.broken()
    }

    /// Every member is ready within `limit`, and says so.
    fn await_ready(&self, limit: Duration) -> Result<(), Broken> {
        if !self.scene.options.following.awaits_ready {
            return Ok(());
        }
        let members = self.scene.members().clone();
        for (number, member) in members {
            let ended = self.within(limit, "a member is ready", member.consumer.ready())?;
            let status = member.consumer.status();
            if ended.is_err() || !status.is_ready {
                return self.found("ready-is-true", format!("member {number}: {ended:?}, {status:?}"));
            }
        }
        Ok(())
    }

    /// A message to each queue is delivered within `limit`.
    fn probe(&mut self, limit: Duration) -> Result<(), Broken> {
        self.await_ready(limit)?;
        let scene = Arc::clone(&self.scene);
        let Some(sender) = scene.sender() else {
            return Ok(());
        };
        let mut queues = scene.queues(TOPIC);
        if scene.second_exists() {
            queues.extend(scene.queues(SECOND_TOPIC));
        }
        for queue in queues {
            self.probes += 1;
            let body = format!("probe {}", self.probes);
            let sent = sender::probe(&scene, &sender, body.clone(), queue.clone(), SOON);
            self.within(2 * SOON, "a probe is sent", sent)?;
            self.await_delivery(&body, &queue, limit)?;
        }
        Ok(())
    }

    fn await_delivery(&self, body: &str, queue: &MessageQueue, limit: Duration) -> Result<(), Broken> {
        let scene = &self.scene;
        let is_delivered = || {
            let entries = scene.ledger.lock();
            let consumed = entries.consumed.get(body);
            if scene.options.is_broadcasting() {
                let members = scene.members();
                return members.keys().all(|member| consumed.is_some_and(|by| by.contains_key(member)));
            }
            consumed.is_some()
        };
        let begin: Instant = scene.now();
        while !is_delivered() {
            if scene.now() > begin + limit {
                let members = scene.members();
                let statuses = members.iter().flat_map(|(number, member)| {
                    let queues = member.consumer.status().queues.into_iter();
                    queues.filter(|known| known.queue == *queue).map(move |known| (number, known))
                });
                let status: Vec<_> = statuses.collect();
                return self.found("no-queue-stands", format!("{body} to {queue}: not within {limit:?}; {status:?}"));
            }
            self.within(SECOND, "time passes", scene.sleep(Duration::from_millis(20)))?;
        }
        Ok(())
    }

    /// A member comes, and one goes just then.
    fn hand_over(&mut self, round: u32) -> Result<(), Broken> {
        let scene = Arc::clone(&self.scene);
        if scene.options.is_broadcasting() {
            return Ok(());
        }
        if self.random.below(2) == 0 {
            trouble::late_locks(&scene, &mut self.random);
        }
        let mut seat = self.seat(60 + round);
        let new = self.within(30 * SECOND, "a member starts", seat.join(&scene))?;
        if scene.options.following.awaits_ready && self.world.seed().is_multiple_of(2) {
            // Nobody else asks meanwhile.
            let ended = self.within(scene.options.hand_over(), "a member is ready", new.consumer.ready())?;
            ended.or_else(|error| self.found("ready-is-true", format!("a new member: {error:?}")))?;
        }
        drop(new);
        // The new one too, which may just be asking for its locks.
        let old = scene.any_member(&mut self.random);
        let pause = between(&mut self.random, Duration::ZERO, 3 * SECOND);
        self.watch(pause)?;
        if let Some((number, member)) = old {
            scene.members().remove(&number);
            self.within(30 * SECOND, "a member closes", member::close(&scene, number, member))?;
        }
        self.probe(scene.options.hand_over())?;
        self.watch(25 * SECOND)?;
        self.probe(scene.options.hand_over())
    }

    /// Everybody goes, and nothing is left.
    fn close(&self) -> Result<(), Broken> {
        let scene = &self.scene;
        let members = std::mem::take(&mut *scene.members());
        for (number, member) in members {
            self.within(40 * SECOND, "a member closes", member::close(scene, number, member))?;
        }
        if let Some(sender) = scene.sender() {
            scene.set_sender(None);
            let (machine, client) = (Arc::clone(&sender.machine), sender.client.clone());
            drop(sender);
            self.within(20 * SECOND, "the sender closes", client.close())?;
            if machine.tasks() > 0 {
                return self.found("a-closed-client-leaves-no-task", format!("{} of the sender", machine.tasks()));
            }
        }
        // Whoever was at it while its consumer closed hears the rest afterwards.
        let listening = scene.options.following.rest();
        self.within(listening + 2 * SECOND, "time passes", scene.sleep(listening + SECOND))?;
        scene.ears().iter().for_each(|ear| ear.is_closed());
        self.broken()?;
        let links = self.world.network().links();
        if links > 0 && !scene.options.has_any(&[Kind::Deaths, Kind::EarlyEnd]) {
            return self.found("a-closed-client-leaves-no-connection", format!("{links} links"));
        }
        match self.world.panics().into_iter().find(|words| words != DRAWN) {
            Some(words) => self.found("nothing-panics", words),
            None => Ok(()),
        }
    }
}

/// The hash of what happens in the history of a seed, and whether code of users panics in it.
pub(crate) fn trace(seed: u64) -> (u64, bool) {
    HAS_PANICKED.set(false);
    let mut history = History::new(seed);
    let _ = history.play();
    (history.world.trace_hash(), HAS_PANICKED.get())
}

fn find(seed: u64) -> Vec<Finding> {
    let mut history = History::new(seed);
    println!("{PLAN}[{:?}]", history.scene.options);
    // What broke is in the ledger.
    let _ = history.play();
    let panics = history.world.panics().into_iter().filter(|words| words != DRAWN);
    let mut found: Vec<Finding> = panics.map(|words| Finding::new("nothing-panics", words)).collect();
    found.extend(history.scene.ledger.findings());
    for finding in &mut found {
        finding.what = format!("{} [{:?}]", finding.what, history.scene.options);
    }
    found
}

#[test]
fn whatever_happens_to_consumers_they_are_well_again_and_nothing_is_lost() {
    seeds::run("consuming::whatever_happens_to_consumers_they_are_well_again_and_nothing_is_lost", 100, 2_000, find);
}

#[test]
fn a_history_is_the_same_every_time() {
    for seed in 7..11 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}
