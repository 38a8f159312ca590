//! Closing leaves nothing: no task and no descriptor. A program of its own, so that nobody else opens any meanwhile.
// A test waits for what other threads do, by a real clock.
#![allow(clippy::disallowed_types)]

use std::future::Future;
use std::time::{Duration, Instant};

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Error, Message};
use tokio::runtime::Handle;

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
        let settled = wanted.map_or(now.0 == 0, |wanted| now == wanted);
        if settled {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {now:?} tasks and descriptors, wanted {wanted:?}");
        tokio::task::yield_now().await;
    }
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

async fn connect_in_vain() -> Result<(), Error> {
    let error = Client::connect("127.0.0.1:1").await.expect_err("nobody listens there");
    assert!(error.is_retryable());
    Ok(())
}

#[test]
fn closing_and_dropping_leave_no_task_and_no_descriptor() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        leaves_nothing("closed, on sockets", close_on_sockets).await;
        leaves_nothing("dropped, on sockets", drop_on_sockets).await;
        leaves_nothing("closed, in-process", close_in_process).await;
        leaves_nothing("closed with sends under way", close_with_sends_under_way).await;
        leaves_nothing("a failed connect", connect_in_vain).await;
    });
}
