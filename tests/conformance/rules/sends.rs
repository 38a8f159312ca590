//! Sends: the three ways, what a receipt says, and that nothing is lost or doubled.

use std::collections::BTreeSet;

use stgclient::{Dialect, ErrorKind, Message, QueueChoice, SendOptions, SendStatus};
use stgclient_tests::{Bench, PATIENCE, noise};
use tokio::task::JoinSet;

use super::{bench, cluster};

#[tokio::test]
async fn a_message_lies_where_its_receipt_says_and_has_its_ids() {
    let bench = bench(4).await;
    for number in 0..8 {
        let receipt = bench.send(bench.message(format!("message {number}"))).await;
        assert_eq!(receipt.status, SendStatus::SendOk);
        assert_eq!((&*receipt.queue.topic, &*receipt.queue.broker_name), (&*bench.topic, "broker-a"));
        let message = bench.pull_sent(&receipt).await;
        assert_eq!(message.body(), &format!("message {number}"));
        assert_eq!((message.queue(), message.queue_offset()), (&receipt.queue, receipt.queue_offset));
        assert_eq!(message.message_id(), receipt.message_id.to_string());
        assert_eq!(Some(message.offset_message_id()), receipt.offset_message_id);
        assert_eq!(message.offset_message_id().host().to_string(), bench.cluster.broker());
    }
}

#[tokio::test]
async fn a_callback_is_called_with_the_receipt() {
    let bench = bench(1).await;
    let (done, result) = tokio::sync::oneshot::channel();
    let callback = move |outcome| drop(done.send(outcome));
    bench.producer.send_with(bench.message("by callback"), SendOptions::default(), callback).unwrap();
    let receipt = result.await.unwrap().unwrap();
    assert_eq!(receipt.status, SendStatus::SendOk);
    assert_eq!(&bench.pull_sent(&receipt).await.body()[..], b"by callback");
}

#[tokio::test]
async fn oneway_messages_arrive() {
    let bench = bench(2).await;
    for number in 0..20 {
        bench.producer.send_oneway(bench.message(format!("oneway {number}"))).await.unwrap();
    }
    let bodies: BTreeSet<_> = bench.pull_all(20).await.iter().map(|message| message.body().clone()).collect();
    assert_eq!(bodies.len(), 20);
    assert_eq!(bench.client.counters().busy_oneways, 0);
    assert_eq!(bench.client.counters().unexpected_answers, 0, "a broker has answered a oneway message");
}

