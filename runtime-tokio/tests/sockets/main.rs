//! The client on real sockets: against the embedded cluster, and against servers that do wrong.
// A test waits for what other threads do, by a real clock.
#![allow(clippy::disallowed_types)]

mod addresses;
mod back_pressure;
mod faults;
mod forms;
mod proxy;
mod statuses;
mod writes;

use stgclient::Client;
use stgclient::embedded::EmbeddedCluster;

/// A cluster of one broker, a client of it, and a topic of `queues` queues.
async fn cluster(topic: &str, queues: u32) -> (EmbeddedCluster, Client) {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await.expect("it is there");
    client.admin().create_topic(topic).queues(queues).await.expect("a new topic");
    (cluster, client)
}
