//! From deliveries to the application's handler and back.
//!
//! A delivery is worked off by one task. A handler that is done at once costs no task of its own; when one is not, what is
//! left of its delivery goes on in another task, so that slow handlers run side by side.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use stgclient_core::client::PushConsumerId;
use stgclient_core::consumer::ReceivedMessage;
use stgclient_core::consumer::push::{ConsumeOutcome, Delivery, RetryDelay, Settlement};
use stgclient_core::notice::Notice;
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::message::StoredMessage;

use super::handler::{Handler, IntoOutcome};
use super::task::ConsumerTask;
use crate::consumer_place::ConsumerPlace;
use crate::guard;
use crate::log;
use crate::shared::Shared;
use crate::tasks::Tasks;

/// How many messages one task takes at once. More make a task cheaper, fewer spread the work over more threads.
const GRAB: usize = 32;
/// After so many deliveries a task lets others run.
const TURNS: usize = 16;

/// A consumer's work: where it comes from and who does it.
pub(super) struct Work<H> {
    pub(super) shared: Arc<Shared>,
    pub(super) id: PushConsumerId,
    /// For the log.
    pub(super) group: String,
    pub(super) place: Arc<ConsumerPlace>,
    pub(super) tasks: Arc<Tasks>,
    pub(super) handler: H,
    pub(super) is_orderly: bool,
    /// How many messages the application may have in work.
    pub(super) max_in_work: usize,
}

/// A delivery, and how often queues had been revoked when it was taken.
struct Taken {
    delivery: Delivery,
    revocations: u64,
}

/// The parts of a delivery that are done, neighbours with the same outcome joined.
struct Done {
    all: Settlement,
    parts: Vec<(Settlement, ConsumeOutcome)>,
    /// The first offset of the last part.
    first: u64,
}

impl Done {
    const fn new(all: Settlement) -> Self {
        Self { all, parts: Vec::new(), first: 0 }
    }

    fn push(&mut self, (first, last, count): (u64, u64, usize), outcome: ConsumeOutcome) {
        if let Some((part, ConsumeOutcome::Success)) = self.parts.last_mut()
            && outcome == ConsumeOutcome::Success
        {
            *part = part.part(self.first, last, part.count() + count);
            return;
        }
        self.first = first;
        self.parts.push((self.all.part(first, last, count), outcome));
    }
}

impl<H: Handler> Work<H> {
    /// Hands deliveries out until the consumer is closed.
    pub(super) async fn dispatch(self: Arc<Self>) {
        while self.place.readable().await {
            while let Some(taken) = self.next(Vec::new()) {
                self.spawn(taken);
            }
        }
    }

    fn spawn(self: &Arc<Self>, taken: Taken) {
        let work = Arc::clone(self);
        self.shared.host.spawn(Box::pin(async move {
            let ours = work.work_off(taken).await;
            // Last of all that the task has.
            drop(ours);
        }));
    }

    /// Settles what is done, and takes the next delivery.
    fn next(&self, done: Vec<(Settlement, ConsumeOutcome)>) -> Option<Taken> {
        // A share of what may be in work, so that as many tasks as there are threads have something to do. Of an orderly
        // queue only what one call of the handler takes: it is not to have what follows a message that fails.
        let grab = if self.is_orderly { 1 } else { (self.max_in_work / 4).clamp(1, GRAB) };
        let grab = grab.max(self.handler.consume_batch_size());
        self.shared.with(|state, now| {
            for (settlement, outcome) in done {
                state.core.settle(now, self.id, settlement, outcome);
            }
            let delivery = self.place.next_delivery(&mut state.core, now, self.id, grab)?;
            // Under the lock, under which they are counted.
            Some(Taken { delivery, revocations: self.place.revocations() })
        })
    }

    fn settle(&self, done: Vec<(Settlement, ConsumeOutcome)>) {
        if !done.is_empty() {
            self.shared.with(|state, now| {
                for (settlement, outcome) in done {
                    state.core.settle(now, self.id, settlement, outcome);
                }
            });
        }
    }

    /// Works off a delivery, and then others as long as there are some. It counts as a task of ours only while it has
    /// something to do for the client: who closes that waits for handlers no longer than they were given, also for one that
    /// blocks its thread.
    async fn work_off(self: Arc<Self>, mut taken: Taken) -> ConsumerTask {
        let mut turns = 0;
        loop {
            let done = self.consume(taken).await;
            let ours = ConsumerTask::new(&self.shared, &self.tasks);
            taken = match self.next(done) {
                Some(next) => next,
                None => return ours,
            };
            drop(ours);
            turns += 1;
            if turns % TURNS == 0 {
                give_way().await;
            }
        }
    }

