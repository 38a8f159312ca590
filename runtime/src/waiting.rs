//! Who waits for what: operations under way, and messages in line for room.

use std::collections::VecDeque;
use std::task::Waker;

use stgclient_core::client::{Client as Core, OperationId, Outcome, ProducerId, SendError};
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::{Message, SendOptions};
use stgclient_core::time::Now;

use crate::shared::{Effects, State};

/// Called with the outcome of an operation.
pub(crate) type Callback = Box<dyn FnOnce(Outcome) + Send>;

/// Who waits for an operation.
#[derive(Default)]
// Most waiters become outcomes, and their places are used again: boxing would cost an allocation for each send.
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
enum Stage {
    /// A message in line.
    #[default]
    InLine,
    UnderWay(OperationId),
    Over,
}

/// Where somebody waits. It outlives the operation until the outcome is taken.
#[derive(Default)]
struct Place {
    waiter: Waiter,
    stage: Stage,
}

/// Whether a broker answers a message.
#[derive(Clone, Copy)]
pub(crate) enum Delivery {
    Awaited,
    Oneway,
}

/// A message that is to be sent.
pub(crate) struct Request {
    pub(crate) producer: ProducerId,
    pub(crate) message: Message,
    pub(crate) options: SendOptions,
    pub(crate) delivery: Delivery,
}

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Waiting {
    places: Vec<Place>,
    free: Vec<u32>,
    /// The place by the operation's slot.
    of_operation: Vec<u32>,
    /// Messages that wait for room, each with the place of its future: as many as the application holds futures.
    line: VecDeque<(u32, Request)>,
    /// The head of the line may try.
    has_room: bool,
}

impl Waiting {
    fn take_place(&mut self, waiter: Waiter) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        let Place { waiter: known, stage } = &mut self.places[place as usize];
        *known = waiter;
        *stage = Stage::InLine;
        place
    }

    fn free(&mut self, place: u32) {
        self.places[place as usize] = Place::default();
        self.free.push(place);
    }

    /// Has `waiter` wait for an operation that was begun under this lock. Gives its place.
    pub(crate) fn register(&mut self, operation: OperationId, waiter: Waiter) -> u32 {
        let place = self.take_place(waiter);
        self.begun(place, operation);
        place
    }

    fn begun(&mut self, place: u32, operation: OperationId) {
        self.places[place as usize].stage = Stage::UnderWay(operation);
        let slot = operation.slot();
        if self.of_operation.len() <= slot {
            self.of_operation.resize(slot + 1, u32::MAX);
        }
        self.of_operation[slot] = place;
    }

    pub(crate) fn complete(&mut self, operation: OperationId, outcome: Outcome, effects: &mut Effects) {
        let place = self.of_operation[operation.slot()];
        if matches!(self.places[place as usize].stage, Stage::UnderWay(known) if known == operation) {
            self.end(place, outcome, effects);
        }
    }

    fn end(&mut self, at: u32, outcome: Outcome, effects: &mut Effects) {
        let Place { waiter, stage } = &mut self.places[at as usize];
        *stage = Stage::Over;
        match std::mem::replace(waiter, Waiter::Outcome(outcome)) {
            Waiter::Task(waker) => effects.wake(Some(waker)),
            Waiter::Callback(callback) => {
                if let Some(outcome) = self.take_outcome(at) {
                    effects.call(|| callback(outcome));
                }
            }
            Waiter::Nobody | Waiter::Outcome(_) => {}
        }
    }

    /// The outcome that `at` waits for; until there is one, `waker` waits.
    pub(crate) fn poll_outcome(&mut self, at: u32, waker: &Waker) -> Option<Outcome> {
        match &mut self.places[at as usize].waiter {
            Waiter::Outcome(_) => return self.take_outcome(at),
            Waiter::Task(known) if known.will_wake(waker) => {}
            waiter => *waiter = Waiter::Task(waker.clone()),
        }
        None
    }

    /// The outcome that waits at a place, which is free then.
    fn take_outcome(&mut self, at: u32) -> Option<Outcome> {
        self.free.push(at);
        match std::mem::take(&mut self.places[at as usize].waiter) {
            Waiter::Outcome(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether more than one operation is under way, or over and not picked up.
    pub(crate) const fn is_busy(&self) -> bool {
        self.places.len() - self.free.len() > 1
    }

    /// There may be room for the head of the line.
    pub(crate) const fn note_room(&mut self) {
        self.has_room = true;
    }

    /// Sends the head of the line if there is room for it. Returns whether the next one may try.
    pub(crate) fn advance_line(&mut self, core: &mut Core, now: Now, effects: &mut Effects) -> bool {
        if !self.has_room {
            return false;
        }
        let Some((place, request)) = self.line.pop_front() else {
            self.has_room = false;
            return false;
        };
        match request.begin(core, now) {
            Ok(operation) => self.begun(place, operation),
            Err((error, request)) if error.kind() == ErrorKind::Full => {
                self.line.push_front((place, request));
                self.has_room = false;
            }
            Err((error, _)) => self.end(place, Err(error), effects),
        }
        self.has_room
    }
}

impl Request {
    /// Hands the message to the core, which gives it back if it does not take it.
    fn begin(self, core: &mut Core, now: Now) -> Result<OperationId, (stgclient_core::error::Error, Self)> {
        let Self { producer, message, options, delivery } = self;
        // What a selector shares is counted, the rest is plain data: a copy allocates nothing in the usual case.
        let begun = match delivery {
            Delivery::Awaited => core.send(now, producer, message, options.clone()),
            Delivery::Oneway => core.send_oneway(now, producer, message, options.clone()),
        };
        begun.map_err(|SendError { error, message }| (error, Self { producer, message, options, delivery }))
    }
}

impl State {
    /// Sends a message, or puts it in line. Gives the place of its future.
    pub(crate) fn send(&mut self, now: Now, request: Request) -> u32 {
        // Those in line were first.
        if !self.waiting.line.is_empty() {
            return self.stand_in_line(request);
        }
        match request.begin(&mut self.core, now) {
            Ok(operation) => self.waiting.register(operation, Waiter::Nobody),
            Err((error, request)) if error.kind() == ErrorKind::Full => self.stand_in_line(request),
            Err((error, _)) => {
                let place = self.waiting.take_place(Waiter::Outcome(Err(error)));
                self.waiting.places[place as usize].stage = Stage::Over;
                place
            }
        }
    }

    fn stand_in_line(&mut self, request: Request) -> u32 {
        let place = self.waiting.take_place(Waiter::Nobody);
        self.waiting.line.push_back((place, request));
        place
    }

    /// Sends a message if there is room for it and nobody in line, and has `waiter` wait for it.
    pub(crate) fn try_send(&mut self, now: Now, request: Request, waiter: Waiter) -> Result<u32, SendError> {
        if !self.waiting.line.is_empty() {
            let error = stgclient_core::error::Error::new(ErrorKind::Full, "other messages wait for room");
            return Err(SendError { error, message: request.message });
        }
        match request.begin(&mut self.core, now) {
            Ok(operation) => Ok(self.waiting.register(operation, waiter)),
            Err((error, Request { message, .. })) => Err(SendError { error, message }),
        }
    }

    /// Nobody waits at `at` any more: a message leaves the line, an operation is cancelled.
    pub(crate) fn give_up(&mut self, now: Now, at: u32) {
        match self.waiting.places[at as usize].stage {
            Stage::InLine => self.waiting.line.retain(|(place, _)| *place != at),
            Stage::UnderWay(operation) => self.core.cancel(now, operation),
            Stage::Over => {}
        }
        self.waiting.free(at);
    }
}
