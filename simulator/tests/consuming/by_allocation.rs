//! Orderly consumption where brokers grant no locks (smartgo's): a queue is a member's by allocation alone, and a new owner
//! begins only when the old one must have stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stgclient::simulator::Clients as _;
use stgclient::{Client, PushConsumer, SuspendCurrentQueue};
use stgclient_core::client::ClientConfig;
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced, Memory, ServerId};
use stgclient_simulator::Machine;

use super::stage::{SECOND, Stage, TOPIC, member, shares};

const BROKER: &str = "10.0.1.1:10911";
/// For how long what members hear of each other counts.
const CLAIM: Duration = Duration::from_secs(30);
/// How long a new owner waits.
const WAIT: Duration = Duration::from_secs(35);
/// What follows it: the members are asked for once more, and the group's offset.
const SOON: Duration = Duration::from_secs(3);
/// How long a message takes.
const WORK: Duration = Duration::from_millis(100);

/// A delivery: whose, of which queue, and when it was in hand.
#[derive(Clone, Debug)]
struct Work {
    member: u32,
    queue: u32,
    offset: u64,
    begin: Instant,
    end: Option<Instant>,
}

/// All deliveries, in the order in which they began.
#[derive(Clone, Default)]
struct Works(Arc<Mutex<Vec<Work>>>);

impl Works {
    fn all(&self) -> Vec<Work> {
        self.0.lock().unwrap().clone()
    }

    /// When a member's first delivery began since a moment, of one queue or of any.
    fn first(&self, member: u32, queue: Option<u32>, since: Instant) -> Option<Instant> {
        let is_one = |work: &&Work| {
            work.member == member && work.begin >= since && queue.is_none_or(|queue| queue == work.queue)
        };
        self.all().iter().find(is_one).map(|work| work.begin)
    }

    /// When a member's last delivery began.
    fn last(&self, member: u32) -> Instant {
        self.all().iter().rfind(|work| work.member == member).expect("it had some").begin
    }

    /// When the last delivery of a queue began.
    fn last_of(&self, queue: u32) -> Instant {
        self.all().iter().rfind(|work| work.queue == queue).expect("it had some").begin
    }

    /// The longest time in which nothing of a queue began that ended since a moment.
    fn longest_rest(&self, queue: u32, since: Instant) -> Duration {
        let works = self.all();
        let begins: Vec<Instant> = works.iter().filter(|work| work.queue == queue).map(|work| work.begin).collect();
        let rests = begins.windows(2).filter(|pair| pair[1] >= since).map(|pair| pair[1].since(pair[0]));
        rests.max().expect("there were some")
    }

    /// How often a queue has gone from one member to another.
    fn changes(&self, queue: u32) -> usize {
        let works = self.all();
        let members: Vec<u32> = works.iter().filter(|work| work.queue == queue).map(|work| work.member).collect();
        members.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    /// One at a time, in the order of the offsets, none left out.
    fn assert_in_order(&self) {
        let mut last: BTreeMap<u32, Work> = BTreeMap::new();
        let mut next: BTreeMap<u32, u64> = BTreeMap::new();
        for work in self.all() {
            if let Some(before) = last.get(&work.queue) {
                assert!(before.end.is_some_and(|end| end <= work.begin), "{before:?} and {work:?}");
            }
            let next = next.entry(work.queue).or_default();
            assert!(work.offset <= *next, "queue {}: {next} is left out: {work:?}", work.queue);
            *next = (*next).max(work.offset + 1);
            last.insert(work.queue, work);
        }
    }
}

/// How many queues each broker has of the topic.
const QUEUES: u32 = 2;

/// Smartgo's servers, a topic of two queues at each broker, and messages a few times a second to each.
struct Scene {
    stage: Stage,
    works: Works,
}

impl Scene {
    fn new() -> Self {
        Self::of_brokers(1)
    }

