//! rocketmq-client-rust, feature by feature: see tests/conformance/clients/main.rs for what each is to show.
//!
//!     client NAME_SERVER PREFIX
#![recursion_limit = "512"]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq_client_rust::{
    ClientConfig, ClientError, ClientResult, ClientRuntime, ClientRuntimeConfig, ConsumeConcurrentlyContext,
    ConsumeConcurrentlyStatus, ConsumeOrderlyContext, ConsumeOrderlyStatus, DefaultLitePullConsumer,
    DefaultMQProducer, DefaultMQPushConsumer, MQPushConsumer, MessageListenerConcurrently, MessageListenerOrderly,
    SendResult, SendStatus,
};
use rocketmq_model::common::consumer::consume_from_where::ConsumeFromWhere;
use rocketmq_model::common::message::message_ext::MessageExt;
use rocketmq_model::common::message::message_single::Message;
use rocketmq_observability::{TelemetryBootstrapConfig, install_global};
use rocketmq_protocol::protocol::heartbeat::message_model::MessageModel;
use rocketmq_runtime::{RuntimeConfig, RuntimeOwner};

type Done = Result<(), Box<dyn Error>>;

const COUNT: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// What members have seen, in order: the number of a message, and how often it had been refused before.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(usize, i32)>>>);

impl Seen {
    fn take(&self, messages: &[&MessageExt]) -> usize {
        let number = |message: &&MessageExt| {
            let body = message.body().unwrap_or_default();
            (String::from_utf8_lossy(&body).parse().unwrap_or(usize::MAX), message.reconsume_times())
        };
        let mut seen = self.0.lock().expect("nobody panics");
        seen.extend(messages.iter().map(number));
        seen.len()
    }

    fn all(&self) -> Vec<(usize, i32)> {
        self.0.lock().expect("nobody panics").clone()
    }

    fn numbers(&self) -> Vec<usize> {
        self.all().into_iter().map(|(number, _)| number).collect()
    }

