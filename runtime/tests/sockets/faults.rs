//! Servers that do wrong, on real sockets. The same and more is tested in virtual time.

use std::time::{Duration, Instant};

use stgclient::embedded::{EmbeddedCluster, Memory, ServerId};
use stgclient::{Client, Error, ErrorKind, Message, SendStatus};

use crate::SOON;
use crate::wrong::{self, Wrong};

const TIMEOUT: Duration = Duration::from_millis(600);

async fn connect(name_servers: &str) -> (Result<Client, Error>, Duration) {
    let started = Instant::now();
    let result = Client::builder(name_servers).request_timeout(TIMEOUT).connect().await;
    (result, started.elapsed())
}

#[tokio::test]
async fn a_name_server_that_does_wrong_is_an_error_in_time_with_the_reason() {
    for (wrong, words) in wrong::every() {
        let address = wrong.serve().await;
        let (result, took) = connect(&address).await;
        let error = result.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
        assert!(error.to_string().contains(words) && error.to_string().contains(&address), "{error}");
        assert!(took < SOON, "{took:?}");
    }
}

#[tokio::test]
async fn a_hung_name_server_leaves_time_for_the_next() {
    let hung = Wrong::Silent.serve().await;
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    for list in
        [format!("{hung};{}", cluster.name_server_address()), format!("127.0.0.1:1;{}", cluster.name_server_address())]
    {
        // Whichever of the two is asked first.
        for _ in 0..4 {
            let (client, _) = connect(&list).await;
            client.unwrap().close().await;
        }
    }
    cluster.close().await;
}

#[tokio::test]
async fn a_dead_broker_beside_a_live_one_fails_nobody() {
    let cluster = EmbeddedCluster::builder().brokers(2).start().await.unwrap();
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.admin().create_topic("T").queues(4).await.unwrap();
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "warm")).await.unwrap();
    cluster.stop_server(ServerId::Broker(1));
    for number in 0..200 {
        let receipt = producer.send(Message::new("T", number.to_string())).await.unwrap();
        assert_eq!(receipt.status, SendStatus::SendOk);
    }
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_client_recovers_by_itself_when_its_broker_returns() {
    let (cluster, client) = crate::cluster("T", 4).await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send(Message::new("T", "before")).await.unwrap();
    cluster.stop_server(ServerId::Broker(0));
    let error = producer.send(Message::new("T", "meanwhile")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    cluster.start_server(ServerId::Broker(0), Memory::Kept);
    let deadline = Instant::now() + SOON;
    while let Err(error) = producer.send(Message::new("T", "after")).await {
        assert!(Instant::now() < deadline, "{error}");
    }
    client.close().await;
    cluster.close().await;
}
