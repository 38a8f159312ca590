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
mod host_log;
mod hung;
mod logs;
mod old_messages;
mod proxy;
mod slow_disk;
mod starting;
mod statuses;
mod subscribers;
#[path = "../waiting/mod.rs"]
mod waiting;
mod wakers;
mod watched;
mod writes;
mod wrong;
mod wrong_brokers;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect};
use waiting::{SOON, eventually};

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
