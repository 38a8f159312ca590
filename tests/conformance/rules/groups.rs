//! Brokers know the members of a group, and hear when one leaves.

use stgclient_core::wire::body::{self, ConsumerList};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_tests::{Bench, ask, eventually};

use super::bench;

/// The ids of a consumer group's members at the broker.
async fn members(bench: &Bench, group: &str) -> Vec<String> {
    let fields = [("consumerGroup", group)];
    let answer = ask(bench.cluster.broker(), RequestCode::GET_CONSUMER_LIST_BY_GROUP, &fields).await;
    if answer.code != ResponseCode::SUCCESS.0 {
        // A group that nobody is in does not exist.
        return Vec::new();
    }
    let list: ConsumerList = body::from_slice(&answer.body).unwrap();
    list.consumer_id_list
}

async fn await_members(bench: &Bench, group: &str, count: usize) {
    eventually("the group has its members", async || (members(bench, group).await.len() == count).then_some(())).await;
}

#[tokio::test]
async fn a_consumer_joins_its_group_when_its_client_meets_the_broker() {
    let bench = bench(1).await;
    bench.pull(&bench.queue(0).await, "*", 0).await;
    await_members(&bench, &bench.group, 1).await;
    let other = bench.other_client().await;
    let consumer = other.pull_consumer(&bench.group).start().await.unwrap();
    consumer.max_offset(&bench.queue(0).await).await.unwrap();
    await_members(&bench, &bench.group, 2).await;
}

#[tokio::test]
async fn a_consumer_that_starts_later_joins_at_once() {
    let bench = bench(1).await;
    bench.pull(&bench.queue(0).await, "*", 0).await;
    let group = bench.unique("late");
    let _consumer = bench.client.pull_consumer(&group).start().await.unwrap();
    await_members(&bench, &group, 1).await;
}

#[tokio::test]
async fn a_closed_consumer_has_left_its_group() {
    let bench = bench(1).await;
    bench.pull(&bench.queue(0).await, "*", 0).await;
    await_members(&bench, &bench.group, 1).await;
    bench.consumer.close().await;
    await_members(&bench, &bench.group, 0).await;
}

#[tokio::test]
async fn a_closed_client_has_left_all_groups_when_close_returns() {
    let bench = bench(1).await;
    let client = bench.other_client().await;
    let groups = [bench.unique("first"), bench.unique("second")];
    let mut consumers = Vec::new();
    for group in &groups {
        consumers.push(client.pull_consumer(group).start().await.unwrap());
    }
    consumers[0].max_offset(&bench.queue(0).await).await.unwrap();
    for group in &groups {
        await_members(&bench, group, 1).await;
    }
    client.close().await;
    for group in &groups {
        assert_eq!(members(&bench, group).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_dropped_consumer_has_left_its_group() {
    let bench = bench(1).await;
    let group = bench.unique("dropped");
    let consumer = bench.client.pull_consumer(&group).start().await.unwrap();
    consumer.max_offset(&bench.queue(0).await).await.unwrap();
    await_members(&bench, &group, 1).await;
    drop(consumer);
    await_members(&bench, &group, 0).await;
}
