//! Sends messages with so many tasks, each of which awaits its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use stgclient::{Client, Error, Message, Producer};

use crate::contract::{Phase, say, say_and_wait};
use crate::{Options, Style};

struct Workload {
    producer: Producer,
    topics: Vec<Arc<str>>,
    body: Bytes,
    style: Style,
}

pub(crate) async fn run(options: &Options) -> Result<(), Error> {
    let client = Client::builder(&options.name_server).header_codec(options.codec.into()).connect().await?;
    let producer = client.producer("benchmark").start().await?;
    let topics = match options.topics {
        1 => vec![options.topic.as_str().into()],
        count => (0..count).map(|number| format!("{}-{number}", options.topic).into()).collect(),
    };
    let body = Bytes::from(vec![b'a'; options.body]);
    let workload = Arc::new(Workload { producer, topics, body, style: options.style });
    workload.producer.send(workload.message(0)).await?;
    say("first");

    let warm_up =
        workload.phase(options.warm_up, options.in_flight, Duration::from_secs(options.warm_up_seconds)).await;
    let before = 1 + warm_up.successes();
    drop(warm_up);
    say_and_wait("ready");

    #[cfg(feature = "measure-lock")]
    let lock_before = client.lock_times();
    let started = Instant::now();
    let measured = workload.phase(options.count, options.in_flight, Duration::from_secs(3600)).await;
    let seconds = started.elapsed().as_secs_f64();
    #[cfg(feature = "measure-lock")]
    let lock_after = client.lock_times();
    say_and_wait("done");
    let outcome = measured.outcome(seconds, before);
    #[cfg(feature = "measure-lock")]
    let outcome = crate::lock_times::WithLockTimes::new(outcome, lock_before, lock_after);
    outcome.print();

    client.close().await;
    Ok(())
}

impl Workload {
    fn message(&self, ticket: usize) -> Message {
        Message::new(Arc::clone(&self.topics[ticket % self.topics.len()]), self.body.clone())
    }

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
            let message = self.message(ticket);
            let result = match self.style {
                Style::Awaited => self.producer.send(message).await.map(drop),
                Style::Oneway => self.producer.send_oneway(message).await,
            };
            match result {
                Ok(()) => phase.succeeded(ticket, started),
                Err(error) => phase.failed(&error),
            }
        }
    }
}
