//! Clusters in memory that clients of this process reach without sockets.

use stgclient::embedded::{EmbeddedCluster, Force, Forced, Memory, ServerId};
use stgclient::{Client, ClientBuilder, ErrorKind, Message, SendStatus};

#[tokio::test]
async fn an_embedded_client_gives_its_cluster_for_faults_and_other_clients() {
    let client = Client::embedded().await.unwrap();
    let cluster = client.embedded_cluster().expect("its own");
    let other = ClientBuilder::embedded(cluster).connect().await.unwrap();
    assert!(other.embedded_cluster().is_none());
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = other.producer("P").start().await.unwrap();
    cluster.with(|cluster| {
        let broker = cluster.broker("broker-a").expect("it is there");
        broker.force(Force::sends(Forced::FlushSlaveTimeout).times(1));
    });
    let receipt = producer.send(Message::new("T", "body")).await.unwrap();
    assert_eq!(receipt.status, SendStatus::FlushSlaveTimeout);
    let consumer = client.pull_consumer("C").start().await.unwrap();
    let pulled = consumer.pull(&receipt.queue, "*", 0, 32).await.unwrap();
    assert_eq!(pulled.messages.len(), 1);
    client.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_cluster_lives_as_long_as_its_last_client() {
    let cluster = EmbeddedCluster::builder().brokers(2).start_in_process().unwrap();
    let client = ClientBuilder::embedded(&cluster).connect().await.unwrap();
    drop(cluster);
    client.admin().create_topic("T").queues(1).await.unwrap();
    let consumer = client.pull_consumer("C").start().await.unwrap();
    assert_eq!(consumer.queues("T").await.unwrap().len(), 2);
    client.close().await;
}

#[tokio::test]
async fn when_a_close_returns_no_task_of_the_cluster_is_left() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 0);
    let cluster = EmbeddedCluster::in_process().unwrap();
    let client = ClientBuilder::embedded(&cluster).connect().await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    producer.send(Message::new("T", "body")).await.unwrap();
    cluster.close().await;
    let failed = producer.send(Message::new("T", "body")).await.unwrap_err();
    assert!(failed.is_retryable(), "{failed}");
    client.close().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn a_broker_is_started_again_with_what_it_remembers() {
    let client = Client::embedded().await.unwrap();
    let cluster = client.embedded_cluster().expect("its own");
    let producer = client.producer("P").start().await.unwrap();
    let first = producer.send(Message::new("T", "first")).await.unwrap();
    cluster.stop_server(ServerId::Broker(0));
    let now = cluster.now();
    cluster.with(|cluster| cluster.start(now, ServerId::Broker(0), Memory::Kept));
    let second = producer.send_to(Message::new("T", "second"), first.queue.clone()).await.unwrap();
    assert_eq!((second.queue, second.queue_offset), (first.queue, first.queue_offset + 1));
    client.close().await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_is_refused_where_connections_are_made_otherwise() {
    let cluster = EmbeddedCluster::in_process().unwrap();
    let tls = stgclient::Tls::builder().build().unwrap();
    let refused = ClientBuilder::embedded(&cluster).tls(tls).connect().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn without_a_runtime_the_error_says_so() {
    let refused = EmbeddedCluster::in_process().unwrap_err();
    assert!(refused.kind() == ErrorKind::InvalidArgument && refused.to_string().contains("runtime"), "{refused}");
}
