//! The stage that most tests stand on: a world with one cluster and one machine.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use stgclient::simulator::Clients as _;
use stgclient::{Client, Producer, PullConsumer};
use stgclient_core::consumer::PullOptions;
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_servers::{Broker, ClusterConfig};
use stgclient_simulator::{ClusterHandle, Machine, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// The way to a server and back, on a network without faults.
pub(crate) const ROUND_TRIP: Duration = Duration::from_micros(200);
/// The longest pause before a connection that failed once is tried again.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);

pub(crate) const NAME_SERVER: &str = "10.0.0.1:9876";
pub(crate) const OTHER_NAME_SERVER: &str = "10.0.0.2:9876";
pub(crate) const BROKER_A: &str = "10.0.1.1:10911";
pub(crate) const BROKER_B: &str = "10.0.1.2:10911";
/// Nobody listens here.
pub(crate) const NOWHERE: &str = "10.9.9.9:10911";

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) cluster: ClusterHandle,
    pub(crate) machine: Arc<Machine>,
}

impl Stage {
    /// A cluster of so many name servers and brokers.
    pub(crate) fn new(name_servers: u8, brokers: u8) -> Self {
        Self::of(ClusterConfig::with_servers(name_servers, brokers))
    }

    pub(crate) fn of(config: ClusterConfig) -> Self {
        let world = World::new(11);
        let cluster = world.cluster(config);
        let machine = world.machine();
        Self { world, cluster, machine }
    }

    /// The same, with a topic of `queues` queues at every broker.
    pub(crate) fn with_topic(self, topic: &str, queues: u32) -> Self {
        self.cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(topic, queues).unwrap()));
        self
    }

    /// A client of all name servers.
    pub(crate) async fn client(&self) -> Client {
        self.machine.client(&self.cluster).connect().await.expect("a name server answers")
    }

    pub(crate) fn on_broker_a<R>(&self, change: impl FnOnce(&mut Broker) -> R) -> R {
        self.cluster.broker("broker-a", change)
    }

    /// What a future gives, and the virtual time that it took.
    pub(crate) async fn timed<T>(&self, future: impl Future<Output = T>) -> (T, Duration) {
        let begin = self.world.now().mono;
        let value = future.await;
        (value, self.world.now().mono.since(begin))
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.machine.sleep(duration).await;
    }

    /// How many messages all queues of a topic at a broker have.
    pub(crate) fn stored(&self, broker: &str, topic: &str) -> i64 {
        let of_queue = |broker: &Broker, queue| broker.offsets(topic, queue).map_or(0, |(min, max)| max - min);
        self.cluster.broker(broker, |broker| (0..16).map(|queue| of_queue(broker, queue)).sum())
    }
}

pub(crate) async fn producer(client: &Client) -> Producer {
    client.producer("producers").start().await.expect("a producer")
}

/// A producer whose sends have one try.
pub(crate) async fn single_try_producer(client: &Client) -> Producer {
    client.producer("producers").max_tries(1).start().await.expect("a producer")
}

pub(crate) async fn consumer(client: &Client) -> PullConsumer {
    client.pull_consumer("consumers").start().await.expect("a consumer")
}

pub(crate) fn message(topic: &str) -> Message {
    Message::new(topic.to_owned(), "hello")
}

pub(crate) fn queue(broker: &str, queue_id: u32) -> MessageQueue {
    MessageQueue::new("t", broker, queue_id)
}

/// Begins a call, which then goes on beside others until it is awaited.
pub(crate) async fn begun<F: Future>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let is_over = poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await;
    assert!(!is_over, "it is not over at once");
    call
}

/// A pull that the broker may hold for so long.
pub(crate) fn waiting(wait: Duration) -> PullOptions {
    PullOptions::new().wait(wait)
}

/// The bodies of everything in a topic.
pub(crate) async fn pull_all(consumer: &PullConsumer, topic: &str) -> Result<Vec<Vec<u8>>, Error> {
    let mut bodies = Vec::new();
    for queue in consumer.queues(topic).await? {
        let mut offset = consumer.min_offset(&queue).await?;
        while offset < consumer.max_offset(&queue).await? {
            let batch = consumer.pull(&queue, "*", offset, 32).await?;
            bodies.extend(batch.messages.iter().map(|message| message.body().to_vec()));
            offset = batch.next_offset;
        }
    }
    Ok(bodies)
}

/// The kind of a failure and the address that it names.
pub(crate) fn reason<T: std::fmt::Debug>(result: &Result<T, Error>) -> (ErrorKind, Option<&str>) {
    let error = result.as_ref().expect_err("it fails");
    (error.kind(), error.address().map(|address| address.as_str()))
}
