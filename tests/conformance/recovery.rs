//! Servers that stop and start again: the client recovers by itself. These tests have a cluster of their own.

use std::time::Duration;

use stgclient::ErrorKind;
use stgclient_core::wire::body::{self, ConsumerList};
use stgclient_core::wire::code::RequestCode;
use stgclient_tests::{Bench, Server, ask, eventually};

async fn bench() -> Bench {
    Bench::new(super::cluster_of_its_own().await, 2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_outlives_the_restart_of_its_broker() {
    let mut bench = bench().await;
    let before = bench.send(bench.message("before")).await;
    bench.pull_sent(&before).await;
    let hasty = bench.client.producer("hasty").send_timeout(Duration::from_secs(2)).start().await.unwrap();

    bench.cluster.stop(Server::Broker).await;
    let error = hasty.send(bench.message("lost")).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = bench.consumer.pull(&before.queue, "*", 0, 1).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");

    bench.cluster.start(Server::Broker).await;
    eventually("messages are sent again", async || hasty.send(bench.message("after")).await.ok()).await;
    let first = eventually("messages are pulled again", async || {
        bench.consumer.pull(&before.queue, "*", before.queue_offset, 1).await.ok()?.messages.pop()
    })
    .await;
    assert_eq!(first.body(), "before");
    eventually("the consumer is a member of its group again", async || {
        let fields = [("consumerGroup", bench.group.as_str())];
        let answer = ask(bench.cluster.broker(), RequestCode::GET_CONSUMER_LIST_BY_GROUP, &fields).await;
        let list: ConsumerList = body::from_slice(&answer.body).ok()?;
        (list.consumer_id_list.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_topics_go_on_while_the_name_server_is_away() {
    let mut bench = bench().await;
    bench.send(bench.message("before")).await;
    bench.cluster.stop(Server::NameServer).await;
    let receipt = bench.send(bench.message("meanwhile")).await;
    assert_eq!(bench.pull_sent(&receipt).await.body(), "meanwhile");
    let error = bench.admin().topic_list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServersUnavailable, "{error}");
    bench.cluster.start(Server::NameServer).await;
    eventually("the name server is asked again", async || bench.admin().topic_list().await.ok()).await;
}
