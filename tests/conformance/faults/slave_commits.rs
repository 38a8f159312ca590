//! A group that consumes from a slave while its master is away: what it has consumed is committed there.

use std::collections::BTreeSet;
use std::time::Duration;

use stgclient::ConsumeFrom;
use stgclient_core::wire::code::RequestCode;
use stgclient_tests::{Bench, ask, eventually, within};

use super::{bench, create_topic};

const MESSAGES: usize = 40;

/// Consumes until `count` messages have come, or none has for so long; gives their bodies.
async fn consume(bench: &Bench, group: &str, count: usize, patience: Duration) -> BTreeSet<String> {
    let (noted, mut come) = tokio::sync::mpsc::unbounded_channel();
    let consumer = bench.client.push_consumer(group).subscribe(&bench.topic, "*");
    let consumer = consumer.consume_from(ConsumeFrom::FirstOffset).concurrently(move |message| {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        let noted = noted.send(body);
        async move { noted.map_err(Into::into) }
    });
    let consumer = consumer.start().await.expect("it starts");
    let mut bodies = BTreeSet::new();
    while bodies.len() < count
        && let Ok(Some(body)) = tokio::time::timeout(patience, come.recv()).await
    {
        bodies.insert(body);
    }
    consumer.close().await;
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_consumed_of_an_old_slave_while_its_master_was_away_does_not_come_again() {
    let mut bench = bench("4.9.7", &["brokerRole=SYNC_MASTER"]).await;
    bench.cluster.order("start slave brokerName=broker-a brokerId=1 brokerRole=SLAVE slaveReadEnable=true").await;
    let queues = create_topic(&bench, 2, 1).await;
    eventually("the slave is in the route", async || {
        let route = bench.admin().topic_route(&bench.topic).await.ok()?;
        route.brokers.iter().find_map(|broker| broker.addresses.get(&1).cloned())
    })
    .await;
    let route = bench.admin().topic_route(&bench.topic).await.expect("the topic has a route");
    let slave = route.brokers.iter().find_map(|broker| broker.addresses.get(&1)).expect("the slave is in the route");
    for number in 0..MESSAGES {
        bench.send_to(&queues[number % 2], bench.message(number.to_string())).await;
    }
    // A slave hears of topics and their messages after a while only.
    let address = slave.to_string();
    within(Duration::from_secs(90), "the slave has the topic and its messages", async || {
        let has_topic = ask(&address, RequestCode::GET_TOPIC_STATS_INFO, &[("topic", &bench.topic)]).await.code == 0;
        let fields = |queue: &'static str| [("topic", bench.topic.clone()), ("queueId", queue.to_owned())];
        let mut ends = 0;
        for queue in ["0", "1"] {
            let fields = fields(queue);
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = ask(&address, RequestCode::GET_MAX_OFFSET, &fields).await;
            ends += answer.fields.get("offset").and_then(|offset| offset.parse::<usize>().ok()).unwrap_or(0);
        }
        (has_topic && ends == MESSAGES).then_some(())
    })
    .await;
    let group = bench.unique("away");
    bench.cluster.order("stop broker").await;
    let first = within(Duration::from_secs(90), "all is consumed of the slave", async || {
        let bodies = consume(&bench, &group, MESSAGES, Duration::from_secs(45)).await;
        (bodies.len() == MESSAGES).then_some(bodies)
    })
    .await;
    assert_eq!(first.len(), MESSAGES);
    let again = consume(&bench, &group, 1, Duration::from_secs(10)).await;
    assert!(again.is_empty(), "{} messages come again", again.len());
}
