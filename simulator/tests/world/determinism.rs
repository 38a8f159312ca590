//! The same seed, the same world.

use std::sync::Arc;

use stgclient_core::time::Duration;
use stgclient_servers::ClusterConfig;
use stgclient_simulator::{Faults, Machine, World};

use super::wire::{Wire, send};

/// Tries to send for a while, over whatever connection it gets.
async fn sender(machine: Arc<Machine>, address: String) {
    for round in 0..20_u8 {
        if let Ok(mut wire) = Wire::open(&machine, &address).await {
            for _ in 0..5 {
                if wire.ask(&send("t"), &[round; 100]).await.is_err() {
                    break;
                }
            }
        }
        machine.sleep(Duration::from_millis(u64::from(round))).await;
    }
}

fn history(seed: u64, topic_queues: u32) -> (u64, String) {
    let world = World::new(seed);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 2));
    cluster.broker("broker-a", |broker| broker.create_topic("t", topic_queues)).unwrap();
    world.network().set_faults(Faults::drawn(seed));
    for address in cluster.brokers() {
        for _ in 0..3 {
            world.spawn(sender(world.machine(), address.clone()));
        }
    }
    world.run_for(Duration::from_secs(60));
    (world.trace_hash(), world.journal())
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another() {
    let mut hashes: Vec<u64> = (0..20)
        .map(|seed| {
            let first = history(seed, 4);
            assert_eq!(first, history(seed, 4), "seed {seed}");
            first.0
        })
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn a_different_program_gives_a_different_history() {
    // One number in one answer differs: the number of queues, which a refusal names.
    assert_ne!(history(1, 4).0, history(1, 0).0);
}
