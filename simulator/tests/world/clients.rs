//! Clients with the whole asynchronous API, in virtual time.

use std::collections::BTreeSet;
use std::sync::Arc;

use stgclient::Client;
use stgclient::simulator::Clients as _;
use stgclient_core::consumer::{PullBatch, PullOptions};
use stgclient_core::error::Error;
use stgclient_core::producer::{Message, SendStatus};
use stgclient_core::time::Duration;
use stgclient_servers::{ClusterConfig, Force, Forced};
use stgclient_simulator::{ClusterHandle, Faults, Machine, World};

const SECOND: Duration = Duration::from_secs(1);

async fn client(cluster: &ClusterHandle, machine: &Arc<Machine>) -> Result<Client, Error> {
    machine.client(cluster).connect().await
}

/// The bodies of everything in a topic.
async fn pull_all(client: &Client, topic: &str) -> Result<Vec<Vec<u8>>, Error> {
    let consumer = client.pull_consumer("consumers").start().await?;
    let mut bodies = Vec::new();
    for queue in consumer.queues(topic).await? {
        let mut offset = consumer.min_offset(&queue).await?;
        while offset < consumer.max_offset(&queue).await? {
            let batch: PullBatch = consumer.pull_with(&queue, "*", offset, PullOptions::default()).await?;
            bodies.extend(batch.messages.iter().map(|message| message.body().to_vec()));
            offset = batch.next_offset;
        }
    }
    Ok(bodies)
}

#[test]
fn a_client_creates_sends_pulls_and_leaves_nothing_behind() {
    let world = World::new(3);
    let cluster = world.cluster(ClusterConfig::with_servers(2, 2));
    let machine = world.machine();
    let bodies = world.block_on(async {
        let client = client(&cluster, &machine).await?;
        client.admin().create_topic("orders").queues(4).await?;
        let producer = client.producer("shop").start().await?;
        for number in 0..100_u8 {
            let receipt = producer.send(Message::new("orders", vec![number]).tag("paid")).await?;
            assert_eq!(receipt.status, SendStatus::SendOk);
        }
        let bodies = pull_all(&client, "orders").await?;
        client.close().await;
        Ok::<_, Error>(bodies)
    });
    let bodies: BTreeSet<Vec<u8>> = bodies.unwrap().into_iter().collect();
    assert_eq!(bodies.len(), 100);
    world.run_for(SECOND);
    assert_eq!((world.tasks(), world.network().links()), (0, 0));
}

#[test]
fn a_client_sees_the_statuses_that_a_broker_is_forced_to() {
    let world = World::new(3);
    let cluster = world.cluster(ClusterConfig::with_servers(1, 1));
    let machine = world.machine();
    world.block_on(async {
        let client = client(&cluster, &machine).await.unwrap();
        client.admin().create_topic("t").await.unwrap();
        let producer = client.producer("p").start().await.unwrap();
        for (forced, status) in [
            (Forced::FlushDiskTimeout, SendStatus::FlushDiskTimeout),
            (Forced::FlushSlaveTimeout, SendStatus::FlushSlaveTimeout),
            (Forced::SlaveNotAvailable, SendStatus::SlaveNotAvailable),
        ] {
            cluster.broker("broker-a", |broker| broker.force(Force::sends(forced).times(1)));
            assert_eq!(producer.send(Message::new("t", "x")).await.unwrap().status, status);
        }
    });
}

/// Two clients send under faults, and after the world has healed once more; then everything is pulled.
fn history(seed: u64) -> (u64, usize) {
    let world = World::new(seed);
    let cluster = world.cluster(ClusterConfig::with_servers(2, 2));
    let machines = [world.machine(), world.machine()];
    for broker in ["broker-a", "broker-b"] {
        cluster.broker(broker, |broker| broker.create_topic("t", 4)).unwrap();
    }
    let acknowledged = world.block_on(async {
        let mut clients = Vec::new();
        for machine in &machines {
            clients.push(client(&cluster, machine).await.expect("nothing is wrong yet"));
        }
        world.network().set_faults(Faults::drawn(seed));
        let mut acknowledged = BTreeSet::new();
        for round in 0..10_u8 {
            for (number, client) in clients.iter().enumerate() {
                let producer = client.producer("p").start().await.expect("a producer");
                let body = vec![round, number as u8];
                if producer.send(Message::new("t", body.clone())).await.is_ok() {
                    acknowledged.insert(body);
                }
                producer.close().await;
            }
        }
        world.network().heal();
        machines[0].sleep(60 * SECOND).await;
        for client in &clients {
            let producer = client.producer("p").start().await.expect("a producer");
            producer.send(Message::new("t", "healed")).await.expect("all is well again");
        }
        let bodies: BTreeSet<Vec<u8>> =
            pull_all(&clients[0], "t").await.expect("all is well again").into_iter().collect();
        assert!(bodies.is_superset(&acknowledged), "seed {seed}: what was acknowledged is there");
        for client in clients {
            client.close().await;
        }
        acknowledged.len()
    });
    world.run_for(SECOND);
    assert_eq!((world.tasks(), world.network().links()), (0, 0), "seed {seed}");
    (world.trace_hash(), acknowledged)
}

#[test]
fn under_faults_what_is_acknowledged_is_there_and_clients_recover() {
    let mut acknowledged = 0;
    for seed in 0..30 {
        let (hash, count) = history(seed);
        assert_eq!(history(seed).0, hash, "seed {seed}");
        acknowledged += count;
    }
    assert!(acknowledged > 300, "{acknowledged}");
}
