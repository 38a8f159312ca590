//! One connection for each broker, and few writes for many sends.

use std::sync::Arc;

use futures::future::join_all;
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Message};

use crate::proxy::{self, Counts};

/// A cluster whose broker is reached through a proxy, and a client of it.
async fn proxied() -> (EmbeddedCluster, Client, Arc<Counts>) {
    // The proxy has the broker's port at another address of this machine, which routes name.
    let cluster = EmbeddedCluster::builder().advertise("127.0.0.2").start().await.unwrap();
    let advertised = cluster.broker_addresses()[0].parse().unwrap();
    let real = cluster.broker_addresses()[0].replace("127.0.0.2", "127.0.0.1").parse().unwrap();
    let counts = proxy::start(advertised, real).await.unwrap();
    let name_server = cluster.name_server_address().replace("127.0.0.2", "127.0.0.1");
    let client = Client::connect(&name_server).await.unwrap();
    (cluster, client, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sends_share_one_connection_and_its_writes() {
    let (cluster, client, counts) = proxied().await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();

    let before = counts.pieces();
    const ROUNDS: usize = 50;
    for _ in 0..ROUNDS {
        let sends = (0..64).map(|number| {
            let producer = producer.clone();
            tokio::spawn(async move { producer.send(Message::new("T", format!("{number}"))).await })
        });
        for receipt in join_all(sends).await {
            receipt.unwrap().unwrap();
        }
    }
    let pieces = counts.pieces() - before;
    assert!(pieces * 4 < ROUNDS * 64, "{pieces} writes for {} sends", ROUNDS * 64);
    assert_eq!(counts.connections(), 1);
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_each_wait_for_their_receipt_share_writes_too() {
    let (cluster, client, counts) = proxied().await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    let before = counts.pieces();
    let senders = (0..64).map(|_| {
        let producer = producer.clone();
        tokio::spawn(async move {
            for number in 0..100 {
                producer.send(Message::new("T", number.to_string())).await.unwrap();
            }
        })
    });
    for sender in join_all(senders).await {
        sender.unwrap();
    }
    let pieces = counts.pieces() - before;
    assert!(pieces * 8 < 64 * 100, "{pieces} writes for {} sends", 64 * 100);
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_first_all_share_one_connection() {
    let (cluster, client, counts) = proxied().await;
    let mut tasks = Vec::new();
    for number in 0..16 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            let producer = client.producer(&format!("producer-{number}")).start().await.unwrap();
            let receipt = producer.send(Message::new("T", "body")).await.unwrap();
            producer.send_oneway(Message::new("T", "body")).await.unwrap();
            client.admin().create_topic(&format!("T-{number}")).await.unwrap();
            let consumer = client.pull_consumer(&format!("consumer-{number}")).start().await.unwrap();
            consumer.pull(&receipt.queue, "*", receipt.queue_offset, 1).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(counts.connections(), 1);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn what_is_sent_before_anything_is_awaited_goes_out_in_one_write() {
    let (cluster, client, counts) = proxied().await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    let before = counts.pieces();
    // On one thread nothing is written until the first of them is awaited. What is read in one piece may still have
    // been written in two, never the other way round for so few bytes.
    let sends: Vec<_> = (0..64).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    for send in sends {
        send.await.unwrap();
    }
    let pieces = counts.pieces() - before;
    assert!(pieces <= 2, "{pieces} writes for 64 sends");
    client.close().await;
    cluster.close().await;
}
