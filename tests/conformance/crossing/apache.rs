//! On a real broker.

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster() -> Cluster {
    Cluster::apache(HeaderCodec::Json)
}

#[path = "rules/mod.rs"]
mod rules;
