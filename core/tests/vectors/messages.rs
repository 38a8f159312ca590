//! `messages.jsonl`: stored messages and batch records, byte for byte.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use line::{Line, bytes, integer, map, same, text};
use serde_json::Value;
use stgclient_core::wire::compression::{DEFAULT_LIMIT, decompress};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{
    BatchRecord, BatchRecords, MessageFault, PropertiesRef, StoredMessage, StoredMessages, batch, property, sys_flag,
};

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "decode-stored" => decode_stored(line),
        "encode-stored" => encode_stored(line),
        "encode-batch" => encode_batch(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Java's messages are those that can be read and decompressed, up to the first that cannot.
fn decode_stored(line: &Line) -> Result<(), String> {
    let input = Bytes::from(line.bytes("hex")?);
    let note = line.text("note")?;
    let expected = line.value("messages").as_array().ok_or("no messages")?;
    let mut expected = expected.iter();
    let mut refused = None;
    for message in StoredMessages::new(input, Dialect::Apache) {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                refused = Some(error.fault);
                continue;
            }
        };
        reencode(&message)?;
        match plain_body(&message) {
            Ok(body) => compare(&message, &body, expected.next().ok_or("more messages than Java found")?)?,
            Err(_) => same("what cannot be decompressed", note, "compressed flag, body is not")?,
        }
    }
    same("messages that only Java found", expected.len(), 0)?;
    let as_it_should = match note {
        "wrong magic" => matches!(refused, Some(MessageFault::Magic { magic: 0x00A3_20A7 })),
        "smartgo's magic daa320b7" => matches!(refused, Some(MessageFault::Magic { magic: 0xDAA3_20B7 })),
        "cut to 1" => matches!(refused, Some(MessageFault::Cut { left: 1, .. })),
        "one whole, one cut" => matches!(refused, Some(MessageFault::Total { total: 194, left: 30, .. })),
        cut if cut.starts_with("cut to ") => matches!(refused, Some(MessageFault::Total { total: 182, .. })),
        _ => refused.is_none(),
    };
    if as_it_should { Ok(()) } else { Err(format!("{note}: {refused:?}")) }
}

fn plain_body(message: &StoredMessage) -> Result<Bytes, String> {
    if !message.is_compressed() {
        return Ok(message.body_bytes());
    }
    decompress(message.body(), message.fields.sys_flag, DEFAULT_LIMIT).map_err(|error| error.to_string())
}

fn compare(ours: &StoredMessage, body: &Bytes, java: &Value) -> Result<(), String> {
    let fields = &ours.fields;
    let number = |name: &str| integer(&java[name]);
    same("topic", ours.topic(), text(&java["topic"])?)?;
    same("flag", i64::from(fields.flag), number("flag")?)?;
    same("queue id", i64::from(fields.queue_id), number("queueId")?)?;
    same("queue offset", fields.queue_offset, number("queueOffset")?)?;
    // Java forgets that the body was compressed when it has decompressed it.
    same("system flag", i64::from(fields.sys_flag & !sys_flag::COMPRESSED), number("sysFlag")?)?;
    same("born timestamp", fields.born_timestamp, number("bornTimestamp")?)?;
    same("born host", Ok(fields.born_host), text(&java["bornHost"])?.parse())?;
    same("store timestamp", fields.store_timestamp, number("storeTimestamp")?)?;
    same("store host", Ok(fields.store_host), text(&java["storeHost"])?.parse())?;
    same("physical offset", fields.physical_offset, number("commitLogOffset")?)?;
    same("body CRC", i64::from(fields.body_crc), number("bodyCRC")?)?;
    same("reconsume times", i64::from(fields.reconsume_times), number("reconsumeTimes")?)?;
    same("transaction offset", fields.prepared_transaction_offset, number("preparedTransactionOffset")?)?;
    same("properties", ours.properties().iter().collect(), map(&java["properties"])?)?;
    same("body", body.to_vec(), bytes(&java["bodyHex"])?)?;
    if !java["offsetMsgId"].is_null() {
        let offset_id = fields.offset_id().to_string();
        same("offset id", &*offset_id, text(&java["offsetMsgId"])?)?;
        same("id", ours.properties().get(property::UNIQ_KEY).unwrap_or(&offset_id), text(&java["msgId"])?)?;
        same("length", ours.stored_length() as i64, number("storeSize")?)?;
    }
    Ok(())
}

/// Written again, a message must have the bytes it was read from.
fn reencode(message: &StoredMessage) -> Result<Bytes, String> {
    let mut again = BytesMut::new();
    message
        .fields
        .encode(&mut again, Dialect::Apache, message.topic(), message.properties().encoded(), message.body())
        .map_err(|error| error.to_string())?;
    let again = again.freeze();
    let back = StoredMessage::decode(again.clone(), Dialect::Apache).map_err(|error| error.to_string())?;
    same("a message read back", format!("{back:?} {:?}", back.body()), format!("{message:?} {:?}", message.body()))?;
    same("its length", back.stored_length(), message.stored_length())?;
    Ok(again)
}

fn encode_stored(line: &Line) -> Result<(), String> {
    let input = Bytes::from(line.bytes("hex")?);
    let message = StoredMessage::decode(input.clone(), Dialect::Apache).map_err(|error| error.to_string())?;
    same("bytes", reencode(&message)?, input)?;
    same("whether it is compressed", message.is_compressed(), line.truth("compress")?)?;
    let java = line.value("message");
    let mut java = java.clone();
    if message.is_compressed() {
        // Java was given the message with this bit set, so here it has not forgotten.
        java["sysFlag"] = Value::from(integer(&java["sysFlag"])? & !i64::from(sys_flag::COMPRESSED));
    }
    compare(&message, &plain_body(&message)?, &java)
}

fn encode_batch(line: &Line) -> Result<(), String> {
    let input = Bytes::from(line.bytes("hex")?);
    let java = line.value("messages").as_array().ok_or("no messages")?;
    let records: Result<Vec<BatchRecord>, _> = BatchRecords::new(input.clone()).collect();
    let records = records.map_err(|error| error.to_string())?;
    same("records", records.len(), java.len())?;
    let mut again = BytesMut::new();
    for (record, java) in records.iter().zip(java) {
        let properties: PropertiesRef<'_> = record.properties();
        same("flag", i64::from(record.flag), integer(&java["flag"])?)?;
        same("body", record.body(), &*bytes(&java["bodyHex"])?)?;
        same("properties", properties.iter().collect::<BTreeMap<_, _>>(), map(&java["properties"])?)?;
        batch::encode(&mut again, record.flag, properties.encoded(), record.body())
            .map_err(|error| error.to_string())?;
    }
    same("bytes", again.freeze(), input)
}
