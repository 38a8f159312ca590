//! Java's push consumers and its lite pull consumer get what we send.

use std::collections::{BTreeMap, BTreeSet};

use stgclient::Message;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::request::OffsetAnswer;
use stgclient_tests::{Bench, ask, eventually};

use super::bench;
use crate::java::{self, Line};

/// Sends so many messages to each queue, numbered by `queue-number`, and returns their bodies.
async fn send(bench: &Bench, count: usize) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for (index, queue) in bench.queues().await.iter().enumerate() {
        for number in 0..count {
            let body = format!("{index}-{number}");
            let tag = if number % 2 == 0 { "even" } else { "odd" };
            let message = bench.message(body.clone()).tag(tag).key(&body).property("number", number.to_string());
            bench.send_to(queue, message).await;
            bodies.insert(body);
        }
    }
    bodies
}

fn body(line: &Line) -> String {
    String::from_utf8(line.body()).expect("our bodies are texts")
}

fn bodies(lines: &[Line]) -> BTreeSet<String> {
    lines.iter().map(body).collect()
}

/// The group of Java's consumers. Our own is a member of the bench's group, and would share its messages.
fn group(bench: &Bench) -> String {
    format!("java-{}", bench.group)
}

/// Runs Java's consumer of the bench's topic until it has been given so many messages.
async fn consume(bench: &Bench, kind: &str, count: usize, options: &[&str]) -> Vec<Line> {
    let (count, group) = (count.to_string(), group(bench));
    let arguments = [kind, bench.cluster.name_server(), &bench.topic, &group, &count];
    java::crossing(&[&arguments[..], options].concat()).await
}

/// What the group has committed, in the order of the queues.
async fn committed(bench: &Bench) -> Vec<i64> {
    let mut offsets = Vec::new();
    for queue in &bench.queues().await {
        let (group, queue_id) = (group(bench), queue.queue_id.to_string());
        let fields = [("consumerGroup", &*group), ("topic", &bench.topic), ("queueId", &queue_id)];
        let answer = ask(bench.cluster.broker(), RequestCode::QUERY_CONSUMER_OFFSET, &fields).await;
        offsets.push(answer.header::<OffsetAnswer>().expect("the group has an offset").offset);
    }
    offsets
}

/// Waits until the group has committed so much: Java commits without waiting for an answer.
async fn await_committed(bench: &Bench, expected: &[i64]) {
    eventually("what was consumed is committed", async || (committed(bench).await == expected).then_some(())).await;
}

#[tokio::test]
async fn a_concurrent_consumer_gets_every_message_and_commits() {
    let bench = bench(3).await;
    let sent = send(&bench, 10).await;
    let lines = consume(&bench, "consume", 30, &[]).await;
    assert_eq!(bodies(&lines), sent);
    assert!(lines.iter().all(|line| line.number("reconsumeTimes") == 0));
    await_committed(&bench, &[10; 3]).await;
}

#[tokio::test]
async fn an_orderly_consumer_gets_every_queue_in_order_and_another_one_goes_on_where_it_has_ended() {
    let bench = bench(3).await;
    let sent = send(&bench, 10).await;
    let lines = consume(&bench, "consume", 30, &["--orderly"]).await;
    assert_eq!(bodies(&lines), sent);
    let mut queues: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for line in &lines {
        queues.entry(line.number("queueId")).or_default().push(line.number("queueOffset"));
    }
    assert!(queues.values().all(|offsets| offsets.iter().copied().eq(0..10)), "{queues:?}");
    await_committed(&bench, &[10; 3]).await;
    // The first one has given its locks back: nobody waits a minute for them.
    send(&bench, 1).await;
    let lines = consume(&bench, "consume", 3, &["--orderly"]).await;
    assert!(lines.iter().all(|line| line.number("queueOffset") == 10), "{lines:?}");
}

#[tokio::test]
async fn every_broadcasting_member_gets_every_message() {
    let bench = bench(2).await;
    let sent = send(&bench, 5).await;
    let both = tokio::join!(
        consume(&bench, "consume", 10, &["--broadcast"]),
        consume(&bench, "consume", 10, &["--broadcast"])
    );
    assert_eq!((bodies(&both.0), bodies(&both.1)), (sent.clone(), sent));
}

#[tokio::test]
async fn a_consumer_gets_what_its_expression_selects() {
    let bench = bench(1).await;
    send(&bench, 6).await;
    let lines = consume(&bench, "consume", 3, &["--tags=odd || none"]).await;
    assert_eq!(bodies(&lines), ["0-1", "0-3", "0-5"].map(str::to_owned).into());
    let group = bench.unique("sql");
    let arguments = ["consume", bench.cluster.name_server(), &bench.topic, &group, "2"];
    let lines = java::crossing(&[&arguments[..], &["--sql=number BETWEEN 1 AND 4 AND TAGS = 'even'"]].concat()).await;
    assert_eq!(bodies(&lines), ["0-2", "0-4"].map(str::to_owned).into());
}

