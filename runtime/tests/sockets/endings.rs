//! How a client ends, and what becomes of what it has under way.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stgclient::embedded::{Force, Forced, RouteOverride, ServerId};
use stgclient::{Client, Error, ErrorKind, Message, PullBatch, PullConsumer, PullOptions, ResponseCode, SendOptions};
use stgclient_core::wire::code::RequestCode;
use tokio::task::JoinHandle;

use crate::{SOON, cluster, eventually, wrong};

/// Begins a pull that waits for long.
async fn waiting(consumer: &PullConsumer) -> JoinHandle<Result<PullBatch, Error>> {
    let queue = consumer.queues("T").await.unwrap().swap_remove(0);
    let consumer = consumer.clone();
    tokio::spawn(async move {
        let options = PullOptions::new().wait(SOON);
        consumer.pull_with(&queue, "*", 0, options).await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_pull_ends_with_the_reason_when_its_broker_stops() {
    let (cluster, client) = cluster("T", 1).await;
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let pull = waiting(&consumer).await;
    let held = || cluster.with(|cluster| cluster.broker("broker-a").unwrap().usage().held_pulls);
    eventually("the broker holds the pull", async || (held() == 1).then_some(())).await;
    cluster.stop_server(ServerId::Broker(0));
    let started = Instant::now();
    let error = pull.await.unwrap().unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(started.elapsed() < SOON, "it has waited for its time");
    client.close().await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_no_pull() {
    let (cluster, client) = cluster("T", 1).await;
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let pull = waiting(&consumer).await;
    let held = || cluster.with(|cluster| cluster.broker("broker-a").unwrap().usage().held_pulls);
    eventually("the broker holds the pull", async || (held() == 1).then_some(())).await;
    let started = Instant::now();
    client.close().await;
    assert!(started.elapsed() < Duration::from_secs(5), "closing took {:?}", started.elapsed());
    assert_eq!(pull.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    eventually("the broker has heard", async || (held() == 0).then_some(())).await;
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_a_hung_broker_only_so_long() {
    let (cluster, other) = cluster("T", 1).await;
    let patience = Duration::from_millis(500);
    let client = Client::builder(cluster.name_server_address()).close_timeout(patience).connect().await.unwrap();
    let producer = client.producer("producer").send_timeout(SOON).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    let everything = RequestCode::ALL.iter().map(|(code, _)| *code);
    let hung = Force::requests(everything, Forced::Lost);
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(hung));
    let send = tokio::spawn(producer.send(Message::new("T", "hangs")));
    eventually("the send is under way", async || (producer.backlog().messages == 1).then_some(())).await;
    let started = Instant::now();
    client.close().await;
    let took = started.elapsed();
    assert!(took >= patience && took < Duration::from_secs(10), "closing took {took:?}");
    assert_eq!(send.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    drop(other);
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_under_way_end_well_before_the_client_does() {
    let (cluster, client) = cluster("T", 4).await;
    let producer = client.producer("producer").max_waiting(10, 1 << 20).start().await.unwrap();
    producer.send(Message::new("T", "first")).await.unwrap();
    let slowly = Force::sends(Forced::Delay(Duration::from_millis(100)));
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(slowly));
    let sends: Vec<_> = (0..10).map(|number| producer.send(Message::new("T", number.to_string()))).collect();
    client.close().await;
    for send in sends {
        send.await.unwrap();
    }
    cluster.close().await;
}

#[tokio::test]
async fn everything_of_a_closed_client_says_that_it_is_closed() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    let consumer = client.pull_consumer("consumer").start().await.unwrap();
    let queue = producer.send(Message::new("T", "body")).await.unwrap().queue;
    client.close().await;
    client.close().await;
    let errors = [
        producer.send(Message::new("T", "body")).await.unwrap_err(),
        producer.send_oneway(Message::new("T", "body")).await.unwrap_err(),
        consumer.pull(&queue, "*", 0, 1).await.unwrap_err(),
        consumer.queues("T").await.unwrap_err(),
        consumer.max_offset(&queue).await.unwrap_err(),
        consumer.commit_offset(&queue, 1).await.unwrap_err(),
        client.admin().create_topic("U").await.unwrap_err(),
        client.admin().topic_list().await.unwrap_err(),
        client.producer("late").start().await.unwrap_err(),
        client.pull_consumer("late").start().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    cluster.close().await;
}

#[tokio::test]
async fn closing_tells_the_broker_of_every_group_that_leaves() {
    let (cluster, client) = cluster("T", 1).await;
    // A broker that says yes to everything, and remembers who leaves.
    let (left, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(BTreeSet::new())));
    let (leaving, clients) = (Arc::clone(&left), Arc::clone(&seen));
    let address = wrong::answering(move |request| {
        if request.code == RequestCode::UNREGISTER_CLIENT.0 {
            let field = |name| request.fields.get(name).map(Cow::into_owned);
            leaving.lock().unwrap().push((field("producerGroup"), field("consumerGroup")));
            clients.lock().unwrap().insert(field("clientID"));
        }
        Some(wrong::answer(ResponseCode::SUCCESS, request.opaque))
    })
    .await;
    cluster.with(|cluster| cluster.name_server(0).unwrap().override_route(None, RouteOverride::At(address)));
    let _producers = (client.producer("p1").start().await.unwrap(), client.producer("p2").start().await.unwrap());
    let consumers =
        (client.pull_consumer("c1").start().await.unwrap(), client.pull_consumer("c2").start().await.unwrap());
    let queue = consumers.0.queues("T").await.unwrap().swap_remove(0);
    consumers.0.commit_offset(&queue, 1).await.unwrap();
    client.close().await;
    let mut left = left.lock().unwrap().clone();
    left.sort_unstable();
    let group = |name: &str| Some(name.to_owned());
    let all = [(None, group("c1")), (None, group("c2")), (group("p1"), None), (group("p2"), None)];
    assert_eq!(left, all);
    assert_eq!(seen.lock().unwrap().len(), 1, "all under the one id of the client");
    cluster.close().await;
}

#[tokio::test]
async fn several_may_wait_for_the_close() {
    let (cluster, client) = cluster("T", 1).await;
    let closes = (0..4).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.close().await })
    });
    for close in closes.collect::<Vec<_>>() {
        close.await.unwrap();
    }
    cluster.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_without_a_runtime_may_send_and_drop_the_client() {
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("producer").start().await.unwrap();
    let thread = std::thread::Builder::new().spawn(move || {
        let (done, result) = std::sync::mpsc::channel();
        let callback = move |outcome| done.send(outcome).expect("the thread waits");
        producer.send_with(Message::new("T", "from afar"), SendOptions::default(), callback).unwrap();
        let outcome = result.recv_timeout(SOON).expect("the callback is called");
        drop((producer, client));
        outcome
    });
    let receipt = tokio::task::spawn_blocking(|| thread.unwrap().join().unwrap()).await.unwrap();
    assert_eq!(receipt.unwrap().queue_offset, 0);
    cluster.close().await;
}
