//! Everything of a world but its tasks, and the one step by which it moves.

use std::collections::BTreeMap;
use std::task::Waker;

use stgclient_core::time::Instant;

use super::course::Course;
use super::events::{Act, Event, EventKey};
use super::network::Network;
#[cfg(feature = "tokio")]
use super::on_tokio::TokioClock;
use super::servers::Servers;

pub(super) struct State {
    pub(super) course: Course,
    pub(super) network: Network,
    pub(super) servers: Servers,
    /// Tasks that sleep, by the event that wakes them.
    sleepers: BTreeMap<EventKey, Waker>,
    /// How many machines there are.
    pub(super) machines: u32,
    /// Which the world's clock goes by, while an application runs on tokio.
    #[cfg(feature = "tokio")]
    clock: Option<TokioClock>,
    /// Things happen, each at its own time.
    #[cfg(feature = "tokio")]
    pub(super) is_driven: bool,
}

/// How a step ends.
pub(super) enum Step {
    /// Something has happened, and these are awake now; a test wants to act.
    Done(Vec<Waker>, Option<Act>),
    /// Nothing happens until after the end.
    Later,
    /// Nothing will ever happen.
    Never,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            course: Course::new(seed),
            network: Network::new(seed),
            servers: Servers::default(),
            sleepers: BTreeMap::new(),
            machines: 0,
            #[cfg(feature = "tokio")]
            clock: None,
            #[cfg(feature = "tokio")]
            is_driven: false,
        }
    }

    /// When the next thing happens by itself.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let timeout = self.servers.poll_timeout().map(|(at, _)| at);
        timeout.into_iter().chain(self.course.events.next()).min()
    }

    /// The clock that the world goes by may be ahead. The world's follows, but not past what has yet to happen.
    pub(super) fn follow(&mut self) {
        #[cfg(feature = "tokio")]
        if let Some(now) = self.clock.as_ref().filter(|_| !self.is_driven).map(TokioClock::now) {
            let at = self.next_at().map_or(now, |next| next.min(now));
            self.course.advance_to(at);
        }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn go_by_tokio(&mut self, clock: TokioClock) {
        self.clock = Some(clock);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn leave_tokio(&mut self) {
        self.clock = None;
        self.course.forget_driver();
    }

    /// Lets the next thing happen, unless that is later than `end`.
    pub(super) fn step(&mut self, end: Instant) -> Step {
        let event = self.course.events.next();
        let timeout = self.servers.poll_timeout();
        // Of what falls together, what was planned goes first.
        let timeout_first = timeout.filter(|(at, _)| event.is_none_or(|event| *at < event));
        let Some(at) = timeout_first.map(|(at, _)| at).or(event) else {
            return Step::Never;
        };
        if at > end {
            return Step::Later;
        }
        self.course.advance_to(at);
        let Self { course, network, servers, .. } = self;
        let mut act = None;
        if let Some((_, cluster)) = timeout_first {
            servers.handle_timeout(course, network, cluster);
        } else if let Some((key, event)) = course.events.pop() {
            act = self.happen(key, event);
        }
        Step::Done(self.course.take_wakers(), act)
    }

    fn happen(&mut self, key: EventKey, event: Event) -> Option<Act> {
        let Self { course, network, servers, sleepers, .. } = self;
        match event {
            Event::Opened(id) => {
                if let Some((address, client)) = network.opened(course, id) {
                    servers.connect(course, network, id, &address, client);
                }
            }
            Event::Arrives(id, direction, item) => {
                if let Some(arrival) = network.arrives(course, id, direction, item) {
                    servers.receive(course, network, id, arrival);
                }
            }
            Event::GoesOn(id, direction) => {
                if let Some(arrival) = network.goes_on(course, id, direction) {
                    servers.receive(course, network, id, arrival);
                }
            }
            Event::Reacts(id, reaction) => servers.react(course, network, id, reaction),
            Event::Wakes => {
                course.note("wakes", key.1, &[]);
                course.wake(sleepers.remove(&key));
            }
            Event::Acts(act) => {
                course.note("acts", key.1, &[]);
                return Some(act);
            }
        }
        None
    }

    /// A task sleeps until `at`; `known` is what it was told when it asked before.
    pub(super) fn sleep(&mut self, at: Instant, known: Option<EventKey>, waker: &Waker) -> EventKey {
        let key = known.unwrap_or_else(|| {
            self.course.note("sleeps until", at.as_micros(), &[]);
            self.course.plan(at, Event::Wakes)
        });
        self.sleepers.insert(key, waker.clone());
        key
    }

    /// It sleeps no longer.
    pub(super) fn rise(&mut self, key: EventKey) {
        self.sleepers.remove(&key);
        self.course.events.cancel(key);
    }
}
