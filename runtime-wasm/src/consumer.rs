//! Push consumers: handlers and streams.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Array;
use stgclient::{
    ConsumeFrom, Delivered, Deliveries, Error, MessageModel, MessageQueue, MessageSelector, PushConfig, PushConsumer,
    PushConsumerBuilder, Rebalanced, ReceivedMessage, ReconsumeLater, RetryDelay, SuspendCurrentQueue,
};
use stgclient_core::sorted::SortedMap;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::calls;
use crate::client::milliseconds;
use crate::failure;
use crate::js;
use crate::messages;
use crate::promises::{self, Promised};
use crate::values::{self, object, optional};

/// By tags or by SQL.
pub(crate) fn selector(expression: &str, is_sql: bool) -> Result<MessageSelector, Error> {
    if is_sql { MessageSelector::by_sql(expression) } else { expression.parse() }
}

/// A push consumer that is being set up.
#[wasm_bindgen]
pub struct ConsumerSetup(Result<PushConsumerBuilder, Error>);

impl ConsumerSetup {
    pub(crate) const fn new(builder: PushConsumerBuilder) -> Self {
        Self(Ok(builder))
    }

    fn change(&mut self, change: impl FnOnce(PushConsumerBuilder) -> PushConsumerBuilder) {
        self.0 = self.take().map(change);
    }

    fn configure(&mut self, change: impl FnOnce(&mut PushConfig)) {
        self.change(|builder| builder.configure(change));
    }

    fn take(&mut self) -> Result<PushConsumerBuilder, Error> {
        std::mem::replace(&mut self.0, Err(failure::invalid("it is started already")))
    }
}

#[wasm_bindgen]
impl ConsumerSetup {
    pub fn subscribe(&mut self, topic: &str, expression: &str, is_sql: bool) {
        self.0 = self.take().and_then(|builder| Ok(builder.subscribe(topic, selector(expression, is_sql)?)));
    }

    pub fn broadcasting(&mut self) {
        self.change(|builder| builder.message_model(MessageModel::Broadcasting));
    }

    /// With the first message, or the first stored at this moment, milliseconds since 1970 UTC, or later.
    #[wasm_bindgen(js_name = consumeFrom)]
    pub fn consume_from(&mut self, unix_ms: Option<f64>) {
        let from = unix_ms.map_or(ConsumeFrom::FirstOffset, |unix_ms| ConsumeFrom::Timestamp(unix_ms as u64));
        self.configure(|config| config.consume_from = from);
    }

    /// Sets an option that is a number, which JavaScript has looked at: a time in milliseconds, a count or bytes.
    pub fn set(&mut self, option: &str, value: f64) {
        let (time, count) = (milliseconds(value), value as usize);
        self.change(|builder| match option {
            "maxInWork" => builder.max_in_work(count),
            "maxRate" => builder.max_rate(count as u32),
            "maxReconsumeTimes" => builder.max_reconsume_times(count as u32),
            option => builder.configure(|config| match option {
                "maxCachedMessages" => config.max_cached_messages = count,
                "maxCachedBytes" => config.max_cached_bytes = count,
                "pullBatchSize" => config.pull_batch_size = count as u32,
                "consumeTimeout" => config.consume_timeout = time,
                "commitInterval" => config.commit_interval = time,
                "rebalanceInterval" => config.rebalance_interval = time,
                _ => unreachable!("{option}"),
            }),
        });
    }

    #[wasm_bindgen(js_name = rebalanceListener)]
    pub fn rebalance_listener(&mut self, listener: JsValue) {
        let listener = Rc::new(listener);
        self.change(|builder| {
            builder.rebalance_listener(move |change| {
                let listener = Rc::clone(&listener);
                async move {
                    let said = match &change {
                        Rebalanced::Assigned(queues) => js::rebalanced(&listener, true, &values::queues(queues)),
                        Rebalanced::Revoked(queues) => js::rebalanced(&listener, false, &values::queues(queues)),
                    };
                    if !said.is_undefined() {
                        // What fails is said by then.
                        let _ = promises::settle(&said).await;
                    }
                }
            })
        });
    }

