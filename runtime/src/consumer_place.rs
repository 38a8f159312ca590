//! Where a consumer's tasks wait for what the core has to say.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use stgclient_core::client::{BrokerQuestion, Client as Core, Event, PushConsumerId};
use stgclient_core::consumer::allocation::Allocation;
use stgclient_core::consumer::push::{Delivery, PushEvent, Rebalanced, Unfinished};
use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Now;
use stgclient_core::wire::message::StoredMessage;

use crate::effects::Effects;
use crate::sync::{AtomicU64, Mutex, Seated, Wakers, lock};

/// What the keeper of a consumer has to do.
#[derive(Debug)]
pub(crate) enum Chore {
    /// Store the offsets of a broadcasting consumer.
    Store(BTreeMap<MessageQueue, u64>),
    /// Consume a message at once, and say how it went.
    ConsumeDirectly { question: BrokerQuestion, queue: MessageQueue, message: Box<StoredMessage> },
    /// Nothing more comes.
    End,
}

/// What the application's listener is told.
#[derive(Debug)]
pub(crate) enum Rebalance {
    Assigned(Rebalanced),
    Revoked(Rebalanced),
}

/// Where a consumer's tasks wait.
#[derive(Debug)]
pub(crate) struct ConsumerPlace {
    inner: Mutex<Inner>,
    /// Nothing more of it counts; looked at before each call of a handler, without a lock.
    is_closed: AtomicBool,
    /// How often queues were revoked of which the application hears.
    revocations: AtomicU64,
    allocation: Arc<dyn Allocation>,
}

#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// There may be something to deliver: nobody has found nothing since the core said that there is something.
    is_readable: bool,
    /// Those who take deliveries.
    readers: Wakers,
    chores: VecDeque<Chore>,
    keeper: Option<Waker>,
    /// It knows where its group begins.
    is_started: bool,
    starters: Wakers,
    /// How often it has been said that it is ready.
    times_ready: u64,
    ready: Wakers,
    /// What the application's listener has not been told yet.
    rebalances: VecDeque<Rebalance>,
    listener: Option<Waker>,
    unfinished: Option<Vec<Unfinished>>,
    closers: Wakers,
}

impl Inner {
    /// A listener that is slow need not hear of queues that came and went meanwhile; so there are never more than two changes of
    /// each queue to be told.
    fn push_revoked(&mut self, mut queues: Rebalanced) {
        let untold = self.rebalances.iter_mut().filter_map(|rebalance| match rebalance {
            Rebalance::Assigned(assigned) => Some(assigned),
            Rebalance::Revoked(_) => None,
        });
        for assigned in untold {
            let gone: Vec<_> = queues.queues.iter().filter(|queue| assigned.queues.contains(queue)).cloned().collect();
            for queue in gone {
                assigned.forget(&queue);
                queues.forget(&queue);
            }
        }
        self.rebalances.retain(|rebalance| match rebalance {
            Rebalance::Assigned(queues) | Rebalance::Revoked(queues) => !queues.queues.is_empty(),
        });
        if !queues.queues.is_empty() {
            self.rebalances.push_back(Rebalance::Revoked(queues));
        }
    }
}

impl ConsumerPlace {
    pub(crate) fn new(allocation: Arc<dyn Allocation>) -> Self {
        Self { inner: Mutex::default(), is_closed: AtomicBool::new(false), revocations: AtomicU64::new(0), allocation }
    }

    fn take(&self, id: PushConsumerId, event: PushEvent, effects: &mut Effects) {
        let mut inner = lock(&self.inner);
        match event {
            PushEvent::Started => {
                inner.is_started = true;
                effects.wake(inner.starters.take());
            }
            PushEvent::Ready => {
                inner.times_ready += 1;
                effects.wake(inner.ready.take());
            }
            PushEvent::Assigned(queues) => {
                inner.rebalances.push_back(Rebalance::Assigned(queues));
                effects.wake(inner.listener.take());
            }
            PushEvent::Revoked(queues) => {
                self.revocations.fetch_add(1, SeqCst);
                inner.push_revoked(queues);
                effects.wake(inner.listener.take());
            }
            PushEvent::Allocate(question) => effects.allocate(id, Arc::clone(&self.allocation), question),
            PushEvent::Open(unopened) => effects.open(id, unopened),
            PushEvent::Readable => {
                inner.is_readable = true;
                effects.wake(inner.readers.take());
            }
            PushEvent::StoreOffsets(offsets) => {
                // Each has all offsets: only the newest counts.
                inner.chores.retain(|chore| !matches!(chore, Chore::Store(_)));
                inner.chores.push_back(Chore::Store(offsets));
                effects.wake(inner.keeper.take());
            }
            PushEvent::Closed(unfinished) => {
                self.is_closed.store(true, SeqCst);
                inner.unfinished = Some(unfinished);
                inner.chores.push_back(Chore::End);
                effects.wake(inner.keeper.take());
                effects.wake(inner.readers.take());
                effects.wake(inner.closers.take());
                effects.wake(inner.starters.take());
                effects.wake(inner.ready.take());
                effects.wake(inner.listener.take());
            }
            _ => {}
        }
    }

