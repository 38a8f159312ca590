//! The rules, on servers like smartgo's.

use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    Cluster::embedded_smartgo().await
}

#[path = "rules/mod.rs"]
mod rules;