    /// Messages go to a handler: in batches of so many, or one by one if it is zero.
    pub fn handler(&mut self, call: u32, handler: JsValue, is_orderly: bool, batch_size: u32) {
        let builder = self.take();
        calls::begin(call, async move {
            let builder = builder?;
            let handler = Rc::new(handler);
            let start = if is_orderly {
                builder.orderly(move |message| {
                    let handler = Rc::clone(&handler);
                    async move { handle(&handler, &messages::received(&message)).await.map_err(Verdict::suspend) }
                })
            } else if batch_size > 0 {
                builder.concurrently_in_batches(batch_size as usize, move |batch: Vec<ReceivedMessage>| {
                    let handler = Rc::clone(&handler);
                    async move {
                        handle(&handler, &messages::all_received(&batch).into()).await.map_err(Verdict::reconsume)
                    }
                })
            } else {
                builder.concurrently(move |message| {
                    let handler = Rc::clone(&handler);
                    async move { handle(&handler, &messages::received(&message)).await.map_err(Verdict::reconsume) }
                })
            };
            Ok(WasmConsumer::new(start.start().await?).into())
        });
    }

    /// Messages are asked for one by one.
    pub fn stream(&mut self, call: u32, is_orderly: bool) {
        let builder = self.take();
        calls::begin(call, async move {
            let stream = builder?.stream();
            let stream = if is_orderly { stream.orderly() } else { stream };
            Ok(WasmStream::new(stream.start().await?).into())
        });
    }
}

/// What the application says of a message that it has not consumed.
struct Verdict {
    delay: Option<f64>,
    why: String,
}

impl Verdict {
    fn reconsume(self) -> ReconsumeLater {
        ReconsumeLater::after(delay(self.delay)).because(self.why)
    }

    fn suspend(self) -> SuspendCurrentQueue {
        match self.delay {
            Some(ms) if ms > 0.0 => SuspendCurrentQueue::after(milliseconds(ms)).because(self.why),
            _ => SuspendCurrentQueue::new().because(self.why),
        }
    }
}

fn delay(number: Option<f64>) -> RetryDelay {
    match number {
        Some(number) if number < 0.0 => RetryDelay::Never,
        Some(level) if level >= 1.0 => RetryDelay::Level(level as u8),
        _ => RetryDelay::Broker,
    }
}

async fn handle(handler: &JsValue, messages: &JsValue) -> Result<(), Verdict> {
    let promised = Promised::new();
    let mut said = js::handle(handler, messages, promised.number());
    if said.is_null() {
        said = promised.await.unwrap_or_else(|error| error);
    }
    if said.is_undefined() {
        return Ok(());
    }
    Err(Verdict { delay: js::verdict_delay(&said), why: js::verdict_reason(&said) })
}

#[wasm_bindgen]
pub struct WasmConsumer(Rc<PushConsumer>);

impl WasmConsumer {
    fn new(consumer: PushConsumer) -> Self {
        Self(Rc::new(consumer))
    }
}

#[wasm_bindgen]
impl WasmConsumer {
    pub fn subscribe(&self, call: u32, topic: &str, expression: &str, is_sql: bool) {
        let subscribed = selector(expression, is_sql).and_then(|selector| self.0.subscribe(topic, selector));
        calls::begin(call, async { subscribed.map(|()| JsValue::UNDEFINED) });
    }

    pub fn unsubscribe(&self, topic: &str) {
        self.0.unsubscribe(topic);
    }

    pub fn pause(&self, is_paused: bool) {
        if is_paused { self.0.pause() } else { self.0.resume() }
    }

    #[wasm_bindgen(js_name = pauseQueue)]
    pub fn pause_queue(&self, is_paused: bool, topic: &str, broker: &str, queue_id: u32) -> bool {
        let queue = MessageQueue::new(topic, broker, queue_id);
        if is_paused { self.0.pause_queue(&queue) } else { self.0.resume_queue(&queue) }
    }

    pub fn seek(&self, topic: &str, broker: &str, queue_id: u32, offset: u64) -> bool {
        self.0.seek(&MessageQueue::new(topic, broker, queue_id), offset)
    }

    pub fn ready(&self, call: u32) {
        let consumer = Rc::clone(&self.0);
        calls::begin(call, async move { consumer.ready().await.map(|()| JsValue::UNDEFINED) });
    }

