//! Closing leaves nothing: no task and no descriptor. A program of its own, so that nobody else opens any meanwhile.
// A test waits for what other threads do, by a real clock.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use stgclient::embedded::{EmbeddedCluster, Force, Forced, Memory, ServerId};
use stgclient::{Client, Error, Message, PullBatch, PullOptions};
use stgclient_core::wire::code::RequestCode;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Tasks alive, and open descriptors where the system lists them.
fn alive() -> (usize, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    (Handle::current().metrics().num_alive_tasks(), descriptors)
}

/// Does something twice, the first time for what the process opens once and keeps; nothing may be left of the second.
async fn leaves_nothing<F: Future<Output = Result<(), Error>>>(what: &str, act: impl Fn() -> F) {
    act().await.expect(what);
    settle(what, None).await;
    let before = alive();
    act().await.expect(what);
    settle(what, Some(before)).await;
}

/// Waits until what ends has ended: tasks are over a moment after those who wait for them hear of it.
async fn settle(what: &str, wanted: Option<(usize, usize)>) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = alive();
        // What the first time has opened may be closed by now.
        let settled = wanted.map_or(now.0 == 0, |wanted| now.0 <= wanted.0 && now.1 <= wanted.1);
        if settled {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {now:?} tasks and descriptors, wanted {wanted:?}");
        tokio::task::yield_now().await;
    }
}

/// Notes that it has been dropped, after a while.
struct Slow(Arc<AtomicBool>);

impl Drop for Slow {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(50));
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn when_the_close_of_a_consumer_returns_its_handler_is_dropped() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::embedded().await.expect("it needs nothing");
        use_it(&client).await.expect("it works");
        for whose in ["consumer", "client"] {
            let is_dropped = Arc::<AtomicBool>::default();
            let slow = Slow(Arc::clone(&is_dropped));
            let consumer = client.push_consumer("pusher").subscribe("leaves-nothing", "*");
            let consumer = consumer.concurrently(move |_| {
                let _ = &slow;
                async { Ok(()) }
            });
            let consumer = consumer.start().await.expect("it starts");
            if whose == "consumer" {
                consumer.close().await;
            } else {
                client.close().await;
            }
            assert!(is_dropped.load(Ordering::SeqCst), "the {whose}'s close");
        }
    });
}

async fn use_it(client: &Client) -> Result<(), Error> {
    client.admin().create_topic("leaves-nothing").queues(2).await?;
    let producer = client.producer("producer").start().await?;
    producer.send(Message::new("leaves-nothing", "hello")).await?;
    producer.send_oneway(Message::new("leaves-nothing", "hello")).await?;
    let consumer = client.pull_consumer("consumer").start().await?;
    for queue in consumer.queues("leaves-nothing").await? {
        consumer.pull(&queue, "*", 0, 32).await?;
    }
    Ok(())
}

async fn close_on_sockets() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await?;
    use_it(&client).await?;
    client.close().await;
    cluster.close().await;
    Ok(())
}

async fn drop_on_sockets() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await?;
    use_it(&client).await?;
    let producer = client.producer("producer").start().await?;
    drop(client);
    // A producer keeps its client open.
    producer.send(Message::new("leaves-nothing", "hello")).await?;
    drop(producer);
    drop(cluster);
    Ok(())
}

async fn close_in_process() -> Result<(), Error> {
    let client = Client::embedded().await?;
    use_it(&client).await?;
    client.close().await;
    Ok(())
}

async fn close_with_sends_under_way() -> Result<(), Error> {
    let client = Client::embedded().await?;
    let producer = client.producer("producer").start().await?;
    let sends: Vec<_> = (0..100).map(|_| producer.send(Message::new("leaves-nothing", "hello"))).collect();
    client.close().await;
    // What was under way ended before the client did.
    for send in sends {
        send.await?;
    }
    Ok(())
}

async fn close_with_pulls_that_wait() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await?;
    let pulls = begin_waiting_pulls(&cluster, &client).await?;
    client.close().await;
    for pull in pulls {
        pull.await.expect("no panic").expect_err("the client is closed");
    }
    cluster.close().await;
    Ok(())
}

async fn drop_with_pulls_that_wait() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await?;
    for pull in begin_waiting_pulls(&cluster, &client).await? {
        pull.abort();
    }
    Ok(())
}

