//! Sends at a steady rate and consumes what it sent, in the same process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use stgclient::{Client, Message};

use crate::Options;
use crate::consume::of_a_new_group;
use crate::consuming::Journeys;
use crate::contract::{say, say_and_wait};

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(&options.name_server).header_codec(options.codec.into()).connect().await?;
    let producer = client.producer("benchmark").start().await?;
    // The phase under way.
    let journeys = Arc::new(Mutex::new(Journeys::new(0)));
    let arriving = Arc::clone(&journeys);
    let consumer = of_a_new_group(&client, options).concurrently(move |message| {
        let journeys = Arc::clone(&arriving.lock().expect("nobody panics"));
        journeys.arrived(message.body());
        async { Ok(()) }
    });
    let consumer = consumer.start().await?;

    let topic: Arc<str> = options.topic.as_str().into();
    let phase = async |count, patience| {
        let phase = Journeys::new(count);
        *journeys.lock().expect("nobody panics") = Arc::clone(&phase);
        let send = async |body: Vec<u8>| producer.send(Message::new(Arc::clone(&topic), body)).await.map(drop);
        let sent = phase.travel(options.rate, options.body, patience, send).await;
        (phase, sent)
    };
    let (_, first) = phase(1, Duration::from_secs(60)).await;
    say("first");
    let (_, warm_up) = phase(options.warm_up, PATIENCE).await;
    say_and_wait("ready");

    let started = Instant::now();
    let (measured, sent) = phase(options.count, PATIENCE).await;
    let seconds = started.elapsed().as_secs_f64();
    say_and_wait("done");
    let mut outcome = measured.phase.outcome(seconds, 0);
    outcome.total = first + warm_up + sent;
    outcome.print();
    consumer.close().await;
    client.close().await;
    Ok(())
}
