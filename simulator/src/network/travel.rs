//! The way between: pieces, their order, and everything that may happen to them.

use bytes::Bytes;
use stgclient_core::time::Duration;

use super::super::course::Course;
use super::super::events::Event;
use super::faults::{between, happens};
use super::link::{CLOSED, Direction, Item, Link, LinkId, Stage, WINDOW};
use super::{Arrival, Network};

impl Network {
    /// Something has come to the end of a link. Gives what a server has to see.
    pub(in super::super) fn arrives(
        &mut self,
        course: &mut Course,
        id: LinkId,
        direction: Direction,
        item: Item,
    ) -> Option<Arrival> {
        let link = self.links.get(&id)?;
        if matches!(item, Item::Reset) && (self.is_cut_off(link) || self.is_down(link, direction)) {
            // It is said once, and nobody asks for it again: the other end believes that the link stands.
            course.note("a reset is lost", id, &[]);
            return None;
        }
        let is_free = !self.is_held_up(link, direction);
        let pipe = self.links.get_mut(&id)?.pipe(direction);
        if is_free && pipe.held_up.is_empty() {
            return self.deliver(course, id, direction, item);
        }
        pipe.held_up.push_back(item);
        course.plan(course.instant(), Event::GoesOn(id, direction));
        None
    }

    /// What was held up goes on, one item at a time.
    pub(in super::super) fn goes_on(
        &mut self,
        course: &mut Course,
        id: LinkId,
        direction: Direction,
    ) -> Option<Arrival> {
        if self.is_held_up(self.links.get(&id)?, direction) {
            return None;
        }
        let link = self.links.get_mut(&id)?;
        if let Some(reset) = link.pipe(direction).held_up.iter().position(|item| matches!(item, Item::Reset)) {
            // It does not wait for what nobody will read any more.
            link.pipe(direction).held_up.drain(..reset);
        }
        let item = link.pipe(direction).held_up.pop_front()?;
        if !link.pipe(direction).held_up.is_empty() {
            course.plan(course.instant(), Event::GoesOn(id, direction));
        }
        self.deliver(course, id, direction, item)
    }

    /// Resets every link to `address`, as a box in between does.
    pub(in super::super) fn reset_all(&mut self, course: &mut Course, address: &str) {
        let is_open = |link: &Link| &*link.address == address && link.stage == Stage::Open;
        let ids: Vec<LinkId> = self.links.iter().filter(|(_, link)| is_open(link)).map(|(id, _)| *id).collect();
        for id in ids {
            for direction in [Direction::ToServer, Direction::ToClient] {
                self.put(course, id, direction, Item::Reset, Duration::ZERO);
            }
        }
    }

    fn deliver(&mut self, course: &mut Course, id: LinkId, direction: Direction, item: Item) -> Option<Arrival> {
        let link = self.links.get_mut(&id)?;
        match (direction, item) {
            (Direction::ToClient, Item::Bytes(bytes)) => {
                if !link.is_left_by_client && link.stage == Stage::Open {
                    link.inbox.extend_from_slice(&bytes);
                    course.wake(link.reader.take());
                } else {
                    link.pipe(Direction::ToClient).in_flight -= bytes.len();
                    self.flush(course, id);
                }
                None
            }
            (Direction::ToClient, Item::End) => {
                link.end(course, CLOSED);
                None
            }
            (Direction::ToClient, Item::Reset) => {
                let unread = std::mem::take(&mut link.inbox);
                link.pipe(Direction::ToClient).in_flight -= unread.len();
                link.end(course, "connection reset");
                if !link.is_left_by_server {
                    self.put(course, id, Direction::ToServer, Item::Reset, Duration::ZERO);
                }
                None
            }
            (Direction::ToServer, Item::Bytes(bytes)) => {
                link.pipe(Direction::ToServer).in_flight -= bytes.len();
                course.wake(link.writer.take());
                if link.is_left_by_server && !link.closes {
                    // Nobody there knows of this link.
                    self.put(course, id, Direction::ToClient, Item::Reset, Duration::ZERO);
                    return None;
                }
                (!link.is_left_by_server).then_some(Arrival::Bytes(bytes))
            }
            (Direction::ToServer, end @ (Item::End | Item::Reset)) => {
                let was_left = std::mem::replace(&mut link.is_left_by_server, true);
                link.backlog.clear();
                if matches!(end, Item::Reset) && link.stage == Stage::Open {
                    self.put(course, id, Direction::ToClient, Item::Reset, Duration::ZERO);
                }
                self.forget_if_left(id);
                (!was_left).then_some(Arrival::End)
            }
        }
    }

