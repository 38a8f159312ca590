//! Producers.

use std::sync::Arc;

use stgclient::{Message, MessageQueue, Producer, ProducerBuilder, QueueChoice, SendError, SendOptions};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calls;
use crate::client::milliseconds;
use crate::failure::{self, to_js};
use crate::js;
use crate::messages;
use crate::values::{self, object};

/// A producer that is being set up.
#[wasm_bindgen]
pub struct ProducerSetup(Option<ProducerBuilder>);

impl ProducerSetup {
    pub(crate) const fn new(builder: ProducerBuilder) -> Self {
        Self(Some(builder))
    }

    fn change(&mut self, change: impl FnOnce(ProducerBuilder) -> ProducerBuilder) {
        self.0 = self.0.take().map(change);
    }
}

#[wasm_bindgen]
impl ProducerSetup {
    /// Sets an option that is a number, which JavaScript has looked at: a time in milliseconds, a count or bytes. Bodies are compressed from
    /// so many bytes on, none if these are 0.
    pub fn set(&mut self, option: &str, value: f64) {
        self.change(|builder| match option {
            "sendTimeout" => builder.send_timeout(milliseconds(value)),
            "maxTries" => builder.max_tries(value as u32),
            "compressionThreshold" if value == 0.0 => builder.compression(None),
            "compressionThreshold" => builder.compression_threshold(value as usize),
            "avoidSlowBrokers" => builder.configure(|config| config.avoid_slow_brokers = value != 0.0),
            _ => unreachable!("{option}"),
        });
    }

    #[wasm_bindgen(js_name = maxWaiting)]
    pub fn max_waiting(&mut self, messages: u32, bytes: u32) {
        self.change(|builder| builder.max_waiting(messages as usize, bytes as usize));
    }

    pub fn start(&mut self, call: u32) {
        let builder = self.0.take();
        calls::begin(call, async {
            let builder = builder.ok_or_else(|| failure::invalid("it is started already"))?;
            Ok(WasmProducer { producer: builder.start().await? }.into())
        });
    }
}

/// How a send is done.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub enum SendMode {
    /// Its call ends with the receipt, and waits for room before.
    Awaited,
    /// The same, and nobody aborts it: it needs no task.
    Unabortable,
    /// The same, but it fails at once where there is no room.
    AtOnce,
    /// Its call ends when it is written.
    Oneway,
}

/// How a queue is chosen.
#[wasm_bindgen]
#[derive(Clone, Copy)]
pub enum ChoiceKind {
    InTurn,
    AtRandom,
    /// By the text.
    ByKey,
    /// At the broker of the text.
    Given,
    /// By a function.
    Chosen,
}

#[wasm_bindgen]
pub struct WasmProducer {
    producer: Producer,
}

#[wasm_bindgen]
impl WasmProducer {
    #[allow(clippy::too_many_arguments)]
    pub fn send(
        &self,
        call: u32,
        mode: SendMode,
        topic: &str,
        body: Vec<u8>,
        tag: Option<String>,
        keys: Vec<String>,
        properties: Vec<String>,
        delay_level: u32,
        flag: i32,
        choice: ChoiceKind,
        chosen: &str,
        queue_id: u32,
        timeout_ms: Option<f64>,
    ) {
        let mut message = messages::message(topic, body, tag, keys, properties).flag(flag);
        if delay_level > 0 {
            message = message.delay_level(delay_level);
        }
        let mut options = SendOptions::new();
        options.queue = match choice {
            ChoiceKind::InTurn => QueueChoice::RoundRobin,
            ChoiceKind::AtRandom => QueueChoice::Random,
            ChoiceKind::ByKey => QueueChoice::Hash(chosen.to_owned()),
            ChoiceKind::Given => QueueChoice::Queue(MessageQueue::new(topic, chosen, queue_id)),
            ChoiceKind::Chosen => QueueChoice::Selector(Arc::new(move |queues: &[MessageQueue], _: &Message| {
                js::choose(call, &values::queues(queues)) as usize
            })),
        };
        options.timeout = timeout_ms.map(milliseconds);
        let producer = &self.producer;
        match mode {
            SendMode::Awaited => {
                let sending = producer.send_to(message, options);
                calls::begin(call, async { Ok(messages::receipt(&sending.await?)) });
            }
            SendMode::Oneway => {
                let sending = producer.send_oneway_to(message, options);
                calls::begin(call, async { sending.await.map(|()| JsValue::UNDEFINED) });
            }
            SendMode::Unabortable | SendMode::AtOnce => {
                let settle = move |outcome| match outcome {
                    Ok(receipt) => messages::sent(call, &receipt),
                    Err(error) => js::reject(call, &to_js(&error)),
                };
                let Err(SendError { error, message, .. }) = producer.send_with(message, options.clone(), settle) else {
                    return;
                };
                match mode {
                    // It waits until there is room.
                    SendMode::Unabortable if error.kind() == stgclient::ErrorKind::Full => {
                        let sending = producer.send_to(message, options);
                        calls::begin(call, async { Ok(messages::receipt(&sending.await?)) });
                    }
                    _ => js::reject(call, &to_js(&error)),
                }
            }
        }
    }

    /// How much waits for room or answers.
    pub fn backlog(&self) -> JsValue {
        let backlog = self.producer.backlog();
        object([("messages", (backlog.messages as f64).into()), ("bytes", (backlog.bytes as f64).into())])
    }

    pub fn flush(&self, call: u32) {
        let producer = self.producer.clone();
        calls::begin(call, async move {
            producer.flush().await;
            Ok(JsValue::UNDEFINED)
        });
    }

    pub fn close(&self, call: u32) {
        let producer = self.producer.clone();
        calls::begin(call, async move {
            producer.close().await;
            Ok(JsValue::UNDEFINED)
        });
    }
}
