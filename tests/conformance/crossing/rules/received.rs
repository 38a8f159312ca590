//! We pull what Java's producer sends.

use std::collections::BTreeMap;

use stgclient::ReceivedMessage;
use stgclient_core::wire::message::sys_flag;
use stgclient_tests::Bench;

use super::bench;
use crate::java::{self, Line};

/// From the shortest body to the longest, among them those on both sides of where compression begins.
const SIZES: [usize; 8] = [1, 2, 4095, 4096, 4097, 65_536, 1024 * 1024, 4 * 1024 * 1024];
/// The same, as Java's side takes it.
const BODY_SIZES: &str = "--body-size=1,2,4095,4096,4097,65536,1048576,4194304";
const COUNT: &str = "8";

/// Has Java send what `arguments` say, and compares it with what we pull, field by field. Gives the messages.
async fn pull_what_java_sends(bench: &Bench, command: &str, arguments: &[&str]) -> Vec<ReceivedMessage> {
    let all = [&[command, bench.cluster.name_server(), &bench.topic], arguments].concat();
    let sent = java::crossing(&all).await;
    let pulled = bench.pull_all(sent.len()).await;
    let sent: BTreeMap<_, _> = sent.iter().map(|line| (line.text("messageId").unwrap().to_owned(), line)).collect();
    for message in &pulled {
        assert_same(message, sent[&message.message_id()]);
    }
    pulled
}

fn assert_same(message: &ReceivedMessage, line: &Line) {
    assert_eq!(Some(&*message.offset_message_id().to_string()), line.text("offsetMessageId"));
    assert_eq!(i64::from(message.queue().queue_id), line.number("queueId"));
    assert_eq!(message.queue_offset().cast_signed(), line.number("queueOffset"));
    assert_eq!(message.tag(), line.text("tags"));
    assert!(message.keys().eq(line.text("keys").unwrap().split(' ')), "{line:?}");
    assert!(message.body() == &line.body(), "we get another body: {:?}", message.properties());
    for (name, value) in line.properties() {
        assert_eq!(message.property(name), Some(value), "{name}");
    }
    assert!(message.born_timestamp() > 1_700_000_000_000);
}

#[tokio::test]
async fn we_pull_plain_messages() {
    let bench = bench(4).await;
    let messages = pull_what_java_sends(&bench, "produce", &["10", "paid,open"]).await;
    assert_eq!(messages.len(), 10);
    assert!(messages.iter().any(|message| message.body() == "message 0" && message.tag() == Some("paid")));
}

#[tokio::test]
async fn we_pull_messages_in_every_script() {
    let bench = bench(2).await;
    let messages = pull_what_java_sends(&bench, "produce", &["4", "订单", "--unicode"]).await;
    assert!(messages.iter().any(|message| message.body() == "Grüße, 消息 🚀 3"));
    assert!(messages.iter().all(|message| message.property("größe") == Some("klein 小")));
    let odd = Some("\"值=1;2\" \\/\n\t🚀");
    assert!(messages.iter().all(|message| message.property("消息 🚀") == odd));
}

#[tokio::test]
async fn we_pull_messages_that_java_compressed_with_zlib() {
    compressed("ZLIB", sys_flag::COMPRESSION_ZLIB).await;
}

#[tokio::test]
async fn we_pull_messages_that_java_compressed_with_lz4() {
    compressed("LZ4", sys_flag::COMPRESSION_LZ4).await;
}

#[tokio::test]
async fn we_pull_messages_that_java_compressed_with_zstd() {
    compressed("ZSTD", sys_flag::COMPRESSION_ZSTD).await;
}

async fn compressed(name: &str, flag: i32) {
    let bench = bench(1).await;
    let compress = format!("--compress={name}");
    let messages = pull_what_java_sends(&bench, "produce", &[COUNT, "x", &compress, BODY_SIZES]).await;
    for (message, size) in messages.iter().zip(SIZES) {
        assert_eq!(message.body().len(), size);
        assert!(message.stored().is_compressed(), "Java has sent {size} bytes as they are");
        assert_eq!(message.stored().fields.sys_flag & sys_flag::COMPRESSION_MASK, flag);
    }
}

#[tokio::test]
async fn we_pull_bodies_that_java_sends_as_they_are() {
    let bench = bench(1).await;
    let arguments = [COUNT, "x", "--compress=NONE", "--noise", BODY_SIZES];
    let messages = pull_what_java_sends(&bench, "produce", &arguments).await;
    for (message, size) in messages.iter().zip(SIZES) {
        assert_eq!((message.body().len(), message.stored().is_compressed()), (size, false));
    }
}

#[tokio::test]
async fn java_and_we_share_a_topic_with_the_longest_name_there_is() {
    let mut bench = Bench::without_topic(super::cluster().await).await;
    bench.topic.push_str("-%|_");
    bench.topic.extend(std::iter::repeat_n('x', 127 - bench.topic.len()));
    bench.admin().create_topic(&bench.topic).queues(1).await.unwrap();
    bench.await_queues(1).await;
    pull_what_java_sends(&bench, "produce", &["2", "java"]).await;
    let receipt = bench.send(bench.message("ours").tag("ours")).await;
    bench.pull_sent(&receipt).await;
    let lines = java::crossing(&["pull", bench.cluster.name_server(), &bench.topic, "ours"]).await;
    assert_eq!(lines.iter().map(Line::body).collect::<Vec<_>>(), [b"ours"]);
}

#[tokio::test]
async fn we_pull_the_messages_of_a_batch_one_by_one() {
    let bench = bench(2).await;
    let messages = pull_what_java_sends(&bench, "batch", &["12"]).await;
    let numbers: Vec<_> = messages.iter().map(|message| message.body().clone()).collect();
    assert_eq!(numbers, (0..12).map(|number| format!("message {number}")).collect::<Vec<_>>());
    assert!(messages.windows(2).all(|pair| pair[0].queue() == pair[1].queue()), "a batch is in one queue");
}

#[tokio::test]
async fn we_filter_by_the_tags_that_java_sets() {
    let bench = bench(1).await;
    java::crossing(&["produce", bench.cluster.name_server(), &bench.topic, "6", "AaAa,BBBB,other"]).await;
    let queue = bench.queue(0).await;
    bench.await_messages(&queue, 6).await;
    for (expression, offsets) in [("AaAa", vec![0, 3]), ("BBBB || other", vec![1, 2, 4, 5])] {
        let batch = bench.pull(&queue, expression, 0).await;
        let found: Vec<_> = batch.messages.iter().map(ReceivedMessage::queue_offset).collect();
        assert_eq!(found, offsets, "{expression}");
    }
}
