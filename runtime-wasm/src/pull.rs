//! Pull consumers.

use std::rc::Rc;

use js_sys::Array;
use stgclient::{MessageQueue, PullConsumer, PullOptions, PullStatus};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calls;
use crate::client::milliseconds;
use crate::messages;
use crate::values::{self, object, optional};

#[wasm_bindgen]
pub struct WasmPullConsumer(Rc<PullConsumer>);

impl WasmPullConsumer {
    pub(crate) fn new(consumer: PullConsumer) -> Self {
        Self(Rc::new(consumer))
    }
}

/// What may be asked of a queue.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub enum OffsetKind {
    Min,
    Max,
    /// The first stored at this moment, milliseconds since 1970 UTC, or later.
    At,
    /// The group's; nothing if it has none.
    Committed,
}

#[wasm_bindgen]
impl WasmPullConsumer {
    pub fn queues(&self, call: u32, topic: String) {
        let consumer = Rc::clone(&self.0);
        calls::begin(call, async move { Ok(values::queues(&consumer.queues(&topic).await?)) });
    }

    #[allow(clippy::too_many_arguments)]
    pub fn pull(
        &self,
        call: u32,
        topic: &str,
        broker: &str,
        queue_id: u32,
        selector: String,
        is_sql: bool,
        offset: u64,
        max_messages: Option<u32>,
        wait_ms: Option<f64>,
        timeout_ms: Option<f64>,
    ) {
        let consumer = Rc::clone(&self.0);
        let queue = MessageQueue::new(topic, broker, queue_id);
        let mut options = PullOptions::new();
        if let Some(max) = max_messages {
            options.max_messages = max;
        }
        if let Some(ms) = wait_ms {
            options.wait = milliseconds(ms);
        }
        if let Some(ms) = timeout_ms {
            options.timeout = milliseconds(ms);
        }
        calls::begin(call, async move {
            let selector = crate::consumer::selector(&selector, is_sql)?;
            let batch = consumer.pull_with(&queue, selector, offset, options).await?;
            let status = match batch.status {
                PullStatus::Found => "FOUND",
                PullStatus::NoNewMessage => "NO_NEW_MESSAGE",
                PullStatus::NoMatchedMessage => "NO_MATCHED_MESSAGE",
                PullStatus::OffsetIllegal => "OFFSET_ILLEGAL",
                _ => "UNKNOWN",
            };
            let refused = batch.refused.iter().map(|refused| {
                object([("queueOffset", optional(refused.queue_offset)), ("reason", refused.reason.to_string().into())])
            });
            let refused: Array = refused.collect();
            Ok(object([
                ("status", status.into()),
                ("messages", messages::all_received(&batch.messages).into()),
                ("nextOffset", batch.next_offset.into()),
                ("minOffset", batch.min_offset.into()),
                ("maxOffset", batch.max_offset.into()),
                ("refused", refused.into()),
            ]))
        });
    }

    pub fn offset(&self, call: u32, kind: OffsetKind, topic: &str, broker: &str, queue_id: u32, unix_ms: f64) {
        let consumer = Rc::clone(&self.0);
        let queue = MessageQueue::new(topic, broker, queue_id);
        calls::begin(call, async move {
            Ok(match kind {
                OffsetKind::Min => consumer.min_offset(&queue).await?.into(),
                OffsetKind::Max => consumer.max_offset(&queue).await?.into(),
                OffsetKind::At => consumer.offset_at(&queue, unix_ms as u64).await?.into(),
                OffsetKind::Committed => optional(consumer.committed_offset(&queue).await?),
            })
        });
    }

    pub fn commit(&self, call: u32, topic: &str, broker: &str, queue_id: u32, offset: u64) {
        let consumer = Rc::clone(&self.0);
        let queue = MessageQueue::new(topic, broker, queue_id);
        calls::begin(call, async move {
            consumer.commit_offset(&queue, offset).await?;
            Ok(JsValue::UNDEFINED)
        });
    }

    pub fn close(&self, call: u32) {
        let consumer = Rc::clone(&self.0);
        calls::begin(call, async move {
            consumer.close().await;
            Ok(JsValue::UNDEFINED)
        });
    }
}
