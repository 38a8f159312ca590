//! What stands behind a client's lock: the core, and who waits for what. Here are decisions only.

use std::sync::Arc;
use std::task::Waker;

use stgclient_core::client::{Action, Client as Core, ConnectionId, Event, Pending, SendError};
use stgclient_core::producer::CommunicationMode;
use stgclient_core::time::{Deadline, Instant, Now};

use crate::consumer_place::ConsumerPlaces;
use crate::effects::Effects;
use crate::events::Followers;
use crate::tasks::Ended;
use crate::waiting::{Completion, Request, Waiting};
use stgclient_host::{Host, Observation};

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
    pub(crate) consumers: ConsumerPlaces,
    pub(crate) followers: Followers,
    /// A buffer for what was handed in, empty between uses.
    pub(crate) taken_in: Vec<(Arc<Completion>, Request)>,
    sockets: Vec<Socket>,
    /// When the timer task wakes, and how to wake it earlier.
    pub(crate) armed: Option<Instant>,
    pub(crate) timer: Option<Waker>,
    /// The task that asks for credentials, if there is one.
    pub(crate) rotation: Option<Waker>,
    pub(crate) is_closed: bool,
    ended: Arc<Ended>,
    /// The host, if it wants to see what the core does.
    observer: Option<Arc<dyn Host>>,
}

impl State {
    /// Sends a message, in its turn if there is no room for it; `place` waits for what comes of it.
    pub(crate) fn send(&mut self, now: Now, place: Arc<Completion>, request: Request, effects: &mut Effects) {
        let Request { producer, message, options, mode } = request;
        let begun = match mode {
            CommunicationMode::Awaited => self.core.send_in_turn(now, producer, message, options).map(Pending::id),
            CommunicationMode::Oneway => {
                self.core.send_oneway_in_turn(now, producer, message, options).map(Pending::id)
            }
        };
        match begun {
            Ok(operation) => self.waiting.register(operation, place),
            Err(SendError { error, message }) => {
                effects.discard_message(message);
                place.end(Err(error), effects);
            }
        }
    }

    /// Sends a message if there is room for it and nobody in line, and has `place` wait for it.
    pub(crate) fn try_send(&mut self, now: Now, request: Request, place: &Arc<Completion>) -> Result<(), SendError> {
        let Request { producer, message, options, mode } = request;
        let operation = match mode {
            CommunicationMode::Awaited => self.core.send(now, producer, message, options)?.id(),
            CommunicationMode::Oneway => self.core.send_oneway(now, producer, message, options)?.id(),
        };
        self.waiting.register(operation, Arc::clone(place));
        Ok(())
    }

    /// Nobody waits at a place any more: what is under way there is cancelled.
    pub(crate) fn give_up(&mut self, now: Now, place: &Arc<Completion>) {
        if let Some(operation) = self.waiting.give_up(place) {
            self.core.cancel(now, operation);
        }
    }
}

impl State {
    pub(crate) fn new(core: Core, observer: Option<Arc<dyn Host>>, ended: Arc<Ended>) -> Self {
        Self {
            core,
            waiting: Waiting::default(),
            consumers: ConsumerPlaces::default(),
            followers: Followers::default(),
            taken_in: Vec::new(),
            sockets: Vec::new(),
            armed: None,
            timer: None,
            rotation: None,
            is_closed: false,
            ended,
            observer,
        }
    }

    /// Takes what the core wants done and known. Gives when it has something to do next.
    pub(crate) fn drain(&mut self, effects: &mut Effects) -> Option<Deadline> {
        self.deliver_events(effects);
        effects.take_spent(&mut self.core);
        while let Some(notice) = self.core.poll_notice() {
            self.followers.warn(&notice, effects);
            effects.log(notice);
        }
        while let Some(action) = self.core.poll_action() {
            self.carry_out(action, effects);
        }
        let deadline = self.core.poll_timeout();
        if let Some(observer) = &self.observer {
            observer.observe(Observation::Deadline(deadline));
        }
        if deadline.is_some_and(|deadline| self.armed.is_some_and(|armed| deadline.at < armed)) {
            self.armed = None;
            effects.wake(self.timer.take());
        }
        deadline
    }

    pub(crate) fn deliver_events(&mut self, effects: &mut Effects) {
        while let Some(event) = self.core.poll_event() {
            if let Some(observer) = &self.observer {
                observer.observe(Observation::Event(&event));
            }
            self.deliver(event, effects);
        }
    }

    fn carry_out(&mut self, action: Action, effects: &mut Effects) {
        match action {
            Action::Connect { connection, address } => {
                let slot = connection.slot();
                if self.sockets.len() <= slot {
                    self.sockets.resize_with(slot + 1, Socket::default);
                }
                self.sockets[slot] = Socket { connection: Some(connection), ..Socket::default() };
                effects.connect(connection, address);
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
            event @ (Event::Consumer { .. } | Event::ConsumeDirectly { .. }) => self.consumers.deliver(event, effects),
            Event::Client(event) => self.followers.tell(&event, effects),
            Event::Choose { operation, choice } => effects.choose(operation, choice),
            Event::Closed => {
                self.is_closed = true;
                effects.wake(self.timer.take());
                effects.wake(self.rotation.take());
                effects.wake(self.ended.note());
                self.followers.end(effects);
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
}

/// What a socket has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketWork {
    Write,
    Close,
}
