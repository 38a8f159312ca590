//! What holds on every cluster, with headers of either kind.

mod administration;
mod bodies;
mod choices;
mod following;
mod groups;
mod name_servers;
mod names;
mod offsets;
mod permissions;
mod properties;
mod pulls;
mod push;
mod sends;
mod tags;
mod topics;
mod waits;

use super::cluster;
use stgclient_tests::Bench;

/// A bench with a topic of this many queues.
async fn bench(queues: u32) -> Bench {
    Bench::new(cluster().await, queues).await
}
