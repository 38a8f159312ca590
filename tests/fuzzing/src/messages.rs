//! Stored messages and batch records: what was read lies within the bytes that came, and written again reads as the
//! same.

use bytes::{Bytes, BytesMut};
use stgclient_core::wire::compression::{self, Compression};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{
    BatchRecord, BatchRecords, OffsetMessageId, PropertiesRef, StoredMessage, StoredMessages, batch, properties,
};

use crate::BODY_LIMIT;

/// Reads stored messages, one after the other, as a pull brings them.
pub fn check_stored(bytes: &Bytes) {
    let mut length = 0;
    for message in StoredMessages::new(bytes.clone(), Dialect::Apache) {
        match message {
            Ok(message) => {
                length += message.stored_length();
                check_message(&message);
                check_body(&message);
            }
            Err(error) => assert!(error.at >= length && error.at <= bytes.len(), "{error} at {}", error.at),
        }
    }
    assert!(length <= bytes.len());
}

fn check_message(message: &StoredMessage) {
    let mut out = BytesMut::new();
    let properties = message.properties();
    message
        .fields
        .encode(&mut out, Dialect::Apache, message.topic(), properties.encoded(), message.body())
        .expect("a message that was read fits");
    let again = StoredMessage::decode(out.freeze(), Dialect::Apache).expect("a message of ours");
    for same in [&again, &message.detach()] {
        assert_eq!(same.fields, message.fields);
        assert_eq!((same.topic(), same.properties()), (message.topic(), properties));
        assert_eq!(same.body(), message.body());
    }
    let id = message.fields.offset_id();
    assert_eq!(id.to_string().parse::<OffsetMessageId>(), Ok(id));
    check_properties(properties);
}

fn check_body(message: &StoredMessage) {
    let body = if message.is_compressed() {
        match compression::decompress(message.body(), message.fields.sys_flag, BODY_LIMIT) {
            Ok(body) => body,
            Err(_) => return,
        }
    } else {
        message.body_bytes()
    };
    assert!(body.len() <= BODY_LIMIT.max(message.stored_length()));
    if message.is_inner_batch() {
        for inner in message.inner_messages(body, usize::MAX).flatten() {
            assert_eq!(inner.topic(), message.topic());
            assert!(!inner.is_inner_batch() && !inner.is_compressed());
            check_message(&inner);
        }
    }
}

/// Reads properties as they travel.
pub fn check_properties(read: PropertiesRef<'_>) {
    for (name, _) in read {
        let last = read.iter().filter(|(known, _)| *known == name).last();
        assert_eq!(read.get(name), last.map(|(_, value)| value), "of several values the last one counts");
    }
    let mut changed = read.to_properties();
    if changed.set("added", "value").is_ok() {
        assert!(changed.encoded().len() <= properties::MAX_LENGTH);
        assert_eq!(changed.get("added"), Some("value"));
        for (name, _) in read.iter().filter(|(name, _)| *name != "added") {
            assert_eq!(changed.get(name), read.get(name), "{name}");
        }
        assert!(changed.remove("added") && changed.get("added").is_none());
    }
}

/// Reads the records of a batch.
pub fn check_batch(bytes: &Bytes) {
    for record in BatchRecords::new(bytes.clone()).flatten() {
        let properties = record.properties();
        let mut out = BytesMut::new();
        batch::encode(&mut out, record.flag, properties.encoded(), record.body()).expect("a record that was read fits");
        let again: Vec<BatchRecord> = BatchRecords::new(out.freeze()).map(|record| record.expect("ours")).collect();
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].flag, again[0].body()), (record.flag, record.body()));
        assert_eq!(again[0].properties(), properties);
        check_properties(properties);
    }
}

/// Decompresses `bytes` in the format that `sys_flag` names, never beyond the limit; and what came of it, compressed
/// by us, comes back.
pub fn check_compressed(bytes: &[u8], sys_flag: i32) {
    let Ok(body) = compression::decompress(bytes, sys_flag, BODY_LIMIT) else {
        return;
    };
    assert!(body.len() <= BODY_LIMIT);
    // Compressing takes a hundred times as long as decompressing: a short body shows as much as a long one.
    if body.len() <= 4096 {
        for with in [Compression::Zlib { level: 1 }, Compression::Lz4, Compression::Zstd] {
            let again = compression::compress(&body, with);
            assert_eq!(compression::decompress(&again, with.sys_flag(), body.len()).as_ref(), Ok(&body));
        }
    }
}
