//! Our push consumers beside Java's in one group, and under the eyes of Apache's administration tool.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stgclient::{Client, ConsumeFrom, PushConsumer};
use stgclient_tests::{Bench, eventually};

use super::bench;
use crate::java::{Consumer, mqadmin};

/// Bodies that our members have consumed.
type Book = Arc<Mutex<Vec<String>>>;

async fn join(client: &Client, bench: &Bench, group: &str, book: &Book) -> PushConsumer {
    let book = Arc::clone(book);
    let consumer = client.push_consumer(group).subscribe(&bench.topic, "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.configure(|config| config.commit_interval = std::time::Duration::from_millis(500));
    let consumer = consumer.concurrently(move |message| {
        book.lock().unwrap().push(String::from_utf8_lossy(message.body()).into_owned());
        async { Ok(()) }
    });
    consumer.start().await.unwrap()
}

fn owned(consumer: &PushConsumer, bench: &Bench) -> usize {
    let queues = consumer.status().queues.into_iter();
    queues.filter(|queue| *queue.queue.topic == bench.topic && queue.is_consuming).count()
}

async fn await_shares(bench: &Bench, members: &[&PushConsumer], shares: &[usize]) {
    eventually("the members have their shares", async || {
        let owned: Vec<usize> = members.iter().map(|member| owned(member, bench)).collect();
        (owned == shares).then_some(())
    })
    .await;
}

/// Sends so many messages to each queue, and returns their bodies.
async fn send(bench: &Bench, round: &str, count: usize) -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for (index, queue) in bench.queues().await.iter().enumerate() {
        for number in 0..count {
            let body = format!("{round}-{index}-{number}");
            bench.send_to(queue, bench.message(body.clone())).await;
            bodies.insert(body);
        }
    }
    bodies
}

#[tokio::test]
async fn ours_and_javas_share_the_queues_and_take_over_from_each_other_also_from_one_that_is_killed() {
    let bench = bench(6).await;
    let (name_server, group, book) = (bench.cluster.name_server(), bench.unique("mixed"), Book::default());
    let other = bench.other_client().await;
    let one = join(&bench.client, &bench, &group, &book).await;
    let two = join(&other, &bench, &group, &book).await;
    await_shares(&bench, &[&one, &two], &[3, 3]).await;
    let mut java = Consumer::start(name_server, &bench.topic, &group, &[]).await;
    await_shares(&bench, &[&one, &two], &[2, 2]).await;

    let sent = send(&bench, "all", 10).await;
    let mut javas = BTreeSet::new();
    // Java has two of the six queues.
    while javas.len() < 20 {
        javas.insert(String::from_utf8(java.next().await.body()).unwrap());
    }
    let come = || book.lock().unwrap().iter().cloned().chain(javas.iter().cloned()).collect::<BTreeSet<_>>();
    eventually("everything is consumed", async || (come() == sent).then_some(())).await;

    java.end().await;
    await_shares(&bench, &[&one, &two], &[3, 3]).await;
    let killed = Consumer::start(name_server, &bench.topic, &group, &[]).await;
    await_shares(&bench, &[&one, &two], &[2, 2]).await;
    // Its process is killed; it says nothing.
    drop(killed);
    await_shares(&bench, &[&one, &two], &[3, 3]).await;
    let sent = send(&bench, "rest", 5).await;
    let come = || book.lock().unwrap().iter().filter(|body| body.starts_with("rest")).cloned().collect::<BTreeSet<_>>();
    eventually("everything is consumed", async || (come() == sent).then_some(())).await;

    let java = Consumer::start(name_server, &bench.topic, &group, &[]).await;
    await_shares(&bench, &[&one, &two], &[2, 2]).await;
    one.close().await;
    two.close().await;
    let mut java = java;
    let sent = send(&bench, "last", 1).await;
    let mut come = BTreeSet::new();
    while come != sent {
        let body = String::from_utf8(java.next().await.body()).unwrap();
        if body.starts_with("last") {
            come.insert(body);
        }
    }
    java.end().await;
}

