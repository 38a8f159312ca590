//! What all handles of one client share: the core under one lock, and who waits for what.
//!
//! Under the lock there are only decisions. Frames are parsed, bodies compressed, sockets written, tasks woken and
//! callbacks called outside of it.

use std::sync::Arc;
use std::task::Waker;

use stgclient_core::client::{Action, Client as Core, ConnectionId, Event};
use stgclient_core::time::{Duration, Instant, Now};

use crate::host::{Host, Observation};
use crate::link::Link;
use crate::lock::{Guard, Lock};
use crate::waiting::Waiting;

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

pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) waiting: Waiting,
    sockets: Vec<Socket>,
    /// When the timer task wakes, and how to wake it earlier.
    pub(crate) armed: Option<Instant>,
    pub(crate) timer: Option<Waker>,
    /// The task that asks for credentials, if there is one.
    pub(crate) rotation: Option<Waker>,
    pub(crate) is_closed: bool,
    /// Links and the client's other tasks: what has to end until it is gone.
    pub(crate) tasks: usize,
    pub(crate) on_gone: Vec<Waker>,
}

/// What is done once the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    /// Nearly always there is one task to wake at the most; a vector would be an allocation for each send.
    first: Option<Waker>,
    more: Vec<Waker>,
    callbacks: Vec<Box<dyn FnOnce() + Send>>,
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

    pub(crate) fn call(&mut self, callback: impl FnOnce() + Send + 'static) {
        self.callbacks.push(Box::new(callback));
    }

    fn carry_out(&mut self, host: &dyn Host) {
        for link in self.connects.drain(..) {
            host.connect(link);
        }
        self.first.take().into_iter().chain(self.more.drain(..)).for_each(Waker::wake);
        for callback in self.callbacks.drain(..) {
            callback();
        }
    }
}

pub(crate) struct Shared {
    state: Lock<State>,
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
            waiting: Waiting::default(),
            sockets: Vec::new(),
            armed: None,
            timer: None,
            rotation: None,
            is_closed: false,
            tasks: 1,
            on_gone: Vec::new(),
        };
        let is_observed = host.is_observing();
        let shared = Arc::new(Self { state: Lock::new(state), host, is_observed, settings });
        shared.host.spawn(Box::pin(crate::timers::run(Arc::clone(&shared))));
        shared
    }

    pub(crate) fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    #[cfg(feature = "measure-lock")]
    pub(crate) fn lock_times(&self) -> crate::lock::LockTimes {
        self.state.times()
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
        state.drain(self, now, effects);
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
    fn drain(&mut self, shared: &Arc<Shared>, now: Now, effects: &mut Effects) {
        // One message of the line at a time: what it completes is delivered before its slot is used again.
        loop {
            while let Some(event) = self.core.poll_event() {
                if shared.is_observed {
                    shared.host.observe(Observation::Event(&event));
                }
                self.deliver(event, effects);
            }
            if !self.waiting.advance_line(&mut self.core, now, effects) {
                break;
            }
        }
        while let Some(action) = self.core.poll_action() {
            self.carry_out(action, shared, effects);
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
            Event::Completed { operation, outcome } => self.waiting.complete(operation, outcome, effects),
            Event::Room => self.waiting.note_room(),
            Event::Closed => {
                self.is_closed = true;
                effects.wake(self.timer.take());
                effects.wake(self.rotation.take());
                // The core refuses whatever is still in line.
                self.waiting.note_room();
            }
            _ => {}
        }
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

    /// A link or another task of the client has ended.
    pub(crate) fn end_task(&mut self) -> Vec<Waker> {
        self.tasks -= 1;
        if self.tasks == 0 { std::mem::take(&mut self.on_gone) } else { Vec::new() }
    }
}

/// What a socket has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketWork {
    Write,
    Close,
}
