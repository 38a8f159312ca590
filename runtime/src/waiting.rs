//! Who waits for which operation.

use std::sync::Arc;
use std::task::Waker;

use stgclient_core::client::{OperationId, Outcome, ProducerId};
use stgclient_core::producer::{CommunicationMode, Message, SendOptions};

use crate::effects::Effects;
use crate::sync::{Mutex, MutexGuard, lock};

/// Called with the outcome of an operation.
pub(crate) type Callback = Box<dyn FnOnce(Outcome) + Send>;

/// Who waits for an operation.
#[derive(Default)]
// Most waiters become outcomes: boxing would cost an allocation for each send.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Waiter {
    /// Nobody yet.
    #[default]
    Nobody,
    Task(Waker),
    Callback(Callback),
    /// The outcome waits instead.
    Outcome(Outcome),
}

/// How far what is waited for has come.
#[derive(Clone, Copy, Default)]
enum Progress {
    /// A message on its way to the core.
    #[default]
    HandedIn,
    UnderWay(OperationId),
    Over,
}

/// Where somebody waits for one operation. Its future and what will end it share it, so that neither has to wait for the
/// client's lock to poll.
#[derive(Default)]
pub(crate) struct Completion(Mutex<Tenant>);

#[derive(Default)]
struct Tenant {
    waiter: Waiter,
    progress: Progress,
}

impl Completion {
    pub(crate) fn new(waiter: Waiter) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Tenant { waiter, progress: Progress::HandedIn })))
    }

    fn lock(&self) -> MutexGuard<'_, Tenant> {
        lock(&self.0)
    }

    /// The outcome that was waited for, once; until there is one, `waker` waits.
    pub(crate) fn poll_outcome(&self, waker: &Waker) -> Option<Outcome> {
        let mut tenant = self.lock();
        let next = match &tenant.waiter {
            Waiter::Task(known) if known.will_wake(waker) => return None,
            Waiter::Outcome(_) => Waiter::Nobody,
            _ => Waiter::Task(waker.clone()),
        };
        let last = std::mem::replace(&mut tenant.waiter, next);
        drop(tenant);
        match last {
            Waiter::Outcome(outcome) => Some(outcome),
            // Not under the lock: a waker that is dropped may drop a task, and what that waits for.
            _ => None,
        }
    }

    pub(crate) fn end(&self, outcome: Outcome, effects: &mut Effects) {
        let mut tenant = self.lock();
        tenant.progress = Progress::Over;
        match std::mem::take(&mut tenant.waiter) {
            // Called, and dropped, where it may do what it likes.
            Waiter::Callback(callback) => return effects.call_back(|| callback(outcome)),
            Waiter::Task(waker) => effects.wake(Some(waker)),
            Waiter::Nobody | Waiter::Outcome(_) => {}
        }
        tenant.waiter = Waiter::Outcome(outcome);
    }
}

/// A message that is to be sent.
pub(crate) struct Request {
    pub(crate) producer: ProducerId,
    pub(crate) message: Message,
    pub(crate) options: SendOptions,
    pub(crate) mode: CommunicationMode,
}

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Waiting {
    /// By the operation's slot.
    places: Vec<Option<(OperationId, Arc<Completion>)>>,
    under_way: usize,
    /// How many operations have ended since bytes were taken to be written: whoever waited for them may ask for more.
    woken: usize,
}

impl Waiting {
    /// Has `place` wait for an operation that was begun under this lock.
    pub(crate) fn register(&mut self, operation: OperationId, place: Arc<Completion>) {
        place.lock().progress = Progress::UnderWay(operation);
        let slot = operation.slot();
        if self.places.len() <= slot {
            self.places.resize_with(slot + 1, || None);
        }
        self.places[slot] = Some((operation, place));
        self.under_way += 1;
    }

    /// Who waits for an operation, which is over.
    fn leave(&mut self, operation: OperationId) -> Option<Arc<Completion>> {
        let (_, place) = self.places.get_mut(operation.slot())?.take_if(|(known, _)| *known == operation)?;
        self.under_way -= 1;
        Some(place)
    }

    pub(crate) fn complete(&mut self, operation: OperationId, outcome: Outcome, effects: &mut Effects) {
        if let Some(place) = self.leave(operation) {
            self.woken += 1;
            place.end(outcome, effects);
        }
    }

    /// Nobody waits at a place any more. Gives what is under way there.
    pub(crate) fn give_up(&mut self, place: &Completion) -> Option<OperationId> {
        let progress = place.lock().progress;
        match progress {
            // Whatever was handed in has been taken in by whoever got the lock to say this.
            Progress::HandedIn | Progress::Over => None,
            Progress::UnderWay(operation) => {
                self.leave(operation);
                Some(operation)
            }
        }
    }

    /// Whether more than one operation is under way, or may soon be.
    pub(crate) fn is_busy(&self) -> bool {
        self.under_way.max(self.woken) > 1
    }

    /// Bytes have been taken to be written.
    pub(crate) const fn note_flush(&mut self) {
        self.woken = 0;
    }
}
