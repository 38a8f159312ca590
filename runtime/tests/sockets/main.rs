//! The client on real sockets: against the embedded cluster, and against servers that do wrong.
// A test waits for what other threads do, by a real clock.
#![allow(clippy::disallowed_types)]

mod addresses;
mod back_pressure;
mod blocking;
mod callbacks;
mod cancelling;
mod credentials;
mod endings;
mod faults;
mod forms;
mod gone;
mod hung;
mod logs;
mod old_messages;
mod proxy;
mod slow_disk;
mod starting;
mod statuses;
mod subscribers;
mod wakers;
mod writes;
mod wrong;
mod wrong_brokers;

use std::time::{Duration, Instant};

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect};

/// Long enough that a slow machine does not matter, short enough that "never" shows.
const SOON: Duration = Duration::from_secs(20);

/// Looks again until there is something, and fails the test when there is nothing soon.
async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A cluster of one broker, a client of it, and a topic of `queues` queues.
async fn cluster(topic: &str, queues: u32) -> (EmbeddedCluster, Client) {
    cluster_in(Dialect::Apache, topic, queues).await
}

async fn cluster_in(dialect: Dialect, topic: &str, queues: u32) -> (EmbeddedCluster, Client) {
    let cluster = EmbeddedCluster::builder().dialect(dialect).start().await.expect("a free port");
    let builder = Client::builder(cluster.name_server_address()).dialect(dialect);
    let client = builder.connect().await.expect("it is there");
    client.admin().create_topic(topic).queues(queues).await.expect("a new topic");
    (cluster, client)
}
