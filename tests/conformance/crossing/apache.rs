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

/// The embedded cluster has no delay levels. The first is a second long, and a broker looks once a second or so.
#[tokio::test]
async fn delayed_messages_cross_in_both_directions_when_their_time_has_come() {
    let bench = Bench::new(cluster().await, 1).await;
    let message = bench.message("ours").tag("delayed").key("k1").key("k2").property("größe", "klein 小 🚀");
    let receipt = bench.send(message.delay_level(1)).await;
    let java = java::crossing(&["produce", bench.cluster.name_server(), &bench.topic, "1", "java", "--delay=1"]).await;
    let messages = bench.pull_all(2).await;
    for message in &messages {
        let held_back = message.store_timestamp() - message.born_timestamp();
        assert!(held_back >= 900, "delivered after {held_back} ms");
    }
    let theirs = messages.iter().find(|message| message.tag() == Some("java")).expect("Java's message");
    assert_eq!(Some(&*theirs.message_id()), java[0].text("messageId"));
    assert_eq!((theirs.body().to_vec(), theirs.property("size")), (java[0].body(), Some("small")));

    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "delayed"]).await;
    let [ours] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(ours.text("messageId"), Some(&*receipt.message_id.to_string()));
    assert_eq!((ours.body(), ours.text("keys")), (b"ours".to_vec(), Some("k1 k2")));
    assert!(ours.properties().any(|property| property == ("größe", "klein 小 🚀")), "{ours:?}");
}
