//! The rules, on servers like smartgo's.

use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    Cluster::smartgo().await
}

async fn cluster_of_its_own() -> Cluster {
    Cluster::embedded_smartgo().await
}

#[path = "recovery.rs"]
mod recovery;
#[path = "rules/mod.rs"]
mod rules;
