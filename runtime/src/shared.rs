//! What all handles of one client share: the core under one lock, and who waits for what.
//!
//! Under the lock there are only decisions. Frames are parsed, bodies compressed, sockets written, tasks woken and
//! callbacks called outside of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use stgclient_core::client::{Action, Client as Core, ConnectionId, Event, OperationId, Outcome};
use stgclient_core::time::{Duration, Instant, Now};

use crate::host::{Host, Observation};
use crate::link::Link;

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

/// The socket of a connection, as far as the client knows it.
#[derive(Default)]
struct Socket {
    /// The connection it is for; others of the same peer are over.
    connection: Option<ConnectionId>,
    /// Woken when there are bytes to write or when it has to close.
    writer: Option<Waker>,
    has_output: bool,
    has_to_close: bool,
}

/// A sender that waits for room, in line.
pub(crate) struct Blocked {
    pub(crate) ticket: u64,
    pub(crate) waker: Waker,
}

pub(crate) struct State {
    pub(crate) core: Core,
    /// A waiter outlives its operation until the outcome is taken, so it has a place of its own.
    waiters: Vec<Waiter>,
    free_waiters: Vec<u32>,
    /// The waiter's place by the operation's slot.
    waiter_of: Vec<u32>,
    sockets: Vec<Socket>,
    pub(crate) blocked: VecDeque<Blocked>,
    next_ticket: u64,
    /// The head of the line has left it.
    pub(crate) wake_next_in_line: bool,
    /// When the timer task wakes, and how to wake it earlier.
    pub(crate) armed: Option<Instant>,
    pub(crate) timer: Option<Waker>,
    pub(crate) is_closed: bool,
    /// Links and the timer task: what has to end until the client is gone.
    pub(crate) tasks: usize,
    pub(crate) on_gone: Vec<Waker>,
}

/// What is done once the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    /// Nearly always there is one task to wake at the most; a vector would be an allocation for each send.
    first: Option<Waker>,
    more: Vec<Waker>,
    callbacks: Vec<(Callback, Outcome)>,
    connects: Vec<Link>,
}

impl Effects {
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        match (waker, &self.first) {
            (Some(waker), None) => self.first = Some(waker),
            (Some(waker), Some(_)) => self.more.push(waker),
            (None, _) => {}
        }
    }

    fn carry_out(&mut self, host: &dyn Host) {
        for link in self.connects.drain(..) {
            host.connect(link);
        }
        self.first.take().into_iter().chain(self.more.drain(..)).for_each(Waker::wake);
        for (callback, outcome) in self.callbacks.drain(..) {
            callback(outcome);
        }
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) host: Arc<dyn Host>,
    is_observed: bool,
    pub(crate) settings: Settings,
}

/// What the runtime itself has to know of a client's configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dialect: stgclient_core::wire::dialect::Dialect,
    pub(crate) max_frame_length: usize,
    pub(crate) max_body_length: usize,
    pub(crate) close_timeout: Duration,
}

impl Shared {
    pub(crate) fn new(core: Core, host: Arc<dyn Host>, settings: Settings) -> Arc<Self> {
        let state = State {
            core,
            waiters: Vec::new(),
            free_waiters: Vec::new(),
            waiter_of: Vec::new(),
            sockets: Vec::new(),
            blocked: VecDeque::new(),
            next_ticket: 0,
            wake_next_in_line: false,
            armed: None,
            timer: None,
            is_closed: false,
            tasks: 1,
            on_gone: Vec::new(),
        };
        let is_observed = host.is_observing();
        let shared = Arc::new(Self { state: Mutex::new(state), host, is_observed, settings });
        shared.host.spawn(Box::pin(crate::timers::run(Arc::clone(&shared))));
        shared
    }

    /// A panic under the lock is a bug of ours; the state is still the best there is.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the core, and everything that follows from it.
    pub(crate) fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut State, Now) -> R) -> R {
        let mut effects = Effects::default();
        let result = self.with_effects(&mut effects, act);
        effects.carry_out(&*self.host);
        result
    }

    fn with_effects<R>(self: &Arc<Self>, effects: &mut Effects, act: impl FnOnce(&mut State, Now) -> R) -> R {
        let now = self.host.now();
        let mut state = self.lock();
        let result = act(&mut state, now);
        state.drain(self, effects);
        result
    }

    /// As [`Shared::with`], with buffers that are used again.
    pub(crate) fn with_buffers<R>(
        self: &Arc<Self>,
        effects: &mut Effects,
        act: impl FnOnce(&mut State, Now) -> R,
    ) -> R {
        let result = self.with_effects(effects, act);
        effects.carry_out(&*self.host);
        result
    }
}

impl State {
    /// Takes what the core wants done and known.
    fn drain(&mut self, shared: &Arc<Shared>, effects: &mut Effects) {
        while let Some(action) = self.core.poll_action() {
            self.carry_out(action, shared, effects);
        }
        while let Some(event) = self.core.poll_event() {
            if shared.is_observed {
                shared.host.observe(Observation::Event(&event));
            }
            self.deliver(event, effects);
        }
        if std::mem::take(&mut self.wake_next_in_line) {
            effects.wake(self.blocked.front().map(|blocked| blocked.waker.clone()));
        }
        let deadline = self.core.poll_timeout();
        if shared.is_observed {
            shared.host.observe(Observation::Deadline(deadline));
        }
        if deadline.is_some_and(|deadline| self.armed.is_some_and(|armed| deadline.at < armed)) {
            self.armed = None;
            effects.wake(self.timer.take());
        }
    }

