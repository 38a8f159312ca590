//! The forms of a send: awaited, called back, oneway; cancelled.

use futures::channel::oneshot;
use stgclient::embedded::{Force, Forced};
use stgclient::{Client, ErrorKind, Message, QueueChoice, SendOptions, SendStatus};

use crate::cluster;

#[tokio::test]
async fn a_callback_gets_the_receipt() {
    let (cluster, client) = cluster("T", 4).await;
    let producer = client.producer("producer").start().await.unwrap();
    let (done, result) = oneshot::channel();
    let callback = move |result| drop(done.send(result));
    producer.send_with(Message::new("T", "body"), SendOptions::default(), callback).unwrap();
    assert_eq!(result.await.unwrap().unwrap().status, SendStatus::SendOk);
    let refused = producer.send_with(Message::new("T", ""), SendOptions::default(), |_| unreachable!());
    assert_eq!(refused.unwrap_err().error.kind(), ErrorKind::InvalidArgument);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_oneway_message_arrives_and_fails_when_it_cannot_be_written() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    producer.send_oneway(Message::new("T", "oneway")).await.unwrap();
    // Sends on one connection are stored in their order.
    let receipt = producer.send(Message::new("T", "awaited")).await.unwrap();
    assert_eq!(receipt.queue_offset, 1);
    cluster.close().await;
    let mut outcome = Ok(());
    // Bytes may still be written to a connection whose end has not been heard of yet.
    for _ in 0..1000 {
        outcome = producer.send_oneway(Message::new("T", "lost")).await;
        if outcome.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(outcome.is_err_and(|error| error.is_retryable()));
    client.close().await;
}

#[tokio::test]
async fn a_dropped_send_disturbs_no_other() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    cluster.with(|cluster| {
        let slowly = Force::sends(Forced::Delay(std::time::Duration::from_millis(50)));
        cluster.broker("broker-a").unwrap().force(slowly);
    });
    for round in 0..20 {
        let kept = producer.send(Message::new("T", format!("kept {round}")));
        let dropped = producer.send(Message::new("T", format!("dropped {round}")));
        drop(dropped);
        assert_eq!(kept.await.unwrap().status, SendStatus::SendOk);
    }
    assert_eq!(producer.backlog().messages, 0);
    client.close().await;
    cluster.close().await;
}

#[tokio::test]
async fn a_cluster_in_process_needs_no_socket() {
    let client = Client::embedded().await.unwrap();
    client.admin().create_topic("T").queues(8).await.unwrap();
    let producer = client.producer("producer").start().await.unwrap();
    let first = producer.send_to(Message::new("T", "a"), QueueChoice::Hash("42".into())).await.unwrap();
    let second = producer.send_to(Message::new("T", "b"), QueueChoice::Hash("42".into())).await.unwrap();
    assert_eq!((second.queue, second.queue_offset), (first.queue, first.queue_offset + 1));
    client.close().await;
    let error = producer.send(Message::new("T", "late")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
