//! Messages and receipts, as JavaScript has them.

use std::fmt::Write;

use js_sys::{Array, Uint8Array};
use stgclient::{Message, MessageId, MessageQueue, OffsetMessageId, Receipt, ReceivedMessage, SendStatus};
use wasm_bindgen::JsValue;

use crate::js;

/// What ends texts: it ends properties in what brokers store, so neither they nor names have it.
const END: char = '\u{2}';

fn push(texts: &mut String, text: &str) {
    texts.push_str(text);
    texts.push(END);
}

pub(crate) fn received(message: &ReceivedMessage) -> JsValue {
    let queue = message.queue();
    let properties = message.properties();
    let mut texts = String::with_capacity(properties.encoded().len() + 256);
    push(&mut texts, message.topic());
    push(&mut texts, &queue.topic);
    push(&mut texts, &queue.broker_name);
    push(&mut texts, &message.message_id());
    // Writing to a text never fails.
    let _ = write!(texts, "{}", message.born_host());
    texts.push(END);
    for (name, value) in properties {
        push(&mut texts, name);
        push(&mut texts, value);
    }
    js::message(
        &texts,
        queue.queue_id,
        message.queue_offset(),
        Uint8Array::from(message.body().as_ref()),
        message.flag(),
        message.born_timestamp() as f64,
        message.store_timestamp() as f64,
        message.reconsume_times().max(0) as u32,
    )
}

pub(crate) fn all_received(messages: &[ReceivedMessage]) -> Array {
    messages.iter().map(received).collect()
}

pub(crate) fn receipt(receipt: &Receipt) -> JsValue {
    let (status, texts) = parts(receipt);
    js::receipt(status, &texts, receipt.queue.queue_id, receipt.queue_offset)
}

/// A send has ended well.
pub(crate) fn sent(call: u32, receipt: &Receipt) {
    let (status, texts) = parts(receipt);
    js::sent(call, status, &texts, receipt.queue.queue_id, receipt.queue_offset);
}

/// A receipt's status and texts.
fn parts(receipt: &Receipt) -> (u32, String) {
    let status = match receipt.status {
        SendStatus::SendOk => 0,
        SendStatus::FlushDiskTimeout => 1,
        SendStatus::FlushSlaveTimeout => 2,
        _ => 3,
    };
    let MessageQueue { topic, broker_name, .. } = &receipt.queue;
    let id = match &receipt.message_id {
        MessageId::Unique(id) => id.to_hex(),
        MessageId::Offset(id) => id.to_hex(),
    };
    let mut texts = String::with_capacity(160);
    push(&mut texts, &id);
    push(&mut texts, receipt.offset_message_id.map(OffsetMessageId::to_hex).as_deref().unwrap_or_default());
    push(&mut texts, topic);
    push(&mut texts, broker_name);
    (status, texts)
}

/// A message of the application's. Properties are names and values in turn.
pub(crate) fn message(
    topic: &str,
    body: Vec<u8>,
    tag: Option<String>,
    keys: Vec<String>,
    properties: Vec<String>,
) -> Message {
    let mut message = Message::new(topic, body);
    if let Some(tag) = tag {
        message = message.tag(tag);
    }
    for key in keys {
        message = message.key(key);
    }
    let mut properties = properties.into_iter();
    while let (Some(name), Some(value)) = (properties.next(), properties.next()) {
        message = message.property(name, value);
    }
    message
}