#[tokio::test]
async fn mqadmin_shows_our_consumer_and_how_far_it_is() {
    let bench = bench(2).await;
    let (name_server, group, book) = (bench.cluster.name_server(), bench.unique("seen"), Book::default());
    let consumer = join(&bench.client, &bench, &group, &book).await;
    let queue = bench.queue(1).await;
    for body in ["a", "b", "c"] {
        bench.send_to(&queue, bench.message(body)).await;
    }
    eventually("3 messages", async || (book.lock().unwrap().len() == 3).then_some(())).await;
    let client_id = bench.client.client_id().to_owned();
    let of_group = ["-n", name_server, "-g", &group];
    let text = mqadmin(&[&["consumerConnection"], &of_group[..]].concat()).await;
    for part in [&*client_id, "RUST", "V5_4_0", &bench.topic, "CONSUME_PASSIVELY", "CLUSTERING"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    eventually("the consumer has committed", async || {
        let text = mqadmin(&[&["consumerProgress"], &of_group[..]].concat()).await;
        let line = text.lines().find(|line| line.starts_with(&bench.topic) && line.contains(" 1 "))?;
        let columns: Vec<&str> = line.split_whitespace().skip(1).take(5).collect();
        (columns == ["broker-a", "1", "3", "3", "0"]).then_some(())
    })
    .await;
    let text = mqadmin(&[&["consumerStatus", "-i", &client_id], &of_group[..]].concat()).await;
    for part in [&*bench.topic, "PROP_CONSUME_TYPE", "CONSUME_PASSIVELY", "broker-a"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    consumer.close().await;
    let text = mqadmin(&[&["consumerConnection"], &of_group[..]].concat()).await;
    assert!(text.contains("not online"), "{text}");
}

#[tokio::test]
async fn mqadmin_sets_our_group_back_to_a_time() {
    let bench = bench(1).await;
    let (name_server, group, book) = (bench.cluster.name_server(), bench.unique("set-back"), Book::default());
    let _consumer = join(&bench.client, &bench, &group, &book).await;
    let queue = bench.queue(0).await;
    for body in ["a", "b", "c"] {
        bench.send_to(&queue, bench.message(body)).await;
    }
    eventually("3 messages", async || (book.lock().unwrap().len() == 3).then_some(())).await;
    let arguments = ["resetOffsetByTime", "-n", name_server, "-g", &group, "-t", &bench.topic, "-s", "1000"];
    let text = mqadmin(&arguments).await;
    assert!(text.contains("broker-a"), "{text}");
    // A waiting pull hears of it when it waits no longer, and this message ends the wait.
    bench.send_to(&queue, bench.message("d")).await;
    eventually("all again", async || {
        let come = book.lock().unwrap();
        ["a", "b", "c"].iter().all(|body| come.iter().filter(|known| known == body).count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn mqadmin_has_our_consumer_consume_a_message_at_once() {
    let bench = bench(1).await;
    let (name_server, group, book) = (bench.cluster.name_server(), bench.unique("at-once"), Book::default());
    let receipt = bench.send(bench.message("again")).await;
    let _consumer = join(&bench.client, &bench, &group, &book).await;
    eventually("the message", async || (book.lock().unwrap().len() == 1).then_some(())).await;
    let (unique, client_id) = (receipt.message_id.to_string(), bench.client.client_id().to_owned());
    let mut arguments = vec!["queryMsgByUniqueKey", "-n", name_server, "-t", &bench.topic, "-i", &unique];
    arguments.extend(["-g", &group, "-d", &client_id]);
    eventually("it is consumed at once", async || mqadmin(&arguments).await.contains("CR_SUCCESS").then_some(())).await;
    assert!(book.lock().unwrap().len() >= 2);
}