    /// Has the handler consume a delivery, or what it can of it before it has to wait; the rest goes on elsewhere then.
    async fn consume(self: &Arc<Self>, taken: Taken) -> Vec<(Settlement, ConsumeOutcome)> {
        let Taken { delivery: Delivery { settlement, queue, messages, .. }, mut revocations } = taken;
        let mut messages = messages.into_iter();
        let mut done = Done::new(settlement);
        let mut batch = Vec::with_capacity(self.handler.consume_batch_size().min(messages.len()));
        loop {
            let Some(part) = self.fill(&mut batch, &queue, &mut messages, &mut done) else {
                return done.parts;
            };
            if self.place.is_closed() {
                // It has been told that these never ended: they are delivered again, perhaps already.
                return done.parts;
            }
            if std::mem::replace(&mut revocations, self.place.revocations()) != revocations && !self.is_ours(settlement)
            {
                return self.leave_off(part, messages, done);
            }
            let mut handling = pin!(guarded(&self.handler, &mut batch));
            let polled = poll_fn(|context| Poll::Ready(handling.as_mut().poll(context))).await;
            let (outcome, why) = match polled {
                Poll::Ready(done) => done,
                Poll::Pending => {
                    self.settle(std::mem::take(&mut done.parts));
                    self.go_on(settlement, &queue, messages, revocations);
                    let (outcome, why) = handling.await;
                    self.complain(settlement, part, why);
                    done.push(part, outcome);
                    return done.parts;
                }
            };
            self.complain(settlement, part, why);
            done.push(part, outcome);
        }
    }

    /// Whether messages of a delivery are still to be delivered: not once their queue has left.
    fn is_ours(&self, settlement: Settlement) -> bool {
        self.shared.with(|state, _| state.core.is_ours(self.id, settlement))
    }

    /// Gives the rest of a delivery back, unhandled: its queue has left, and the application has been told.
    fn leave_off(
        &self,
        part: (u64, u64, usize),
        rest: impl Iterator<Item = (StoredMessage, u32)>,
        mut done: Done,
    ) -> Vec<(Settlement, ConsumeOutcome)> {
        let again = ConsumeOutcome::SuspendCurrentQueue(None);
        done.push(part, again);
        for (stored, _) in rest {
            let offset = offset_of(&stored);
            done.push((offset, offset, 1), again);
        }
        done.parts
    }

    /// Has it logged why messages failed, if they did.
    fn complain(&self, delivery: Settlement, (first, last, count): (u64, u64, usize), why: Option<String>) {
        if let Some(why) = why {
            let failed = delivery.part(first, last, count);
            self.shared.with(|state, now| state.core.note_failed(now, self.id, failed, &why));
        }
    }

    /// The rest of a delivery goes on in a task of its own.
    fn go_on(
        self: &Arc<Self>,
        settlement: Settlement,
        queue: &MessageQueue,
        rest: impl Iterator<Item = (StoredMessage, u32)>,
        revocations: u64,
    ) {
        let messages: Vec<_> = rest.collect();
        if let (Some((first, _)), Some((last, _))) = (messages.first(), messages.last()) {
            let rest = settlement.part(offset_of(first), offset_of(last), messages.len());
            self.spawn(Taken { delivery: Delivery::new(rest, queue.clone(), messages), revocations });
        }
    }

    /// Takes the next messages for the handler; gives the offsets of the first and the last, and how many they are.
    fn fill(
        &self,
        batch: &mut Vec<ReceivedMessage>,
        queue: &MessageQueue,
        messages: &mut impl Iterator<Item = (StoredMessage, u32)>,
        done: &mut Done,
    ) -> Option<(u64, u64, usize)> {
        batch.clear();
        let mut part: Option<(u64, u64, usize)> = None;
        let limit = self.shared.settings.max_body_length;
        while batch.len() < self.handler.consume_batch_size()
            && let Some((stored, failures)) = messages.next()
        {
            let offset = offset_of(&stored);
            match ReceivedMessage::open(stored, queue.clone(), failures, limit) {
                Ok(message) => {
                    batch.push(message);
                    part = part.map_or(Some((offset, offset, 1)), |(first, _, count)| Some((first, offset, count + 1)));
                }
                Err(error) => {
                    let line = Notice::error("a message cannot be read; it goes to the dead letters");
                    let line = line.about("group", &self.group).about("queue", queue).about("offset", offset);
                    log::write(&*self.shared.host, &line.about("error", error));
                    done.push((offset, offset, 1), ConsumeOutcome::ReconsumeLater(RetryDelay::Never));
                }
            }
        }
        part
    }

    /// Has the handler consume a message that a broker wants consumed at once.
    pub(super) async fn consume_directly(
        self: Arc<Self>,
        message: ReceivedMessage,
    ) -> (ConsumeOutcome, Option<String>) {
        guarded(&self.handler, &mut vec![message]).await
    }
}

/// Has the handler handle a batch; a panic is a failure like any other, also one of what it says of a failure.
async fn guarded<H: Handler>(handler: &H, batch: &mut Vec<ReceivedMessage>) -> (ConsumeOutcome, Option<String>) {
    let handled = guard::poll(|| handler.handle(batch)).await;
    match handled.and_then(|result| guard::call(|| result.into_outcome())) {
        Ok(outcome) => outcome,
        Err(panic) => (ConsumeOutcome::SuspendCurrentQueue(None), Some(format!("the handler panicked: {panic}"))),
    }
}

fn offset_of(message: &StoredMessage) -> u64 {
    u64::try_from(message.fields.queue_offset).unwrap_or(0)
}

/// Lets other tasks run.
async fn give_way() {
    let mut is_first = true;
    poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}