    /// Sends what the server has written, as far as there is room.
    pub(super) fn flush(&mut self, course: &mut Course, id: LinkId) {
        while let Some(link) = self.links.get_mut(&id) {
            let room = WINDOW.saturating_sub(link.pipe(Direction::ToClient).in_flight);
            let Some(front) = link.backlog.front_mut() else {
                if link.closes && !link.is_left_by_server {
                    link.is_left_by_server = true;
                    self.put(course, id, Direction::ToClient, Item::End, Duration::ZERO);
                    self.forget_if_left(id);
                } else if !link.pipe(Direction::ToServer).held_up.is_empty() {
                    // A server reads on when it has written.
                    course.plan(course.instant(), Event::GoesOn(id, Direction::ToServer));
                }
                return;
            };
            if room == 0 {
                return;
            }
            let bytes = front.split_to(room.min(front.len()));
            if front.is_empty() {
                link.backlog.pop_front();
            }
            self.send(course, id, Direction::ToClient, bytes);
        }
    }

    /// Puts bytes on their way, in pieces as the faults will have them.
    pub(super) fn send(&mut self, course: &mut Course, id: LinkId, direction: Direction, mut bytes: Bytes) {
        let faults = self.faults;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.pipe(direction).in_flight += bytes.len();
        let breaks_now = breaks_within(link, direction, &mut bytes);
        if breaks_now {
            let address = link.address.clone();
            if let Some(rule) = self.rules.get_mut(&*address) {
                rule.breaks_after = None;
            }
            self.set_breaks(&address, None);
        }
        while let Some(link) = self.links.get_mut(&id).filter(|_| !bytes.is_empty()) {
            let random = &mut link.random;
            if happens(random, faults.resets) {
                return self.put(course, id, direction, Item::Reset, Duration::ZERO);
            }
            let is_cut = happens(random, faults.cuts);
            let length = if is_cut { 1 + random.below(bytes.len() as u64) as usize } else { bytes.len() };
            let mut piece = bytes.split_to(length);
            let breaks = happens(random, faults.breaks);
            if breaks {
                piece.truncate(random.below(piece.len() as u64) as usize);
            }
            let is_stalled = happens(random, faults.stalls);
            let stall = if is_stalled { between(random, Duration::ZERO, faults.max_stall) } else { Duration::ZERO };
            let jitter = between(random, Duration::ZERO, faults.jitter);
            self.put(course, id, direction, Item::Bytes(piece), stall + jitter);
            if breaks {
                return self.put(course, id, direction, Item::Reset, Duration::ZERO);
            }
        }
        if breaks_now {
            self.put(course, id, direction, Item::Reset, Duration::ZERO);
        }
    }

    /// Puts an item on its way: it arrives after what was sent before it.
    pub(super) fn put(&mut self, course: &mut Course, id: LinkId, direction: Direction, item: Item, later: Duration) {
        let delay = self.links.get(&id).map_or(Duration::ZERO, |link| self.delay_of(link));
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let earliest = course.instant() + link.latency + delay + later;
        let pipe = link.pipe(direction);
        pipe.last_arrival = pipe.last_arrival.max(earliest);
        let arrival = pipe.last_arrival;
        course.plan(arrival, Event::Arrives(id, direction, item));
    }

    /// A rule holds it up, the lack of power, or the server, which does not read while it has something to write, but sees
    /// a reset.
    fn is_held_up(&self, link: &Link, direction: Direction) -> bool {
        let holds = |address: &str| self.rules.get(address).is_some_and(|rule| rule.holds(direction));
        let is_held_by_rule =
            || !self.rules.is_empty() && (holds(&link.address) || holds(&link.client.ip().to_string()));
        if is_held_by_rule() || self.is_cut_off(link) || self.is_down(link, direction) {
            return true;
        }
        let is_reset = || link.pipes[direction.index()].held_up.iter().any(|item| matches!(item, Item::Reset));
        direction == Direction::ToServer && !link.backlog.is_empty() && !is_reset()
    }
}

/// Counts bytes towards the break that a test has asked for. True when it falls within these, which are cut there.
fn breaks_within(link: &mut Link, direction: Direction, bytes: &mut Bytes) -> bool {
    let Some((_, left)) = link.breaks_after.as_mut().filter(|(wanted, _)| *wanted == direction) else {
        return false;
    };
    if let Some(rest) = left.checked_sub(bytes.len()).filter(|rest| *rest > 0) {
        *left = rest;
        return false;
    }
    bytes.truncate(*left);
    true
}
