//! What an application has is taken as it is.

#![expect(clippy::disallowed_types, reason = "a time to begin at is no look at a clock")]

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use stgclient::{
    Beginning, Client, ConsumeFrom, ErrorKind, Message, MessageQueue, MessageSelector, PullOptions, QueueChoice,
    ReconsumeLater, RetryDelay, SendOptions, SuspendCurrentQueue,
};

/// Every error of an application becomes one of a handler by `?`.
#[test]
fn a_handler_fails_with_any_error_or_text() {
    fn boxed() -> Result<(), Box<dyn StdError + Send + Sync>> {
        Err("boxed".into())
    }
    let later: [fn() -> Result<(), ReconsumeLater>; 5] = [
        || Ok(boxed()?),
        || Err("a text")?,
        || Err(format!("{} text", "an owned"))?,
        || Ok("x".parse::<u32>().map(|_| ())?),
        || Err(ReconsumeLater::after(RetryDelay::Level(3)).because("there is no stock")),
    ];
    let words = ["boxed", "a text", "an owned text", "invalid digit", "there is no stock"];
    for (handle, words) in later.into_iter().zip(words) {
        let failed = format!("{:?}", handle().unwrap_err());
        assert!(failed.contains(words) || failed.contains("InvalidDigit"), "{failed}");
    }
    let suspended: Result<(), SuspendCurrentQueue> = boxed().map_err(Into::into);
    assert!(suspended.is_err());
    let suspended = SuspendCurrentQueue::after(Duration::from_secs(1)).because(String::from("why"));
    assert!(format!("{suspended:?}").contains("why"));
}

#[tokio::test]
async fn a_message_is_sent_again_as_its_producer_made_it() {
    let client = Client::embedded().await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    let first = Message::new("T", "body").tag("paid").key("a").key("b").property("shop", "berlin").flag(7);
    let first = producer.send(first).await.unwrap();
    let consumer = client.pull_consumer("C").start().await.unwrap();
    let received = consumer.pull(&first.queue, "*", 0, 1).await.unwrap().messages.remove(0);
    let second = producer.send(Message::from(&received)).await.unwrap();
    assert_ne!(first.message_id, second.message_id);
    let again = consumer.pull(&first.queue, &MessageSelector::all(), second.queue_offset, 1).await.unwrap();
    let again = &again.messages[0];
    let own = |message: &stgclient::ReceivedMessage| {
        let keys: Vec<_> = message.keys().map(str::to_owned).collect();
        let shop = message.property("shop").map(str::to_owned);
        (message.body().clone(), message.tag().map(str::to_owned), keys, shop, message.flag())
    };
    assert_eq!(own(again), own(&received));
    client.close().await;
}

#[tokio::test]
async fn a_dead_letter_goes_to_the_topic_that_it_came_from() {
    let client = Client::embedded().await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let fails = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let fails = fails.concurrently(|_| async { Err(ReconsumeLater::after(RetryDelay::Never)) }).start().await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    producer.send(Message::new("T", "body")).await.unwrap();
    let consumer = client.pull_consumer("C").start().await.unwrap();
    let queue = MessageQueue::new("%DLQ%G", "broker-a", 0);
    let wait = PullOptions::new().wait(Duration::from_secs(15));
    let dead = loop {
        // Until the first one is there the topic is not.
        match consumer.pull_with(&queue, "*", 0, wait.clone()).await {
            Ok(pulled) if !pulled.messages.is_empty() => break pulled.messages,
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::TopicNotFound | ErrorKind::Refused), "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(Message::from(&dead[0]).topic(), "T");
    fails.close().await;
    client.close().await;
}

#[tokio::test]
async fn addresses_are_one_text_or_several() {
    let refused = Client::connect(["127.0.0.1:1", "127.0.0.1:2"]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NameServersUnavailable);
    let several = vec![String::from("127.0.0.1:1"), String::from("no address")];
    let refused = Client::connect(&several).await.unwrap_err();
    assert_eq!(
        (refused.kind(), ErrorKind::InvalidArgument.to_string()),
        (ErrorKind::InvalidArgument, "invalid argument".into())
    );
}

#[tokio::test]
async fn what_no_broker_would_take_is_refused_before_it_is_sent() {
    let client = Client::embedded().await.unwrap();
    let consumer = client.push_consumer("G").subscribe("a topic", "*").concurrently(|_| async { Ok(()) });
    assert_eq!(consumer.start().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let producer = client.producer("P").start().await.unwrap();
    for (message, words) in [
        (Message::new("T", "b").tag("a || b"), "contains ||"),
        (Message::new("T", "b").property("KEYS", "a"), "Message::key"),
        (Message::new("T", "b").property("TAGS", "a"), "Message::tag"),
        (Message::new("T", "b").property("DELAY", "1"), "Message::delay_level"),
    ] {
        let refused = producer.send(message).await.unwrap_err();
        assert!(refused.kind() == ErrorKind::InvalidArgument && refused.to_string().contains(words), "{refused}");
    }
    client.close().await;
}

#[tokio::test]
async fn a_receipt_is_written_as_json() {
    let client = Client::embedded().await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    let options = SendOptions::new().queue(QueueChoice::Hash("42".into())).timeout(Duration::from_secs(5));
    let sending = producer.send_to(Message::new("T", "body"), options);
    assert!(format!("{sending:?}").contains("Sending"));
    let receipt = sending.await.unwrap();
    let json = serde_json::to_value(&receipt).unwrap();
    assert_eq!(json["status"], "SEND_OK");
    assert_eq!(json["queue"], serde_json::json!({ "brokerName": "broker-a", "queueId": 0, "topic": "T" }));
    assert_eq!((&json["messageId"], &json["queueOffset"]), (&receipt.message_id.to_string().into(), &0.into()));
    assert_eq!((SystemTime::UNIX_EPOCH + Duration::from_millis(7)).consume_from(), ConsumeFrom::Timestamp(7));
    client.close().await;
}
