use core::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::wire::dialect::Dialect;
use crate::wire::java;
use crate::wire::message::{
    BatchRecords, EncodeError, MessageError, MessageFault, Part, StoredFields, StoredMessage, StoredMessages, batch,
    sys_flag,
};

const APACHE: Dialect = Dialect::Apache;

prop_compose! {
    fn fields()(
        (body_crc, queue_id, flag, sys_flag, reconsume_times) in any::<(u32, i32, i32, i32, i32)>(),
        (queue_offset, physical_offset, prepared_transaction_offset) in any::<(i64, i64, i64)>(),
        (born_timestamp, store_timestamp) in any::<(i64, i64)>(),
        (born_ip, born_port, store_ip, store_port) in any::<(core::net::IpAddr, u16, core::net::IpAddr, u16)>(),
    ) -> StoredFields {
        StoredFields {
            body_crc,
            queue_id,
            flag,
            queue_offset,
            physical_offset,
            sys_flag,
            born_timestamp,
            born_host: SocketAddr::new(born_ip, born_port),
            store_timestamp,
            store_host: SocketAddr::new(store_ip, store_port),
            reconsume_times,
            prepared_transaction_offset,
        }
    }
}

fn some_fields() -> StoredFields {
    StoredFields {
        body_crc: 1,
        queue_id: 2,
        flag: 3,
        queue_offset: 40,
        physical_offset: 5,
        sys_flag: 0,
        born_timestamp: 7,
        born_host: SocketAddr::from(([127, 0, 0, 1], 8)),
        store_timestamp: 9,
        store_host: SocketAddr::from(([127, 0, 0, 2], 10)),
        reconsume_times: 11,
        prepared_transaction_offset: 12,
    }
}

fn encoded(fields: &StoredFields, topic: &str, properties: &str, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    fields.encode(&mut out, APACHE, topic, properties, body).expect("short parts");
    out.freeze()
}

fn faults(bytes: &[u8]) -> Vec<Option<MessageFault>> {
    let messages = StoredMessages::new(Bytes::copy_from_slice(bytes), APACHE);
    messages.map(|message| message.err().map(|error| error.fault)).collect()
}

/// Looks at all that a message has, which must not panic either.
fn touch(message: &StoredMessage) -> usize {
    format!("{message:?}").len() + message.body().len() + message.properties().iter().count()
}

