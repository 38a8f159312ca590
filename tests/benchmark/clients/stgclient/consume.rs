//! Consumes all messages of a topic by push with a handler that does nothing: first by one group, to warm up, then by
//! another, which is measured.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stgclient::{Client, ConsumeFrom, PushConsumer, PushConsumerBuilder};

use crate::Options;
use crate::consuming::Consumption;
use crate::contract::{say, say_and_wait};

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(&options.name_server).header_codec(options.codec.into()).connect().await?;
    let warm_up = Consumption::new(options.warm_up.max(1));
    let consumer = start(&client, options, Arc::clone(&warm_up)).await?;
    warm_up.await_first().await?;
    say("first");
    warm_up.await_all(Duration::from_secs(options.warm_up_seconds)).await;
    consumer.close().await;
    say_and_wait("ready");

    let measured = Consumption::new(options.count);
    let consumer = start(&client, options, Arc::clone(&measured)).await?;
    measured.await_all(Duration::from_secs(3600)).await;
    say_and_wait("done");
    measured.outcome().print();
    consumer.close().await;
    client.close().await;
    Ok(())
}

async fn start(
    client: &Client,
    options: &Options,
    consumption: Arc<Consumption>,
) -> Result<PushConsumer, stgclient::Error> {
    let builder = of_a_new_group(client, options);
    let consumer = match options.batch.unwrap_or(1) as usize {
        1 => builder.concurrently(move |_| {
            consumption.arrived(1);
            async { Ok(()) }
        }),
        size => builder.concurrently_in_batches(size, move |messages| {
            consumption.arrived(messages.len());
            async { Ok(()) }
        }),
    };
    consumer.start().await
}

/// A consumer of a group that nobody has used.
pub(crate) fn of_a_new_group(client: &Client, options: &Options) -> PushConsumerBuilder {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let builder = client.push_consumer(&format!("benchmark-{now}"));
    builder.subscribe(&options.topic, "*").consume_from(ConsumeFrom::FirstOffset)
}
