//! What an application gets of the bytes that a pull brought.

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::consumer::MessageSelector;
use crate::wire::compression::Compression;
use crate::wire::java;
use crate::wire::message::{StoredFields, batch, sys_flag};

const APACHE: Dialect = Dialect::Apache;
const LIMIT: usize = 10_000;

fn fields(queue_offset: i64, sys_flag: i32) -> StoredFields {
    StoredFields {
        body_crc: 0,
        queue_id: 9,
        flag: 3,
        queue_offset,
        physical_offset: 77,
        sys_flag,
        born_timestamp: 11,
        born_host: SocketAddr::from(([127, 0, 0, 1], 8)),
        store_timestamp: 12,
        store_host: SocketAddr::from(([127, 0, 0, 2], 10)),
        reconsume_times: 2,
        prepared_transaction_offset: 0,
    }
}

fn stored(queue_offset: i64, sys_flag: i32, properties: &str, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    fields(queue_offset, sys_flag).encode(&mut out, APACHE, "T", properties, body).expect("short parts");
    out
}

/// A message with a tag.
fn tagged(queue_offset: i64, tag: &str) -> BytesMut {
    stored(queue_offset, 0, &format!("TAGS\u{1}{tag}\u{2}"), b"body")
}

fn compressed(queue_offset: i64, body: &[u8], more: i32) -> BytesMut {
    let with = Compression::Zlib { level: 5 };
    let flags = with.sys_flag() | sys_flag::COMPRESSED | more;
    stored(queue_offset, flags, "", &compression::compress(body, with))
}

fn pulled() -> Pulled {
    Pulled {
        status: PullStatus::Found,
        next_offset: 50,
        min_offset: 1,
        max_offset: 60,
        suggested_broker_id: 0,
        queue: MessageQueue::new("T", "a", 4),
        expression: MessageSelector::all(),
        body: Bytes::new(),
    }
}

fn batch_of(stored: &[BytesMut], expression: &str) -> PullBatch {
    let expression = expression.parse::<MessageSelector>().expect("an expression");
    Pulled { expression, body: stored.concat().into(), ..pulled() }.into_batch(APACHE, LIMIT)
}

fn offsets(batch: &PullBatch) -> Vec<u64> {
    batch.messages.iter().map(ReceivedMessage::queue_offset).collect()
}

