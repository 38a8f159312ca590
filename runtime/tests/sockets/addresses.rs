//! Names and addresses of both families.

use std::net::Ipv6Addr;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, ErrorKind, Message};

#[tokio::test]
async fn a_cluster_is_reached_by_name() {
    let cluster = EmbeddedCluster::builder().advertise("localhost").start().await.unwrap();
    assert!(cluster.name_server_address().starts_with("localhost:"));
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "body")).await.unwrap();
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_cluster_is_reached_by_ipv6() {
    let cluster = match EmbeddedCluster::builder().bind(Ipv6Addr::LOCALHOST.into()).start().await {
        Ok(cluster) => cluster,
        // A machine without IPv6 has nothing to show here.
        Err(error) => return eprintln!("no IPv6 here: {error}"),
    };
    assert!(cluster.name_server_address().starts_with("[::1]:"));
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    let producer = client.producer("producer").start().await.unwrap();
    let receipt = producer.send(Message::new("T", "body")).await.unwrap();
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let batch = consumer.pull(&receipt.queue, "*", receipt.queue_offset, 1).await.unwrap();
    let message = &batch.messages[0];
    assert!(message.born_host().is_ipv6() && message.offset_message_id().host().is_ipv6());
    assert_eq!(Some(message.offset_message_id()), receipt.offset_message_id);
    assert_eq!(message.offset_message_id().to_string().len(), 56);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn what_is_no_address_is_refused_before_anything_is_opened() {
    for text in ["", "nonsense", "host:99999", "http://host:1"] {
        let error = Client::connect(text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
    }
}