    async fn wait_for(&self, count: usize) -> Done {
        let end = Instant::now() + PATIENCE;
        while self.all().len() < count {
            if Instant::now() > end {
                return Err(format!("it takes too long, seen {:?}", self.all()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Takes what comes, and refuses the first `refusals` of it.
struct Taking {
    seen: Seen,
    refusals: usize,
}

impl MessageListenerConcurrently for Taking {
    fn consume_message(
        &self,
        messages: &[&MessageExt],
        _: &ConsumeConcurrentlyContext,
    ) -> ClientResult<ConsumeConcurrentlyStatus> {
        let is_refused = self.seen.take(messages) <= self.refusals;
        let status = if is_refused { ConsumeConcurrentlyStatus::ReconsumeLater } else { ConsumeConcurrentlyStatus::ConsumeSuccess };
        Ok(status)
    }
}

impl MessageListenerOrderly for Taking {
    fn consume_message(&self, messages: &[&MessageExt], _: &mut ConsumeOrderlyContext) -> ClientResult<ConsumeOrderlyStatus> {
        self.seen.take(messages);
        Ok(ConsumeOrderlyStatus::Success)
    }
}

struct Bench {
    runtime: Arc<ClientRuntime>,
    name_server: String,
    prefix: String,
    producer: DefaultMQProducer,
}

impl Bench {
    fn topic(&self, feature: &str) -> String {
        format!("{}-{feature}", self.prefix)
    }

    fn report(&self, feature: &str, done: Done) {
        match done {
            Ok(()) => println!("{feature} ok"),
            Err(error) => println!("{feature} failed: {}", error.to_string().replace('\n', " ")),
        }
    }

    fn consumer(&self, feature: &str, model: MessageModel, instance: &str) -> DefaultMQPushConsumer {
        let mut config = ClientConfig::default();
        config.set_instance_name(instance.into());
        DefaultMQPushConsumer::builder(Arc::clone(&self.runtime))
            .client_config(config)
            .consumer_group(format!("{}-group", self.topic(feature)))
            .name_server_addr(self.name_server.clone())
            .consume_from_where(ConsumeFromWhere::ConsumeFromFirstOffset)
            .message_model(model)
            .build()
    }

    async fn send_all(&self, topic: &str) -> Done {
        for number in 0..COUNT {
            sent(self.producer.send(message(topic, "", number)).await?)?;
        }
        Ok(())
    }

    async fn send_async(&self, topic: &str) -> Done {
        let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..COUNT {
            let told = told.clone();
            let callback = move |result: Option<&SendResult>, error: Option<&ClientError>| {
                let is_ok = error.is_none() && result.is_some_and(|result| result.send_status == SendStatus::SendOk);
                let _ = told.send(is_ok);
            };
            self.producer.send_with_callback(message(topic, "", number), callback).await?;
        }
        for _ in 0..COUNT {
            let outcome = tokio::time::timeout(PATIENCE, outcomes.recv()).await?;
            if outcome != Some(true) {
                return Err("a callback says that it has failed".into());
            }
        }
        Ok(())
    }

    async fn send_oneway(&self, topic: &str) -> Done {
        for number in 0..COUNT {
            self.producer.send_oneway(message(topic, "", number)).await?;
        }
        Ok(())
    }

    async fn send_batch(&self, topic: &str) -> Done {
        let messages: Vec<Message> = (0..COUNT).map(|number| message(topic, "", number)).collect();
        sent(Some(self.producer.send_batch(messages).await?))
    }

    async fn tags(&self, topic: &str) -> Done {
        for number in 0..COUNT {
            sent(self.producer.send(message(topic, ["A", "B", "C", "D"][number % 4], number)).await?)?;
        }
        let seen = Seen::default();
        let mut consumer = self.consumer("tags", MessageModel::Clustering, "tags");
        // Without blanks: this client's hashes of tags are of the blanks, too, and brokers would find nothing.
        consumer.subscribe(topic.to_owned(), "A||C").await?;
        consumer.register_message_listener_concurrently(Taking { seen: seen.clone(), refusals: 0 });
        consumer.start().await?;
        seen.wait_for(COUNT / 2).await?;
        if seen.numbers().iter().any(|number| number % 2 != 0) {
            return Err(format!("seen {:?}", seen.all()).into());
        }
        consumer.shutdown().await;
        Ok(())
    }

    async fn orderly(&self, topic: &str) -> Done {
        for number in 0..COUNT {
            let by_key = |queues: &[_], _: &_, key: &usize| queues.get(key % queues.len()).cloned();
            sent(self.producer.send_with_selector(message(topic, "", number), by_key, number % 4).await?)?;
        }
        let seen = Seen::default();
        let mut consumer = self.consumer("orderly", MessageModel::Clustering, "orderly");
        consumer.subscribe(topic.to_owned(), "*").await?;
        consumer.register_message_listener_orderly(Taking { seen: seen.clone(), refusals: 0 });
        consumer.start().await?;
        seen.wait_for(COUNT).await?;
        let mut of_keys: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        seen.numbers().into_iter().for_each(|number| of_keys.entry(number % 4).or_default().push(number));
        if of_keys.values().any(|numbers| !numbers.is_sorted() || numbers.len() != COUNT / 4) {
            return Err(format!("seen {:?}", seen.all()).into());
        }
        consumer.shutdown().await;
        Ok(())
    }

    async fn broadcasting(&self, topic: &str) -> Done {
        let mut members = Vec::new();
        for instance in ["one", "two"] {
            let seen = Seen::default();
            let mut consumer = self.consumer("broadcasting", MessageModel::Broadcasting, instance);
            consumer.subscribe(topic.to_owned(), "*").await?;
            consumer.register_message_listener_concurrently(Taking { seen: seen.clone(), refusals: 0 });
            consumer.start().await?;
            members.push((consumer, seen));
        }
        self.send_all(topic).await?;
        for (consumer, seen) in &mut members {
            seen.wait_for(COUNT).await?;
            consumer.shutdown().await;
        }
        Ok(())
    }

    async fn retry(&self, topic: &str) -> Done {
        sent(self.producer.send(message(topic, "", 7)).await?)?;
        let seen = Seen::default();
        let mut consumer = self.consumer("retry", MessageModel::Clustering, "retry");
        consumer.subscribe(topic.to_owned(), "*").await?;
        consumer.register_message_listener_concurrently(Taking { seen: seen.clone(), refusals: 1 });
        consumer.start().await?;
        seen.wait_for(2).await?;
        if seen.all() != [(7, 0), (7, 1)] {
            return Err(format!("seen {:?}", seen.all()).into());
        }
        consumer.shutdown().await;
        Ok(())
    }

    async fn pull(&self, topic: &str) -> Done {
        self.send_all(topic).await?;
        let consumer = DefaultLitePullConsumer::builder(Arc::clone(&self.runtime))
            .consumer_group(format!("{topic}-group"))
            .name_server_addr(self.name_server.clone())
            .consume_from_where(ConsumeFromWhere::ConsumeFromFirstOffset)
            .auto_commit(true)
            .build()?;
        consumer.subscribe(topic).await?;
        consumer.start().await?;
        let seen = Seen::default();
        let end = Instant::now() + PATIENCE;
        while seen.all().len() < COUNT && Instant::now() < end {
            let messages = consumer.poll_with_timeout(1000).await;
            seen.take(&messages.iter().collect::<Vec<_>>());
        }
        consumer.shutdown().await;
        if seen.all().len() == COUNT { Ok(()) } else { Err(format!("seen {:?}", seen.all()).into()) }
    }
}

fn message(topic: &str, tag: &str, number: usize) -> Message {
    let message = Message::builder().topic(topic).key(format!("key-{number}")).body_slice(number.to_string().as_bytes());
    if tag.is_empty() { message.build_unchecked() } else { message.tags(tag).build_unchecked() }
}

fn sent(result: Option<SendResult>) -> Done {
    match result {
        Some(result) if result.send_status == SendStatus::SendOk => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

#[tokio::main]
async fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name_server, prefix] = &words[..] else { return Err("client NAME_SERVER PREFIX".into()) };
    let config = RuntimeConfig { thread_name: "features".to_owned(), ..RuntimeConfig::default() };
    let owner = RuntimeOwner::plan(config)?.build()?;
    let mut bootstrap = TelemetryBootstrapConfig::default();
    bootstrap.logging.filter = "error".to_owned();
    let telemetry = install_global(&bootstrap)?;
    let context = owner.root_context().component("client");
    let runtime = ClientRuntime::try_new(context, ClientRuntimeConfig::default(), telemetry.handle())?;
    let mut producer = DefaultMQProducer::builder(Arc::clone(&runtime))
        .producer_group(format!("{prefix}-producers"))
        .name_server_addr(name_server.clone())
        .build();
    producer.start().await?;
    let bench = Bench { runtime, name_server: name_server.clone(), prefix: prefix.clone(), producer };

    bench.report("send", bench.send_all(&bench.topic("send")).await);
    bench.report("send-async", bench.send_async(&bench.topic("send-async")).await);
    bench.report("send-oneway", bench.send_oneway(&bench.topic("send-oneway")).await);
    bench.report("send-batch", bench.send_batch(&bench.topic("send-batch")).await);
    bench.report("tags", bench.tags(&bench.topic("tags")).await);
    bench.report("orderly", bench.orderly(&bench.topic("orderly")).await);
    bench.report("broadcasting", bench.broadcasting(&bench.topic("broadcasting")).await);
    bench.report("retry", bench.retry(&bench.topic("retry")).await);
    bench.report("pull", bench.pull(&bench.topic("pull")).await);
    let mut producer = bench.producer.clone();
    producer.shutdown().await;
    bench.report("close", Ok(()));

    bench.runtime.shutdown().await;
    owner.shutdown_tasks().await;
    owner.shutdown_background();
    telemetry.shutdown();
    Ok(())
}