#[test]
fn messages_come_in_order_and_whole() {
    let first = stored(40, 0, "KEYS\u{1}a  b\u{2}TAGS\u{1}t\u{2}UNIQ_KEY\u{1}ID\u{2}shop\u{1}berlin\u{2}", b"hello");
    let batch = batch_of(&[first, stored(41, 0, "", b"")], "*");
    assert_eq!((batch.status, offsets(&batch)), (PullStatus::Found, vec![40, 41]));
    assert_eq!((batch.next_offset, batch.min_offset, batch.max_offset), (50, 1, 60));
    let [message, bare] = &batch.messages[..] else { panic!("two messages") };
    assert_eq!((message.topic(), &message.body()[..], message.message_id()), ("T", &b"hello"[..], "ID".to_owned()));
    assert_eq!((message.tag(), message.property("shop")), (Some("t"), Some("berlin")));
    assert_eq!(message.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((message.flag(), message.reconsume_times()), (3, 2));
    assert_eq!((message.born_timestamp(), message.store_timestamp()), (11, 12));
    // The queue is the one that was pulled from, whatever the message says.
    assert_eq!(message.queue(), &MessageQueue::new("T", "a", 4));
    assert_eq!((bare.tag(), bare.keys().count(), bare.body().len()), (None, 0, 0));
    // Without an id of its producer a message is known by its place.
    assert_eq!(bare.message_id(), "7F0000020000000A000000000000004D");
}

#[test]
fn tags_are_compared_by_their_text() {
    assert_eq!(java::string_hash("AaAa"), java::string_hash("BBBB"));
    let stored = [tagged(1, "AaAa"), tagged(2, "BBBB"), stored(3, 0, "", b"b"), tagged(4, "AaAa"), tagged(5, "c")];
    assert_eq!(offsets(&batch_of(&stored, "AaAa || c")), [1, 4, 5]);
    assert_eq!(offsets(&batch_of(&stored, "*")), [1, 2, 3, 4, 5]);
}

#[test]
fn messages_of_which_none_is_wanted_are_no_match() {
    let batch = batch_of(&[tagged(1, "BBBB")], "AaAa");
    assert_eq!((batch.status, batch.messages.len(), batch.next_offset), (PullStatus::NoMatchedMessage, 0, 50));
}

#[test]
fn compressed_bodies_are_decompressed() {
    let batch = batch_of(&[compressed(1, &[7; 5000], 0), stored(2, 0, "", b"plain")], "*");
    assert_eq!(batch.messages.iter().map(|message| message.body().len()).collect::<Vec<_>>(), [5000, 5]);
}

#[test]
fn a_message_that_cannot_be_read_is_refused_by_itself() {
    let broken = stored(2, sys_flag::COMPRESSED | sys_flag::COMPRESSION_ZLIB, "", b"no zlib");
    let batch = batch_of(&[tagged(1, "t"), broken, tagged(3, "t")], "*");
    assert_eq!((offsets(&batch), batch.status), (vec![1, 3], PullStatus::Found));
    let [refused] = &batch.refused[..] else { panic!("one refused") };
    assert_eq!(refused.queue_offset, Some(2));
    assert!(matches!(refused.reason, RefusedReason::Compression(_)));
}

#[test]
fn a_body_that_would_expand_too_far_is_refused() {
    let batch = batch_of(&[compressed(1, &[0; LIMIT], 0), compressed(2, &[0; LIMIT + 1], 0)], "*");
    assert_eq!((offsets(&batch), batch.refused.len()), (vec![1], 1));
    assert_eq!(batch.refused[0].queue_offset, Some(2));
}

#[test]
fn when_all_are_refused_messages_were_found_all_the_same() {
    let mut cut = tagged(1, "t");
    cut.truncate(60);
    let batch = batch_of(&[cut], "*");
    assert_eq!((batch.status, batch.messages.len(), batch.refused.len()), (PullStatus::Found, 0, 1));
    assert!(matches!(batch.refused[0].reason, RefusedReason::Message(_)));
}

#[test]
fn an_inner_batch_is_taken_apart() {
    let mut records = BytesMut::new();
    for tag in ["x", "y", "x"] {
        batch::encode(&mut records, 5, &format!("TAGS\u{1}{tag}\u{2}"), tag.as_bytes()).unwrap();
    }
    let inner = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
    for whole in [stored(10, inner, "", &records), compressed(10, &records, inner)] {
        let read = batch_of(&[tagged(9, "x"), whole, tagged(13, "x")], "x");
        assert_eq!(offsets(&read), [9, 10, 12, 13]);
        assert_eq!((&read.messages[1].body()[..], read.messages[1].flag()), (&b"x"[..], 5));
    }
}

fn records(count: usize, body: &[u8]) -> BytesMut {
    let mut records = BytesMut::new();
    (0..count).for_each(|_| batch::encode(&mut records, 0, "", body).unwrap());
    records
}

#[test]
fn what_would_be_too_long_beside_what_came_before_it_is_left_for_the_next_pull() {
    let inner = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
    let long = [b'x'; 6000];
    for second in [compressed(12, &long, 0), compressed(12, &records(2, &long[..3000]), inner)] {
        let read = batch_of(&[compressed(10, &long, 0), tagged(11, "t"), second.clone(), tagged(14, "t")], "*");
        assert_eq!((offsets(&read), read.refused.len(), read.next_offset), (vec![10, 11], 0, 12));
        let read = batch_of(&[second, tagged(14, "t")], "*");
        assert_eq!((offsets(&read).last(), read.next_offset), (Some(&14), 50));
    }
}

#[test]
fn the_next_pull_never_goes_back_whatever_offsets_a_broker_writes() {
    let long = [b'x'; 6000];
    for odd in [-1, 3, 10] {
        let read = batch_of(&[compressed(10, &long, 0), compressed(odd, &long, 0)], "*");
        assert_eq!((offsets(&read), read.next_offset), (vec![10], 11));
    }
}

#[test]
fn what_lies_behind_a_message_of_an_impossible_length_is_pulled_again_without_it() {
    let mut cut = tagged(12, "t");
    cut.truncate(60);
    let read = batch_of(&[tagged(10, "t"), tagged(11, "t"), cut], "*");
    assert_eq!((offsets(&read), read.refused.len(), read.next_offset), (vec![10, 11], 1, 13));
}

#[test]
fn an_inner_batch_has_no_more_messages_than_brokers_take() {
    const MOST: usize = 190_650;
    let inner = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
    let read = |count: usize| {
        let stored = [compressed(0, &records(count, b""), inner), tagged(900_000, "t")];
        let pulled = Pulled { body: stored.concat().into(), ..pulled() };
        pulled.into_batch(APACHE, 64 << 20)
    };
    assert_eq!((read(MOST).messages.len(), read(MOST).refused.len()), (MOST + 1, 0));
    // Nor more that cannot be read.
    let broken = records(300_000, b"")
        .iter()
        .enumerate()
        .map(|(at, byte)| if at % 22 == 19 { 5 } else { *byte })
        .collect::<Vec<u8>>();
    let stored = compressed(0, &broken, inner);
    let broken = Pulled { body: stored.freeze(), ..pulled() }.into_batch(APACHE, 64 << 20);
    assert_eq!((broken.messages.len(), broken.refused.len()), (0, MOST + 1));
    let crowd = read(300_000);
    assert_eq!((crowd.messages.len(), crowd.refused.len()), (MOST + 1, 1));
    assert_eq!(crowd.refused[0].queue_offset, Some(MOST as u64));
    assert!(crowd.refused[0].reason.to_string().contains("more than 190650 messages"), "{}", crowd.refused[0].reason);
}

#[test]
fn a_record_of_an_inner_batch_that_cannot_be_read_is_refused_with_its_offset() {
    let mut records = BytesMut::new();
    batch::encode(&mut records, 0, "", b"good").unwrap();
    records.extend_from_slice(&[0, 0, 0, 3]);
    let whole = stored(10, sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP, "", &records);
    let read = batch_of(&[whole, tagged(20, "t")], "*");
    assert_eq!(offsets(&read), [10, 20]);
    assert_eq!(read.refused.iter().map(|refused| refused.queue_offset).collect::<Vec<_>>(), [Some(11)]);
}

#[test]
fn a_detached_message_is_the_same_in_memory_of_its_own() {
    let batch = batch_of(&[tagged(1, "t")], "*");
    let message = &batch.messages[0];
    let detached = message.detach();
    assert_eq!((detached.body(), detached.tag(), detached.queue()), (message.body(), message.tag(), message.queue()));
    assert_ne!(detached.body().as_ptr(), message.body().as_ptr());
    assert_eq!(detached.stored().properties().encoded(), message.stored().properties().encoded());
}

proptest! {
    #[test]
    fn any_bytes_are_taken(flags in any::<i32>(), body in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = stored(1, flags, "TAGS\u{1}t\u{2}", &body);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let batch = batch_of(&[tagged(0, "t"), bytes], "t || u");
        prop_assert!(batch.messages.iter().all(|message| message.tag().is_some() && !message.message_id().is_empty()));
    }
}
