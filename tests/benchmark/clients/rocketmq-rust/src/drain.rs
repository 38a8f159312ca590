//! Pulls all messages of a topic with DefaultLitePullConsumer, as in `examples/benchmark` of the client.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_client_rust::{ClientRuntime, DefaultLitePullConsumer};
use rocketmq_model::common::consumer::consume_from_where::ConsumeFromWhere;

use crate::Options;
use crate::contract::{Outcome, say, say_and_wait};

/// When nothing has come for so long, nothing will.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: &Options, runtime: Arc<ClientRuntime>) -> Result<(), Box<dyn Error>> {
    let count = options.number("count", 0);
    let consumer = DefaultLitePullConsumer::builder(runtime)
        .consumer_group(format!("benchmark-{}", std::process::id()))
        .name_server_addr(options.text("name-server").to_owned())
        .consume_from_where(ConsumeFromWhere::ConsumeFromFirstOffset)
        .pull_batch_size(options.number("batch", 32) as i32)
        .auto_commit(false)
        .build()?;
    consumer.set_sub_expression_for_assign(options.text("topic"), "*").await?;
    consumer.start().await?;
    say("first");
    say_and_wait("ready");

    let started = Instant::now();
    let queues = consumer.fetch_message_queues(options.text("topic")).await?;
    consumer.assign(queues.clone()).await?;
    for queue in &queues {
        consumer.seek_to_begin(queue).await?;
    }
    let (mut messages, mut bytes, mut last) = (0, 0, Instant::now());
    while messages < count && last.elapsed() < PATIENCE {
        let polled = consumer.poll_with_timeout_zero_copy(1000).await;
        if !polled.is_empty() {
            last = Instant::now();
        }
        bytes += polled.iter().map(|message| message.body().map_or(0, |body| body.len())).sum::<usize>();
        messages += polled.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");

    let is_short = bytes < messages * options.number("body", 128);
    Outcome {
        succeeded: messages,
        failed: count.saturating_sub(messages),
        first_failure: is_short.then(|| "bodies are missing".to_owned()),
        seconds,
        p50_us: 0.0,
        p99_us: 0.0,
        total: messages,
    }
    .print();
    consumer.shutdown().await;
    Ok(())
}
