//! Bodies of every size, and what compression makes of them.

use stgclient::{Compression, Dialect, ErrorKind, Message, ReceivedMessage};
use stgclient_core::wire::message::sys_flag;
use stgclient_tests::noise;

use super::bench;

const FORMATS: [(Compression, i32); 3] = [
    (Compression::Zlib { level: 5 }, sys_flag::COMPRESSION_ZLIB),
    (Compression::Lz4, sys_flag::COMPRESSION_LZ4),
    (Compression::Zstd, sys_flag::COMPRESSION_ZSTD),
];

#[tokio::test]
async fn bodies_of_every_size_come_back_byte_for_byte() {
    let bench = bench(1).await;
    let longest = bench.cluster.longest_body();
    let lengths = [1, 2, 255, 256, 4095, 4096, 65_535, 65_536, 1024 * 1024, longest - 1];
    for length in lengths.into_iter().filter(|length| *length < longest) {
        for body in [noise(length), vec![b'x'; length]] {
            let message = bench.send_and_pull(bench.message(body.clone())).await;
            assert!(message.body() == &body, "a body of {length} bytes comes back changed");
        }
    }
}

#[tokio::test]
async fn the_longest_body_comes_back_and_a_longer_one_is_refused_before_anybody_is_asked() {
    let bench = bench(1).await;
    let longest = bench.cluster.longest_body();
    let error = bench.producer.send(bench.message(noise(longest + 1))).await.unwrap_err();
    assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
    assert!(error.to_string().contains(&longest.to_string()), "{error}");
    let is_named = error.to_string().contains("Dialect::Smartgo");
    assert_eq!(is_named, bench.cluster.dialect() == Dialect::Smartgo, "{error}");
    let body = noise(longest);
    let message = bench.send_and_pull(bench.message(body.clone()).tag("large")).await;
    assert!(message.body() == &body, "the body comes back changed");
    assert_eq!(message.tag(), Some("large"));
}

#[tokio::test]
async fn every_byte_there_is_may_be_in_a_body() {
    let bench = bench(1).await;
    let body: Vec<u8> = (0..=255).collect();
    assert_eq!(bench.send_and_pull(bench.message(body.clone())).await.body(), &body);
}

#[tokio::test]
async fn a_long_body_is_stored_compressed_and_comes_back_as_it_was() {
    let bench = bench(1).await;
    let body = "compressible ".repeat(10_000);
    for (compression, flag) in FORMATS {
        let producer = bench.producer_builder().compression(Some(compression)).start().await.unwrap();
        let receipt = producer.send(bench.message(body.clone())).await.unwrap();
        let message = bench.pull_sent(&receipt).await;
        assert!(message.body() == &body, "{compression:?} brings something else back");
        assert_eq!(compression_of(&message), flag, "{compression:?}");
        let stored = message.stored().body().len();
        assert!(stored < body.len() / 10, "{compression:?} stores {stored} bytes");
    }
}

#[tokio::test]
async fn large_bodies_survive_every_compression() {
    let bench = bench(1).await;
    // Half of it can be compressed, and no two blocks are alike.
    let body: Vec<u8> = noise(bench.cluster.longest_body() / 4).into_iter().flat_map(|byte| [byte, byte]).collect();
    for (compression, _) in FORMATS {
        let producer = bench.producer_builder().compression(Some(compression)).start().await.unwrap();
        let receipt = producer.send(bench.message(body.clone())).await.unwrap();
        assert!(bench.pull_sent(&receipt).await.body() == &body, "{compression:?} brings something else back");
    }
}

#[tokio::test]
async fn a_body_is_compressed_from_the_threshold_on_and_only_if_it_gets_shorter() {
    let bench = bench(1).await;
    let uncompressed = bench.producer_builder().compression(None).start().await.unwrap();
    let compressing = || bench.producer_builder().compression(Some(Compression::Zlib { level: 5 }));
    let compressed = compressing().start().await.unwrap();
    let eager = compressing().compression_threshold(100).start().await.unwrap();
    // Smartgo's own consumers could not read it.
    let is_default = bench.cluster.dialect() == Dialect::Apache;
    for (what, producer, body, is_compressed) in [
        ("one byte below the threshold", &compressed, vec![b'x'; 4095], false),
        ("the threshold", &compressed, vec![b'x'; 4096], true),
        ("the default", &bench.producer, vec![b'x'; 4096], is_default),
        ("what does not get shorter", &compressed, noise(10_000), false),
        ("no compression", &uncompressed, vec![b'x'; 10_000], false),
        ("a threshold of one's own", &eager, vec![b'x'; 100], true),
    ] {
        let receipt = producer.send(bench.message(body.clone())).await.unwrap();
        let message = bench.pull_sent(&receipt).await;
        assert_eq!(message.stored().is_compressed(), is_compressed, "{what}");
        assert!(message.body() == &body, "{what}");
    }
}

#[tokio::test]
async fn oneway_messages_are_compressed_too() {
    let bench = bench(1).await;
    let body = "oneway ".repeat(5000);
    let producer = bench.producer_builder().compression(Some(Compression::Zlib { level: 5 })).start().await.unwrap();
    producer.send_oneway(Message::new(bench.topic.as_str(), body.clone())).await.unwrap();
    let message = bench.pull_all(1).await.swap_remove(0);
    assert!(message.stored().is_compressed() && message.body() == &body);
}

#[tokio::test]
async fn a_body_that_would_expand_beyond_the_limit_is_refused_and_the_others_come() {
    let bench = bench(1).await;
    let queue = bench.queue(0).await;
    for body in ["small", &"x".repeat(2000), "small too"] {
        let compressing = bench.producer_builder().compression(Some(Compression::Zlib { level: 5 }));
        let producer = compressing.compression_threshold(1000).start().await.unwrap();
        producer.send(bench.message(body.to_owned())).await.unwrap();
    }
    bench.await_messages(&queue, 3).await;
    let name_server = bench.cluster.name_server();
    let careful = bench.cluster.builder(name_server).max_body_length(1999).connect().await.unwrap();
    let consumer = careful.pull_consumer("careful").start().await.unwrap();
    let batch = consumer.pull(&queue, "*", 0, 32).await.unwrap();
    assert_eq!(batch.messages.iter().map(ReceivedMessage::queue_offset).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((batch.refused.len(), batch.refused[0].queue_offset, batch.next_offset), (1, Some(1), 3));
    assert!(batch.refused[0].reason.to_string().contains("1999"), "{}", batch.refused[0].reason);
}

fn compression_of(message: &ReceivedMessage) -> i32 {
    message.stored().fields.sys_flag & sys_flag::COMPRESSION_MASK
}