    fn of_brokers(brokers: u8) -> Self {
        Self { stage: Stage::of_smartgo(brokers, QUEUES), works: Works::default() }
    }

    fn now(&self) -> Instant {
        self.stage.world.now().mono
    }

    async fn keep_sending(&self) {
        let client = self.stage.client().await;
        let producer = client.producer("shop").start().await.unwrap();
        let machine = Arc::clone(&self.stage.machine);
        self.stage.machine.spawn(async move {
            let _client = client;
            for number in 0_u32.. {
                // It may be lost while its broker is away.
                let _ = producer.send(Message::new(TOPIC, number.to_string())).await;
                machine.sleep(SECOND / 8).await;
            }
        });
    }

    /// Messages keep coming, and the only member of a new group consumes them.
    async fn first_member(&self) -> (Arc<Machine>, Client, PushConsumer) {
        self.keep_sending().await;
        let member = self.join(0).await;
        self.until_first(SOON, 0, None, Instant::default()).await;
        member
    }

    /// A member on a machine of its own.
    async fn join(&self, number: u32) -> (Arc<Machine>, Client, PushConsumer) {
        self.join_with(number, |_| {}).await
    }

    /// The same, configured otherwise.
    async fn join_with(
        &self,
        number: u32,
        change: impl FnOnce(&mut ClientConfig),
    ) -> (Arc<Machine>, Client, PushConsumer) {
        let machine = self.stage.world.machine();
        let builder = machine.client(&self.stage.cluster).dialect(self.stage.dialect);
        let client = builder.configure(change).connect().await.expect("a name server answers");
        let (works, clock) = (self.works.clone(), Arc::clone(&machine));
        let consumer = member(&client).orderly(move |message| {
            let (works, clock) = (works.clone(), Arc::clone(&clock));
            async move {
                let index = {
                    let mut works = works.0.lock().unwrap();
                    let (queue, offset) = (number_of(message.queue()), message.queue_offset());
                    works.push(Work { member: number, queue, offset, begin: clock.clock().mono, end: None });
                    works.len() - 1
                };
                clock.sleep(WORK).await;
                works.0.lock().unwrap()[index].end = Some(clock.clock().mono);
                Ok::<(), SuspendCurrentQueue>(())
            }
        });
        (machine, client, consumer.start().await.unwrap())
    }

