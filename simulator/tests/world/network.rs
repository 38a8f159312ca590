//! What the network does, and what it does when it is told to.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use stgclient_core::time::{Duration, Now};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{GetClusterInfo, ViewMessage};
use stgclient_servers::{ClusterConfig, Force, Forced, Memory, ServerId};
use stgclient_simulator::{ClusterHandle, Direction, Faults, Machine, Patience, Reaction, StuckReason, World};

use super::wire::{Wire, frame, send};

const NAME_SERVER: &str = "10.0.0.1:9876";
const BROKER: &str = "10.0.1.1:10911";
const SECOND: Duration = Duration::from_secs(1);

fn world() -> (World, ClusterHandle, Arc<Machine>) {
    let world = World::new(11);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
    let machine = world.machine();
    (world, cluster, machine)
}

/// A future's result, or `None` when it takes longer than this.
fn within<T>(world: &World, time: Duration, future: impl Future<Output = T>) -> Option<T> {
    match world.try_block_on(Patience { time, ..Patience::default() }, future) {
        Ok(value) => Some(value),
        Err(stuck) => {
            assert_ne!(stuck.reason, StuckReason::Steps);
            None
        }
    }
}

#[test]
fn a_request_takes_the_time_of_its_way_there_and_back() {
    let (world, _, machine) = world();
    let begin = world.now().mono;
    world
        .block_on(async {
            let mut wire = Wire::open(&machine, NAME_SERVER).await?;
            assert_eq!(world.now().mono.since(begin), Duration::from_micros(200), "a connection takes a way and back");
            wire.ask_cluster().await
        })
        .unwrap();
    assert_eq!(world.now().mono.since(begin), Duration::from_micros(400));
}

#[test]
fn a_delay_lengthens_the_way_of_what_is_sent_to_an_address() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        world.network().delay(NAME_SERVER, SECOND);
        let begin = world.now().mono;
        wire.ask_cluster().await.unwrap();
        assert_eq!(world.now().mono.since(begin), 2 * SECOND + Duration::from_micros(200));
    });
}

/// Every fault that neither loses nor ends anything, at its worst.
fn worst() -> Faults {
    let mut faults = Faults::NONE;
    faults.max_latency = Duration::from_millis(30);
    faults.jitter = Duration::from_millis(50);
    faults.cuts = 900;
    faults.stalls = 100;
    faults.max_stall = SECOND;
    faults
}

#[test]
fn bytes_keep_their_order_in_each_direction_wherever_they_are_cut() {
    let (world, cluster, machine) = world();
    world.network().set_faults(worst());
    let bodies: Vec<Vec<u8>> = (0..200_u8).map(|number| vec![number; 1 + usize::from(number) * 7]).collect();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        for body in &bodies {
            wire.write(&send("t"), body).await.unwrap();
        }
        for opaque in 1..=200 {
            let answer = wire.read().await.unwrap();
            assert_eq!((answer.opaque, answer.code), (opaque, 0));
            let offset = answer.fields.get("queueOffset").map(|offset| offset.parse());
            assert_eq!(offset, Some(Ok(opaque - 1)), "the broker saw them in order");
        }
    });
    assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), Some((0, 200)));
}

#[test]
fn what_was_held_up_goes_before_what_comes_just_then() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        world.network().stall(BROKER, Direction::ToServer, true);
        for body in [b"1", b"2"] {
            wire.write(&send("t"), body).await.unwrap();
        }
        machine.sleep(SECOND).await;
        // The stall ends at the very moment at which the third request arrives.
        world.after(Duration::from_micros(100), |world| world.network().stall(BROKER, Direction::ToServer, false));
        wire.write(&send("t"), b"3").await.unwrap();
        for opaque in 1..=3 {
            assert_eq!(wire.read().await.unwrap().opaque, opaque);
        }
    });
}

#[test]
fn a_writer_waits_when_nobody_reads() {
    let (world, _, machine) = world();
    world.block_on(async {
        let wire = Wire::open(&machine, BROKER).await.unwrap();
        world.network().stall(BROKER, Direction::ToServer, true);
        let bytes = frame(&send("t"), 1, &vec![1; 300_000]);
        assert!(within(&world, 10 * SECOND, wire.stream.write(bytes)).is_none());
    });
}

#[test]
fn a_server_does_not_read_on_while_its_client_does_not() {
    let (world, cluster, machine) = world();
    cluster.broker("broker-a", |broker| broker.create_topic("t", 1)).unwrap();
    let other = world.machine();
    let ask_large = |opaque| frame(&ViewMessage { topic: None, offset: 0 }, opaque, &[]);
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        wire.ask(&send("t"), &vec![7; 200_000]).await.unwrap();
        let mut idle = Wire::open(&other, BROKER).await.unwrap();
        for opaque in 1..=50 {
            idle.stream.write(ask_large(opaque)).await.unwrap();
        }
        idle.write(&send("t"), b"last").await.unwrap();
        machine.sleep(SECOND).await;
        assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), Some((0, 1)), "not yet read");
        for _ in 1..=50 {
            assert_eq!(idle.read().await.unwrap().body.len(), wire_length(200_000));
        }
        assert_eq!(idle.read().await.unwrap().code, 0);
        // A client that goes in the middle of it is not waited for.
        for opaque in 1..=50 {
            idle.stream.write(ask_large(opaque)).await.unwrap();
        }
        machine.sleep(SECOND).await;
    });
    world.run_for(SECOND);
    assert_eq!(world.network().links(), 0);
}

