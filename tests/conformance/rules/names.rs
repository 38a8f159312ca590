//! Names of topics and groups at their limits.

use stgclient::{ErrorKind, Message, MessageQueue};
use stgclient_tests::Bench;

use super::{bench, cluster};

#[tokio::test]
async fn a_topics_name_of_127_characters_works_everywhere() {
    let mut bench = Bench::without_topic(cluster().await).await;
    bench.topic = format!("{}%|_", bench.topic);
    bench.topic.extend(std::iter::repeat_n('x', 127 - bench.topic.len()));
    bench.admin().create_topic(&bench.topic).queues(1).await.unwrap();
    bench.await_queues(1).await;
    let message = bench.send_and_pull(bench.message("long-named")).await;
    assert_eq!((message.topic(), &message.body()[..]), (&*bench.topic, &b"long-named"[..]));
    let queue = bench.queue(0).await;
    bench.consumer.commit_offset(&queue, 1).await.unwrap();
    assert_eq!(bench.consumer.committed_offset(&queue).await.unwrap(), Some(1));
    assert_eq!(bench.admin().topic_statistics(&bench.topic).await.unwrap().messages(), 1);
    bench.admin().delete_topic(&bench.topic).await.unwrap();
}

#[tokio::test]
async fn a_name_that_no_topic_has_is_refused_before_anybody_is_asked() {
    let bench = Bench::without_topic(cluster().await).await;
    for name in ["", "with space", "häßlich", "a.b", "a/b", &"x".repeat(128)] {
        let sent = bench.producer.send(Message::new(name, "body")).await.unwrap_err();
        let created = bench.admin().create_topic(name).await.unwrap_err();
        for error in [sent, created] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{name}: {error}");
            assert_eq!(error.address(), None);
        }
    }
}

#[tokio::test]
async fn a_name_that_no_group_has_is_refused_before_anybody_is_asked() {
    let bench = Bench::without_topic(cluster().await).await;
    for name in ["", "with space", &"x".repeat(121)] {
        let producer = bench.client.producer(name).start().await.unwrap_err();
        let consumer = bench.client.pull_consumer(name).start().await.unwrap_err();
        assert_eq!((producer.kind(), consumer.kind()), (ErrorKind::InvalidArgument, ErrorKind::InvalidArgument));
    }
}

#[tokio::test]
async fn a_groups_name_of_120_characters_works() {
    let bench = bench(1).await;
    let mut group = bench.unique("group");
    group.extend(std::iter::repeat_n('g', 120 - group.len()));
    let producer = bench.client.producer(&group).start().await.unwrap();
    let consumer = bench.client.pull_consumer(&group).start().await.unwrap();
    let receipt = producer.send(bench.message("body")).await.unwrap();
    bench.await_messages(&receipt.queue, 1).await;
    let batch = consumer.pull(&receipt.queue, "*", 0, 1).await.unwrap();
    assert_eq!(batch.messages.len(), 1);
    consumer.commit_offset(&receipt.queue, 1).await.unwrap();
    assert_eq!(consumer.committed_offset(&receipt.queue).await.unwrap(), Some(1));
}

#[tokio::test]
async fn topics_that_only_servers_write_to_are_refused_before_anybody_is_asked() {
    let bench = Bench::without_topic(cluster().await).await;
    for topic in ["SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "OFFSET_MOVED_EVENT"] {
        let error = bench.producer.send(Message::new(topic, "body")).await.unwrap_err();
        assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
    }
}

#[tokio::test]
async fn a_queue_of_a_broker_that_does_not_exist_is_refused_at_once() {
    let bench = bench(1).await;
    let queue = MessageQueue::new(bench.topic.as_str(), "no-such-broker", 0);
    let error = bench.consumer.pull(&queue, "*", 0, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerNotFound, "{error}");
    assert!(error.to_string().contains("no-such-broker"), "{error}");
    let error = bench.consumer.max_offset(&queue).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokerNotFound, "{error}");
}