    /// The next delivery. When there is none, whoever is [`readable`](Self::readable) next has been told so after this.
    pub(crate) fn next_delivery(&self, core: &mut Core, now: Now, id: PushConsumerId, most: usize) -> Option<Delivery> {
        let delivery = core.next_delivery(now, id, most);
        if delivery.is_none() {
            // The core says it again when there is something, which is taken in only after this.
            lock(&self.inner).is_readable = false;
        }
        delivery
    }

    /// Ends when there may be something to deliver: true; or when nothing more comes: false. Several may wait, and all of
    /// them are woken.
    pub(crate) fn readable(&self) -> Seated<'_, Inner, bool> {
        let ready = |inner: &mut Inner| {
            if inner.is_readable {
                return Some(true);
            }
            inner.unfinished.is_some().then_some(false)
        };
        Seated::new(&self.inner, |inner| &mut inner.readers, ready)
    }

    /// Ends when the consumer knows where its group begins, or that this cannot be had, or when it is closed.
    pub(crate) fn started(&self) -> Seated<'_, Inner, Result<(), Error>> {
        let ready = |inner: &mut Inner| match (inner.is_started, &inner.unfinished) {
            (_, Some(_)) => Some(Err(Error::new(ErrorKind::Closed, "the client"))),
            (true, None) => Some(Ok(())),
            (false, None) => None,
        };
        Seated::new(&self.inner, |inner| &mut inner.starters, ready)
    }

    /// How often it has been said that the consumer is ready.
    pub(crate) fn times_ready(&self) -> u64 {
        lock(&self.inner).times_ready
    }

    /// Ends when that has been said once more than `before`, or when the consumer is closed.
    pub(crate) async fn ready(&self, before: u64) -> Result<(), Error> {
        let ready = |inner: &mut Inner| match &inner.unfinished {
            _ if inner.times_ready > before => Some(Ok(())),
            Some(_) => Some(Err(Error::new(ErrorKind::Closed, "the consumer"))),
            None => None,
        };
        Seated::new(&self.inner, |inner| &mut inner.ready, ready).await
    }

    /// What the application's listener is to be told next; `None` when nothing more comes.
    pub(crate) fn poll_rebalance(&self, context: &Context<'_>) -> Poll<Option<Rebalance>> {
        let mut inner = lock(&self.inner);
        if let Some(rebalance) = inner.rebalances.pop_front() {
            return Poll::Ready(Some(rebalance));
        }
        if inner.unfinished.is_some() {
            return Poll::Ready(None);
        }
        inner.listener = Some(context.waker().clone());
        Poll::Pending
    }

    pub(crate) fn poll_chore(&self, context: &Context<'_>) -> Poll<Chore> {
        let mut inner = lock(&self.inner);
        if let Some(chore) = inner.chores.pop_front() {
            return Poll::Ready(chore);
        }
        inner.keeper = Some(context.waker().clone());
        Poll::Pending
    }

    /// How often queues were revoked of which the application hears: looked at before each call of a handler, without a lock.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations.load(SeqCst)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    /// Ends when the consumer is closed, but not necessarily its tasks.
    pub(crate) fn closed(&self) -> Seated<'_, Inner, Vec<Unfinished>> {
        Seated::new(&self.inner, |inner| &mut inner.closers, |inner| inner.unfinished.clone())
    }
}

/// The places of a client's consumers, by slot.
#[derive(Default)]
pub(crate) struct ConsumerPlaces(Vec<Option<(PushConsumerId, Arc<ConsumerPlace>)>>);

impl ConsumerPlaces {
    pub(crate) fn add(&mut self, id: PushConsumerId, place: &Arc<ConsumerPlace>) {
        if self.0.len() <= id.slot() {
            self.0.resize_with(id.slot() + 1, || None);
        }
        self.0[id.slot()] = Some((id, Arc::clone(place)));
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
                    place.take(consumer, event, effects);
                }
                if is_end && let Some((_, place)) = self.0.get_mut(consumer.slot()).and_then(Option::take) {
                    effects.discard_strategy(Arc::clone(&place.allocation));
                }
            }
            Event::ConsumeDirectly { consumer, question, queue, message } => {
                if let Some(place) = self.find(consumer) {
                    let mut inner = lock(&place.inner);
                    inner.chores.push_back(Chore::ConsumeDirectly { question, queue, message });
                    effects.wake(inner.keeper.take());
                }
            }
            _ => {}
        }
    }
}
