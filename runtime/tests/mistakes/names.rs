//! Names of topics and groups.

use stgclient::{ErrorKind, Message, ReconsumeLater};

use crate::{Mistakes, client};

#[tokio::test]
async fn what_is_no_name_is_refused_wherever_it_is_given() {
    let client = client().await;
    let admin = client.admin();
    let producer = client.producer("P").start().await.unwrap();
    let puller = client.pull_consumer("C").start().await.unwrap();
    let long = "t".repeat(256);
    let mut mistakes = Mistakes::default();
    for (name, words) in [
        ("", "is empty"),
        (long.as_str(), "are allowed"),
        ("a b", "contains ' '"),
        ("a.b", "contains '.'"),
        ("ü", "contains 'ü'"),
    ] {
        mistakes.refuses("send to a topic", words, producer.send(Message::new(name, "body"))).await;
        mistakes.refuses("create a topic", words, async { admin.create_topic(name).await }).await;
        mistakes.refuses("delete a topic", words, async { admin.delete_topic(name).await }).await;
        mistakes.refuses("a topic's route", words, admin.topic_route(name)).await;
        mistakes.refuses("a topic's queues", words, puller.queues(name)).await;
        mistakes.refuses("a topic's statistics", words, admin.topic_statistics(name)).await;
        let subscriber = client.push_consumer("G").subscribe(name, "*").concurrently(nothing).start();
        mistakes.refuses("subscribe to a topic", words, subscriber).await;
        mistakes.refuses("look for a key in a topic", words, async { admin.messages_by_key(name, "k").await }).await;

        mistakes.refuses("a producer's group", words, client.producer(name).start()).await;
        mistakes.refuses("a pull consumer's group", words, client.pull_consumer(name).start()).await;
        let consumer = client.push_consumer(name).subscribe("T", "*").concurrently(nothing).start();
        mistakes.refuses("a push consumer's group", words, consumer).await;
        mistakes.refuses("a group's lag", words, admin.lag(name)).await;
        mistakes
            .refuses("a reset group", words, admin.reset_offsets(name, "T", stgclient::ConsumeFrom::FirstOffset))
            .await;
    }
    mistakes.assert();
    client.close().await;
}

#[tokio::test]
async fn topics_of_the_servers_are_left_to_them() {
    let client = client().await;
    let producer = client.producer("P").start().await.unwrap();
    let mut mistakes = Mistakes::default();
    for topic in ["SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC"] {
        mistakes.refuses("send", "the servers' own", producer.send(Message::new(topic, "body"))).await;
    }
    for topic in ["TBW102", "SCHEDULE_TOPIC_XXXX"] {
        let created = async { client.admin().create_topic(topic).await };
        mistakes.fails("create", ErrorKind::Refused, "system topic", created).await;
    }
    // They come with a group's first failure, and nobody has failed.
    for topic in ["%RETRY%nobody", "%DLQ%nobody"] {
        let puller = client.pull_consumer("C").start().await.unwrap();
        mistakes.fails("queues", ErrorKind::TopicNotFound, topic, async move { puller.queues(topic).await }).await;
    }
    mistakes.assert();
    client.close().await;
}

pub(crate) async fn nothing(_: stgclient::ReceivedMessage) -> Result<(), ReconsumeLater> {
    Ok(())
}
