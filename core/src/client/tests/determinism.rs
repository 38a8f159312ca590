//! Whatever the world does: the same inputs give the same outputs, and every operation ends once and in its time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::scene::ms;
use super::servers::{Reach, Reply, stored};
use super::*;
use crate::admin::{Placement, TopicSettings};
use crate::client::PullConsumerId;
use crate::consumer::{MessageSelector, PullOptions};
use crate::queue::MessageQueue;
use crate::time::{Duration, Instant};
use crate::wire::code::{RequestCode, ResponseCode};

/// What a user or the world does.
#[derive(Clone, Debug)]
enum Step {
    Send { timeout: u64, size: usize },
    Oneway,
    Pull { wait: u64 },
    Queues,
    Offset,
    Connect,
    Create,
    Delete,
    Statistics,
    Cancel(prop::sample::Index),
    Reach(usize, Reach),
    Mute(usize, bool),
    Read(usize, bool),
    Slow(usize, u64),
    Refuse(usize, i32),
    Cut(usize),
    Route(usize),
    NameServers(usize),
    Pass(u64),
}

const SERVERS: [&str; 4] = ["ns:1", "ns:2", "a:1", "b:1"];
/// What the topic's route is in turn: the brokers it names.
const ROUTES: [&[&str]; 4] = [&["a", "b"], &["a"], &[], &["b"]];

/// What may happen beside the passing of time.
fn kinds() -> Vec<BoxedStrategy<Step>> {
    let server = || 0..SERVERS.len();
    let reach = prop_oneof![Just(Reach::Accepts), Just(Reach::Refuses), Just(Reach::Vanishes)];
    let code = prop_oneof![Just(0), Just(1), Just(2), Just(16)];
    vec![
        (1_u64..4000, 1_usize..3000).prop_map(|(timeout, size)| Step::Send { timeout, size }).boxed(),
        (1_u64..4000, 1_usize..3000).prop_map(|(timeout, size)| Step::Send { timeout, size }).boxed(),
        Just(Step::Oneway).boxed(),
        (0_u64..3000).prop_map(|wait| Step::Pull { wait }).boxed(),
        Just(Step::Queues).boxed(),
        Just(Step::Offset).boxed(),
        Just(Step::Connect).boxed(),
        Just(Step::Create).boxed(),
        Just(Step::Delete).boxed(),
        Just(Step::Statistics).boxed(),
        any::<prop::sample::Index>().prop_map(Step::Cancel).boxed(),
        (server(), reach).prop_map(|(at, reach)| Step::Reach(at, reach)).boxed(),
        (server(), any::<bool>()).prop_map(|(at, mute)| Step::Mute(at, mute)).boxed(),
        (server(), any::<bool>()).prop_map(|(at, reads)| Step::Read(at, reads)).boxed(),
        (server(), 0_u64..2000).prop_map(|(at, after)| Step::Slow(at, after)).boxed(),
        (2..SERVERS.len(), code).prop_map(|(at, code)| Step::Refuse(at, code)).boxed(),
        server().prop_map(Step::Cut).boxed(),
        (0..ROUTES.len()).prop_map(Step::Route).boxed(),
        (0_usize..3).prop_map(Step::NameServers).boxed(),
    ]
}

/// A history. Each knows a few kinds of steps only, so that the rare meetings of two are not drowned by the others.
fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let passing = || prop_oneof![0_u64..100, 0_u64..5000, 0_u64..40_000].prop_map(Step::Pass).boxed();
    prop::sample::subsequence(kinds(), 2..=19).prop_flat_map(move |kinds| {
        let passing = (kinds.len() as u32, passing());
        let kinds = kinds.into_iter().map(|kind| (2, kind));
        proptest::collection::vec(prop::strategy::Union::new_weighted(kinds.chain([passing]).collect()), 0..most)
    })
}

