//! The rules, with headers in the binary layout.

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    crate::cluster(HeaderCodec::Binary).await
}

#[path = "rules/mod.rs"]
mod rules;
