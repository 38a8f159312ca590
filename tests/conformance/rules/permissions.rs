//! Topics that may not be written, or not be read.

use stgclient::{ErrorKind, Permission, ResponseCode};
use stgclient_tests::{Bench, eventually};

use super::bench;

/// Changes the topic's permission, and waits until the route says so.
async fn permit(bench: &Bench, permission: Permission) {
    bench.admin().create_topic(&bench.topic).queues(2).permission(permission).await.unwrap();
    eventually("the route has the new permission", async || {
        let route = bench.admin().topic_route(&bench.topic).await.ok()?;
        (route.queues[0].permission == permission).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_topic_that_may_only_be_read_takes_no_message_and_the_error_says_so() {
    let bench = bench(2).await;
    bench.send(bench.message("before")).await;
    permit(&bench, Permission::READ).await;
    // A client that has not known the topic before.
    let client = bench.other_client().await;
    let producer = client.producer("late").start().await.unwrap();
    let error = producer.send(bench.message("after")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoQueueAvailable);
    assert!(error.to_string().contains(&bench.topic) && error.to_string().contains("writable"), "{error}");
    let error = producer.send_oneway(bench.message("after")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoQueueAvailable, "{error}");
    bench.pull_all(1).await;
}

#[tokio::test]
async fn a_topic_that_may_be_written_again_takes_messages_from_the_same_client() {
    let bench = bench(2).await;
    permit(&bench, Permission::READ).await;
    let client = bench.other_client().await;
    let producer = client.producer("patient").start().await.unwrap();
    producer.send(bench.message("refused")).await.unwrap_err();
    permit(&bench, Permission::READ_WRITE).await;
    // The send that fails has the route asked for again, so this takes no refresh interval.
    eventually("the topic takes messages again", async || producer.send(bench.message("taken")).await.ok()).await;
}

#[tokio::test]
async fn a_topic_that_may_only_be_written_gives_no_message_and_the_broker_says_so() {
    let bench = bench(2).await;
    let receipt = bench.send(bench.message("hidden")).await;
    permit(&bench, Permission::WRITE).await;
    eventually("the topic has no queue to read", async || {
        bench.consumer.queues(&bench.topic).await.unwrap().is_empty().then_some(())
    })
    .await;
    let error = bench.consumer.pull(&receipt.queue, "*", 0, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode::NO_PERMISSION)), "{error}");
    assert!(error.remark().unwrap().contains("forbidden"), "{error}");
    assert!(!error.is_retryable());
    permit(&bench, Permission::READ_WRITE).await;
    assert_eq!(bench.pull(&receipt.queue, "*", receipt.queue_offset).await.messages.len(), 1);
}
