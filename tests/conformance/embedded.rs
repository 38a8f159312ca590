//! Every rule on the embedded cluster, over real sockets.

// The rules are made three times, for each header codec and for smartgo's dialect.
#![allow(clippy::duplicate_mod)]

mod binary;
mod group_requests;
mod json;
mod recovery;
mod smartgo;

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster(codec: HeaderCodec) -> Cluster {
    Cluster::embedded(codec).await
}

async fn cluster_of_its_own() -> Cluster {
    Cluster::embedded(HeaderCodec::Json).await
}
