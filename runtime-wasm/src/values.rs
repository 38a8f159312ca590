//! Plain objects for JavaScript, field by field, and small things that come from there.

use js_sys::{Array, Object, Reflect};
use stgclient::MessageQueue;
use wasm_bindgen::JsValue;

/// An object of these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        set(&object, name, &value);
    }
    object.into()
}

pub(crate) fn set(object: &Object, name: &str, value: &JsValue) {
    // It fails only where somebody has frozen the object, which is new.
    let _ = Reflect::set(object, &name.into(), value);
}

pub(crate) fn queue(queue: &MessageQueue) -> JsValue {
    object([
        ("topic", (*queue.topic).into()),
        ("brokerName", (*queue.broker_name).into()),
        ("queueId", queue.queue_id.into()),
    ])
}

pub(crate) fn queues(queues: &[MessageQueue]) -> JsValue {
    queues.iter().map(queue).collect::<Array>().into()
}

pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> JsValue {
    texts.into_iter().map(JsValue::from).collect::<Array>().into()
}

pub(crate) fn optional<T: Into<JsValue>>(value: Option<T>) -> JsValue {
    value.map_or(JsValue::UNDEFINED, Into::into)
}
