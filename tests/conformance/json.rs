//! The rules, with headers written as JSON.

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    crate::cluster(HeaderCodec::Json).await
}

#[path = "rules/mod.rs"]
mod rules;
