//! Futures that are dropped: a message that waits for its turn, its route or its connection is withdrawn; once its
//! bytes are on their way only its receipt is ignored.
//!
//! These tests run on one thread, so that nothing happens before they give way.

use std::time::Duration;

use stgclient::embedded::{EmbeddedCluster, Force, Forced, Memory, ServerId};
use stgclient::{Client, ClientConfig, Message, PullOptions};

use crate::{cluster, eventually};

/// How many messages the only queue of `T` has.
fn stored(cluster: &EmbeddedCluster) -> i64 {
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().offsets("T", 0).unwrap().1)
}

fn force(cluster: &EmbeddedCluster, force: Force) {
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(force));
}

#[tokio::test]
async fn a_send_dropped_while_it_waits_for_its_route_never_arrives() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    // Nothing is known of the topic yet.
    let first = producer.send(Message::new("T", "first"));
    let withdrawn = producer.send(Message::new("T", "withdrawn"));
    let oneway = producer.send_oneway(Message::new("T", "withdrawn"));
    let second = producer.send(Message::new("T", "second"));
    drop((withdrawn, oneway));
    assert_eq!(producer.backlog().messages, 2);
    assert_eq!((first.await.unwrap().queue_offset, second.await.unwrap().queue_offset), (0, 1));
    assert_eq!((stored(&cluster), producer.backlog().messages), (2, 0));
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_send_dropped_while_it_waits_for_its_connection_never_arrives() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    // A broken connection is opened again after one or two seconds.
    let slow = |config: &mut ClientConfig| config.connection.least_pause = Duration::from_secs(2);
    let client = Client::builder(cluster.name_server_address()).configure(slow).connect().await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    cluster.stop_server(ServerId::Broker(0));
    let withdrawn = producer.send(Message::new("T", "withdrawn"));
    assert!(tokio::time::timeout(Duration::from_millis(50), withdrawn).await.is_err(), "it does not wait");
    cluster.start_server(ServerId::Broker(0), Memory::Kept);
    let second = eventually("messages are sent again", async || producer.send(Message::new("T", "second")).await.ok());
    assert_eq!(second.await.queue_offset, 1);
    assert_eq!(stored(&cluster), 2);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_send_dropped_after_it_is_written_is_stored_and_holds_no_room() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(1, 1 << 20).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    force(&cluster, Force::sends(Forced::Delay(Duration::from_millis(200))).times(1));
    let sending = producer.send(Message::new("T", "second"));
    eventually("the broker has it", async || (stored(&cluster) == 2).then_some(())).await;
    drop(sending);
    assert_eq!(producer.backlog().messages, 0);
    assert_eq!(producer.send(Message::new("T", "third")).await.unwrap().queue_offset, 2);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_send_dropped_in_line_leaves_it_to_the_next() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(1, 1 << 20).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    force(&cluster, Force::sends(Forced::Delay(Duration::from_millis(100))));
    let under_way = producer.send(Message::new("T", "second"));
    let dropped = producer.send(Message::new("T", "withdrawn"));
    let next = producer.send(Message::new("T", "third"));
    drop(dropped);
    under_way.await.unwrap();
    assert_eq!(next.await.unwrap().queue_offset, 2);
    assert_eq!(stored(&cluster), 3);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn all_sends_dropped_in_line_leave_a_producer_that_works() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").max_waiting(2, 1 << 20).start().await.unwrap();
    for _ in 0..20 {
        let sends: Vec<_> = (0..10).map(|_| producer.send(Message::new("T", "withdrawn"))).collect();
        drop(sends);
    }
    assert_eq!(producer.backlog().messages, 0);
    assert_eq!(producer.send(Message::new("T", "kept")).await.unwrap().queue_offset, 0);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_pull_dropped_while_it_waits_holds_up_nothing() {
    let (cluster, client) = cluster("T", 1).await;
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let queue = consumer.queues("T").await.unwrap().swap_remove(0);
    let long = PullOptions::new().wait(crate::SOON);
    for _ in 0..3 {
        let pull = consumer.pull_with(&queue, "*", 0, long.clone());
        assert!(tokio::time::timeout(Duration::from_millis(50), pull).await.is_err(), "the pull does not wait");
        assert_eq!(consumer.max_offset(&queue).await.unwrap(), 0);
    }
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_connect_that_is_dropped_leaves_the_server_alone() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let connect = Client::connect(cluster.name_server_address());
    drop(connect);
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.close().await;
    cluster.close().await;
}
