//! Pulls all messages of a topic, one task a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use stgclient::{Client, Error, MessageQueue, PullConsumer};

use crate::Options;
use crate::contract::{Outcome, say, say_and_wait};

/// What all tasks count together.
#[derive(Default)]
struct Drained {
    messages: AtomicUsize,
    /// Of all bodies, so that they are really looked at.
    bytes: AtomicUsize,
}

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let client = Client::builder(&options.name_server).header_codec(options.codec.into()).connect().await?;
    let consumer = client.pull_consumer("benchmark").start().await?;
    say("first");
    say_and_wait("ready");

    let started = Instant::now();
    let drained = Arc::new(Drained::default());
    let mut tasks = Vec::new();
    for queue in consumer.queues(&options.topic).await? {
        let (consumer, drained, batch) = (consumer.clone(), Arc::clone(&drained), options.batch.unwrap_or(32));
        tasks.push(tokio::spawn(async move { drain(&consumer, &queue, batch, &drained).await }));
    }
    let mut failure = None;
    for task in tasks {
        if let Err(error) = task.await.expect("no task panics") {
            failure = Some(error.to_string());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");

    let messages = drained.messages.load(Relaxed);
    let is_short = drained.bytes.load(Relaxed) < messages * options.body;
    Outcome {
        succeeded: messages,
        failed: options.count.saturating_sub(messages),
        first_failure: failure.or_else(|| is_short.then(|| "bodies are missing".to_owned())),
        seconds,
        p50_us: 0.0,
        p99_us: 0.0,
        total: messages,
    }
    .print();
    client.close().await;
    Ok(())
}

async fn drain(consumer: &PullConsumer, queue: &MessageQueue, batch: u32, drained: &Drained) -> Result<(), Error> {
    let mut offset = consumer.min_offset(queue).await?;
    let end = consumer.max_offset(queue).await?;
    while offset < end {
        let pulled = consumer.pull(queue, "*", offset, batch).await?;
        offset = pulled.next_offset;
        let bytes = pulled.messages.iter().map(|message| message.body().len()).sum();
        drained.bytes.fetch_add(bytes, Relaxed);
        drained.messages.fetch_add(pulled.messages.len(), Relaxed);
    }
    Ok(())
}
