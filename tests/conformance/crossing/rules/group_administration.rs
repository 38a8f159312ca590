//! Apache's administration tool looks at a group of Java's consumers, steers it, and finds messages.

use std::collections::BTreeSet;

use stgclient_tests::eventually;

use super::bench;
use crate::java::{Consumer, mqadmin};

#[tokio::test]
async fn it_shows_who_consumes_and_how_far() {
    let bench = bench(2).await;
    let (name_server, java_group) = (bench.cluster.name_server(), bench.unique("java"));
    let queue = bench.queue(1).await;
    for body in ["a", "b", "c"] {
        bench.send_to(&queue, bench.message(body)).await;
    }
    let mut consumer = Consumer::start(name_server, &bench.topic, &java_group, &[]).await;
    for _ in 0..3 {
        consumer.next().await;
    }
    let group = ["-n", name_server, "-g", &java_group];
    let text = mqadmin(&[&["consumerConnection"], &group[..]].concat()).await;
    for part in [&*consumer.client_id, "JAVA", "V5_4_0", &bench.topic, "CONSUME_PASSIVELY", "CLUSTERING"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    eventually("the consumer has committed", async || {
        let text = mqadmin(&[&["consumerProgress"], &group[..]].concat()).await;
        let line = text.lines().find(|line| line.starts_with(&bench.topic) && line.contains(" 1 "))?;
        // Topic, broker, queue, the broker's offset, the consumer's offset, the difference.
        let columns: Vec<&str> = line.split_whitespace().skip(1).take(5).collect();
        (columns == ["broker-a", "1", "3", "3", "0"]).then_some(())
    })
    .await;
    let text = mqadmin(&[&["consumerStatus", "-i", &consumer.client_id], &group[..]].concat()).await;
    for part in [&*bench.topic, "PROP_CONSUME_TYPE", "broker-a"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let text = mqadmin(&["getConsumerConfig", "-n", name_server, "-g", &java_group]).await;
    assert!(text.contains("retryMaxTimes"), "{text}");
    consumer.end().await;
    let text = mqadmin(&[&["consumerConnection"], &group[..]].concat()).await;
    assert!(text.contains("not online"), "{text}");
}

#[tokio::test]
async fn it_sets_a_group_back_to_a_time() {
    let bench = bench(1).await;
    let (name_server, java_group) = (bench.cluster.name_server(), bench.unique("java"));
    let queue = bench.queue(0).await;
    for body in ["a", "b", "c"] {
        bench.send_to(&queue, bench.message(body)).await;
    }
    let mut consumer = Consumer::start(name_server, &bench.topic, &java_group, &[]).await;
    for _ in 0..3 {
        consumer.next().await;
    }
    let arguments = ["resetOffsetByTime", "-n", name_server, "-g", &java_group, "-t", &bench.topic, "-s", "1000"];
    let text = mqadmin(&arguments).await;
    assert!(text.contains("broker-a"), "{text}");
    // A waiting pull hears of it when it waits no longer, and this message ends the wait.
    bench.send_to(&queue, bench.message("d")).await;
    let mut given = BTreeSet::new();
    while given.len() < 4 {
        given.insert(String::from_utf8(consumer.next().await.body()).unwrap());
    }
    assert!(given.iter().eq(["a", "b", "c", "d"]), "{given:?}");
    consumer.end().await;
}

#[tokio::test]
async fn it_finds_messages_by_their_ids_and_keys() {
    let bench = bench(1).await;
    let name_server = bench.cluster.name_server();
    let receipt = bench.send(bench.message("found").tag("t").key("k1").key("k2")).await;
    let topic = ["-n", name_server, "-t", &bench.topic];
    let unique = receipt.message_id.to_string();
    let offset_id = receipt.offset_message_id.expect("the broker names it").to_string();
    let text = mqadmin(&[&["queryMsgById", "-i", &offset_id], &topic[..]].concat()).await;
    for part in [&*offset_id, "k1 k2", &bench.topic] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    // An index is written a little later than the message.
    eventually("the message is found by its unique id", async || {
        let text = mqadmin(&[&["queryMsgByUniqueKey", "-i", &unique], &topic[..]].concat()).await;
        (text.contains("k1 k2") && text.contains(&bench.topic)).then_some(())
    })
    .await;
    for key in ["k1", "k2"] {
        let text = mqadmin(&[&["queryMsgByKey", "-k", key], &topic[..]].concat()).await;
        assert!(text.contains(&unique), "{key}: {text}");
    }
}

#[tokio::test]
async fn it_has_a_member_consume_a_message_at_once() {
    let bench = bench(1).await;
    let (name_server, java_group) = (bench.cluster.name_server(), bench.unique("java"));
    let receipt = bench.send(bench.message("again")).await;
    let mut consumer = Consumer::start(name_server, &bench.topic, &java_group, &[]).await;
    assert_eq!(consumer.next().await.body(), b"again");
    let unique = receipt.message_id.to_string();
    let arguments = [
        "queryMsgByUniqueKey",
        "-n",
        name_server,
        "-t",
        &bench.topic,
        "-i",
        &unique,
        "-g",
        &java_group,
        "-d",
        &consumer.client_id,
    ];
    eventually("the member has consumed the message at once", async || {
        let text = mqadmin(&arguments).await;
        text.contains("CR_SUCCESS").then_some(())
    })
    .await;
    assert_eq!(consumer.next().await.body(), b"again");
    consumer.end().await;
}
