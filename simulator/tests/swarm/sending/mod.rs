//! Seeded histories: clients send, pull, commit and come and go while everything fails around them; then the world heals,
//! and it must converge. What a history is, a seed decides, so that one that fails can be looked at again.

mod ledger;
mod reader;
mod sender;
mod trouble;

use std::sync::Arc;

use stgclient::Client;
use stgclient::simulator::Clients as _;
use stgclient_core::random::Random;
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::command::HeaderCodec;
use stgclient_core::wire::dialect::Dialect;
use stgclient_servers::ClusterConfig;
use stgclient_simulator::{ClusterHandle, Faults, Machine, World};

use super::seeds::{self, Finding, PLAN};
use ledger::Ledger;

const SECOND: Duration = Duration::from_secs(1);
/// For how long things go wrong.
const TROUBLE: Duration = Duration::from_secs(30);
/// After this long without trouble everything has to be as if there had been none: the longest pause before a connection is
/// made again, and a refresh of the routes.
const RECOVERY: Duration = Duration::from_secs(65);
const BROKERS: u8 = 3;
const QUEUES: u32 = 4;
const TOPIC: &str = "t";
pub(crate) const DIALECTS: [Dialect; 2] = [Dialect::Apache, Dialect::Smartgo];

/// One history under way.
struct History {
    world: World,
    cluster: ClusterHandle,
    ledger: Arc<Ledger>,
}

/// A client's place in a history: who it is and by which chance it acts.
struct Seat {
    number: u8,
    machine: Arc<Machine>,
    cluster: ClusterHandle,
    dialect: Dialect,
    ledger: Arc<Ledger>,
    random: Random,
    /// Nobody begins anything new afterwards.
    end: Instant,
}

impl Seat {
    fn is_over(&self) -> bool {
        self.machine.clock().mono >= self.end
    }

    async fn pause(&mut self, most: Duration) {
        let micros = self.random.below(most.as_micros() as u64);
        self.machine.sleep(Duration::from_micros(micros)).await;
    }

    /// Starts a client, as often as it takes.
    async fn client(&mut self) -> Client {
        loop {
            let begin = self.machine.clock().mono;
            let builder = self.machine.client(&self.cluster);
            let codec = match (self.random.below(2), self.dialect) {
                (0, _) | (_, Dialect::Smartgo) => HeaderCodec::Json,
                (_, Dialect::Apache) => HeaderCodec::Binary,
            };
            let started = builder.dialect(self.dialect).header_codec(codec).connect().await;
            self.ledger.took("connect", self.machine.clock().mono.since(begin), 3 * SECOND + CLOSING);
            match started {
                Ok(client) => return client,
                Err(error) => self.ledger.failed("connect", &error),
            }
            self.pause(SECOND).await;
        }
    }

    async fn close(&self, client: Client) {
        let begin = self.machine.clock().mono;
        client.close().await;
        self.ledger.took("close", self.machine.clock().mono.since(begin), CLOSING);
    }
}

/// The longest that a client may take to close: its sends' time, and the brokers' to say good-bye.
const CLOSING: Duration = Duration::from_millis(5_500);

fn history(seed: u64, dialect: Dialect) -> History {
    let world = World::new(seed);
    let mut config = ClusterConfig::with_servers(2, BROKERS);
    config.dialect = dialect;
    let cluster = world.cluster(config);
    cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, QUEUES).unwrap()));
    let history = History { world, cluster, ledger: Arc::default() };
    let mut random = Random::new(seed ^ 0x5157_4152_4D00_0000);
    let seats = 2 + random.below(2) as u8;
    let end = history.world.now().mono + TROUBLE;
    let seat = |number: u8, salt: u64| Seat {
        number,
        machine: history.world.machine(),
        cluster: history.cluster.clone(),
        dialect,
        ledger: Arc::clone(&history.ledger),
        random: Random::new(seed ^ u64::from(number) << 32 ^ salt),
        end,
    };
    history.world.network().set_faults(Faults::drawn(seed));
    for number in 0..seats {
        history.world.spawn(sender::run(seat(number, 1)));
        history.world.spawn(reader::run(seat(number, 2)));
    }
    history.world.spawn(trouble::run(seat(99, 3), history.world.network()));

    history.world.run_for(TROUBLE);
    history.world.network().heal();
    history.cluster.heal();
    history.world.run_for(RECOVERY);
    assert_eq!(history.ledger.at_work(), 0, "[what-is-begun-ends]");
    history.world.run_for(SECOND);
    assert_eq!((history.world.tasks(), history.world.network().links()), (0, 0), "[a-closed-client-leaves-nothing]");

    let all = history.world.block_on(reader::everything(seat(100, 4)));
    history.ledger.check(dialect, &all);
    history.world.run_for(SECOND);
    assert_eq!((history.world.tasks(), history.world.network().links()), (0, 0), "[a-closed-client-leaves-nothing]");
    history
}

/// The hash of what happens in a history.
pub(crate) fn trace(seed: u64, dialect: Dialect) -> u64 {
    history(seed, dialect).world.trace_hash()
}

/// What is wrong panics, in words that begin with the rule.
fn find(seed: u64) -> Vec<Finding> {
    let dialect = DIALECTS[seed as usize % 2];
    println!("{PLAN}[{dialect}]");
    history(seed, dialect);
    Vec::new()
}

#[test]
fn whatever_goes_wrong_calls_end_in_time_and_what_was_acknowledged_is_there_once_all_is_well() {
    let test = "sending::whatever_goes_wrong_calls_end_in_time_and_what_was_acknowledged_is_there_once_all_is_well";
    seeds::run(test, 48, 2_000, find);
}

#[test]
fn histories_do_something_and_are_the_same_every_time() {
    let mut totals = ledger::Totals::default();
    let seeds = 4;
    for (seed, dialect) in (0..seeds).flat_map(|seed| DIALECTS.map(|dialect| (seed, dialect))) {
        let hash = trace(seed, dialect);
        let again = history(seed, dialect);
        assert_eq!(hash, again.world.trace_hash(), "seed {seed}, {dialect}: the same seed, the same history");
        totals.add(&again.ledger);
    }
    println!("{totals:?}");
    totals.check(seeds * DIALECTS.len() as u64);
}