proptest! {
    #[test]
    fn messages_come_back(
        messages in prop::collection::vec((fields(), ".{0,40}|t{127,129}", ".{0,40}", any::<Vec<u8>>()), 0..4),
    ) {
        let mut body = BytesMut::new();
        for (fields, topic, properties, message) in &messages {
            fields.encode(&mut body, APACHE, topic, properties, message).expect("short parts");
        }
        let read = StoredMessages::new(body.freeze(), APACHE).collect::<Result<Vec<_>, _>>().expect("messages");
        prop_assert_eq!(read.len(), messages.len());
        for (read, (fields, topic, properties, message)) in read.iter().zip(&messages) {
            const HOSTS: i32 = sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6;
            let sys_flag = fields.sys_flag & !HOSTS | read.fields.sys_flag & HOSTS;
            prop_assert_eq!(read.fields, StoredFields { sys_flag, ..*fields });
            prop_assert_eq!(read.topic(), topic);
            prop_assert_eq!(read.properties().encoded(), properties);
            prop_assert_eq!(read.body(), &**message);
            prop_assert_eq!(read.body_bytes(), message);
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in any::<Vec<u8>>()) {
        for message in StoredMessages::new(Bytes::from(bytes.clone()), APACHE).flatten() {
            touch(&message);
        }
        for record in BatchRecords::new(Bytes::from(bytes)) {
            let _ = format!("{record:?}");
        }
    }

    #[test]
    fn changed_messages_are_taken(
        fields in fields(),
        body in any::<Vec<u8>>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let one = encoded(&fields, "topic", "a\u{1}b\u{2}", &body);
        let mut bytes = [&*one, &*one].concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        for message in StoredMessages::new(Bytes::from(bytes.clone()), APACHE).flatten() {
            prop_assert!(message.stored_length() <= bytes.len());
            touch(&message);
            let inner = message.inner_messages(message.body_bytes(), 100);
            inner.flatten().for_each(|message| _ = touch(&message));
        }
    }

    #[test]
    fn inner_batches_come_back(
        whole in fields(),
        records in prop::collection::vec((any::<i32>(), "([a-c]{1,3}\u{1}[a-c]{1,3}\u{2}){0,3}", any::<Vec<u8>>()), 0..5),
    ) {
        let mut body = BytesMut::new();
        for (flag, properties, record) in &records {
            batch::encode(&mut body, *flag, properties, record).expect("short parts");
        }
        let both = sys_flag::INNER_BATCH | sys_flag::NEED_UNWRAP;
        let whole = StoredFields { sys_flag: whole.sys_flag | both | sys_flag::COMPRESSED, ..whole };
        let message = StoredMessage::decode(encoded(&whole, "topic", "x\u{1}y\u{2}", b"compressed"), APACHE);
        let message = message.expect("a message");
        prop_assert!(message.is_inner_batch() && message.is_compressed());

        let inner = message.inner_messages(body.freeze(), 100).collect::<Result<Vec<_>, _>>().expect("records");
        prop_assert_eq!(inner.len(), records.len());
        for (index, (inner, (flag, properties, record))) in inner.iter().zip(&records).enumerate() {
            prop_assert_eq!(inner.fields.queue_offset, whole.queue_offset.wrapping_add(index as i64));
            prop_assert_eq!(inner.fields.store_host, whole.store_host);
            prop_assert_eq!(inner.fields.flag, *flag);
            prop_assert!(!inner.is_inner_batch() && !inner.is_compressed());
            prop_assert_eq!(inner.topic(), "topic");
            prop_assert_eq!(inner.properties().encoded(), properties);
            prop_assert_eq!(inner.body(), &**record);
        }
    }
}

#[test]
fn a_bad_message_leaves_the_next_one_alone() {
    let good = encoded(&some_fields(), "topic", "", b"body");
    let mut bad = good.to_vec();
    bad[7] ^= 1;
    let body = [&good, &*bad, &good].concat();
    let read: Vec<_> = StoredMessages::new(Bytes::from(body), APACHE).collect();
    let [Ok(_), Err(error), Ok(_)] = &*read else { panic!("{read:?}") };
    let at = good.len();
    assert_eq!(*error, MessageError { at, queue_offset: Some(40), fault: MessageFault::Magic { magic: 0xDAA3_20A6 } });
    assert_eq!(
        error.to_string(),
        format!("the message at byte {at}, queue offset 40: an unknown magic code 0xdaa320a6")
    );
}

#[test]
fn every_lie_has_its_error() {
    let good = encoded(&some_fields(), "topic", "a\u{1}b\u{2}", b"body");
    let length = good.len();
    // Where the lengths stand: the body's after 84 bytes, then the topic's and the properties'.
    let lie = |at: usize, bytes: &[u8]| {
        let mut lying = good.to_vec();
        lying[at..at + bytes.len()].copy_from_slice(bytes);
        match &*faults(&lying) {
            [Some(fault)] => fault.clone(),
            other => panic!("{other:?}"),
        }
    };
    let left = length;
    assert_eq!(lie(0, &[0; 4]), MessageFault::Total { total: 0, smallest: 91, left });
    assert_eq!(lie(0, &[255; 4]), MessageFault::Total { total: u32::MAX, smallest: 91, left });
    assert_eq!(lie(52, &[1, 0, 0, 0]), MessageFault::Port { part: Part::BornHost, port: 1 << 24 });
    assert_eq!(lie(68, &[1, 0, 0, 0]), MessageFault::Port { part: Part::StoreHost, port: 1 << 24 });
    assert_eq!(lie(84, &[255; 4]), MessageFault::Length { part: Part::Body, length: -1 });
    let needed = i32::MAX as usize;
    assert_eq!(lie(84, &[127, 255, 255, 255]), MessageFault::Cut { part: Part::Body, needed, left: length - 88 });
    assert_eq!(lie(92, &[128]), MessageFault::Length { part: Part::Topic, length: -128 });
    assert_eq!(lie(92, &[127]), MessageFault::Cut { part: Part::Topic, needed: 127, left: length - 93 });
    assert_eq!(lie(93, &[b't', 0xFF]), MessageFault::Text { part: Part::Topic, valid: 1 });
    assert_eq!(lie(98, &[255, 255]), MessageFault::Length { part: Part::Properties, length: -1 });
    assert_eq!(lie(98, &[0, 5]), MessageFault::Cut { part: Part::Properties, needed: 5, left: 4 });
    assert_eq!(lie(98, &[0, 3]), MessageFault::Surplus { left: 1 });
    assert_eq!(lie(102, &[0xC3]), MessageFault::Text { part: Part::Properties, valid: 2 });
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut out = BytesMut::new();
    let long = "x".repeat(32768);
    let error = |part| Err(EncodeError { part, length: 32768, limit: 32767 });
    assert_eq!(some_fields().encode(&mut out, APACHE, &long, "", b""), error(Part::Topic));
    assert_eq!(some_fields().encode(&mut out, APACHE, "topic", &long, b""), error(Part::Properties));
    assert_eq!(batch::encode(&mut out, 0, &long, b""), error(Part::Properties));
    assert!(out.is_empty());
}

#[test]
fn checksums_and_hashes_have_the_bounds_of_java() {
    assert_eq!(java::body_crc(b"\xFF\xFF\xFF\xFF"), 0x7FFF_FFFF);
    assert_eq!(java::select_by_hash(i32::MIN, 7), Some(2));
    assert_eq!(java::select_by_hash(5, 0), None);
}
