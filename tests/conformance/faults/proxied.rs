//! A network that is slow, or cuts connections, before a real broker: locks go back, and a new group skips nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stgclient::ConsumeFrom;
use stgclient_core::wire::code::RequestCode;
use stgclient_tests::{Bench, CURRENT, eventually, within};

use super::proxy::{HOST, Proxy};
use super::{bench, create_topic};

const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;
const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;

/// A bench whose broker is reached through a proxy.
async fn proxied(late: Duration, cut_at: RequestCode, cuts: usize) -> (Bench, Proxy) {
    let bench = bench(CURRENT, &[&format!("brokerIP1={HOST}")]).await;
    let proxy = Proxy::start(bench.cluster.broker(), late, cut_at, cuts).await;
    (bench, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_granted_while_its_member_closes_goes_back_before_the_broker_forgets_it() {
    let (bench, proxy) = proxied(Duration::from_millis(200), LOCK, 0).await;
    create_topic(&bench, 4, 1).await;
    bench.send(bench.message("body")).await;
    let group = bench.unique("late");
    let member = || {
        let consumer = bench.client.push_consumer(&group).subscribe(&bench.topic, "*");
        consumer.consume_from(ConsumeFrom::FirstOffset)
    };
    let first = member().orderly(|_| async { Ok(()) }).start().await.expect("it starts");
    eventually("the locks are asked for", async || (proxy.seen(LOCK) > 0).then_some(())).await;
    // The answer is on its way.
    first.close().await;

    let client = bench.cluster.client().await;
    let consumer = client.push_consumer(&group).subscribe(&bench.topic, "*").consume_from(ConsumeFrom::FirstOffset);
    let began = Instant::now();
    let second = consumer.orderly(|_| async { Ok(()) }).start().await.expect("it starts");
    within(Duration::from_secs(30), "all queues are locked", async || {
        second.status().queues.iter().filter(|queue| queue.is_locked).nth(3).map(|_| ())
    })
    .await;
    let took = began.elapsed();
    // A broker forgets a lock that nobody gives back after 60 s.
    assert!(took < Duration::from_secs(20), "the next owner waits for {took:?}");
    println!("the next owner has all locks after {took:?}");
    second.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_orderly_group_skips_nothing_while_its_connections_are_cut_at_each_commit() {
    let (bench, proxy) = proxied(Duration::ZERO, COMMIT, 6).await;
    let queues = create_topic(&bench, 2, 1).await;
    for number in 0..10 {
        bench.send_to(&queues[number % 2], bench.message("old")).await;
    }
    let book = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&book);
    let consumer = bench.client.push_consumer(&bench.unique("cut")).subscribe(&bench.topic, "*");
    let consumer = consumer.consume_from(ConsumeFrom::LastOffset).configure(|config| {
        config.commit_interval = Duration::from_millis(200);
    });
    let consumer = consumer.orderly(move |message| {
        noted.lock().unwrap().push((message.queue().queue_id, message.queue_offset()));
        async { Ok(()) }
    });
    let consumer = consumer.start().await.expect("it starts");
    // What is sent from now on is consumed.
    let producer = &bench.producer;
    let mut sent = 0_u64;
    within(Duration::from_secs(60), "the connections are cut", async || {
        for queue in &queues {
            within(Duration::from_secs(30), "the message is sent", async || {
                producer.send_to(bench.message("new"), queue.clone()).await.ok()
            })
            .await;
        }
        sent += 1;
        (proxy.cuts_left() == 0).then_some(())
    })
    .await;
    for queue in &queues {
        let consumed = || {
            let book = book.lock().unwrap();
            book.iter().filter(|(id, _)| *id == queue.queue_id).map(|(_, offset)| *offset).collect::<Vec<u64>>()
        };
        within(Duration::from_secs(60), "all is consumed", async || {
            (consumed().iter().max() >= Some(&(4 + sent))).then_some(())
        })
        .await;
        let mut next = 5;
        for offset in consumed() {
            assert!(offset <= next, "queue {} skips from {next} to {offset}", queue.queue_id);
            next = next.max(offset + 1);
        }
    }
    println!("{sent} messages of each queue, {} deliveries, 6 cuts", book.lock().unwrap().len());
    consumer.close().await;
}
