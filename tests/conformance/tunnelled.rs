//! Every rule through a gateway, in front of the embedded cluster.

// The rules are made several times, for each header codec and for smartgo's dialect.
#![allow(clippy::duplicate_mod)]

mod binary;
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
