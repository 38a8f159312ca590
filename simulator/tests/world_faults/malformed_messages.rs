//! Stored messages that cannot be read: each is refused with its offset and the reason, and those beside it come.

use bytes::BytesMut;
use stgclient::simulator::Clients as _;
use stgclient_core::consumer::{PullBatch, PullStatus};
use stgclient_core::producer::Message;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::compression::{self, Compression};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{StoredFields, sys_flag};

use super::stage::{BROKER_A, Stage, consumer, producer, queue};
use super::wire;

/// Where the fields of a message stand whose hosts are IPv4.
const TOTAL_AT: usize = 0;
const MAGIC_AT: usize = 4;
const BORN_PORT_AT: usize = 52;
const BODY_LENGTH_AT: usize = 84;

/// The longest decompressed body in these tests.
const LIMIT: usize = 10_000;

fn stored(queue_offset: i64, sys_flag: i32, body: &[u8]) -> Vec<u8> {
    let host = "10.0.1.1:10911".parse().unwrap();
    let fields = StoredFields {
        body_crc: 0,
        queue_id: 0,
        flag: 0,
        queue_offset,
        physical_offset: 1000 * queue_offset,
        sys_flag,
        born_timestamp: 0,
        born_host: host,
        store_timestamp: 0,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let mut out = BytesMut::new();
    fields.encode(&mut out, Dialect::Apache, "t", "k\u{1}v\u{2}", body).unwrap();
    out.to_vec()
}

/// A message of offset 8 with one number changed.
fn bent(at: usize, number: u32) -> Vec<u8> {
    let mut bytes = stored(8, 0, b"hello");
    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// A message of offset 8 with its last bytes changed: topic's length and text, properties' length and text.
fn bent_tail(tail: &[u8]) -> Vec<u8> {
    let mut bytes = stored(8, 0, b"hello");
    let at = BODY_LENGTH_AT + 4 + 5;
    bytes[at..at + tail.len()].copy_from_slice(tail);
    bytes
}

/// What a client makes of a pull that brings a good message, this one, and another good one.
fn pulled(bytes: &[u8]) -> PullBatch {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let body = [&stored(7, 0, b"before"), bytes, &stored(9, 0, b"after")].concat();
    let fields = r#"{"nextBeginOffset":"10","minOffset":"0","maxOffset":"10","suggestWhichBrokerId":"0"}"#;
    let pulls =
        wire::broker(RequestCode::PULL_MESSAGE, move |request| wire::at_once(wire::answer(request, 0, fields, &body)));
    stage.world.serve(BROKER_A, pulls);
    stage.world.block_on(async {
        let servers = stage.cluster.name_servers().join(";");
        let client = stage.machine.client(&servers).max_body_length(LIMIT).connect().await.unwrap();
        let consumer = consumer(&client).await;
        let batch = consumer.pull(&queue("broker-a", 0), "*", 7, 32).await.expect("an answer that can be read");
        consumer.pull(&queue("broker-a", 0), "*", 7, 32).await.expect("on the same connection");
        assert_eq!(client.counters().connects, 2, "name server and broker, once each");
        batch
    })
}

#[test]
fn a_message_that_lies_about_its_lengths_is_refused_and_its_neighbours_come() {
    for (bytes, words) in [
        (bent(BODY_LENGTH_AT, 6), "queue offset 8"),
        (bent(BODY_LENGTH_AT, 1000), "its body needs 1000 bytes"),
        (bent(BODY_LENGTH_AT, i32::MAX as u32), "its body needs 2147483647 bytes"),
        (bent(BODY_LENGTH_AT, u32::MAX), "its body has the length -1"),
        (bent(MAGIC_AT, 0xDEAD_BEEF), "an unknown magic code 0xdeadbeef"),
        (bent(BORN_PORT_AT, 65_536), "its producer's address has the port 65536"),
        (bent_tail(&[100]), "its topic needs 100 bytes"),
        (bent_tail(&[0xFF]), "its topic has the length -1"),
        (bent_tail(&[1, 0xFF]), "its topic is no UTF-8 after 0 bytes"),
        (bent_tail(&[1, b't', 0, 5]), "its properties needs 5 bytes"),
        (bent_tail(&[1, b't', 0, 3]), "bytes follow its last part"),
        (bent_tail(&[1, b't', 0xFF, 0xFF]), "its properties has the length -1"),
        (bent_tail(&[1, b't', 0, 4, b'k', 1, 0xC3]), "its properties is no UTF-8 after 2 bytes"),
    ] {
        let batch = pulled(&bytes);
        let bodies: Vec<&[u8]> = batch.messages.iter().map(|message| &**message.body()).collect();
        assert_eq!(bodies, [b"before".as_slice(), b"after"], "{words}");
        assert_eq!(batch.refused.len(), 1, "{words}");
        assert_eq!(batch.refused[0].queue_offset, Some(8), "{words}");
        let text = batch.refused[0].reason.to_string();
        assert!(text.contains(words), "{text}");
        assert_eq!((batch.status, batch.next_offset), (PullStatus::Found, 10));
    }
}

#[test]
fn a_message_of_an_impossible_total_length_costs_itself_only() {
    for total in [0, 3, 90, 1_000_000, u32::MAX] {
        let batch = pulled(&bent(TOTAL_AT, total));
        let bodies: Vec<&[u8]> = batch.messages.iter().map(|message| &**message.body()).collect();
        assert_eq!(bodies, [b"before"], "{total}");
        assert_eq!(batch.refused.len(), 1);
        let text = batch.refused[0].reason.to_string();
        assert!(text.contains(&format!("it says to be {total} bytes long")), "{text}");
        assert_eq!(batch.next_offset, 9, "the one behind it comes with the next pull");
    }
}

#[test]
fn a_total_length_that_swallows_the_next_message_costs_these_two() {
    let both = stored(8, 0, b"hello").len() + stored(9, 0, b"after").len();
    let batch = pulled(&bent(TOTAL_AT, both as u32));
    assert_eq!(batch.messages.len(), 1);
    assert_eq!(batch.refused.len(), 1);
    assert_eq!(batch.refused[0].queue_offset, Some(8));
}

#[test]
fn a_compressed_body_that_is_wrong_or_too_long_is_refused_and_its_neighbours_come() {
    let all = [Compression::Zlib { level: 9 }, Compression::Lz4, Compression::Zstd];
    let compressed = |length: usize, with: Compression| compression::compress(&vec![0; length], with);
    let mut cases = Vec::new();
    for with in all {
        let flag = with.sys_flag() | sys_flag::COMPRESSED;
        cases.push((stored(8, flag, &compressed(LIMIT + 1, with)), "longer than 10000 bytes"));
        cases.push((stored(8, flag, &compressed(1_000_000, with)), "longer than 10000 bytes"));
        cases.push((stored(8, flag, b"this is not compressed"), "is no "));
        let cut = compressed(LIMIT, with);
        cases.push((stored(8, flag, &cut[..cut.len() - 1]), "is no "));
        cases.push((stored(8, flag, &[]), "is no "));
    }
    cases.push((stored(8, sys_flag::COMPRESSED | 5 << 8, b"x"), "the unknown format 5"));
    for (bytes, words) in cases {
        let batch = pulled(&bytes);
        let bodies: Vec<&[u8]> = batch.messages.iter().map(|message| &**message.body()).collect();
        assert_eq!(bodies, [b"before".as_slice(), b"after"]);
        assert_eq!(batch.refused.len(), 1);
        assert_eq!(batch.refused[0].queue_offset, Some(8));
        let text = batch.refused[0].reason.to_string();
        assert!(text.contains(words), "{text}");
    }
    for with in all {
        let flag = with.sys_flag() | sys_flag::COMPRESSED;
        let batch = pulled(&stored(8, flag, &compressed(LIMIT, with)));
        assert_eq!((batch.messages.len(), batch.refused.len()), (3, 0), "{with:?}: at the limit it comes");
        assert_eq!(batch.messages[1].body().len(), LIMIT);
    }
}

#[test]
fn each_client_has_its_own_limit_for_what_it_decompresses() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let strict = stage.machine.client(&stage.cluster);
        let strict = consumer(&strict.max_body_length(LIMIT).connect().await.unwrap()).await;
        let lenient = stage.client().await;
        let producer = producer(&lenient).await;
        let lenient = consumer(&lenient).await;
        for length in [3, 4_000_000, 5] {
            producer.send(Message::new("t", vec![b'x'; length])).await.expect("a body that brokers take");
        }
        let lengths = |batch: &PullBatch| batch.messages.iter().map(|message| message.body().len()).collect::<Vec<_>>();
        let batch = strict.pull(&queue("broker-a", 0), "*", 0, 32).await.unwrap();
        assert_eq!(lengths(&batch), [3, 5]);
        assert_eq!(batch.refused[0].queue_offset, Some(1));
        assert_eq!((batch.refused.len(), batch.next_offset), (1, 3));
        let batch = lenient.pull(&queue("broker-a", 0), "*", 0, 32).await.unwrap();
        assert_eq!(lengths(&batch), [3, 4_000_000, 5]);
    });
}
