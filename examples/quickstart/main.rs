//! Creates a topic, sends in the three ways, pulls everything back and checks that none is missing; then consumes it by push,
//! shared by two members of a group, and in order.
//!
//!     cargo run --release --example quickstart
//!     cargo run --release --example quickstart -- --name-server 127.0.0.1:9876
//!
//! The first needs no server: it starts a cluster in memory. The second does the same on a real cluster.

mod consume;
mod report;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use pico_args::Arguments;
use stgclient::embedded::EmbeddedCluster;
use stgclient::{
    Client, Dialect, Error, ErrorKind, Message, MessageQueue, Producer, PullConsumer, PullOptions, Receipt,
};
use tokio::sync::oneshot;

use report::Report;

/// What is wanted back: two of the three tags that are sent.
const EXPRESSION: &str = "paid || refunded";
const TAGS: [&str; 3] = ["paid", "refunded", "open"];

const HELP: &str = "\
Creates a topic, sends in three ways, pulls everything back, and consumes it by push

  --name-server HOST:PORT[;...]  the name servers of a real cluster; without, a cluster in memory is started
  --dialect apache|smartgo       the kind of server; apache by default
  --topic NAME                   created with 8 queues if it does not exist; quickstart by default
  --messages COUNT               how many messages the burst has; 20000 by default, 10000000 at the most
";

