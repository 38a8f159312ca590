//! Numbers and times out of their range.

use std::time::Duration;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{
    ClientBuilder, ConsumeFrom, ErrorKind, Message, MessageQueue, ProducerBuilder, PullOptions, PushConsumerBuilder,
    SendOptions,
};

use crate::names::nothing;
use crate::{Mistakes, client};

#[tokio::test]
async fn a_client_that_could_do_nothing_does_not_connect() {
    let cluster = EmbeddedCluster::in_process().unwrap();
    let mut mistakes = Mistakes::default();
    let zero = Duration::ZERO;
    type Set = fn(ClientBuilder, Duration) -> ClientBuilder;
    let wrong: [(&str, Set); 5] = [
        ("request_timeout", |client, zero| client.request_timeout(zero)),
        ("connect_timeout", |client, zero| client.connect_timeout(zero)),
        ("heartbeat_interval", |client, zero| client.configure(|config| config.heartbeat_interval = zero)),
        ("max_operations", |client, _| client.configure(|config| config.max_operations = 0)),
        ("max_body_length", |client, _| client.max_body_length(0)),
    ];
    for (what, set) in wrong {
        mistakes.refuses(what, what, set(ClientBuilder::embedded(&cluster), zero).connect()).await;
    }
    // Without a grace what is under way is given up.
    ClientBuilder::embedded(&cluster).close_timeout(zero).connect().await.unwrap().close().await;
    mistakes.assert();
}

#[tokio::test]
async fn producers_consumers_and_topics_have_numbers_in_their_range() {
    let client = client().await;
    let admin = client.admin();
    let mut mistakes = Mistakes::default();
    type Set = fn(ProducerBuilder) -> ProducerBuilder;
    let wrong: [(&str, Set); 3] = [
        ("send_timeout", |producer| producer.send_timeout(Duration::ZERO)),
        ("try_timeout", |producer| producer.configure(|config| config.try_timeout = Some(Duration::ZERO))),
        ("default_topic_queues", |producer| producer.configure(|config| config.default_topic_queues = 0)),
    ];
    for (what, set) in wrong {
        mistakes.refuses(what, what, set(client.producer("P")).start()).await;
    }
    type SetPush = fn(PushConsumerBuilder) -> PushConsumerBuilder;
    let wrong: [(&str, SetPush); 9] = [
        ("max_in_work", |consumer| consumer.max_in_work(0)),
        ("max_rate", |consumer| consumer.max_rate(0)),
        ("pull_batch_size", |consumer| consumer.configure(|config| config.pull_batch_size = 0)),
        ("pull_batch_size", |consumer| consumer.configure(|config| config.pull_batch_size = 5000)),
        ("pull_max_bytes", |consumer| consumer.configure(|config| config.pull_max_bytes = 0)),
        ("consume_timeout", |consumer| consumer.configure(|config| config.consume_timeout = Duration::ZERO)),
        ("rebalance_interval", |consumer| consumer.configure(|config| config.rebalance_interval = Duration::ZERO)),
        ("commit_interval", |consumer| consumer.configure(|config| config.commit_interval = Duration::ZERO)),
        ("max_cached_messages", |consumer| consumer.configure(|config| config.max_cached_messages = 0)),
    ];
    for (what, set) in wrong {
        let consumer = set(client.push_consumer("G").subscribe("T", "*")).concurrently(nothing);
        mistakes.refuses(what, what, consumer.start()).await;
    }
    for size in [0, 5000] {
        let consumer =
            client.push_consumer("G").subscribe("T", "*").concurrently_in_batches(size, |_| async { Ok(()) });
        mistakes.refuses("a batch", "from 1 to 1024", consumer.start()).await;
    }
    for queues in [0, 65_537] {
        mistakes.refuses("queues", "65536", async { admin.create_topic("U").queues(queues).await }).await;
    }
    let puller = client.pull_consumer("C").start().await.unwrap();
    let queue = MessageQueue::new("T", "broker-a", 0);
    for count in [0, 5000] {
        mistakes.refuses("messages to pull", "1024", puller.pull(&queue, "*", 0, count)).await;
    }
    let options = PullOptions::new().timeout(Duration::ZERO);
    mistakes
        .fails(
            "a pull without time",
            ErrorKind::Timeout,
            "no answer in time",
            puller.pull_with(&queue, "*", 0, options),
        )
        .await;
    let options = PullOptions::new().max_bytes(0);
    mistakes.refuses("a pull without bytes", "some bytes", puller.pull_with(&queue, "*", 0, options)).await;
    let producer = client.producer("P").start().await.unwrap();
    let options = SendOptions::new().timeout(Duration::ZERO);
    mistakes
        .fails(
            "a send without time",
            ErrorKind::Timeout,
            "no answer in time",
            producer.send_to(Message::new("T", "body"), options),
        )
        .await;
    mistakes.fails("lag", ErrorKind::GroupNotFound, "nobody", admin.lag("nobody")).await;
    let reset = admin.reset_offsets("nobody", "T", ConsumeFrom::FirstOffset);
    mistakes.fails("reset", ErrorKind::GroupNotFound, "nobody", reset).await;
    mistakes.assert();
    client.close().await;
}
