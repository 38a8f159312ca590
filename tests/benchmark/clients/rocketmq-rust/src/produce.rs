//! Sends messages with so many tasks, each of which awaits its own.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rocketmq_client_rust::{ClientRuntime, DefaultMQProducer, SendStatus};
use rocketmq_model::common::message::message_single::Message;

use crate::Options;
use crate::contract::{Phase, say, say_and_wait};

/// As long as the others wait by default.
const TIMEOUT_MS: u64 = 3000;

struct Workload {
    producer: DefaultMQProducer,
    topic: String,
    body: Vec<u8>,
    oneway: bool,
}

pub(crate) async fn run(options: &Options, runtime: Arc<ClientRuntime>) -> Result<(), Box<dyn Error>> {
    let mut producer = DefaultMQProducer::builder(runtime)
        .producer_group("benchmark")
        .name_server_addr(options.text("name-server").to_owned())
        .build();
    producer.start().await?;
    let workload = Arc::new(Workload {
        producer,
        topic: options.text("topic").to_owned(),
        body: vec![b'a'; options.number("body", 128)],
        oneway: options.text("style") == "oneway",
    });
    workload.awaited().await?;
    say("first");

    let in_flight = options.number("in-flight", 1);
    let limit = Duration::from_secs(options.number("warm-up-seconds", 3600) as u64);
    let warm_up = workload.phase(options.number("warm-up", 0), in_flight, limit).await;
    let before = 1 + warm_up.successes();
    drop(warm_up);
    say_and_wait("ready");

    let started = Instant::now();
    let measured = workload.phase(options.number("count", 0), in_flight, Duration::from_secs(3600)).await;
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");
    measured.outcome(seconds, before).print();

    let mut producer = workload.producer.clone();
    producer.shutdown().await;
    Ok(())
}

impl Workload {
    async fn phase(self: &Arc<Self>, count: usize, in_flight: usize, limit: Duration) -> Arc<Phase> {
        let phase = Arc::new(Phase::new(count, limit));
        let tasks: Vec<_> = (0..in_flight)
            .map(|_| {
                let (workload, phase) = (Arc::clone(self), Arc::clone(&phase));
                tokio::spawn(async move { workload.send_all(&phase).await })
            })
            .collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        phase
    }

    async fn send_all(&self, phase: &Phase) {
        while let Some(ticket) = phase.next() {
            let started = Instant::now();
            let result = if self.oneway {
                self.producer.send_oneway(self.message()).await.map_err(|error| error.to_string())
            } else {
                self.awaited().await
            };
            match result {
                Ok(()) => phase.succeeded(ticket, started),
                Err(error) => phase.failed(&error),
            }
        }
    }

    async fn awaited(&self) -> Result<(), String> {
        match self.producer.send_with_timeout(self.message(), TIMEOUT_MS).await {
            Ok(Some(result)) if result.send_status == SendStatus::SendOk => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn message(&self) -> Message {
        Message::builder().topic(self.topic.as_str()).body_slice(&self.body).build_unchecked()
    }
}
