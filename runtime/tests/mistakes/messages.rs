//! What is sent.

use stgclient::{ErrorKind, Message, MessageQueue, QueueChoice};

use crate::{Mistakes, client};

#[tokio::test]
async fn what_no_broker_takes_is_refused_before_it_is_sent() {
    let client = client().await;
    let producer = client.producer("P").start().await.unwrap();
    let good = || Message::new("T", "body");
    let many = (0..2000).fold(good(), |message, number| message.property(number.to_string(), "a value of 20 bytes"));
    let mut mistakes = Mistakes::default();
    for (what, words, message) in [
        ("an empty body", "the body is empty", Message::new("T", "")),
        ("a body too long", "4194304 are allowed", Message::new("T", vec![0; 4 * 1024 * 1024 + 1])),
        ("a long property", "more than 32767", good().property("long", "x".repeat(40_000))),
        ("many properties", "more than 32767", many),
        ("a reserved name", "the protocol's own", good().property("UNIQ_KEY", "1")),
        ("the tag as a property", "set by Message::tag", good().property("TAGS", "a")),
        ("the keys as a property", "set by Message::key", good().property("KEYS", "a")),
        ("the delay as a property", "set by Message::delay_level", good().property("DELAY", "1")),
        ("a separator in a name", "the property", good().property("a\u{1}b", "1")),
        ("a separator in a value", "the property", good().property("a", "1\u{2}")),
        ("a property without a name", "the property", good().property("", "1")),
        ("two tags", "contains ||", good().tag("a || b")),
        ("two keys in one", "contains a space", good().key("a b")),
        ("an empty key", "the key is empty", good().key("")),
        ("a tag with a space", "begins or ends with a space", good().tag(" a")),
        ("the tag of all", "means every message", good().tag("*")),
    ] {
        mistakes.refuses(what, words, producer.send(message.clone())).await;
        mistakes.refuses(what, words, producer.send_oneway(message.clone())).await;
        let told =
            async { producer.try_send(message.clone(), QueueChoice::RoundRobin).map_err(|refused| refused.error) };
        mistakes.refuses(what, words, told).await;
        let called = |result: Result<_, _>| assert!(result.is_ok(), "a message that is given back has no callback");
        let told =
            async { producer.send_with(message, QueueChoice::RoundRobin, called).map_err(|refused| refused.error) };
        mistakes.refuses(what, words, told).await;
    }
    for (queue, kind, words) in [
        (MessageQueue::new("T", "broker-a", 99), ErrorKind::NoQueueAvailable, "99"),
        (MessageQueue::new("T", "broker-z", 0), ErrorKind::BrokerNotFound, "broker-z"),
        (MessageQueue::new("other", "broker-a", 0), ErrorKind::InvalidArgument, "other"),
    ] {
        mistakes.fails("a queue", kind, words, producer.send_to(good(), QueueChoice::Queue(queue))).await;
    }
    // Nothing has come to the broker, and nothing is held.
    assert_eq!((client.metrics().all_sends().tries, producer.backlog().messages), (0, 0));
    producer.send(good()).await.unwrap();
    mistakes.assert();
    client.close().await;
}

#[tokio::test]
async fn a_delay_beyond_the_last_level_is_the_last_level() {
    let client = client().await;
    let producer = client.producer("P").start().await.unwrap();
    for level in [0, 18, 19, u32::MAX] {
        producer.send(Message::new("T", "body").delay_level(level)).await.unwrap();
    }
    client.close().await;
}

#[tokio::test]
async fn an_id_that_is_none_finds_nothing_and_says_why() {
    let client = client().await;
    let admin = client.admin();
    let mut mistakes = Mistakes::default();
    for id in ["", "garbage", "0A00000100002A9F000000000000", "0A00000100002A9F00000000000000ZZ", "ü"] {
        mistakes.refuses(id, "hexadecimal digit", admin.message_by_id(id)).await;
    }
    let elsewhere = admin.message_by_id("0A0A0A0A00002A9F0000000000000000");
    mistakes.fails("a broker's that is none", ErrorKind::BrokerNotFound, "10.10.10.10:10911", elsewhere).await;
    mistakes.refuses("no key", "key", async { admin.messages_by_key("T", "").await }).await;
    mistakes.refuses("two keys", "space", async { admin.messages_by_key("T", "a b").await }).await;
    mistakes.refuses("no messages", "1024", async { admin.messages_by_key("T", "k").max(0).await }).await;
    mistakes.refuses("too many", "1024", async { admin.messages_by_key("T", "k").max(5000).await }).await;
    mistakes
        .refuses("no time", "which is no time", async { admin.messages_by_key("T", "k").between(2, 1).await })
        .await;
    mistakes.assert();
    client.close().await;
}
