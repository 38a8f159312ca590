//! Every rule through a gateway, in front of the embedded cluster.

// The rules are made twice, for each dialect; binary headers go through in front of a real broker.
#![allow(clippy::duplicate_mod)]

mod json;
mod recovery;
mod smartgo;

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster(codec: HeaderCodec) -> Cluster {
    Cluster::embedded(codec).await.behind_gateway().await
}

async fn cluster_of_its_own() -> Cluster {
    Cluster::embedded(HeaderCodec::Json).await.behind_gateway().await
}
