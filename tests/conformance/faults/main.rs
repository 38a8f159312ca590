//! Real brokers that flush late, lose their slave, are old, are killed, or stand behind a bad network. Each test starts servers of its own.

// How long a pause was is real time.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod administration;
mod killed_master;
mod killed_master_consumers;
mod odd_members;
mod proxied;
mod proxy;
mod restarted_name_server;
mod slave_commits;
mod statuses;

use stgclient::{HeaderCodec, MessageQueue};
use stgclient_tests::{Bench, Cluster};

/// A bench at a cluster in this version, with these settings of its broker.
async fn bench(version: &str, settings: &[&str]) -> Bench {
    Bench::without_topic(Cluster::apache_with(HeaderCodec::Json, version, settings).await).await
}

/// Creates the bench's topic with this many queues at each of so many brokers; gives them.
async fn create_topic(bench: &Bench, queues: u32, brokers: usize) -> Vec<MessageQueue> {
    bench.admin().create_topic(&bench.topic).queues(queues).await.expect("the topic is created");
    bench.await_queues(queues as usize * brokers).await
}