/// How long a stored message is with a body of this length, as this test sends it.
fn wire_length(body: usize) -> usize {
    let added = "UNIQ_KEY\u{1}\u{2}".len()
        + 32
        + "MSG_REGION\u{1}DefaultRegion\u{2}TRACE_ON\u{1}true\u{2}CLUSTER\u{1}DefaultCluster\u{2}".len();
    91 + "t".len() + added + body
}

#[test]
fn nobody_listens_or_everybody_is_refused() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        assert_eq!(Wire::open(&machine, "10.0.0.9:1").await.err(), Some("connection refused"));
        world.network().refuse(NAME_SERVER, true);
        assert_eq!(Wire::open(&machine, NAME_SERVER).await.err(), Some("connection refused"));
        world.network().refuse(NAME_SERVER, false);
        assert!(Wire::open(&machine, NAME_SERVER).await.is_ok());
        cluster.stop(ServerId::NameServer(0));
        assert_eq!(Wire::open(&machine, NAME_SERVER).await.err(), Some("connection refused"));
    });
}

#[test]
fn behind_a_partition_nothing_is_decided_and_afterwards_everything_goes_on() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        world.network().partition(NAME_SERVER, true);
        let mut opening = Box::pin(Wire::open(&machine, NAME_SERVER));
        assert!(within(&world, 60 * SECOND, &mut opening).is_none());
        wire.write(&GetClusterInfo {}, &[]).await.unwrap();
        assert!(within(&world, 60 * SECOND, wire.read()).is_none());
        world.network().partition(NAME_SERVER, false);
        assert_eq!(wire.read().await.unwrap().code, 0);
        assert!(opening.await.is_ok());
    });
}

#[test]
fn a_stalled_server_takes_connections_and_never_answers() {
    let (world, _, machine) = world();
    world.block_on(async {
        world.network().stall(NAME_SERVER, Direction::ToServer, true);
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        wire.write(&GetClusterInfo {}, &[]).await.unwrap();
        assert!(within(&world, 600 * SECOND, wire.read()).is_none());
        world.network().heal();
        assert!(wire.read().await.is_ok());
    });
}

#[test]
fn one_direction_can_be_held_alone() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, BROKER).await.unwrap();
        world.network().stall(BROKER, Direction::ToClient, true);
        wire.write(&send("t"), b"x").await.unwrap();
        assert!(within(&world, SECOND, wire.read()).is_none());
        assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), Some((0, 1)), "the request got there");
        world.network().stall(BROKER, Direction::ToClient, false);
        assert!(wire.read().await.is_ok());
    });
}

#[test]
fn a_link_breaks_in_the_middle_of_a_frame() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (world, _, machine) = world();
        world.block_on(async {
            world.network().break_after(NAME_SERVER, direction, 20);
            let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
            assert_eq!(wire.ask_cluster().await.err(), Some("connection reset"), "{direction:?}");
            let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
            assert!(wire.ask_cluster().await.is_ok(), "once only");
        });
        world.run_for(SECOND);
        assert_eq!(world.network().links(), 0);
    }
}

#[test]
fn a_crash_resets_links_and_a_restart_remembers_or_not() {
    for (memory, offsets) in [(Memory::Kept, Some((0, 1))), (Memory::Lost, None)] {
        let (world, cluster, machine) = world();
        world.block_on(async {
            let mut wire = Wire::open(&machine, BROKER).await.unwrap();
            wire.ask(&send("t"), b"x").await.unwrap();
            cluster.stop(ServerId::Broker(0));
            assert_eq!(wire.read().await.err(), Some("connection reset"));
            cluster.start(ServerId::Broker(0), memory);
            assert!(Wire::open(&machine, BROKER).await.is_ok());
        });
        assert_eq!(cluster.broker("broker-a", |broker| broker.offsets("t", 0)), offsets);
    }
}

#[test]
fn every_link_to_an_address_can_be_reset() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut first = Wire::open(&machine, NAME_SERVER).await.unwrap();
        let mut second = Wire::open(&machine, NAME_SERVER).await.unwrap();
        let mut other = Wire::open(&machine, BROKER).await.unwrap();
        world.network().reset(NAME_SERVER);
        assert_eq!(first.read().await.err(), Some("connection reset"));
        assert_eq!(second.ask_cluster().await.err(), Some("connection reset"));
        assert!(other.ask(&send("t"), b"x").await.is_ok());
    });
}

