//! On a real broker.

use stgclient::HeaderCodec;
use stgclient_tests::{Bench, Cluster, eventually};

use crate::java;

async fn cluster() -> Cluster {
    Cluster::apache(HeaderCodec::Json)
}

#[path = "rules/mod.rs"]
mod rules;

/// The embedded cluster lists no connections, so this is no rule for both.
#[tokio::test]
async fn the_broker_lists_a_producer_until_its_client_is_closed() {
    let bench = Bench::new(cluster().await, 1).await;
    let client = bench.other_client().await;
    let group = bench.unique("listed");
    let producer = client.producer(&group).start().await.unwrap();
    producer.send(bench.message("body")).await.unwrap();
    let arguments = ["producerConnection", "-n", bench.cluster.name_server(), "-g", &group, "-t", &bench.topic];
    eventually("the producer is listed", async || {
        let text = java::mqadmin(&arguments).await;
        // The columns: client id, address, language, version.
        (text.contains("127.0.0.1:") && text.contains("RUST") && text.contains("V5_4_0")).then_some(())
    })
    .await;
    client.close().await;
    let text = java::mqadmin(&arguments).await;
    assert!(text.contains("not exist"), "{text}");
}
