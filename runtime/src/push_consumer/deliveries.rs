//! Messages as a stream, acknowledged by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{ConsumeOutcome, RetryDelay, Settlement};
use stgclient_core::notice::Notice;
use stgclient_core::time::Duration;

use super::consumer::PushConsumer;
use crate::consumer_place::ConsumerPlace;
use crate::log;

/// A stream of messages, which ends when its consumer is closed. Dropped, it closes its consumer.
///
/// As many messages as the consumer may have in work can be held at once; the next one comes when one of them is settled.
#[must_use = "messages come only when they are asked for"]
pub struct Deliveries {
    consumer: PushConsumer,
    /// Where whoever polls the stream waits.
    seat: Option<usize>,
}

impl Deliveries {
    pub(super) const fn new(consumer: PushConsumer) -> Self {
        Self { consumer, seat: None }
    }

    /// The consumer that they come from.
    pub const fn consumer(&self) -> &PushConsumer {
        &self.consumer
    }

    /// The next message; `None` when the consumer is closed. Several may wait for it at once: each message goes to one of
    /// them.
    pub async fn next(&self) -> Option<Delivered> {
        loop {
            if let Some(delivered) = self.take() {
                return Some(delivered);
            }
            if !self.place().readable().await {
                return None;
            }
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivered>> {
        loop {
            if let Some(delivered) = self.take() {
                return Poll::Ready(Some(delivered));
            }
            let mut readable = self.place().readable().in_seat(self.seat);
            let polled = Pin::new(&mut readable).poll(context);
            self.seat = readable.keep_seat();
            match polled {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn place(&self) -> &ConsumerPlace {
        &self.consumer.inner.place
    }

    fn take(&self) -> Option<Delivered> {
        loop {
            let shared = self.consumer.shared();
            let delivery =
                shared.with(|state, now| self.place().next_delivery(&mut state.core, now, self.consumer.id(), 1))?;
            let (stored, failures) = delivery.messages.into_iter().next()?;
            let limit = shared.settings.max_body_length;
            let settlement = delivery.settlement;
            let (queue, offset) = (delivery.queue.clone(), stored.fields.queue_offset);
            match ReceivedMessage::open(stored, delivery.queue, failures, limit) {
                Ok(message) => {
                    let consumer = self.consumer.clone();
                    return Some(Delivered { message, settlement: Some(settlement), consumer });
                }
                Err(error) => {
                    let line = Notice::error("a message cannot be read; it goes to the dead letters");
                    let line =
                        line.about("group", self.consumer.group()).about("queue", &queue).about("offset", offset);
                    log::write(&*shared.host, &line.about("error", error));
                    self.consumer.settle(settlement, ConsumeOutcome::ReconsumeLater(RetryDelay::Never));
                }
            }
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        drop(self.place().readable().in_seat(self.seat));
        self.consumer.begin_close();
    }
}

impl Stream for Deliveries {
    type Item = Delivered;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivered>> {
        self.get_mut().poll_message(context)
    }
}

impl std::fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliveries").field("consumer", &self.consumer).finish_non_exhaustive()
    }
}

/// A message of a stream. It has to be settled; one that is dropped is consumed again later.
#[must_use = "a message that is dropped is consumed again later"]
pub struct Delivered {
    message: ReceivedMessage,
    settlement: Option<Settlement>,
    consumer: PushConsumer,
}

impl Delivered {
    /// The message.
    pub const fn message(&self) -> &ReceivedMessage {
        &self.message
    }

    /// It is consumed. Returns whether that still counts: it does not when its queue has gone to another member
    /// meanwhile, which gets the message again.
    pub fn ack(self) -> bool {
        self.settle(ConsumeOutcome::Success)
    }

    /// It failed and is to be consumed again later, by any member of the group. In order it leaves its place: what follows goes on
    /// without it; [`suspend`](Self::suspend) keeps the order. Returns whether that still counts.
    pub fn reconsume_later(self, delay: RetryDelay) -> bool {
        self.settle(ConsumeOutcome::ReconsumeLater(delay))
    }

    /// It failed, and is consumed again once its queue has rested: in order ([`StartStream::orderly`](crate::StartStream::orderly)) for
    /// `pause`, before all that follow it. Without a pause, and without order, this is what dropping it does. Returns whether that still
    /// counts.
    pub fn suspend(self, pause: impl Into<Option<Duration>>) -> bool {
        self.settle(ConsumeOutcome::SuspendCurrentQueue(pause.into()))
    }

    fn settle(mut self, outcome: ConsumeOutcome) -> bool {
        self.settlement.take().is_some_and(|settlement| self.consumer.settle(settlement, outcome))
    }
}

impl std::ops::Deref for Delivered {
    type Target = ReceivedMessage;

    fn deref(&self) -> &ReceivedMessage {
        &self.message
    }
}

impl Drop for Delivered {
    fn drop(&mut self) {
        if let Some(settlement) = self.settlement.take() {
            // An orderly queue rests; otherwise the broker brings it again.
            self.consumer.settle(settlement, ConsumeOutcome::SuspendCurrentQueue(None));
        }
    }
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivered").field("message", &self.message).finish_non_exhaustive()
    }
}