#[tokio::test]
async fn a_message_that_fails_comes_again_and_ends_among_the_dead_letters() {
    let bench = bench(1).await;
    send(&bench, 1).await;
    let lines = consume(&bench, "consume", 2, &["--fail-times=99", "--max-reconsume=1"]).await;
    let times: Vec<_> = lines.iter().map(|line| line.number("reconsumeTimes")).collect();
    assert_eq!(times, [0, 1]);
    let (first, again) = (&lines[0], &lines[1]);
    assert_eq!((again.text("topic"), body(again)), (Some(&*bench.topic), body(first)), "it is shown under its topic");
    assert_eq!(again.text("messageId"), first.text("messageId"));
    let property = |name| again.properties().find(|(known, _)| *known == name).map(|(_, value)| value);
    assert_eq!(property("ORIGIN_MESSAGE_ID"), first.text("offsetMessageId"));
    assert_eq!(property("TAGS"), Some("even"));

    let dead = dead_letter(&bench).await;
    assert_eq!((&dead.body()[..], dead.reconsume_times()), (&b"0-0"[..], 2));
    assert_eq!(dead.property("RETRY_TOPIC"), Some(&*bench.topic));
}

#[tokio::test]
async fn an_orderly_message_that_fails_is_tried_in_place_and_ends_among_the_dead_letters() {
    let bench = bench(1).await;
    send(&bench, 2).await;
    // The first message twice, and after it the second.
    let lines = consume(&bench, "consume", 3, &["--orderly", "--fail-times=99", "--max-reconsume=1"]).await;
    let given: Vec<_> = lines.iter().map(|line| (body(line), line.number("reconsumeTimes"))).collect();
    // Until it ends, the second one may come again.
    assert_eq!(given[..3], [("0-0".to_owned(), 0), ("0-0".to_owned(), 1), ("0-1".to_owned(), 0)]);
    let dead = dead_letter(&bench).await;
    assert_eq!(&dead.body()[..], b"0-0");
}

/// The first dead letter of the group.
async fn dead_letter(bench: &Bench) -> stgclient::ReceivedMessage {
    let topic = format!("%DLQ%{}", group(bench));
    eventually("the message is a dead letter", async || {
        let queues = bench.consumer.queues(&topic).await.ok()?;
        let batch = bench.consumer.pull(&queues[0], "*", 0, 32).await.ok()?;
        batch.messages.into_iter().next()
    })
    .await
}

#[tokio::test]
async fn two_members_share_the_queues_and_one_takes_over_from_the_other() {
    let bench = bench(4).await;
    let (name_server, topic, group) = (bench.cluster.name_server(), &*bench.topic, group(&bench));
    let mut one = java::Consumer::start(name_server, topic, &group, &[]).await;
    let mut two = java::Consumer::start(name_server, topic, &group, &[]).await;
    assert_ne!(one.client_id, two.client_id);
    // The members learn of each other in their own time. Until then one of them may get everything, or both the same.
    let queues = bench.queues().await;
    let mut round = 0;
    eventually("both members have half of the queues", async || {
        round += 1;
        for queue in &queues {
            bench.send_to(queue, Message::new(topic, format!("{round}"))).await;
        }
        let mut given = [BTreeSet::new(), BTreeSet::new()];
        while given[0].len() + given[1].len() < queues.len() {
            let (index, line) = tokio::select! {
                line = one.next() => (0, line),
                line = two.next() => (1, line),
            };
            if body(&line) == round.to_string() {
                given[index].insert(line.number("queueId"));
            }
        }
        (given[0].len() == 2 && given[1].len() == 2 && given[0].is_disjoint(&given[1])).then_some(())
    })
    .await;
    one.end().await;
    for queue in &queues {
        bench.send_to(queue, Message::new(topic, "last")).await;
    }
    let mut given = BTreeSet::new();
    while given.len() < queues.len() {
        let line = two.next().await;
        if line.body() == b"last" {
            given.insert(line.number("queueId"));
        }
    }
    two.end().await;
}

#[tokio::test]
async fn a_lite_pull_consumer_gets_every_message_and_commits() {
    let bench = bench(3).await;
    let sent = send(&bench, 10).await;
    let lines = consume(&bench, "lite", 30, &[]).await;
    assert_eq!(bodies(&lines), sent);
    await_committed(&bench, &[10; 3]).await;
}

#[tokio::test]
async fn a_lite_pull_consumer_gets_every_message_of_queues_that_it_chooses() {
    let bench = bench(2).await;
    let sent = send(&bench, 10).await;
    let lines = consume(&bench, "lite", 20, &["--assign"]).await;
    assert_eq!(bodies(&lines), sent);
    await_committed(&bench, &[10; 2]).await;
}