/// A scene, what is under way in it, and until when that has to be over.
struct Life {
    scene: Scene,
    producer: ProducerId,
    consumer: PullConsumerId,
    under_way: BTreeMap<OperationId, Instant>,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let mut config = ClientConfig::new(parse_list("ns:1;ns:2").unwrap());
        config.connection.high_water = 10_000;
        config.connection.low_water = 5000;
        let mut scene = Scene::new(config, seed);
        SERVERS.iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", ROUTES[0], 2);
        let limits = ProducerConfig { max_waiting_messages: 20, ..ProducerConfig::default() };
        let producer = start_producer(&mut scene, limits);
        let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
        Self { scene, producer, consumer, under_way: BTreeMap::new() }
    }

    fn note(&mut self, operation: impl Into<OperationId>, time: u64) {
        let operation = operation.into();
        let end = self.scene.now.mono + ms(time);
        assert!(self.under_way.insert(operation, end).is_none(), "{operation:?} is given out twice");
    }

    /// Picks up what is over, and sees that nothing else should be.
    fn check(&mut self) {
        self.scene.settle();
        for event in core::mem::take(&mut self.scene.events) {
            if let Event::Completed { operation, .. } = event {
                assert!(self.under_way.remove(&operation).is_some(), "{operation:?} completed, nobody knows why");
            }
        }
        for (operation, end) in &self.under_way {
            assert!(*end > self.scene.now.mono, "{operation:?} has used up its time and is still under way");
        }
    }

    fn take(&mut self, step: &Step) {
        let now = self.scene.now;
        let client = &mut self.scene.client;
        let queue = || MessageQueue::new("T", "a", 0);
        match step {
            Step::Send { timeout, size } => {
                let options = SendOptions { timeout: Some(ms(*timeout)), ..SendOptions::default() };
                match client.send(now, self.producer, Message::new("T", vec![7; *size]), options) {
                    Ok(operation) => self.note(operation, *timeout),
                    Err(refused) => assert_eq!(refused.error.kind(), ErrorKind::Full),
                }
            }
            Step::Oneway => {
                if let Ok(operation) = client.send_oneway(now, self.producer, message(), SendOptions::default()) {
                    self.note(operation, 3000);
                }
            }
            Step::Pull { wait } => {
                let options = PullOptions { wait: ms(*wait), timeout: ms(2000), ..PullOptions::default() };
                let operation = client.pull(now, self.consumer, queue(), MessageSelector::all(), 0, options);
                self.note(operation, wait + 2000);
            }
            Step::Queues => {
                let operation = client.queues(now, "T");
                self.note(operation, 3000);
            }
            Step::Offset => {
                let operation = client.max_offset(now, queue());
                self.note(operation, 3000);
            }
            Step::Connect => {
                let operation = client.connect(now);
                self.note(operation, 3000);
            }
            Step::Create => {
                let operation = client.create_topic(now, "U", TopicSettings::default(), Placement::Everywhere);
                self.note(operation, 6000);
            }
            Step::Delete => {
                let operation = client.delete_topic(now, "T", Placement::Everywhere);
                self.note(operation, 6000);
            }
            Step::Statistics => {
                let operation = client.topic_statistics(now, "T");
                self.note(operation, 6000);
            }
            Step::Cancel(which) => {
                if !self.under_way.is_empty() {
                    let operation = *which.get(&self.under_way.keys().copied().collect::<Vec<_>>());
                    client.cancel(now, operation);
                    self.under_way.remove(&operation);
                }
            }
            Step::NameServers(count) => client
                .handle_name_servers(now, ["ns:1", "ns:2"][..*count].iter().map(|at| at.parse().unwrap()).collect()),
            world => self.change(world),
        }
        self.check();
    }

    fn change(&mut self, step: &Step) {
        let scene = &mut self.scene;
        match step {
            Step::Reach(at, reach) => scene.server(SERVERS[*at]).reach = *reach,
            Step::Mute(at, is_mute) => scene.server(SERVERS[*at]).is_mute = *is_mute,
            Step::Read(at, reads) => scene.set_reading(SERVERS[*at], *reads),
            Step::Slow(at, after) => {
                let after = ms(*after);
                scene.server(SERVERS[*at]).opens_after = after;
                scene.on(SERVERS[*at], RequestCode::SEND_MESSAGE_V2, move |asked| Some(stored(asked).after(after)));
            }
            Step::Refuse(at, code) => {
                let code = ResponseCode(*code);
                scene.on(SERVERS[*at], RequestCode::SEND_MESSAGE_V2, move |_| Some(Reply::code(code)));
            }
            Step::Cut(at) => scene.cut(SERVERS[*at], "reset"),
            Step::Route(number) => scene.book.route("T", ROUTES[*number], 2),
            Step::Pass(time) => {
                // In steps, so that what is over its time is seen when it is.
                for _ in 0..10 {
                    self.scene.run_for(ms(*time) / 10);
                    self.check();
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Ends the world's faults: whatever happened, the client works again.
    fn recover(&mut self) {
        for at in SERVERS {
            self.scene.set_reading(at, true);
            let server = self.scene.server(at);
            (server.reach, server.is_mute, server.opens_after) = (Reach::Accepts, false, ms(0));
            server.scripts.clear();
        }
        self.scene.book.route("T", ROUTES[0], 2);
        self.scene.client.handle_name_servers(self.scene.now, parse_list("ns:1;ns:2").unwrap());
        self.scene.run_for(ms(65_000));
        self.check();
        assert!(self.under_way.is_empty());
        assert_eq!(
            self.scene.client.backlog(self.producer).map(|backlog| (backlog.messages, backlog.bytes)),
            Some((0, 0))
        );
        assert!(send_and_wait(&mut self.scene, self.producer).is_ok());
    }

    fn close(&mut self) {
        self.scene.client.close(self.scene.now, ms(1000));
        self.scene.run_for(ms(1500));
        assert!(took(&mut self.scene, |event| matches!(event, Event::Closed)));
        assert_eq!(self.scene.client.poll_timeout(), None);
        assert!(SERVERS.iter().all(|at| self.scene.links_to(at).is_empty()));
    }
}

fn live(seed: u64, steps: &[Step]) -> String {
    let mut life = Life::begin(seed);
    steps.iter().for_each(|step| life.take(step));
    life.recover();
    life.close();
    life.scene.trace
}

proptest! {
    #[test]
    fn every_operation_ends_once_and_in_its_time_and_the_client_recovers(
        seed in any::<u64>(),
        steps in steps(60),
    ) {
        live(seed, &steps);
    }

    #[test]
    fn the_same_inputs_and_seed_give_the_same_bytes(
        seed in any::<u64>(),
        steps in steps(30),
    ) {
        prop_assert!(live(seed, &steps) == live(seed, &steps));
    }

    #[test]
    fn a_client_can_be_closed_at_any_moment(steps in steps(30)) {
        let mut life = Life::begin(1);
        steps.iter().for_each(|step| life.take(step));
        life.close();
    }
}

/// Times at the edges of what can be said.
fn time() -> impl Strategy<Value = Duration> {
    let edges =
        [Duration::ZERO, Duration::from_nanos(500), Duration::from_micros(1), ms(1), ms(50), ms(3000), Duration::MAX];
    prop::sample::select(edges.to_vec())
}

proptest! {
    #[test]
    fn a_client_survives_any_times(
        times in proptest::collection::vec(time(), 11),
        is_away in any::<bool>(),
    ) {
        let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
        let connection = &mut config.connection;
        let client = [
            &mut config.request_timeout,
            &mut config.route_interval,
            &mut config.heartbeat_interval,
            &mut config.wait_for_servers,
            &mut connection.connect_timeout,
            &mut connection.idle_timeout,
            &mut connection.unresponsive_after,
            &mut connection.least_pause,
            &mut connection.most_pause,
        ];
        client.into_iter().zip(&times).for_each(|(known, time)| *known = *time);
        let is_refused = config.check().is_err();
        let is_short = |time: &Duration| *time < crate::client::LEAST_TIME;
        prop_assert_eq!(is_refused, [0, 1, 2, 4, 5, 7].iter().any(|at| is_short(&times[*at])));
        let mut scene = Scene::new(config, 1);
        ["ns:1", "a:1"].iter().for_each(|at| _ = scene.server(at));
        scene.book.route("T", &["a"], 2);
        if is_away {
            scene.server("a:1").reach = Reach::Refuses;
            scene.server("ns:1").is_mute = true;
        }
        // None at all is refused.
        let [send, one_try] = [times[9], times[10]].map(|time| time.max(Duration::from_nanos(1)));
        let limits = ProducerConfig { send_timeout: send, try_timeout: Some(one_try), ..ProducerConfig::default() };
        let producer = start_producer(&mut scene, limits);
        let now = scene.now;
        scene.client.connect(now);
        for _ in 0..3 {
            _ = scene.client.send(now, producer, message(), SendOptions::default());
        }
        scene.client.max_offset(now, MessageQueue::new("T", "a", 0));
        scene.client.create_topic(now, "U", TopicSettings::default(), Placement::Everywhere);
        scene.run_for(ms(300));
        scene.client.close(scene.now, times[0]);
        scene.run_for(ms(100));
        scene.client.close(scene.now, ms(0));
    }
}

#[test]
fn another_seed_gives_other_choices() {
    let steps = [Step::Send { timeout: 3000, size: 10 }, Step::Pass(100)];
    assert_ne!(live(1, &steps), live(2, &steps));
}