#[tokio::test]
async fn messages_awaited_one_by_one_lie_in_a_queue_in_their_order() {
    let bench = bench(2).await;
    let queue = bench.queue(1).await;
    for number in 0..40 {
        let receipt = bench.send_to(&queue, bench.message(number.to_string())).await;
        assert_eq!((&receipt.queue, receipt.queue_offset), (&queue, number));
    }
    let bodies: Vec<_> = bench.pull_all(40).await.iter().map(|message| message.body().clone()).collect();
    assert_eq!(bodies, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_tells_who_made_it_and_when() {
    let bench = bench(1).await;
    let message = bench.send_and_pull(bench.message("body").flag(-7)).await;
    assert_eq!(message.flag(), -7);
    assert_eq!(message.reconsume_times(), 0);
    // Only addresses of this machine can be bound.
    let own = std::net::UdpSocket::bind((message.born_host().ip(), 0));
    assert!(own.is_ok(), "{} is none of ours", message.born_host());
    let (born, stored) = (message.born_timestamp(), message.store_timestamp());
    // Client and broker round by clocks of their own.
    assert!(born > 1_700_000_000_000 && (born - 1..born + 60_000).contains(&stored), "born {born}, stored {stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_senders_at_once_lose_and_double_nothing() {
    let bench = bench(4).await;
    let mut senders = JoinSet::new();
    for sender in 0..64 {
        let (producer, topic) = (bench.producer.clone(), bench.topic.clone());
        senders.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..25 {
                let message = Message::new(topic.as_str(), format!("{sender}/{number}"));
                let receipt = producer.send(message).await.unwrap();
                ids.push((receipt.message_id.to_string(), format!("{sender}/{number}")));
            }
            ids
        });
    }
    let sent: BTreeSet<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(sent.len(), 64 * 25);
    let body = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    let pulled = bench.pull_all(64 * 25).await;
    let pulled: BTreeSet<_> = pulled.iter().map(|message| (message.message_id(), body(message.body()))).collect();
    assert_eq!(sent, pulled);
}

#[tokio::test]
async fn producers_of_one_client_and_of_several_work_side_by_side() {
    let bench = bench(2).await;
    let (second, third) = (bench.other_client().await, bench.other_client().await);
    let mut producers = vec![bench.producer.clone()];
    for (client, group) in [(&bench.client, "same"), (&bench.client, "same"), (&second, "same"), (&third, "other")] {
        producers.push(client.producer(group).send_timeout(PATIENCE).start().await.unwrap());
    }
    let sends: Vec<_> = producers.iter().map(|producer| producer.send(bench.message("side by side"))).collect();
    let mut ids = BTreeSet::new();
    for send in sends {
        ids.insert(send.await.unwrap().message_id.to_string());
    }
    assert_eq!(ids.len(), producers.len());
    bench.pull_all(producers.len()).await;
}

#[tokio::test]
async fn a_closed_producer_sends_nothing_more_and_the_others_go_on() {
    let bench = bench(1).await;
    let producer = bench.producer_builder().start().await.unwrap();
    producer.send(bench.message("before")).await.unwrap();
    producer.close().await;
    let error = producer.send(bench.message("after")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    bench.send(bench.message("other")).await;
    bench.pull_all(2).await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anybody_is_asked() {
    let bench = Bench::without_topic(cluster().await).await;
    let message = |body: Vec<u8>| bench.message(body);
    let property = |name: &str, value: &str| bench.message("body").property(name, value);
    for (what, message) in [
        ("an empty body", message(Vec::new())),
        ("a body of more than 4 MiB", message(vec![b'x'; 4 * 1024 * 1024 + 1])),
        ("a separator in a value", property("name", "a\u{1}b")),
        ("a separator in a name", property("a\u{2}b", "value")),
        ("an empty name", property("", "value")),
        ("a name of the protocol", property("UNIQ_KEY", "mine")),
        ("properties of more than 32 KiB", property("long", &"v".repeat(33_000))),
        ("a space in a key", bench.message("body").key("two words")),
    ] {
        let error = bench.producer.send(message.clone()).await.unwrap_err();
        assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{what}: {error}");
        let error = bench.producer.send_oneway(message.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{what}: {error}");
        let refused = bench.producer.try_send(message.clone(), SendOptions::default()).err().unwrap();
        assert_eq!(refused.message.body(), message.body(), "{what}: the message is given back");
    }
    let error = bench.admin().topic_route(&bench.topic).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TopicNotFound, "a message has created the topic");
    assert_eq!(bench.producer.backlog().messages, 0);
}

#[tokio::test]
async fn a_body_that_the_broker_does_not_take_is_refused_once_and_for_all() {
    let bench = bench(1).await;
    if !bench.cluster.may_be_harmed() {
        return;
    }
    let producer = bench.producer_builder().configure(|config| config.max_body_size = Some(8 * 1024 * 1024));
    let producer = producer.compression(None).start().await.unwrap();
    if bench.cluster.dialect() == Dialect::Smartgo {
        // It would take no message any more, so that it must not be asked, whatever a producer allows.
        let error = producer.send(bench.message(noise(524_000))).await.unwrap_err();
        assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
        assert!(error.to_string().contains("Dialect::Smartgo"), "{error}");
        producer.send(bench.message(noise(520_000))).await.unwrap();
    } else {
        let error = producer.send(bench.message(noise(5 * 1024 * 1024))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(error.code().map(|code| code.0), Some(13), "{error}");
        assert!(!error.is_retryable() && error.attempts().is_empty(), "{error:?}");
        assert_eq!(error.address().unwrap().as_str(), bench.cluster.broker());
    }
    // The connection is as good as before.
    producer.send(bench.message("small")).await.unwrap();
    let count = if bench.cluster.dialect() == Dialect::Smartgo { 2 } else { 1 };
    bench.pull_all(count).await;
}

#[tokio::test]
async fn a_queue_that_the_topic_does_not_have_is_refused_before_anybody_is_asked() {
    let bench = bench(2).await;
    let mut queue = bench.queue(1).await;
    queue.queue_id = 2;
    let error = bench.producer.send_to(bench.message("body"), QueueChoice::Queue(queue)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoQueueAvailable, "{error}");
    let mut queue = bench.queue(1).await;
    queue.topic = "AnotherTopic".into();
    let error = bench.producer.send_to(bench.message("body"), queue).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    bench.pull_all(0).await;
}