struct Options {
    name_server: Option<String>,
    dialect: Dialect,
    topic: String,
    messages: u32,
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self, Box<dyn std::error::Error>> {
        let options = Self {
            name_server: arguments.opt_value_from_str("--name-server")?,
            dialect: arguments.opt_value_from_str("--dialect")?.unwrap_or_default(),
            topic: arguments.opt_value_from_str("--topic")?.unwrap_or_else(|| "quickstart".to_owned()),
            messages: arguments.opt_value_from_str("--messages")?.unwrap_or(20_000),
        };
        if !(1..=10_000_000).contains(&options.messages) {
            return Err("--messages wants a number from 1 to 10000000".into());
        }
        match arguments.finish().first() {
            Some(unknown) => Err(format!("unknown argument {}; see --help", unknown.display()).into()),
            None => Ok(options),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = Arguments::from_env();
    if arguments.contains(["-h", "--help"]) {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quickstart: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let options = &Options::read(arguments)?;
    let (cluster, name_server) = match &options.name_server {
        Some(name_server) => (None, name_server.clone()),
        None => {
            let cluster = EmbeddedCluster::builder().dialect(options.dialect).start().await?;
            println!("A cluster in memory, for development and tests.");
            let address = cluster.name_server_address().to_owned();
            (Some(cluster), address)
        }
    };
    let client = Client::builder(&name_server).dialect(options.dialect).connect().await?;
    println!("Connected to {name_server}.");
    let outcome = exercise(&client, &name_server, options).await;
    client.close().await;
    if let Some(cluster) = cluster {
        cluster.close().await;
    }
    Ok(outcome?.print()?)
}

/// Everything that is shown: send, pull, compare, and consume by push.
async fn exercise(client: &Client, name_server: &str, options: &Options) -> Result<Report, Error> {
    let topic = &options.topic;
    create(client, topic).await?;
    let consumer = client.pull_consumer("quickstart-consumer").start().await?;
    let producer = client.producer("quickstart-producer").start().await?;
    let queues = consumer.queues(topic).await?;
    println!("Topic {topic} has {} queues.\n", queues.len());
    // The topic may have older messages: only what comes from here on counts.
    let mut starts = Vec::new();
    for queue in &queues {
        starts.push(consumer.max_offset(queue).await?);
    }

    let mut report = Report::default();
    send_three_ways(&producer, topic, &mut report).await?;
    burst(&producer, topic, options.messages, &mut report).await?;

    let started = Instant::now();
    let oneways = report.oneway.clone();
    let mut pulled = Vec::new();
    for (queue, start) in queues.iter().zip(starts) {
        pulled.extend(drain(&consumer, queue, start, &oneways).await?);
    }
    report.pulled(pulled, started.elapsed());

    let other = Client::builder(name_server).dialect(options.dialect).connect().await?;
    let consumed = consume::by_push(client, &other, (topic, queues.len()), &report.wanted()).await;
    other.close().await;
    consumed?;
    Ok(report)
}

async fn create(client: &Client, topic: &str) -> Result<(), Error> {
    match client.admin().topic_route(topic).await {
        Err(error) if error.kind() == ErrorKind::TopicNotFound => {
            client.admin().create_topic(topic).queues(8).await?;
            await_route(client, topic).await
        }
        other => other.map(drop),
    }
}

/// Brokers tell name servers of a new topic at their own pace.
async fn await_route(client: &Client, topic: &str) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match client.admin().topic_route(topic).await {
            Err(error) if error.kind() == ErrorKind::TopicNotFound && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other.map(drop),
        }
    }
}

/// One message in each of the three ways, each result shown.
async fn send_three_ways(producer: &Producer, topic: &str, report: &mut Report) -> Result<(), Error> {
    let receipt = producer.send(Message::new(topic, "awaited").tag("paid").key("quickstart-1")).await?;
    show("awaited", &receipt);
    report.sent(&receipt);

    let (done, result) = oneshot::channel();
    let message = Message::new(topic, "with a callback").tag("refunded").key("quickstart-2");
    let callback = move |result| drop(done.send(result));
    producer.send_with(message, stgclient::SendOptions::default(), callback).map_err(|refused| refused.error)?;
    let receipt = result.await.map_err(|_| Error::new(ErrorKind::Cancelled, "the callback was dropped"))??;
    show("callback", &receipt);
    report.sent(&receipt);

    let key = format!("quickstart-oneway-{}", std::process::id());
    producer.send_oneway(Message::new(topic, "oneway").tag("paid").key(&key)).await?;
    println!("  {:<9} written; no broker answers a oneway message\n", "oneway");
    report.oneway.insert(key);
    Ok(())
}

fn show(way: &str, receipt: &Receipt) {
    let Receipt { status, queue, queue_offset, message_id, .. } = receipt;
    println!("  {way:<9} {status} {queue} offset {queue_offset} id {message_id}");
}

/// Many messages, their receipts awaited together.
async fn burst(producer: &Producer, topic: &str, count: u32, report: &mut Report) -> Result<(), Error> {
    let topic: std::sync::Arc<str> = topic.into();
    let started = Instant::now();
    let sends = (0..count).map(|number| {
        let tag = TAGS[number as usize % TAGS.len()];
        (tag, producer.send(Message::new(topic.clone(), format!("message {number}")).tag(tag)))
    });
    // Queued at the call, in order; only then awaited.
    let sends: Vec<_> = sends.collect();
    for (tag, send) in sends {
        let receipt = send.await?;
        report.burst(&receipt, EXPRESSION.contains(tag));
    }
    report.burst_took(count, started.elapsed());
    Ok(())
}

/// Pulls everything from one queue; gives the ids, and the keys of the oneway messages, that came.
async fn drain(
    consumer: &PullConsumer,
    queue: &MessageQueue,
    start: u64,
    oneways: &BTreeSet<String>,
) -> Result<Vec<String>, Error> {
    let end = consumer.max_offset(queue).await?;
    let (mut offset, mut found) = (start, Vec::new());
    while offset < end {
        let options = PullOptions::new().max_messages(1024).max_bytes(4 * 1024 * 1024);
        let batch = consumer.pull_with(queue, EXPRESSION, offset, options).await?;
        for message in &batch.messages {
            let oneway = message.keys().find(|key| oneways.contains(*key));
            found.push(oneway.map_or_else(|| message.message_id(), ToOwned::to_owned));
        }
        offset = batch.next_offset;
    }
    Ok(found)
}
