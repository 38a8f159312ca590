//! What TCP does not promise: that an end hears of the other's end.

use std::sync::Arc;

use stgclient_core::time::Duration;
use stgclient_servers::{ClusterConfig, Memory, ServerId};
use stgclient_simulator::{ClusterHandle, Direction, Machine, Patience, World};

use super::wire::{Wire, send};

const NAME_SERVER: &str = "10.0.0.1:9876";
const BROKER: &str = "10.0.1.1:10911";
const SECOND: Duration = Duration::from_secs(1);

fn world() -> (World, ClusterHandle, Arc<Machine>) {
    let world = World::new(11);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
    let machine = world.machine();
    (world, cluster, machine)
}

/// Whether nothing comes of a future for so long.
fn is_silent<T>(world: &World, time: Duration, future: impl Future<Output = T>) -> bool {
    world.try_block_on(Patience { time, ..Patience::default() }, future).is_err()
}

#[test]
fn a_reset_behind_a_partition_is_lost_and_the_link_is_half_open_until_somebody_writes() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        world.network().partition(BROKER, true);
        cluster.stop(ServerId::Broker(0));
        cluster.start(ServerId::Broker(0), Memory::Kept);
        machine.sleep(SECOND).await;
        world.network().partition(BROKER, false);
        assert!(is_silent(&world, 600 * SECOND, wire.read()), "nobody says it again");
        assert_eq!(wire.ask(&send("t"), b"x").await.err(), Some("connection reset"), "who is asked does not know us");
    });
    world.run_for(SECOND);
    assert_eq!(world.network().links(), 0);
}

#[test]
fn a_reset_in_between_that_one_end_hears_leaves_the_other_half_open() {
    let (world, cluster, machine) = world();
    let ip = machine.ip().to_string();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        world.network().partition(&ip, true);
        world.network().reset(BROKER);
        machine.sleep(SECOND).await;
        world.network().partition(&ip, false);
        assert!(wire.ask(&send("t"), b"x").await.is_ok(), "neither end has heard of it");
    });
    let _ = cluster;
}

#[test]
fn a_server_that_loses_its_power_says_nothing_and_resets_old_links_when_it_is_back() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        let mut idle = Wire::open(&machine, BROKER).await.unwrap();
        cluster.lose_power(ServerId::Broker(0));
        wire.write(&send("t"), b"x").await.unwrap();
        assert!(is_silent(&world, 600 * SECOND, wire.read()));
        let mut opening = Box::pin(Wire::open(&machine, BROKER));
        assert!(is_silent(&world, 600 * SECOND, &mut opening), "an attempt to connect is not decided");
        cluster.start(ServerId::Broker(0), Memory::Kept);
        assert_eq!(wire.read().await.err(), Some("connection reset"));
        assert!(is_silent(&world, 600 * SECOND, idle.read()), "nothing was sent on this one");
        assert!(opening.await.unwrap().ask(&send("t"), b"x").await.is_ok());
    });
}

#[test]
fn healing_the_network_gives_no_power_back_and_healing_the_cluster_does() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        cluster.lose_power(ServerId::NameServer(0));
        world.network().heal();
        assert!(is_silent(&world, 60 * SECOND, Wire::open(&machine, NAME_SERVER)));
        cluster.heal();
        assert!(Wire::open(&machine, NAME_SERVER).await.unwrap().ask_cluster().await.is_ok());
    });
}

#[test]
fn a_server_closes_what_is_idle_and_nothing_else() {
    let (world, cluster, machine) = world();
    cluster.close_idle(Some(120 * SECOND));
    world.block_on(async {
        let mut idle = Wire::open(&machine, NAME_SERVER).await.unwrap();
        let mut used = Wire::open(&machine, NAME_SERVER).await.unwrap();
        let begin = world.now().mono;
        for _ in 0..5 {
            machine.sleep(30 * SECOND).await;
            assert!(used.ask_cluster().await.is_ok());
        }
        assert_eq!(idle.read().await.err(), Some("ended"));
        machine.sleep_to(begin + 300 * SECOND).await;
        assert_eq!(used.read().await.err(), Some("ended"), "150 s of use and 120 s without");
        cluster.close_idle(None);
        let mut last = Wire::open(&machine, NAME_SERVER).await.unwrap();
        machine.sleep(600 * SECOND).await;
        assert!(last.ask_cluster().await.is_ok());
    });
}

#[test]
fn a_connection_behind_a_partition_is_idle_too() {
    let (world, cluster, machine) = world();
    cluster.close_idle(Some(120 * SECOND));
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        let ip = machine.ip().to_string();
        world.network().partition(&ip, true);
        machine.sleep(130 * SECOND).await;
        world.network().partition(&ip, false);
        assert_eq!(wire.read().await.err(), Some("ended"), "the end of it is sent again");
    });
}

#[test]
fn a_delay_lengthens_connecting_by_a_way_there_and_one_back() {
    for whose in [NAME_SERVER, "10.1.0.1"] {
        let (world, _, machine) = world();
        assert_eq!(machine.ip().to_string(), "10.1.0.1");
        world.network().delay(whose, SECOND);
        let begin = world.now().mono;
        world.block_on(Wire::open(&machine, NAME_SERVER)).unwrap();
        assert_eq!(world.now().mono.since(begin), 2 * SECOND + Duration::from_micros(200));
    }
}

#[test]
fn each_link_counts_its_own_bytes_towards_a_break() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut first = Wire::open(&machine, BROKER).await.unwrap();
        let mut second = Wire::open(&machine, BROKER).await.unwrap();
        world.network().break_after(BROKER, Direction::ToServer, 3_000);
        // Together they carry more than that, each of them less.
        for wire in [&mut first, &mut second] {
            assert!(wire.ask(&send("t"), &[1; 2_000]).await.is_ok());
        }
        assert_eq!(first.ask(&send("t"), &[1; 2_000]).await.err(), Some("connection reset"));
        assert!(second.ask(&send("t"), &[1; 2_000]).await.is_ok(), "the first that comes so far, and no other");
        let mut third = Wire::open(&machine, BROKER).await.unwrap();
        assert!(third.ask(&send("t"), &[1; 9_000]).await.is_ok());
    });
}
