//! A network in memory: links that keep the order of their bytes in each direction, and everything else that TCP does
//! not promise.

mod client_end;
mod faults;
mod link;
mod rules;
mod server_end;
mod travel;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bytes::Bytes;
use stgclient_core::time::Duration;

use super::course::Course;
use super::events::Event;
pub use faults::Faults;
pub use link::Direction;
pub(super) use link::{Item, LinkId};
use link::{Link, Stage};
use rules::{Break, Rule};

/// The links of a world.
pub(super) struct Network {
    seed: u64,
    faults: Faults,
    rules: BTreeMap<String, Rule>,
    /// Servers and machines without power.
    down: BTreeSet<String>,
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
        Self {
            seed,
            faults: Faults::NONE,
            rules: BTreeMap::new(),
            down: BTreeSet::new(),
            links: BTreeMap::new(),
            last_link: 0,
        }
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
        self.go_on(course, |link| &*link.address == address || link.client.ip().to_string() == address);
    }

    /// The first link to `address` that carries so many bytes more is to break; each counts its own.
    pub(super) fn break_after(&mut self, course: &mut Course, address: &str, breaks: Break) {
        self.rule(course, address, |rule| rule.breaks_after = Some(breaks));
        self.set_breaks(address, Some(breaks));
    }

    fn set_breaks(&mut self, address: &str, breaks: Option<Break>) {
        let links = self.links.values_mut().filter(|link| &*link.address == address);
        links.for_each(|link| link.breaks_after = breaks);
    }

    /// A server's machine has no power, or has it again. What is sent to it waits, and then meets one that does not know
    /// of it.
    pub(super) fn set_power(&mut self, course: &mut Course, address: &str, has_power: bool) {
        if has_power {
            self.down.remove(address);
            self.go_on(course, |link| &*link.address == address);
        } else {
            self.down.insert(address.to_owned());
        }
    }

    /// A machine of clients loses its power: its ends of links are gone without a word.
    pub(super) fn lose_machine(&mut self, course: &mut Course, ip: IpAddr) {
        self.down.insert(ip.to_string());
        let ids: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.client.ip() == ip).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(link) = self.links.get_mut(&id) {
                course.note("client loses power", id, &[]);
                link.is_left_by_client = true;
                link.is_left_by_server |= matches!(link.stage, Stage::Opening { .. });
                link.end(course, "no power");
            }
            self.forget_if_left(id);
        }
    }

    /// Takes every fault and every rule back.
    pub(super) fn heal(&mut self, course: &mut Course) {
        self.faults = Faults::NONE;
        self.rules.clear();
        self.links.values_mut().for_each(|link| link.breaks_after = None);
        self.go_on(course, |_| true);
    }

    fn go_on(&self, course: &mut Course, concerned: impl Fn(&Link) -> bool) {
        for (id, link) in self.links.iter().filter(|(_, link)| concerned(link)) {
            if matches!(link.stage, Stage::Opening { .. }) {
                // At worst it is decided twice, and the second time nothing is left to decide.
                course.plan_after(2 * (link.latency + self.delay_of(link)), Event::Opened(*id));
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

    /// By how much rules lengthen the way of a link.
    fn delay_of(&self, link: &Link) -> Duration {
        let delay = |address: &str| self.rules.get(address).map_or(Duration::ZERO, |rule| rule.delay);
        if self.rules.is_empty() { Duration::ZERO } else { delay(&link.address) + delay(&link.client.ip().to_string()) }
    }

    /// Whether the way between the ends of a link is cut. A server without power is not.
    fn is_cut_off(&self, link: &Link) -> bool {
        let is_cut_off = |address: &str| self.rules.get(address).is_some_and(|rule| rule.is_cut_off);
        !self.rules.is_empty() && (is_cut_off(&link.address) || is_cut_off(&link.client.ip().to_string()))
    }

    /// Whether whoever is to receive this has no power.
    fn is_down(&self, link: &Link, direction: Direction) -> bool {
        !self.down.is_empty()
            && match direction {
                Direction::ToServer => self.down.contains(&*link.address),
                Direction::ToClient => self.down.contains(&link.client.ip().to_string()),
            }
    }

    pub(super) fn forget_if_left(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.is_left_by_client && link.is_left_by_server) {
            self.links.remove(&id);
        }
    }
}