    fn carry_out(&mut self, action: Action, shared: &Arc<Shared>, effects: &mut Effects) {
        match action {
            Action::Connect { connection, address } => {
                let slot = connection.slot();
                if self.sockets.len() <= slot {
                    self.sockets.resize_with(slot + 1, Socket::default);
                }
                self.sockets[slot] = Socket { connection: Some(connection), ..Socket::default() };
                self.tasks += 1;
                effects.connects.push(Link::new(Arc::clone(shared), connection, address));
            }
            Action::Close { connection } => {
                if let Some(socket) = self.socket(connection) {
                    socket.has_to_close = true;
                    effects.wake(socket.writer.take());
                }
            }
            Action::Flush { connection } => {
                if let Some(socket) = self.socket(connection) {
                    socket.has_output = true;
                    effects.wake(socket.writer.take());
                }
            }
            _ => {}
        }
    }

    fn deliver(&mut self, event: Event, effects: &mut Effects) {
        match event {
            Event::Completed { operation, outcome } => {
                let place = self.waiter_of[operation.slot()];
                let waiter = &mut self.waiters[place as usize];
                match std::mem::replace(waiter, Waiter::Nobody) {
                    Waiter::Callback(callback) => {
                        effects.callbacks.push((callback, outcome));
                        self.free_waiters.push(place);
                        return;
                    }
                    Waiter::Task(waker) => effects.wake(Some(waker)),
                    Waiter::Nobody | Waiter::Outcome(_) => {}
                }
                *waiter = Waiter::Outcome(outcome);
            }
            Event::Room => effects.wake(self.blocked.front().map(|blocked| blocked.waker.clone())),
            Event::Closed => {
                self.is_closed = true;
                effects.wake(self.timer.take());
                self.blocked.drain(..).for_each(|blocked| effects.wake(Some(blocked.waker)));
            }
            _ => {}
        }
    }

    /// Has `waiter` wait for an operation that was begun under this lock. Gives its place.
    pub(crate) fn register(&mut self, operation: OperationId, waiter: Waiter) -> u32 {
        let place = self.free_waiters.pop().unwrap_or_else(|| {
            self.waiters.push(Waiter::Nobody);
            (self.waiters.len() - 1) as u32
        });
        self.waiters[place as usize] = waiter;
        let slot = operation.slot();
        if self.waiter_of.len() <= slot {
            self.waiter_of.resize(slot + 1, u32::MAX);
        }
        self.waiter_of[slot] = place;
        place
    }

    /// The outcome that `place` waits for; until there is one, `waker` waits.
    pub(crate) fn poll_outcome(&mut self, place: u32, waker: &Waker) -> Option<Outcome> {
        let waiter = &mut self.waiters[place as usize];
        match std::mem::replace(waiter, Waiter::Nobody) {
            Waiter::Outcome(outcome) => {
                self.free_waiters.push(place);
                return Some(outcome);
            }
            Waiter::Task(known) if known.will_wake(waker) => *waiter = Waiter::Task(known),
            _ => *waiter = Waiter::Task(waker.clone()),
        }
        None
    }

    /// Nobody waits at `place` any more; an operation still under way is cancelled.
    pub(crate) fn give_up(&mut self, now: Now, operation: OperationId, place: u32) {
        let waiter = std::mem::replace(&mut self.waiters[place as usize], Waiter::Nobody);
        self.free_waiters.push(place);
        if !matches!(waiter, Waiter::Outcome(_)) {
            self.core.cancel(now, operation);
        }
    }

    /// Whether more than one operation is under way, or over and not picked up.
    pub(crate) const fn is_busy(&self) -> bool {
        self.waiters.len() - self.free_waiters.len() > 1
    }

    fn socket(&mut self, connection: ConnectionId) -> Option<&mut Socket> {
        self.sockets.get_mut(connection.slot()).filter(|socket| socket.connection == Some(connection))
    }

    /// What the socket of a connection has to do now; when nothing, `waker` is woken once there is something.
    pub(crate) fn poll_socket(&mut self, connection: ConnectionId, waker: &Waker) -> Option<SocketWork> {
        let Some(socket) = self.socket(connection) else {
            return Some(SocketWork::Close);
        };
        if socket.has_to_close {
            return Some(SocketWork::Close);
        }
        // Also with output: a socket that cannot write it now still has to hear that it is to close.
        match &mut socket.writer {
            Some(known) if known.will_wake(waker) => {}
            writer => *writer = Some(waker.clone()),
        }
        socket.has_output.then_some(SocketWork::Write)
    }

    /// The socket found nothing to write: it is woken when there is.
    pub(crate) fn note_written(&mut self, connection: ConnectionId) {
        if let Some(socket) = self.socket(connection) {
            socket.has_output = false;
        }
    }

    /// A link or the timer task has ended.
    pub(crate) fn end_task(&mut self) -> Vec<Waker> {
        self.tasks -= 1;
        if self.tasks == 0 { std::mem::take(&mut self.on_gone) } else { Vec::new() }
    }

    pub(crate) fn take_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }
}

/// What a socket has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketWork {
    Write,
    Close,
}