    async fn until_first(&self, limit: Duration, member: u32, queue: Option<u32>, since: Instant) -> Instant {
        self.stage.until(limit, "its first delivery", || self.works.first(member, queue, since).is_some()).await;
        self.works.first(member, queue, since).expect("it has come")
    }
}

/// Queues are counted through all brokers.
fn number_of(queue: &MessageQueue) -> u32 {
    queue.queue_id + if &*queue.broker_name == "broker-b" { QUEUES } else { 0 }
}

#[test]
fn a_new_group_begins_at_once_and_one_that_comes_back_when_the_member_before_it_must_have_stopped() {
    let scene = Scene::new();
    scene.stage.play(async {
        let (_, _client, first) = scene.first_member().await;
        scene.stage.sleep(5 * SECOND).await;
        assert!(first.close().await.is_empty());

        let (began, (_, _other, _next)) = (scene.now(), scene.join(1).await);
        let at = scene.until_first(WAIT + SOON, 1, None, began).await;
        assert!(at.since(began) >= WAIT, "after {:?}", at.since(began));
        scene.works.assert_in_order();
    });
}

#[test]
fn a_queue_that_moves_rests_until_the_old_owner_must_have_stopped_and_the_one_that_stays_goes_on() {
    let scene = Scene::new();
    scene.stage.play(async {
        let (_, _client, first) = scene.first_member().await;
        scene.stage.sleep(5 * SECOND).await;
        let (came, (_, _other, second)) = (scene.now(), scene.join(1).await);
        let at = scene.until_first(WAIT + SOON, 1, None, came).await;
        assert!(at.since(came) >= WAIT, "after {:?}", at.since(came));
        assert_eq!(shares(&[&first, &second]), [1, 1]);
        scene.stage.sleep(10 * SECOND).await;
        let (stays, moved) = (scene.works.longest_rest(0, came), scene.works.longest_rest(1, came));
        assert!(stays < SECOND && moved >= WAIT - SECOND, "{stays:?} and {moved:?}");

        // And back.
        let left = scene.now();
        assert!(second.close().await.is_empty());
        let at = scene.until_first(WAIT + SOON, 0, Some(1), left).await;
        assert!(at.since(left) >= WAIT, "after {:?}", at.since(left));
        scene.works.assert_in_order();
    });
}

#[test]
fn a_member_that_does_not_know_that_it_is_cut_off_stops_before_another_begins() {
    let scene = Scene::new();
    scene.stage.play(async {
        let (machine, _client, _first) = scene.first_member().await;
        let (_, _other, second) = scene.join(1).await;
        scene.stage.until(WAIT + SOON, "both consume", || shares(&[&second]) == [1]).await;
        // It has fetched more than it can do in the time that it has.
        scene.stage.send_to("broker-a", 0, 0..1000).await;
        scene.stage.sleep(5 * SECOND).await;
        let network = scene.stage.world.network();
        network.partition(&machine.ip().to_string(), true);
        // Its broker is started anew: it is no member any more, and hears nothing of that.
        scene.stage.cluster.stop(ServerId::Broker(0));
        scene.stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        let cut_off = scene.now();
        let at = scene.until_first(WAIT + 2 * SOON, 1, Some(0), cut_off).await;
        let last = scene.works.last(0);
        assert!(last + WORK <= at, "the one cut off began one at {last:?}, the other at {at:?}");
        let stopped = last.since(cut_off);
        assert!(stopped > SECOND && stopped <= CLAIM, "it stopped after {stopped:?}");
        scene.stage.sleep(60 * SECOND).await;
        assert_eq!(scene.works.last(0), last, "nothing more");
    });
}

#[test]
fn a_lost_connection_and_a_broker_that_was_started_anew_cost_no_half_minute() {
    let scene = Scene::new();
    scene.stage.play(async {
        let (_, _client, _first) = scene.first_member().await;
        scene.stage.sleep(5 * SECOND).await;
        scene.stage.world.network().reset(BROKER);
        scene.until_first(2 * SOON, 0, Some(0), scene.now() + SECOND / 10).await;
        scene.until_first(2 * SOON, 0, Some(1), scene.now() + SECOND / 10).await;

        scene.stage.cluster.stop(ServerId::Broker(0));
        scene.stage.sleep(2 * SECOND).await;
        scene.stage.cluster.start(ServerId::Broker(0), Memory::Kept);
        let began = scene.now();
        scene.until_first(2 * SOON, 0, Some(0), began).await;
        scene.until_first(2 * SOON, 0, Some(1), began).await;
    });
}

#[test]
fn a_process_that_stood_still_for_too_long_waits_as_a_new_owner_does() {
    let scene = Scene::new();
    scene.stage.play(async {
        let (machine, _client, _first) = scene.first_member().await;
        scene.stage.sleep(5 * SECOND).await;
        machine.stand_still(40 * SECOND);
        let awake = scene.now() + 40 * SECOND;
        let at = scene.until_first(40 * SECOND + WAIT + SOON, 0, None, awake + WORK).await;
        assert!(at.since(awake) >= WAIT, "it begins {:?} after it woke", at.since(awake));
    });
}

/// Two members on two brokers, and what befalls the first broker, once and again.
fn two_members_while(befalls: impl Fn(&Scene, u32)) {
    for (first, second) in [(10, 34), (15, 34), (20, 40), (25, 45), (29, 58), (31, 50)] {
        let scene = Scene::of_brokers(2);
        scene.stage.play(async {
            scene.keep_sending().await;
            let (_one, _two) = (scene.join(0).await, scene.join(1).await);
            scene.stage.sleep(first * SECOND).await;
            befalls(&scene, first);
            scene.stage.sleep((second - first) * SECOND).await;
            befalls(&scene, second);
            scene.stage.sleep(80 * SECOND).await;
            scene.works.assert_in_order();
            for queue in QUEUES..2 * QUEUES {
                let changes = scene.works.changes(queue);
                assert!(changes <= 1, "queue {queue} of the other broker changes its owner {changes} times");
                assert!(scene.now().since(scene.works.last_of(queue)) < SECOND, "queue {queue} rests for good");
            }
        });
    }
}

#[test]
fn whom_a_broker_misses_keeps_the_queues_of_another_when_connections_are_reset() {
    two_members_while(|scene, _| scene.stage.world.network().reset(BROKER));
}

#[test]
fn whom_a_broker_misses_keeps_the_queues_of_another_when_it_is_started_anew() {
    two_members_while(|scene, _| {
        scene.stage.cluster.stop(ServerId::Broker(0));
        scene.stage.cluster.start(ServerId::Broker(0), Memory::Kept);
    });
}

#[test]
fn a_broker_that_does_not_say_who_its_members_are_stops_no_other_however_long_it_may_take() {
    for seconds in [3, 35] {
        let scene = Scene::of_brokers(2);
        scene.stage.play(async {
            scene.keep_sending().await;
            let _first = scene.join_with(0, |config| config.request_timeout = seconds * SECOND).await;
            scene.stage.sleep(10 * SECOND).await;
            let since = scene.now();
            let lost = Force::requests([RequestCode::GET_CONSUMER_LIST_BY_GROUP], Forced::Lost).times(u32::MAX);
            scene.stage.cluster.broker("broker-b", |broker| broker.force(lost));
            scene.stage.sleep(100 * SECOND).await;
            for queue in 0..QUEUES {
                let (rest, last) = (scene.works.longest_rest(queue, since), scene.works.last_of(queue));
                assert!(rest < 2 * SECOND && scene.now().since(last) < SECOND, "queue {queue} rests {rest:?}");
            }
            assert!(scene.now().since(scene.works.last_of(QUEUES)) > 60 * SECOND, "nobody knows whose they are");
        });
    }
}

#[test]
fn members_that_ask_for_routes_seldom_hear_of_more_queues_all_the_same() {
    let scene = Scene::new();
    scene.stage.play(async {
        scene.keep_sending().await;
        let _first = scene.join(0).await;
        let _second = scene.join_with(1, |config| config.route_interval = 300 * SECOND).await;
        scene.stage.sleep(50 * SECOND).await;
        scene.stage.cluster.broker("broker-a", |broker| broker.create_topic(TOPIC, 2 * QUEUES).unwrap());
        scene.stage.sleep(200 * SECOND).await;
        scene.works.assert_in_order();
    });
}

#[test]
fn a_new_group_delivers_nothing_before_others_see_by_its_offset_that_it_is_there() {
    for refused in [2, u32::MAX] {
        let scene = Scene::new();
        scene.stage.play(async {
            let busy = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], Forced::busy()).times(refused);
            scene.stage.cluster.broker("broker-a", |broker| broker.force(busy));
            scene.stage.send_to("broker-a", 0, 0..1000).await;
            let (machine, _client, _first) = scene.join(0).await;
            scene.stage.sleep(3 * SECOND).await;
            scene.stage.world.network().partition(&machine.ip().to_string(), true);
            scene.stage.cluster.stop(ServerId::Broker(0));
            scene.stage.cluster.start(ServerId::Broker(0), Memory::Kept);
            let _second = scene.join(1).await;
            scene.stage.sleep(60 * SECOND).await;
            scene.works.assert_in_order();
        });
    }
}
