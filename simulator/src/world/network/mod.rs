//! A network in memory: links that keep the order of their bytes in each direction, and everything else that TCP does
//! not promise.

mod client_end;
mod faults;
mod link;
mod rules;
mod server_end;
mod travel;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::course::Course;
use super::events::Event;
pub use faults::Faults;
pub use link::Direction;
pub(super) use link::{Item, LinkId};
use link::{Link, Stage};
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
        self.go_on(course, |link| &*link.address == address || link.client.ip().to_string() == address);
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

    pub(super) fn forget_if_left(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| link.is_left_by_client && link.is_left_by_server) {
            self.links.remove(&id);
        }
    }
}
