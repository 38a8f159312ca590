//! The stage: a cluster with a topic, members of a group on machines of their own, and a book of what they consumed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use stgclient::simulator::Clients as _;
use stgclient::{Client, PushConsumer, PushConsumerBuilder};
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{ConsumeFrom, QueueStatus};
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::InvokeResetOffset;
use stgclient_servers::ClusterConfig;
use stgclient_simulator::{ClusterHandle, Machine, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const TOPIC: &str = "orders";
pub(crate) const GROUP: &str = "billing";

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) cluster: ClusterHandle,
    pub(crate) machine: Arc<Machine>,
    pub(crate) dialect: Dialect,
}

impl Stage {
    /// A cluster of so many brokers, with a topic of so many queues at each.
    pub(crate) fn new(brokers: u8, queues: u32) -> Self {
        Self::of(Dialect::Apache, brokers, queues)
    }

    /// The same of servers like smartgo's.
    pub(crate) fn of_smartgo(brokers: u8, queues: u32) -> Self {
        Self::of(Dialect::Smartgo, brokers, queues)
    }

    fn of(dialect: Dialect, brokers: u8, queues: u32) -> Self {
        let world = World::new(11);
        let mut config = ClusterConfig::with_servers(1, brokers);
        config.dialect = dialect;
        config.brokers.iter_mut().for_each(|broker| broker.property_filter = true);
        let cluster = world.cluster(config);
        cluster.with(|cluster| cluster.brokers().for_each(|broker| broker.create_topic(TOPIC, queues).unwrap()));
        let machine = world.machine();
        Self { world, cluster, machine, dialect }
    }

    /// A client on a machine of its own.
    pub(crate) async fn client(&self) -> Client {
        self.client_on(&self.world.machine()).await
    }

    pub(crate) async fn client_on(&self, machine: &Arc<Machine>) -> Client {
        let builder = machine.client(&self.cluster).dialect(self.dialect);
        builder.connect().await.expect("a name server answers")
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        self.machine.sleep(duration).await;
    }

    /// Sends so many messages, numbered, in turn to all queues.
    pub(crate) async fn send(&self, numbers: std::ops::Range<u32>) {
        let client = self.client().await;
        let producer = client.producer("shop").start().await.unwrap();
        for number in numbers {
            producer.send(Message::new(TOPIC, number.to_string()).tag("paid")).await.unwrap();
        }
        client.close().await;
    }

    /// Sends them to one queue.
    pub(crate) async fn send_to(&self, broker: &str, queue: u32, numbers: std::ops::Range<u32>) {
        let client = self.client().await;
        let producer = client.producer("shop").start().await.unwrap();
        for number in numbers {
            let queue = MessageQueue::new(TOPIC, broker, queue);
            producer.send_to(Message::new(TOPIC, number.to_string()), queue).await.unwrap();
        }
        client.close().await;
    }

    /// An administrator has a broker set all offsets of the group back to the first.
    pub(crate) fn reset_all(&self, broker: &str) {
        let reset = InvokeResetOffset {
            topic: TOPIC.into(),
            group: GROUP.into(),
            queue_id: Some(-1),
            offset: None,
            timestamp: 0,
            is_force: true,
        };
        let told = self.cluster.with(|cluster| cluster.reset_offset(broker, &reset));
        assert!(told.is_ok_and(|offsets| offsets.values().all(|offset| *offset == 0)), "it says that it is done");
    }

    /// Waits until `is_so`, for so long at the most.
    pub(crate) async fn until(&self, limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
        let end = self.world.now().mono + limit;
        while !is_so() {
            assert!(self.world.now().mono < end, "not within {limit:?}: {what}\n{}", self.world.journal());
            self.sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the group has committed of a queue.
    pub(crate) fn committed(&self, queue: &MessageQueue) -> Option<i64> {
        self.cluster.broker(&queue.broker_name, |broker| broker.committed(GROUP, &queue.topic, queue.queue_id))
    }

    /// Runs a test to its end.
    pub(crate) fn play<R>(&self, test: impl Future<Output = R>) -> R {
        self.world.block_on(test)
    }
}

/// What was consumed: by whom, from which queue, in which order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) member: u32,
    pub(crate) queue: MessageQueue,
    pub(crate) offset: u64,
    pub(crate) body: String,
    pub(crate) reconsume_times: i32,
}

impl Book {
    pub(crate) fn note(&self, member: u32, message: &ReceivedMessage) {
        let entry = Entry {
            member,
            queue: message.queue().clone(),
            offset: message.queue_offset(),
            body: String::from_utf8_lossy(message.body()).into_owned(),
            reconsume_times: message.reconsume_times(),
        };
        self.lock().push(entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a consumer that notes every message, and has nothing else to do with it.
    pub(crate) async fn consume(&self, consumer: PushConsumerBuilder) -> PushConsumer {
        let book = self.clone();
        let consumer = consumer.concurrently(move |message| {
            book.note(0, &message);
            async { Ok(()) }
        });
        consumer.start().await.unwrap()
    }

    /// The same, each queue in order.
    pub(crate) async fn consume_in_order(&self, consumer: PushConsumerBuilder) -> PushConsumer {
        let book = self.clone();
        let consumer = consumer.orderly(move |message| {
            book.note(0, &message);
            async { Ok(()) }
        });
        consumer.start().await.unwrap()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Which of these numbers were not consumed.
    pub(crate) fn missing(&self, numbers: std::ops::Range<u32>) -> Vec<u32> {
        let times = self.times();
        numbers.filter(|number| !times.contains_key(&number.to_string())).collect()
    }

    /// How often each body was consumed.
    pub(crate) fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for entry in self.entries() {
            *times.entry(entry.body).or_default() += 1;
        }
        times
    }
}

/// A consumer of the group that begins with the first message, still to be told what to do with messages.
pub(crate) fn member(client: &Client) -> PushConsumerBuilder {
    use stgclient_core::consumer::push::ConsumeFrom;
    client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(ConsumeFrom::FirstOffset)
}

/// How many queues of the topic each of these members owns.
pub(crate) fn shares(members: &[&PushConsumer]) -> Vec<usize> {
    let of = |member: &&PushConsumer| {
        let queues = member.status().queues.into_iter();
        queues.filter(|queue| &*queue.queue.topic == TOPIC && queue.is_consuming).count()
    };
    members.iter().map(of).collect()
}

/// The first queue of the topic that a member owns.
pub(crate) fn of_topic(member: &PushConsumer) -> QueueStatus {
    let mut queues = member.status().queues.into_iter();
    queues.find(|queue| &*queue.queue.topic == TOPIC).expect("it owns one")
}

/// A consumer of a new group that wants nothing of what is old.
pub(super) fn newcomer(client: &Client) -> PushConsumerBuilder {
    client.push_consumer(GROUP).subscribe(TOPIC, "*").consume_from(ConsumeFrom::LastOffset)
}
