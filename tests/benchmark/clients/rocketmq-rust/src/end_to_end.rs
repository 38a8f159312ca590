//! Sends at a steady rate and consumes what it sent, in the same process.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq_client_rust::{
    ClientResult, ClientRuntime, ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus, DefaultMQProducer,
    MessageListenerConcurrently,
};
use rocketmq_model::common::message::message_ext::MessageExt;
use rocketmq_model::common::message::message_single::Message;

use crate::Options;
use crate::consume::start;
use crate::consuming::Journeys;
use crate::contract::{Outcome, say, say_and_wait};

/// As long as the others wait by default.
const TIMEOUT_MS: u64 = 3000;
/// Messages that a client sends back return after 10 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// Fills the phase under way.
#[derive(Clone)]
struct Arriving(Arc<Mutex<Arc<Journeys>>>);

impl MessageListenerConcurrently for Arriving {
    fn consume_message(
        &self,
        messages: &[&MessageExt],
        _: &ConsumeConcurrentlyContext,
    ) -> ClientResult<ConsumeConcurrentlyStatus> {
        let journeys = Arc::clone(&self.0.lock().expect("nobody panics"));
        messages.iter().filter_map(|message| message.body()).for_each(|body| journeys.arrived(&body));
        Ok(ConsumeConcurrentlyStatus::ConsumeSuccess)
    }
}

pub(crate) async fn run(options: &Options, runtime: Arc<ClientRuntime>) -> Result<(), Box<dyn Error>> {
    let mut producer = DefaultMQProducer::builder(Arc::clone(&runtime))
        .producer_group("benchmark")
        .name_server_addr(options.text("name-server").to_owned())
        .build();
    producer.start().await?;
    let arriving = Arriving(Arc::new(Mutex::new(Journeys::new(0))));
    let mut consumer = start(options, runtime, arriving.clone()).await?;

    let sender = producer.clone();
    let phase = async |count, patience| {
        let journeys = Journeys::new(count);
        *arriving.0.lock().expect("nobody panics") = Arc::clone(&journeys);
        let send = async |body: Vec<u8>| {
            let message = Message::builder().topic(options.text("topic")).body_slice(&body).build_unchecked();
            sender.send_with_timeout(message, TIMEOUT_MS).await.map(drop)
        };
        let sent = journeys.travel(options.number("rate", 1000), options.number("body", 128), patience, send).await;
        (journeys, sent)
    };
    let (_, first) = phase(1, Duration::from_secs(60)).await;
    say("first");
    let (_, warm_up) = phase(options.number("warm-up", 0), PATIENCE).await;
    say_and_wait("ready");

    let started = Instant::now();
    let (measured, sent) = phase(options.number("count", 0), PATIENCE).await;
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");
    // What was sent counts, not what came back: the broker has it.
    Outcome { total: first + warm_up + sent, ..measured.phase.outcome(seconds, 0) }.print();
    consumer.shutdown().await;
    producer.shutdown().await;
    Ok(())
}
