//! Pulls that wait for messages, and the moments at which they wait no longer (`PullRequestHoldService`).

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use stgclient_core::sorted::SortedMap;
use stgclient_core::time::{Duration, Instant, Now};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;

use super::super::budget::Charge;
use super::super::peer::Peer;
use super::super::reply::Exchange;
use super::Session;
use super::pull::Pull;
use crate::table::Key;

/// How often every waiting pull is looked at: one whose queue has grown by messages that it does not want is then
/// answered too, so that its consumer can move on.
const fn check_period(dialect: Dialect) -> Duration {
    match dialect {
        Dialect::Apache => Duration::from_secs(5),
        Dialect::Smartgo => Duration::from_secs(1),
    }
}

/// A pull that waits.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) pull: Pull,
    pub(super) since: Now,
    pub(super) session: Session,
    /// To be looked at again when it waits no longer.
    pub(super) request: Command,
    pub(super) exchange: Exchange,
    /// When its time is up. Smartgo's broker notices when it next looks at all that wait.
    pub(super) due: Instant,
    pub(super) _charge: Charge,
}

/// A pull that waits no longer.
#[derive(Debug)]
pub(super) struct Woken {
    /// The later it was woken, the greater.
    number: u64,
    pub(super) held: Held,
    /// Where its queue ends for it, when it looks before what has woken it is in the queue.
    pub(super) end: Option<i64>,
}

/// The queue a pull waits at, and which of those that wait there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    topic: Key,
    queue_id: u32,
    number: u64,
}

impl Place {
    const FIRST: Self = Self { topic: Key::FIRST, queue_id: 0, number: 0 };
    const LAST: Self = Self { topic: Key::LAST, queue_id: u32::MAX, number: u64::MAX };
}

/// The waiting pulls of a broker.
#[derive(Debug)]
pub(super) struct Holds {
    held: SortedMap<Place, Held>,
    /// The same, by the moment their time is up.
    deadlines: SortedMap<(Instant, u64), Place>,
    /// By the peer that waits: one that has no room is passed by at once, however many it has.
    woken: SortedMap<Peer, VecDeque<Woken>>,
    woken_count: usize,
    next_check: Option<Instant>,
    number: u64,
    limit: usize,
    dialect: Dialect,
}

impl Holds {
    pub(super) const fn new(dialect: Dialect, limit: usize) -> Self {
        Self {
            held: SortedMap::new(),
            deadlines: SortedMap::new(),
            woken: SortedMap::new(),
            woken_count: 0,
            next_check: None,
            number: 0,
            limit,
            dialect,
        }
    }

    /// How many pulls wait.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.held.len() + self.woken_count < self.limit
    }

    pub(super) fn add(&mut self, held: Held) {
        self.number += 1;
        let place = Place { topic: held.pull.topic, queue_id: held.pull.queue_id, number: self.number };
        self.deadlines.insert((held.due, place.number), place);
        self.next_check.get_or_insert(held.since.mono + check_period(self.dialect));
        self.held.insert(place, held);
    }

    /// Wakes the pulls that wait at a queue and are `wanted`; what has woken them, lies at `end`.
    pub(super) fn wake_queue(
        &mut self,
        topic: Key,
        queue_id: u32,
        end: Option<i64>,
        wanted: impl FnMut(&Held) -> bool,
    ) {
        self.wake(queue_range(topic, queue_id, queue_id), end, wanted);
    }

    /// Wakes the pulls that wait at any queue of a topic.
    pub(super) fn wake_topic(&mut self, topic: Key) {
        self.wake(queue_range(topic, 0, u32::MAX), None, |_| true);
    }

    /// Wakes the pulls whose time is up, and at each check those that are `stale`.
    pub(super) fn handle_timeout(&mut self, now: Instant, mut stale: impl FnMut(&Pull) -> bool) {
        let is_check = self.next_check.is_some_and(|at| at <= now);
        if is_check || self.dialect == Dialect::Apache {
            while let Some((_, place)) = self.deadlines.pop_first_if(|(due, _)| *due <= now) {
                if let Some(held) = self.held.remove(&place) {
                    self.push_woken(Woken { number: 0, held, end: None });
                }
            }
        }
        if is_check {
            self.wake(Place::FIRST..=Place::LAST, None, |held| stale(&held.pull));
            self.next_check = (!self.held.is_empty()).then(|| now + check_period(self.dialect));
        }
    }

    /// Forgets the pulls of a peer that is gone.
    pub(super) fn forget(&mut self, peer: Peer) {
        let deadlines = &mut self.deadlines;
        self.held.retain(|place, held| {
            let stays = held.exchange.peer != peer;
            if !stays {
                deadlines.remove(&(held.due, place.number));
            }
            stays
        });
        self.woken_count -= self.woken.remove(&peer).map_or(0, |woken| woken.len());
    }

    /// The pull that waits no longer since the longest time, of those who have room for the answer.
    pub(super) fn pop_woken(&mut self, has_room: impl Fn(Peer) -> bool) -> Option<Woken> {
        let lines = self.woken.iter().filter(|(peer, _)| has_room(**peer));
        let first = lines.min_by_key(|(_, line)| line.front().map(|woken| woken.number));
        let peer = *first?.0;
        let line = self.woken.get_mut(&peer)?;
        let woken = line.pop_front()?;
        if line.is_empty() {
            self.woken.remove(&peer);
        }
        self.woken_count -= 1;
        Some(woken)
    }

    fn push_woken(&mut self, woken: Woken) {
        self.number += 1;
        self.woken_count += 1;
        let line = self.woken.get_or_default(woken.held.exchange.peer);
        line.push_back(Woken { number: self.number, ..woken });
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.deadlines.first_key_value().map(|((due, _), _)| *due);
        let due = due.filter(|_| self.dialect == Dialect::Apache);
        due.into_iter().chain(self.next_check).min()
    }

    fn wake(&mut self, places: RangeInclusive<Place>, end: Option<i64>, mut wanted: impl FnMut(&Held) -> bool) {
        let wanted = self
            .held
            .iter_within(places.start(), places.end())
            .filter(|(_, held)| wanted(held))
            .map(|(place, _)| *place);
        for place in wanted.collect::<Vec<_>>() {
            if let Some(held) = self.held.remove(&place) {
                self.deadlines.remove(&(held.due, place.number));
                self.push_woken(Woken { number: 0, held, end });
            }
        }
    }
}

const fn queue_range(topic: Key, from: u32, to: u32) -> RangeInclusive<Place> {
    Place { topic, queue_id: from, number: 0 }..=Place { topic, queue_id: to, number: u64::MAX }
}