    pub fn status(&self) -> JsValue {
        let status = self.0.status();
        let queues: Array = status
            .queues
            .iter()
            .map(|queue| {
                object([
                    ("queue", values::queue(&queue.queue)),
                    ("isConsuming", queue.is_consuming.into()),
                    ("offset", queue.offset.into()),
                    ("committed", optional(queue.committed)),
                    ("lag", optional(queue.lag)),
                    ("cachedMessages", (queue.cached_messages as f64).into()),
                    ("cachedBytes", (queue.cached_bytes as f64).into()),
                    ("isLocked", queue.is_locked.into()),
                    ("isPaused", queue.is_paused.into()),
                ])
            })
            .collect();
        let sum = |counts: &BTreeMap<std::sync::Arc<str>, u64>| JsValue::from(counts.values().sum::<u64>() as f64);
        object([
            ("isReady", status.is_ready.into()),
            ("lag", optional(status.lag())),
            ("inWork", (status.in_work as f64).into()),
            ("pulled", sum(&status.pulled)),
            ("consumed", sum(&status.consumed)),
            ("failed", sum(&status.failed)),
            ("queues", queues.into()),
        ])
    }

    /// The call ends with what did not end in time.
    pub fn close(&self, call: u32, within_ms: Option<f64>) {
        let consumer = Rc::clone(&self.0);
        calls::begin(call, async move {
            let unfinished = match within_ms {
                Some(ms) => consumer.close_within(milliseconds(ms)).await,
                None => consumer.close().await,
            };
            let unfinished = unfinished.iter().map(|unfinished| {
                let offsets: Array = unfinished.offsets.iter().map(|offset| JsValue::from(*offset)).collect();
                object([("queue", values::queue(&unfinished.queue)), ("offsets", offsets.into())])
            });
            Ok(unfinished.collect::<Array>().into())
        });
    }
}

/// Deliveries that are asked for, and those that the application has yet to settle, by the number that it knows them by.
struct Stream {
    deliveries: RefCell<Option<Deliveries>>,
    given: RefCell<SortedMap<u32, Delivered>>,
    last: Cell<u32>,
}

#[wasm_bindgen]
pub struct WasmStream(Rc<Stream>, Rc<PushConsumer>);

impl WasmStream {
    fn new(deliveries: Deliveries) -> Self {
        let consumer = Rc::new(deliveries.consumer().clone());
        let (deliveries, given) = (RefCell::new(Some(deliveries)), RefCell::default());
        Self(Rc::new(Stream { deliveries, given, last: Cell::new(0) }), consumer)
    }
}

impl WasmStream {
    fn take(&self, number: u32) -> Option<Delivered> {
        self.0.given.borrow_mut().remove(&number)
    }
}

/// Gives the deliveries back, also when the call is aborted.
struct Lent<'a>(&'a RefCell<Option<Deliveries>>, Option<Deliveries>);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        *self.0.borrow_mut() = self.1.take();
    }
}

#[wasm_bindgen]
impl WasmStream {
    pub fn consumer(&self) -> WasmConsumer {
        WasmConsumer(Rc::clone(&self.1))
    }

    /// The call ends with the number of a delivery and its message, or with nothing at the end. One is asked for at a time.
    pub fn next(&self, call: u32) {
        let stream = Rc::clone(&self.0);
        calls::begin(call, async move {
            let lent = stream.deliveries.borrow_mut().take();
            let mut lent = Lent(&stream.deliveries, lent);
            let Some(deliveries) = &mut lent.1 else {
                return Err(failure::invalid("another call waits for the next message"));
            };
            let Some(delivered) = deliveries.next().await else { return Ok(JsValue::UNDEFINED) };
            let message = messages::received(delivered.message());
            let mut number = stream.last.get().wrapping_add(1);
            while stream.given.borrow().contains_key(&number) {
                number = number.wrapping_add(1);
            }
            stream.last.set(number);
            stream.given.borrow_mut().insert(number, delivered);
            Ok(Array::of2(&number.into(), &message).into())
        });
    }

    /// Whether it counts.
    pub fn ack(&self, number: u32) -> bool {
        self.take(number).is_some_and(Delivered::ack)
    }

    /// Whether it counts.
    #[wasm_bindgen(js_name = reconsumeLater)]
    pub fn reconsume_later(&self, number: u32, after: Option<f64>) -> bool {
        self.take(number).is_some_and(|delivered| delivered.reconsume_later(delay(after)))
    }

    /// Whether it counts.
    pub fn suspend(&self, number: u32, ms: Option<f64>) -> bool {
        self.take(number).is_some_and(|delivered| delivered.suspend(ms.map(milliseconds)))
    }

    /// Drops what was not settled: the consumer is closed.
    pub fn forget(&self) {
        let given = self.0.given.take();
        drop(given);
    }
}
