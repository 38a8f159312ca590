//! Every rule through a gateway, in front of a real broker, with binary headers.

mod binary;
mod recovery;

use stgclient::HeaderCodec;
use stgclient_tests::Cluster;

async fn cluster(codec: HeaderCodec) -> Cluster {
    Cluster::apache(codec).behind_gateway().await
}

async fn cluster_of_its_own() -> Cluster {
    Cluster::apache_of_its_own(HeaderCodec::Json).await.behind_gateway().await
}
