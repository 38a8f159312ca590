//! Consumes all messages of a topic by push with a listener that does nothing: first by one group, to warm up, then by
//! another, which is measured.
//!
//! The set-up is that of `examples/quickstart/consumer.rs`, with the client's own profile for throughput: without it
//! there are 4,000 messages a second instead of 16,000.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocketmq_client_rust::{
    ClientResult, ClientRuntime, ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus, ConsumerTuningProfile,
    DefaultMQPushConsumer, MQPushConsumer, MessageListenerConcurrently,
};
use rocketmq_model::common::consumer::consume_from_where::ConsumeFromWhere;
use rocketmq_model::common::message::message_ext::MessageExt;

use crate::Options;
use crate::consuming::Consumption;
use crate::contract::{say, say_and_wait};

struct Counting(Arc<Consumption>);

impl MessageListenerConcurrently for Counting {
    fn consume_message(
        &self,
        messages: &[&MessageExt],
        _: &ConsumeConcurrentlyContext,
    ) -> ClientResult<ConsumeConcurrentlyStatus> {
        self.0.arrived(messages.len());
        Ok(ConsumeConcurrentlyStatus::ConsumeSuccess)
    }
}

pub(crate) async fn run(options: &Options, runtime: Arc<ClientRuntime>) -> Result<(), Box<dyn Error>> {
    let warm_up = Consumption::new(options.number("warm-up", 1));
    let mut consumer = start(options, Arc::clone(&runtime), Counting(Arc::clone(&warm_up))).await?;
    warm_up.await_first().await?;
    say("first");
    warm_up.await_all(Duration::from_secs(options.number("warm-up-seconds", 3600) as u64)).await;
    consumer.shutdown().await;
    say_and_wait("ready");

    let measured = Consumption::new(options.number("count", 0));
    let mut consumer = start(options, runtime, Counting(Arc::clone(&measured))).await?;
    measured.await_all(Duration::from_secs(3600)).await;
    say_and_wait("done");
    measured.outcome().print();
    consumer.shutdown().await;
    Ok(())
}

/// A consumer of a group that nobody has used.
pub(crate) async fn start(
    options: &Options,
    runtime: Arc<ClientRuntime>,
    listener: impl MessageListenerConcurrently + Send + Sync + 'static,
) -> Result<DefaultMQPushConsumer, Box<dyn Error>> {
    let mut consumer = DefaultMQPushConsumer::builder(runtime)
        .consumer_group(format!("benchmark-{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos()))
        .name_server_addr(options.text("name-server").to_owned())
        .consume_from_where(ConsumeFromWhere::ConsumeFromFirstOffset)
        .tuning_profile(ConsumerTuningProfile::Throughput)
        .consume_message_batch_max_size(options.number("batch", 1) as u32)
        .build();
    consumer.subscribe(options.text("topic"), "*").await?;
    consumer.register_message_listener_concurrently(listener);
    consumer.start().await?;
    Ok(consumer)
}
