//! Java's pull consumer gets what we send.

use std::collections::BTreeMap;

use stgclient::{Compression, HeaderCodec, Message, Receipt};
use stgclient_tests::noise;

use super::bench;
use crate::java::{self, Line};

/// What brokers and the protocol add to the properties of a message.
const ADDED: [&str; 5] = ["UNIQ_KEY", "WAIT", "CLUSTER", "MSG_REGION", "TRACE_ON"];

/// Messages of every kind that may be wrong in its own way.
fn messages(topic: &str) -> Vec<Message> {
    let message = |body: Vec<u8>| Message::new(topic, body);
    let text = |body: &str| message(body.as_bytes().to_vec());
    vec![
        text("plain"),
        text("with everything").tag("paid").key("k1").key("k2").property("shop", "berlin").flag(7),
        text("消息 🚀 größe")
            .tag("订单")
            .key("schlüssel")
            .property("größe", "klein 小 🚀")
            .property("a b", "\"\\/\n\t"),
        message((0..=255).collect()).tag("bytes"),
        message(noise(300_000)).tag("large"),
        message(b"compressible ".repeat(5000)).tag("long"),
    ]
}

fn assert_same(line: &Line, message: &Message, receipt: &Receipt) {
    let id = receipt.message_id.to_string();
    assert_eq!(line.text("messageId"), Some(&*id));
    assert_eq!(line.text("offsetMessageId"), receipt.offset_message_id.map(|id| id.to_string()).as_deref());
    assert_eq!(line.number("queueId"), i64::from(receipt.queue.queue_id));
    assert_eq!(line.number("queueOffset"), receipt.queue_offset.cast_signed());
    assert!(line.body() == message.body()[..], "Java gets another body for {:?}", message.properties());
    let properties: BTreeMap<_, _> = line.properties().filter(|(name, _)| !ADDED.contains(name)).collect();
    assert_eq!(properties, message.properties().iter().collect());
    assert_eq!(line.text("tags"), message.properties().get("TAGS"));
    assert_eq!(line.text("keys"), message.properties().get("KEYS"));
    assert!(line.number("bornTimestamp") > 1_700_000_000_000);
}

#[tokio::test]
async fn java_pulls_what_we_send_however_it_is_sent() {
    let bench = bench(3).await;
    let other_codec = bench.cluster.builder(bench.cluster.name_server()).header_codec(HeaderCodec::Binary);
    let other_codec = other_codec.connect().await.unwrap();
    let zlib = Compression::Zlib { level: 5 };
    let producers = [
        bench.producer_builder().compression(None),
        bench.producer_builder().compression(Some(zlib)),
        bench.producer_builder().compression(Some(Compression::Lz4)),
        bench.producer_builder().compression(Some(Compression::Zstd)),
        other_codec.producer("other-codec"),
    ];
    let mut sent = BTreeMap::new();
    for producer in producers {
        let producer = producer.start().await.unwrap();
        for message in messages(&bench.topic) {
            let receipt = producer.send(message.clone()).await.unwrap();
            bench.await_messages(&receipt.queue, receipt.queue_offset + 1).await;
            sent.insert(receipt.message_id.to_string(), (message, receipt));
        }
    }
    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "*"]).await;
    assert_eq!(lines.len(), sent.len());
    for line in &lines {
        let (message, receipt) = &sent[line.text("messageId").unwrap()];
        assert_same(line, message, receipt);
    }
}

#[tokio::test]
async fn java_pulls_bodies_of_every_size_in_every_compression() {
    let bench = bench(1).await;
    let mut sent = BTreeMap::new();
    let zlib = Compression::Zlib { level: 5 };
    for compression in [None, Some(zlib), Some(Compression::Lz4), Some(Compression::Zstd)] {
        let producer = bench.producer_builder().compression(compression).compression_threshold(1);
        let producer = producer.start().await.unwrap();
        for length in [1, 2, 4095, 4096, 4097, 65_536, 1024 * 1024, 4 * 1024 * 1024] {
            // Half of what is compressed can be, and no two blocks of it are alike.
            let body = match compression {
                None => noise(length),
                Some(_) => noise(length.div_ceil(2)).into_iter().flat_map(|byte| [byte, b' ']).take(length).collect(),
            };
            let message = Message::new(bench.topic.as_str(), body).tag("size");
            let receipt = producer.send(message.clone()).await.unwrap();
            bench.await_messages(&receipt.queue, receipt.queue_offset + 1).await;
            sent.insert(receipt.message_id.to_string(), (message, receipt));
        }
    }
    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "*"]).await;
    assert_eq!(lines.len(), sent.len());
    for line in &lines {
        let (message, receipt) = &sent[line.text("messageId").unwrap()];
        assert_same(line, message, receipt);
    }
}

#[tokio::test]
async fn java_filters_by_the_tags_that_we_set() {
    let bench = bench(2).await;
    for tag in ["a", "b", "c", "AaAa", "BBBB", "订单"] {
        let receipt = bench.send(bench.message(tag).tag(tag)).await;
        bench.await_messages(&receipt.queue, receipt.queue_offset + 1).await;
    }
    bench.producer.send_oneway(bench.message("no tag")).await.unwrap();
    bench.pull_all(7).await;
    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "b || AaAa || 订单"]).await;
    let mut tags: Vec<_> = lines.iter().filter_map(|line| line.text("tags")).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["AaAa", "b", "订单"]);
}

#[tokio::test]
async fn java_pulls_oneway_messages() {
    let bench = bench(1).await;
    for number in 0..5 {
        bench.producer.send_oneway(bench.message(format!("oneway {number}"))).await.unwrap();
    }
    bench.pull_all(5).await;
    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "*"]).await;
    // A broker's threads store what nobody waits for in any order.
    let mut bodies: Vec<_> = lines.iter().map(Line::body).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, (0..5).map(|number| format!("oneway {number}").into_bytes()).collect::<Vec<_>>());
}
