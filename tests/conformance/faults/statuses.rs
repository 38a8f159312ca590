//! What a receipt says of how safely brokers have a message.

use stgclient::{MessageQueue, Placement, SendStatus};
use stgclient_tests::{Bench, CURRENT, eventually};

use super::{bench, create_topic};

/// Sends to a queue until the status is this one.
async fn send_until(bench: &Bench, queue: &MessageQueue, status: SendStatus) {
    eventually(&format!("{queue} answers {status}"), async || {
        let receipt = bench.send_to(queue, bench.message("body")).await;
        (receipt.status == status).then_some(())
    })
    .await;
}

/// A slave copies messages at once, but the table of topics only once a minute (`BrokerController.lastSyncTimeMs`), so
/// it is told of the topic.
async fn tell_slave_of_topic(bench: &Bench) {
    let route = bench.admin().topic_route(&bench.topic).await.expect("the topic has a route");
    let slave = route.brokers.iter().find_map(|broker| broker.addresses.get(&1)).expect("the slave is in the route");
    let placement = Placement::Address(slave.clone());
    bench.admin().create_topic(&bench.topic).queues(1).at(placement).await.expect("the slave takes it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_slave_shows_in_the_status_and_stands_in_for_its_killed_master() {
    let settings = ["brokerRole=SYNC_MASTER", "inSyncReplicas=2", "slaveTimeout=500"];
    let mut bench = bench(CURRENT, &settings).await;
    bench.cluster.order("start other brokerName=broker-b").await;
    let queues = create_topic(&bench, 1, 2).await;
    let [replicated, single] = &queues[..] else { panic!("{queues:?}") };
    send_until(&bench, replicated, SendStatus::FlushSlaveTimeout).await;
    bench.cluster.order("start slave brokerName=broker-a brokerId=1 brokerRole=SLAVE slaveReadEnable=true").await;
    send_until(&bench, replicated, SendStatus::SendOk).await;
    bench.cluster.order("pause slave").await;
    send_until(&bench, replicated, SendStatus::FlushSlaveTimeout).await;
    assert_eq!(bench.send_to(single, bench.message("body")).await.status, SendStatus::SendOk);
    bench.cluster.order("resume slave").await;
    send_until(&bench, replicated, SendStatus::SendOk).await;

    let last = bench.send_to(replicated, bench.message("replicated")).await;
    assert_eq!(last.status, SendStatus::SendOk);
    tell_slave_of_topic(&bench).await;
    bench.cluster.order("stop broker").await;
    let message = eventually("the slave is pulled from", async || {
        bench.consumer.pull(replicated, "*", last.queue_offset, 1).await.ok()?.messages.pop()
    })
    .await;
    assert_eq!((message.body().as_ref(), message.message_id()), (&b"replicated"[..], last.message_id.to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_that_takes_too_long_shows_in_the_status() {
    let bench = bench(CURRENT, &["flushDiskType=SYNC_FLUSH", "syncFlushTimeout=1"]).await;
    let queues = create_topic(&bench, 1, 1).await;
    send_until(&bench, &queues[0], SendStatus::FlushDiskTimeout).await;
    // The broker has the message all the same.
    let receipt = bench.send_to(&queues[0], bench.message("kept")).await;
    assert_eq!(bench.pull_sent(&receipt).await.body(), "kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_slave_shows_in_the_status_of_servers_before_5() {
    let bench = bench("4.9.7", &["brokerRole=SYNC_MASTER"]).await;
    let queues = create_topic(&bench, 1, 1).await;
    for _ in 0..3 {
        let receipt = bench.send_to(&queues[0], bench.message("kept")).await;
        assert_eq!(receipt.status, SendStatus::SlaveNotAvailable);
        assert_eq!(bench.pull_sent(&receipt).await.body(), "kept");
    }
}
