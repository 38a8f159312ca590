//! A network in memory: links that keep the order of their bytes in each direction, and everything else that TCP does
//! not promise.

mod faults;
mod link;
mod rules;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use stgclient_core::random::Random;
use stgclient_core::time::Duration;

use super::course::Course;
use super::events::Event;
pub use faults::Faults;
use faults::{between, happens};
pub use link::Direction;
pub(super) use link::{Item, LinkId};
use link::{Link, Pipe, Stage, WINDOW};
use rules::Rule;

/// The links of a world.
pub(super) struct Network {
    seed: u64,
    faults: Faults,
    rules: BTreeMap<String, Rule>,
    links: BTreeMap<LinkId, Link>,
    last_link: LinkId,
}

/// What has arrived at a server.
pub(super) enum Arrival {
    Bytes(Bytes),
    /// The client's end is closed, or the link was reset.
    End,
}

impl Network {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, faults: Faults::NONE, rules: BTreeMap::new(), links: BTreeMap::new(), last_link: 0 }
    }

    /// How many links there are.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) const fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Changes how `address` is treated, and lets go on what is held up no longer.
    pub(super) fn rule(&mut self, course: &mut Course, address: &str, change: impl FnOnce(&mut Rule)) {
        let mut rule = self.rules.get(address).copied().unwrap_or_default();
        change(&mut rule);
        self.rules.insert(address.to_owned(), rule);
        self.go_on(course, |link| &*link.address == address);
    }

    /// Takes every fault and every rule back.
    pub(super) fn heal(&mut self, course: &mut Course) {
        self.faults = Faults::NONE;
        self.rules.clear();
        self.go_on(course, |_| true);
    }

    fn go_on(&self, course: &mut Course, concerned: impl Fn(&Link) -> bool) {
        for (id, link) in self.links.iter().filter(|(_, link)| concerned(link)) {
            if matches!(link.stage, Stage::Opening { .. }) {
                // At worst it is decided twice, and the second time nothing is left to decide.
                course.plan_after(2 * link.latency, Event::Opened(*id));
            }
            for direction in [Direction::ToServer, Direction::ToClient] {
                if !link.pipes[direction.index()].held_up.is_empty() {
                    course.plan(course.instant(), Event::GoesOn(*id, direction));
                }
            }
        }
    }

    fn rule_of(&self, address: &str) -> Rule {
        self.rules.get(address).copied().unwrap_or_default()
    }

    // The client's end.

    /// Begins to open a link.
    pub(super) fn open(&mut self, course: &mut Course, address: &str, client: SocketAddr) -> LinkId {
        self.last_link += 1;
        let id = self.last_link;
        course.note("opens", id, address.as_bytes());
        let mut random = Random::new(self.seed ^ id.wrapping_mul(0xA076_1D64_78BD_642F));
        let rule = self.rule_of(address);
        let latency = between(&mut random, self.faults.min_latency, self.faults.max_latency);
        let is_refused = rule.refuses || happens(&mut random, self.faults.refusals);
        let is_silent = rule.is_silent || happens(&mut random, self.faults.silences);
        if !is_silent {
            course.plan_after(2 * latency, Event::Opened(id));
        }
        let link = Link {
            address: address.into(),
            client,
            random,
            latency,
            stage: Stage::Opening { is_refused },
            pipes: [Pipe::default(), Pipe::default()],
            inbox: BytesMut::new(),
            reader: None,
            writer: None,
            backlog: VecDeque::new(),
            closes: false,
            is_left_by_client: false,
            is_left_by_server: false,
        };
        self.links.insert(id, link);
        id
    }

    pub(super) fn poll_open(&mut self, id: LinkId, context: &Context<'_>) -> Poll<Result<(), &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        match link.stage {
            Stage::Opening { .. } => {
                link.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Stage::Open => Poll::Ready(Ok(())),
            Stage::Over(reason) => Poll::Ready(Err(reason)),
        }
    }

    /// Takes bytes from the client, as many as there is room for.
    pub(super) fn poll_write(
        &mut self,
        course: &mut Course,
        id: LinkId,
        context: &Context<'_>,
        bytes: &mut impl Buf,
    ) -> Poll<Result<(), &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        if let Stage::Over(reason) = link.stage {
            return Poll::Ready(Err(reason));
        }
        let room = WINDOW.saturating_sub(link.pipe(Direction::ToServer).in_flight).min(bytes.remaining());
        if room == 0 {
            link.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let bytes = bytes.copy_to_bytes(room);
        course.note("client writes", id, &bytes);
        self.send(course, id, Direction::ToServer, bytes);
        Poll::Ready(Ok(()))
    }

    /// Gives the client what has arrived; false at the end of it.
    pub(super) fn poll_read(
        &mut self,
        course: &mut Course,
        id: LinkId,
        context: &Context<'_>,
        into: &mut BytesMut,
    ) -> Poll<Result<bool, &'static str>> {
        let Some(link) = self.links.get_mut(&id) else {
            return Poll::Ready(Err("closed"));
        };
        if link.inbox.is_empty() {
            return match link.stage {
                Stage::Over(CLOSED) => Poll::Ready(Ok(false)),
                Stage::Over(reason) => Poll::Ready(Err(reason)),
                Stage::Opening { .. } | Stage::Open => {
                    link.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let count = link.inbox.len();
        into.extend_from_slice(&link.inbox);
        link.inbox.clear();
        link.pipe(Direction::ToClient).in_flight -= count;
        self.flush(course, id);
        Poll::Ready(Ok(true))
    }

    /// The client lets go of its end.
    pub(super) fn leave(&mut self, course: &mut Course, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        course.note("client leaves", id, &[]);
        link.is_left_by_client = true;
        match link.stage {
            Stage::Open => self.put(course, id, Direction::ToServer, Item::End, Duration::ZERO),
            // No server knows of it.
            Stage::Opening { .. } => link.is_left_by_server = true,
            Stage::Over(_) => {}
        }
        self.forget_if_left(id);
    }

    // The server's end.

    /// The attempt to open a link is decided. Gives the address that has to accept it, and who comes.
    pub(super) fn opened(&mut self, course: &mut Course, id: LinkId) -> Option<(String, SocketAddr)> {
        let address = self.links.get(&id)?.address.clone();
        let is_silent = self.rule_of(&address).is_silent;
        let link = self.links.get_mut(&id)?;
        let Stage::Opening { is_refused } = link.stage else {
            return None;
        };
        if is_silent {
            return None;
        }
        if is_refused {
            self.refuse(course, id);
            return None;
        }
        Some((address.to_string(), link.client))
    }

    /// The server takes the link.
    pub(super) fn accept(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            course.note("accepted", id, &[]);
            link.stage = Stage::Open;
            course.wake(link.reader.take());
            course.wake(link.writer.take());
        }
    }

    /// Nobody takes the link.
    pub(super) fn refuse(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            course.note("refused", id, &[]);
            link.is_left_by_server = true;
            end(link, course, "connection refused");
        }
    }

    /// The server sends bytes, which wait until there is room for them.
    pub(super) fn server_writes(&mut self, course: &mut Course, id: LinkId, bytes: Bytes) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server writes", id, &bytes);
            link.backlog.push_back(bytes);
            self.flush(course, id);
        }
    }

    /// The server closes its end once everything is sent.
    pub(super) fn server_closes(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server closes", id, &[]);
            link.closes = true;
            self.flush(course, id);
        }
    }

    /// The server is gone, and with it what it has not sent.
    pub(super) fn server_resets(&mut self, course: &mut Course, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id).filter(|link| !link.is_left_by_server) {
            course.note("server resets", id, &[]);
            link.backlog.clear();
            link.is_left_by_server = true;
            self.put(course, id, Direction::ToClient, Item::Reset, Duration::ZERO);
            self.forget_if_left(id);
        }
    }

    /// Something has come to the end of a link. Gives what a server has to see.
    pub(super) fn arrives(
        &mut self,
        course: &mut Course,
        id: LinkId,
        direction: Direction,
        item: Item,
    ) -> Option<Arrival> {
        let link = self.links.get_mut(&id)?;
        let is_held_up = is_held_up(&self.rules, link, direction);
        let pipe = link.pipe(direction);
        if is_held_up || !pipe.held_up.is_empty() {
            pipe.held_up.push_back(item);
            return None;
        }
        self.deliver(course, id, direction, item)
    }

    /// What was held up goes on, one item at a time.
    pub(super) fn goes_on(&mut self, course: &mut Course, id: LinkId, direction: Direction) -> Option<Arrival> {
        let link = self.links.get_mut(&id)?;
        if is_held_up(&self.rules, link, direction) {
            return None;
        }
        let item = link.pipe(direction).held_up.pop_front()?;
        if !link.pipe(direction).held_up.is_empty() {
            course.plan(course.instant(), Event::GoesOn(id, direction));
        }
        self.deliver(course, id, direction, item)
    }

    /// Resets every link to `address`, as a box in between does.
    pub(super) fn reset_all(&mut self, course: &mut Course, address: &str) {
        let is_open = |link: &Link| &*link.address == address && link.stage == Stage::Open;
        let ids: Vec<LinkId> = self.links.iter().filter(|(_, link)| is_open(link)).map(|(id, _)| *id).collect();
        for id in ids {
            for direction in [Direction::ToServer, Direction::ToClient] {
                self.put(course, id, direction, Item::Reset, Duration::ZERO);
            }
        }
    }

    // In between.

    fn deliver(&mut self, course: &mut Course, id: LinkId, direction: Direction, item: Item) -> Option<Arrival> {
        let link = self.links.get_mut(&id)?;
        match (direction, item) {
            (Direction::ToClient, Item::Bytes(bytes)) => {
                if !link.is_left_by_client && link.stage == Stage::Open {
                    link.inbox.extend_from_slice(&bytes);
                    course.wake(link.reader.take());
                }
                None
            }
            (Direction::ToClient, Item::End) => {
                end(link, course, CLOSED);
                None
            }
            (Direction::ToClient, Item::Reset) => {
                link.inbox.clear();
                end(link, course, "connection reset");
                if !link.is_left_by_server {
                    self.put(course, id, Direction::ToServer, Item::Reset, Duration::ZERO);
                }
                None
            }
            (Direction::ToServer, Item::Bytes(bytes)) => {
                link.pipe(Direction::ToServer).in_flight -= bytes.len();
                course.wake(link.writer.take());
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
    fn flush(&mut self, course: &mut Course, id: LinkId) {
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
    fn send(&mut self, course: &mut Course, id: LinkId, direction: Direction, mut bytes: Bytes) {
        let faults = self.faults;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.pipe(direction).in_flight += bytes.len();
        let breaks_now =
            self.rules.get_mut(&*link.address).is_some_and(|rule| breaks_within(rule, direction, &mut bytes));
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
    fn put(&mut self, course: &mut Course, id: LinkId, direction: Direction, item: Item, later: Duration) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let delay = self.rules.get(&*link.address).map_or(Duration::ZERO, |rule| rule.delay);
        let earliest = course.instant() + link.latency + delay + later;
        let pipe = link.pipe(direction);
        pipe.last_arrival = pipe.last_arrival.max(earliest);
        let arrival = pipe.last_arrival;
        course.plan(arrival, Event::Arrives(id, direction, item));
    }

    fn forget_if_left(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.is_left_by_client && link.is_left_by_server) {
            self.links.remove(&id);
        }
    }
}

/// The reason of an end that nobody is to blame for.
const CLOSED: &str = "closed by the server";

/// The link is over for its client.
fn end(link: &mut Link, course: &mut Course, reason: &'static str) {
    if !matches!(link.stage, Stage::Over(_)) {
        link.stage = Stage::Over(reason);
        course.wake(link.reader.take());
        course.wake(link.writer.take());
    }
}

/// A rule holds it up, or the server, which does not read while it has something to write.
fn is_held_up(rules: &BTreeMap<String, Rule>, link: &Link, direction: Direction) -> bool {
    let is_by_rule = rules.get(&*link.address).is_some_and(|rule| rule.holds(direction));
    is_by_rule || direction == Direction::ToServer && !link.backlog.is_empty()
}

/// Counts bytes towards the break that a test has asked for. True when it falls within these, which are cut there.
fn breaks_within(rule: &mut Rule, direction: Direction, bytes: &mut Bytes) -> bool {
    let Some((_, left)) = rule.breaks_after.as_mut().filter(|(wanted, _)| *wanted == direction) else {
        return false;
    };
    if let Some(rest) = left.checked_sub(bytes.len()).filter(|rest| *rest > 0) {
        *left = rest;
        return false;
    }
    bytes.truncate(*left);
    rule.breaks_after = None;
    true
}
