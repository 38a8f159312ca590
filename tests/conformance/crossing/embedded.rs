//! On the embedded cluster.

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    Cluster::embedded(HeaderCodec::Json).await
}

#[path = "rules/mod.rs"]
mod rules;