/// Begins a pull from each queue, and waits until the broker holds them.
async fn begin_waiting_pulls(
    cluster: &EmbeddedCluster,
    client: &Client,
) -> Result<Vec<JoinHandle<Result<PullBatch, Error>>>, Error> {
    client.admin().create_topic("leaves-nothing").queues(3).await?;
    let consumer = client.pull_consumer("consumer").start().await?;
    let mut pulls = Vec::new();
    for queue in consumer.queues("leaves-nothing").await? {
        let consumer = consumer.clone();
        let options = PullOptions::new().wait(Duration::from_secs(60));
        pulls.push(tokio::spawn(async move { consumer.pull_with(&queue, "*", 0, options).await }));
    }
    let held = || cluster.with(|cluster| cluster.broker("broker-a").map(|broker| broker.usage().held_pulls));
    while held() != Some(3) {
        tokio::task::yield_now().await;
    }
    Ok(pulls)
}

async fn close_beside_a_hung_broker() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::builder(cluster.name_server_address()).close_timeout(Duration::from_millis(100));
    let client = client.connect().await?;
    use_it(&client).await?;
    let everything = RequestCode::ALL.iter().map(|(code, _)| *code);
    let hung = Force::requests(everything, Forced::Lost);
    cluster.with(|cluster| cluster.broker("broker-a").map(|broker| broker.force(hung)));
    let producer = client.producer("producer").start().await?;
    let hangs = producer.send(Message::new("leaves-nothing", "hello"));
    client.close().await;
    hangs.await.expect_err("the broker answers nothing");
    cluster.close().await;
    Ok(())
}

async fn drop_a_connect_that_hangs() -> Result<(), Error> {
    // Nobody ever accepts; the system has the connections stand all the same.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it listens").to_string();
    let connect = Client::connect(&address);
    tokio::time::timeout(Duration::from_millis(50), connect).await.expect_err("nobody answers");
    Ok(())
}

async fn restart_of_the_broker() -> Result<(), Error> {
    let cluster = EmbeddedCluster::builder().start().await.expect("a free port");
    let client = Client::connect(cluster.name_server_address()).await?;
    use_it(&client).await?;
    cluster.stop_server(ServerId::Broker(0));
    let producer = client.producer("producer").start().await?;
    producer.send(Message::new("leaves-nothing", "hello")).await.expect_err("the broker is away");
    cluster.start_server(ServerId::Broker(0), Memory::Kept);
    while producer.send(Message::new("leaves-nothing", "hello")).await.is_err() {}
    client.close().await;
    cluster.close().await;
    Ok(())
}

async fn connect_in_vain() -> Result<(), Error> {
    let error = Client::connect("127.0.0.1:1").await.expect_err("nobody listens there");
    assert!(error.is_retryable());
    Ok(())
}

/// A cluster in process is reached without sockets, so no descriptor is opened even while it is in use.
async fn opens_nothing_in_process() {
    let (_, before) = alive();
    let client = Client::embedded().await.expect("it needs nothing");
    use_it(&client).await.expect("it works");
    assert_eq!(alive().1, before);
    client.close().await;
}

#[test]
fn closing_and_dropping_leave_no_task_and_no_descriptor() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        leaves_nothing("closed, on sockets", close_on_sockets).await;
        leaves_nothing("dropped, on sockets", drop_on_sockets).await;
        leaves_nothing("closed, in-process", close_in_process).await;
        leaves_nothing("closed with sends under way", close_with_sends_under_way).await;
        leaves_nothing("closed with pulls that wait", close_with_pulls_that_wait).await;
        leaves_nothing("dropped with pulls that wait", drop_with_pulls_that_wait).await;
        leaves_nothing("closed beside a hung broker", close_beside_a_hung_broker).await;
        leaves_nothing("closed after its broker's restart", restart_of_the_broker).await;
        leaves_nothing("a failed connect", connect_in_vain).await;
        leaves_nothing("a dropped connect", drop_a_connect_that_hangs).await;
        opens_nothing_in_process().await;
    });
}

#[test]
fn right_after_the_close_no_task_of_the_client_is_alive() {
    // The cluster's tasks are another runtime's.
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = servers.block_on(EmbeddedCluster::builder().start()).expect("a free port");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for round in 0..50 {
        runtime.block_on(async {
            let client = Client::connect(cluster.name_server_address()).await.expect("it is there");
            use_it(&client).await.expect("it works");
            let consumer = client.push_consumer("pusher").subscribe("leaves-nothing", "*");
            let consumer = consumer.concurrently(|_| async {
                tokio::task::yield_now().await;
                Ok(())
            });
            let _consumer = consumer.start().await.expect("it starts");
            client.close().await;
            // Tokio takes a task off its books just after it has dropped the future: on another thread, in no time.
            let alive = || Handle::current().metrics().num_alive_tasks();
            for _ in 0..1000 {
                if alive() > 0 {
                    std::thread::yield_now();
                }
            }
            assert_eq!(alive(), 0, "in round {round}");
        });
    }
}
