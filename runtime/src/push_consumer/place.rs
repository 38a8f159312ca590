//! Where a consumer's tasks wait for what the core has to say.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use stgclient_core::client::{BrokerQuestion, Event, PushConsumerId};
use stgclient_core::consumer::push::{PushEvent, Unfinished};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::message::StoredMessage;

use crate::shared::Effects;

/// What the keeper of a consumer has to do.
#[derive(Debug)]
pub(super) enum Chore {
    /// Store the offsets of a broadcasting consumer.
    Store(BTreeMap<MessageQueue, u64>),
    /// Consume a message at once, and say how it went.
    ConsumeDirectly { question: BrokerQuestion, queue: MessageQueue, message: Box<StoredMessage> },
    /// Nothing more comes.
    End,
}

/// Where a consumer's tasks wait.
#[derive(Debug, Default)]
pub(crate) struct ConsumerPlace(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// There may be something to deliver.
    is_readable: bool,
    /// Whoever takes deliveries.
    reader: Option<Waker>,
    chores: VecDeque<Chore>,
    keeper: Option<Waker>,
    unfinished: Option<Vec<Unfinished>>,
    closers: Vec<Waker>,
}

impl ConsumerPlace {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: PushEvent, effects: &mut Effects) {
        let mut inner = self.lock();
        match event {
            PushEvent::Readable => {
                inner.is_readable = true;
                effects.wake(inner.reader.take());
            }
            PushEvent::StoreOffsets(offsets) => {
                // Each has all offsets: only the newest counts.
                inner.chores.retain(|chore| !matches!(chore, Chore::Store(_)));
                inner.chores.push_back(Chore::Store(offsets));
                effects.wake(inner.keeper.take());
            }
            PushEvent::Closed(unfinished) => {
                inner.unfinished = Some(unfinished);
                inner.chores.push_back(Chore::End);
                effects.wake(inner.keeper.take());
                effects.wake(inner.reader.take());
            }
            _ => {}
        }
    }

    /// Ready when there may be something to deliver: true; or when nothing more comes: false.
    pub(super) fn poll_readable(&self, context: &Context<'_>) -> Poll<bool> {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.is_readable) {
            return Poll::Ready(true);
        }
        if inner.unfinished.is_some() {
            return Poll::Ready(false);
        }
        inner.reader = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_chore(&self, context: &Context<'_>) -> Poll<Chore> {
        let mut inner = self.lock();
        if let Some(chore) = inner.chores.pop_front() {
            return Poll::Ready(chore);
        }
        inner.keeper = Some(context.waker().clone());
        Poll::Pending
    }

    /// Ready when the consumer is closed and its keeper is done.
    pub(super) fn poll_closed(&self, is_kept: bool, context: &Context<'_>) -> Poll<Vec<Unfinished>> {
        let mut inner = self.lock();
        match &inner.unfinished {
            Some(unfinished) if !is_kept => Poll::Ready(unfinished.clone()),
            _ => {
                inner.closers.push(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The keeper is done.
    pub(super) fn wake_closers(&self) {
        let closers = std::mem::take(&mut self.lock().closers);
        closers.into_iter().for_each(Waker::wake);
    }
}

/// The places of a client's consumers, by slot.
#[derive(Default)]
pub(crate) struct ConsumerPlaces(Vec<Option<(PushConsumerId, Arc<ConsumerPlace>)>>);

impl ConsumerPlaces {
    pub(super) fn add(&mut self, id: PushConsumerId) -> Arc<ConsumerPlace> {
        let place = Arc::new(ConsumerPlace::default());
        if self.0.len() <= id.slot() {
            self.0.resize_with(id.slot() + 1, || None);
        }
        self.0[id.slot()] = Some((id, Arc::clone(&place)));
        place
    }

    fn find(&self, id: PushConsumerId) -> Option<&Arc<ConsumerPlace>> {
        let (known, place) = self.0.get(id.slot())?.as_ref()?;
        (*known == id).then_some(place)
    }

    /// Takes what concerns a consumer.
    pub(crate) fn deliver(&mut self, event: Event, effects: &mut Effects) {
        match event {
            Event::Consumer { consumer, event } => {
                let is_end = matches!(event, PushEvent::Closed(_));
                if let Some(place) = self.find(consumer) {
                    place.take(event, effects);
                }
                if is_end && let Some(place) = self.0.get_mut(consumer.slot()) {
                    *place = None;
                }
            }
            Event::ConsumeDirectly { consumer, question, queue, message } => {
                if let Some(place) = self.find(consumer) {
                    let mut inner = place.lock();
                    let message = Box::new(message);
                    inner.chores.push_back(Chore::ConsumeDirectly { question, queue, message });
                    effects.wake(inner.keeper.take());
                }
            }
            _ => {}
        }
    }
}
