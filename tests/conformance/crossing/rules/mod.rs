//! What holds between Java and us on every cluster.

mod administration;
mod consumers;
mod delays;
mod group_administration;
mod members;
mod members_under_load;
mod offsets;
mod received;
mod sent;

use super::cluster;
use stgclient_tests::Bench;

/// A bench with a topic of this many queues.
async fn bench(queues: u32) -> Bench {
    Bench::new(cluster().await, queues).await
}
