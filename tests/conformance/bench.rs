//! The bench that most rules are tried at: a client with a topic, a producer and a consumer of its own.

use stgclient::{
    Admin, Client, Message, MessageQueue, Producer, ProducerBuilder, PullBatch, PullConsumer, QueueChoice, Receipt,
    ReceivedMessage,
};
use stgclient_core::random::Random;

use crate::cluster::unique;
use crate::{Cluster, eventually};

/// A client with a topic, a producer and a consumer.
#[derive(Debug)]
pub struct Bench {
    /// The client.
    pub client: Client,
    /// Sends as it is by default, but takes its time.
    pub producer: Producer,
    /// Pulls.
    pub consumer: PullConsumer,
    /// The group of the consumer.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// Where it all happens; the client has to end first.
    pub cluster: Cluster,
}

impl Bench {
    /// A topic of `queues` queues, and everything else.
    pub async fn new(cluster: Cluster, queues: u32) -> Self {
        let bench = Self::without_topic(cluster).await;
        bench.admin().create_topic(&bench.topic).queues(queues).await.expect("the topic is created");
        bench.await_queues(queues as usize).await;
        bench
    }

    /// The topic has a name, but nobody has created it.
    pub async fn without_topic(cluster: Cluster) -> Self {
        let client = cluster.client().await;
        let group = unique("group");
        let producer = patient(client.producer(&unique("producers"))).start().await.expect("the client is open");
        let consumer = client.pull_consumer(&group).start().await.expect("the client is open");
        Self { client, producer, consumer, group, topic: unique("topic"), cluster }
    }

    /// Topics, offsets and clusters.
    pub fn admin(&self) -> Admin {
        self.client.admin()
    }

    /// A second client, of the same kind.
    pub async fn other_client(&self) -> Client {
        self.cluster.client().await
    }

    /// A producer to be set up, which takes its time.
    pub fn producer_builder(&self) -> ProducerBuilder {
        patient(self.client.producer(&unique("producers")))
    }

    /// A name that nobody else uses.
    pub fn unique(&self, what: &str) -> String {
        unique(what)
    }

    /// Waits until the name server knows this many queues of the topic: a broker tells it in its own time.
    pub async fn await_queues(&self, count: usize) -> Vec<MessageQueue> {
        eventually("the route has the topic's queues", async || {
            self.consumer.queues(&self.topic).await.ok().filter(|queues| queues.len() == count)
        })
        .await
    }

    /// The topic's queues.
    pub async fn queues(&self) -> Vec<MessageQueue> {
        self.consumer.queues(&self.topic).await.expect("the topic has a route")
    }

    /// One of the topic's queues.
    pub async fn queue(&self, number: usize) -> MessageQueue {
        self.queues().await.swap_remove(number)
    }

    /// A message to the topic.
    pub fn message(&self, body: impl stgclient::Body) -> Message {
        Message::new(self.topic.as_str(), body)
    }

    /// Sends a message, which has to succeed.
    pub async fn send(&self, message: Message) -> Receipt {
        self.producer.send(message).await.expect("the message is sent")
    }

    /// Sends a message to a queue, which has to succeed.
    pub async fn send_to(&self, queue: &MessageQueue, message: Message) -> Receipt {
        let choice = QueueChoice::Queue(queue.clone());
        self.producer.send_to(message, choice).await.expect("the message is sent")
    }

    /// Pulls once, which has to succeed.
    pub async fn pull(&self, queue: &MessageQueue, expression: &str, offset: u64) -> PullBatch {
        self.consumer.pull(queue, expression, offset, 32).await.expect("the queue can be pulled from")
    }

    /// Waits until a queue has this many messages to pull: a broker shows a message some moments after it has
    /// acknowledged it.
    pub async fn await_messages(&self, queue: &MessageQueue, count: u64) {
        eventually("the messages can be pulled", async || {
            let end = self.consumer.max_offset(queue).await.expect("the broker answers");
            (end >= count).then_some(())
        })
        .await;
    }

    /// The message that a receipt is for, pulled from where it says.
    pub async fn pull_sent(&self, receipt: &Receipt) -> ReceivedMessage {
        self.await_messages(&receipt.queue, receipt.queue_offset + 1).await;
        let mut batch = self.pull(&receipt.queue, "*", receipt.queue_offset).await;
        assert_eq!(batch.refused, []);
        batch.messages.swap_remove(0)
    }

    /// Sends a message and pulls it back.
    pub async fn send_and_pull(&self, message: Message) -> ReceivedMessage {
        let receipt = self.send(message).await;
        self.pull_sent(&receipt).await
    }

    /// All messages of the topic, which have to become `count`, and no more.
    pub async fn pull_all(&self, count: usize) -> Vec<ReceivedMessage> {
        let queues = self.queues().await;
        let mut offsets = vec![0; queues.len()];
        let mut messages = Vec::new();
        eventually("all messages are there", async || {
            let mut is_at_end = true;
            for (queue, offset) in queues.iter().zip(&mut offsets) {
                let batch = self.pull(queue, "*", *offset).await;
                assert_eq!(batch.refused, []);
                is_at_end &= batch.messages.is_empty();
                messages.extend(batch.messages);
                *offset = batch.next_offset;
            }
            (is_at_end && messages.len() >= count).then_some(())
        })
        .await;
        assert_eq!(messages.len(), count, "more messages than were sent");
        messages
    }
}

fn patient(producer: ProducerBuilder) -> ProducerBuilder {
    producer.send_timeout(crate::PATIENCE)
}

/// Bytes that no compression makes shorter.
pub fn noise(length: usize) -> Vec<u8> {
    let mut random = Random::new(length as u64);
    (0..length).map(|_| random.next_u64() as u8).collect()
}
