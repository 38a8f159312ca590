//! What will happen when: the ordered queue that a world lives by.

use std::collections::BTreeMap;

use stgclient_core::time::Instant;

use super::World;
use super::network::{Direction, Item, LinkId};
use super::script::Reaction;

/// When, and in which order of those that fall together. Names an event until it has happened.
pub(super) type EventKey = (Instant, u64);

/// Something that a test has planned.
pub(super) type Act = Box<dyn FnOnce(&World) + Send>;

/// What happens.
pub(super) enum Event {
    /// The attempt to open a link is decided.
    Opened(LinkId),
    /// Something reaches the end of a link.
    Arrives(LinkId, Direction, Item),
    /// What was held up at the end of a link goes on.
    GoesOn(LinkId, Direction),
    /// A scripted server does something.
    Reacts(LinkId, Reaction),
    /// A task that sleeps is to wake up.
    Wakes,
    /// A test does something.
    Acts(Act),
}

/// Events by time, those that fall together in the order they were planned.
#[derive(Default)]
pub(super) struct Events {
    queue: BTreeMap<EventKey, Event>,
    sequence: u64,
}

impl Events {
    pub(super) fn plan(&mut self, at: Instant, event: Event) -> EventKey {
        self.sequence += 1;
        let key = (at, self.sequence);
        self.queue.insert(key, event);
        key
    }

    pub(super) fn cancel(&mut self, key: EventKey) {
        self.queue.remove(&key);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(EventKey, Event)> {
        self.queue.pop_first()
    }
}