#[test]
fn bytes_that_are_no_frame_end_the_connection() {
    let (world, _, machine) = world();
    world.block_on(async {
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        wire.stream.write(&[0xFF; 8][..]).await.unwrap();
        assert_eq!(wire.read().await.err(), Some("ended"));
        assert_eq!(wire.ask_cluster().await.err(), Some("closed by the server"));
    });
}

#[test]
fn links_that_both_ends_have_left_are_forgotten() {
    let (world, cluster, machine) = world();
    world.block_on(async {
        for _ in 0..100 {
            let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
            wire.ask_cluster().await.unwrap();
            drop(Wire::open(&machine, BROKER));
            let _ = within(&world, Duration::from_micros(50), Wire::open(&machine, BROKER));
        }
    });
    world.run_for(SECOND);
    assert_eq!(world.network().links(), 0);
    let _ = cluster;
}

#[test]
fn an_answer_can_come_late_from_the_server_itself() {
    let (world, cluster, machine) = world();
    let codes = [RequestCode::GET_BROKER_CLUSTER_INFO];
    cluster.name_server(0, |server| server.force(Force::requests(codes, Forced::Delay(7 * SECOND))));
    world.block_on(async {
        let mut wire = Wire::open(&machine, NAME_SERVER).await.unwrap();
        let begin = world.now().mono;
        wire.ask_cluster().await.unwrap();
        assert_eq!(world.now().mono.since(begin), 7 * SECOND + Duration::from_micros(200));
        cluster.heal();
        wire.ask_cluster().await.unwrap();
        assert_eq!(world.now().mono.since(begin), 7 * SECOND + Duration::from_micros(400));
    });
}

#[test]
fn a_scripted_server_says_what_it_likes() {
    let (world, _, machine) = world();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_script = Arc::clone(&seen);
    world.serve("10.0.0.66:1", move |now: Now, connection, command: &Command| {
        seen_by_script.lock().unwrap().push((now, connection, command.code));
        match command.opaque {
            1 => vec![(SECOND, Reaction::Send(Bytes::from_static(b"\0\0\0")))],
            2 => vec![
                (Duration::ZERO, Reaction::Send(Bytes::from_static(b"\x01 is the rest of it"))),
                (Duration::ZERO, Reaction::Close),
            ],
            _ => vec![(Duration::ZERO, Reaction::Reset)],
        }
    });
    world.block_on(async {
        let mut wire = Wire::open(&machine, "10.0.0.66:1").await.unwrap();
        let begin = world.now().mono;
        wire.write(&GetClusterInfo {}, &[]).await.unwrap();
        let mut bytes = BytesMut::new();
        assert_eq!(wire.stream.read(&mut bytes).await, Ok(true));
        assert_eq!(world.now().mono.since(begin), SECOND + Duration::from_micros(200));
        wire.write(&GetClusterInfo {}, &[]).await.unwrap();
        assert_eq!(wire.stream.read(&mut bytes).await, Ok(true));
        assert_eq!(&bytes[..], b"\0\0\0\x01 is the rest of it");
        assert_eq!(wire.stream.read(&mut bytes).await, Ok(false));
        let mut wire = Wire::open(&machine, "10.0.0.66:1").await.unwrap();
        wire.stream.write(frame(&GetClusterInfo {}, 3, &[])).await.unwrap();
        assert_eq!(wire.read().await.err(), Some("connection reset"));
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].1 == seen[1].1 && seen[1].1 != seen[2].1);
    assert_eq!(ResponseCode(seen[0].2).0, RequestCode::GET_BROKER_CLUSTER_INFO.0);
}

#[test]
fn drawn_faults_differ_and_heal() {
    let drawn: Vec<Faults> = (0..20).map(Faults::drawn).collect();
    assert!(drawn.iter().any(|faults| faults.resets > 0) && drawn.iter().any(|faults| faults.resets == 0));
    assert_eq!(drawn[3], Faults::drawn(3));
    for seed in 0..100 {
        let world = World::new(seed);
        world.cluster(ClusterConfig::with_servers(1, 1));
        let machine = world.machine();
        world.network().set_faults(Faults::drawn(seed));
        for _ in 0..20 {
            // Large messages there and back, and gone before the last of them is read.
            let talk = async {
                let mut wire = Wire::open(&machine, BROKER).await?;
                for _ in 0..8 {
                    wire.write(&send("t"), &vec![1; 60_000]).await?;
                    wire.write(&ViewMessage { topic: None, offset: 0 }, &[]).await?;
                }
                wire.read().await
            };
            let _ = within(&world, 30 * SECOND, talk);
        }
        world.network().heal();
        let asked = within(&world, SECOND, async { Wire::open(&machine, NAME_SERVER).await?.ask_cluster().await });
        assert!(matches!(asked, Some(Ok(_))), "seed {seed}");
        world.run_for(60 * SECOND);
        assert_eq!(world.network().links(), 0, "seed {seed}");
    }
}
