//! Messages and receipts, as JavaScript has them.

use js_sys::{Array, Uint8Array};
use stgclient::{Message, MessageId, MessageQueue, Receipt, ReceivedMessage, SendStatus};
use wasm_bindgen::JsValue;

use crate::js;

/// What stands between names and values of properties: it ends values in what brokers store, so neither has it.
const BETWEEN: char = '\u{2}';

pub(crate) fn received(message: &ReceivedMessage) -> JsValue {
    let mut properties = String::new();
    for (name, value) in message.properties().iter() {
        for part in [name, value] {
            properties.push_str(part);
            properties.push(BETWEEN);
        }
    }
    let queue = message.queue();
    js::message(
        message.topic(),
        &queue.broker_name,
        queue.queue_id,
        message.queue_offset(),
        &message.message_id(),
        &properties,
        Uint8Array::from(message.body().as_ref()),
        message.flag(),
        message.born_timestamp() as f64,
        message.store_timestamp() as f64,
        message.reconsume_times().max(0) as u32,
        &message.born_host().to_string(),
        (*queue.topic != *message.topic()).then(|| queue.topic.to_string()),
    )
}

pub(crate) fn all_received(messages: &[ReceivedMessage]) -> Array {
    messages.iter().map(received).collect()
}

pub(crate) fn receipt(receipt: &Receipt) -> JsValue {
    let status = match receipt.status {
        SendStatus::SendOk => 0,
        SendStatus::FlushDiskTimeout => 1,
        SendStatus::FlushSlaveTimeout => 2,
        _ => 3,
    };
    let MessageQueue { topic, broker_name, queue_id } = &receipt.queue;
    let id = match &receipt.message_id {
        MessageId::Unique(id) => id.to_string(),
        MessageId::Offset(id) => id.to_string(),
    };
    let offset_id = receipt.offset_message_id.as_ref().map(ToString::to_string);
    js::receipt(status, &id, offset_id, topic, broker_name, *queue_id, receipt.queue_offset)
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
