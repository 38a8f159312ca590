//! One connection for each broker, and few writes for many sends.

use futures::future::join_all;
use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Message};

use crate::proxy;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_sends_share_one_connection_and_its_writes() {
    // The proxy has the broker's port at another address of this machine, which routes name.
    let cluster = EmbeddedCluster::builder().advertise("127.0.0.2").start().await.unwrap();
    let advertised = cluster.broker_addresses()[0].parse().unwrap();
    let real = cluster.broker_addresses()[0].replace("127.0.0.2", "127.0.0.1").parse().unwrap();
    let counts = proxy::start(advertised, real).await.unwrap();
    let name_server = cluster.name_server_address().replace("127.0.0.2", "127.0.0.1");
    let client = Client::connect(&name_server).await.unwrap();
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
