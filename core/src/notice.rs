//! What is worth a line in a log.
//!
//! The core logs nothing by itself. Whoever reads a log may do anything with what it reads, also use the client, and a host
//! keeps the core behind a lock: so hosts take notices out, and log them where nobody waits.

use core::fmt::{self, Display};
use std::collections::VecDeque;

use crate::sorted::SortedSet;
use crate::wire::odd::Odd;

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something is lost, or will never work.
    Error,
    /// Something is not as it should be.
    Warn,
    /// It happens now and then.
    Info,
    /// For whoever looks for a reason.
    Debug,
}

/// Something worth a line in a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// What happened, in words.
    pub what: &'static str,
    /// What it is about, by name: `group`, `topic`, `queue`, `offset`, `address`, `error`, and the like.
    pub about: Vec<(&'static str, String)>,
}

impl Notice {
    /// Something is lost, or will never work.
    pub const fn error(what: &'static str) -> Self {
        Self { severity: Severity::Error, what, about: Vec::new() }
    }

    /// Something is not as it should be.
    pub const fn warn(what: &'static str) -> Self {
        Self { severity: Severity::Warn, what, about: Vec::new() }
    }

    /// It happens now and then.
    pub const fn info(what: &'static str) -> Self {
        Self { severity: Severity::Info, what, about: Vec::new() }
    }

    /// For whoever looks for a reason.
    pub const fn debug(what: &'static str) -> Self {
        Self { severity: Severity::Debug, what, about: Vec::new() }
    }

    /// Says what it is about.
    #[must_use]
    pub fn about(mut self, name: &'static str, value: impl Display) -> Self {
        self.about.push((name, value.to_string()));
        self
    }

    /// What it is about, by this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.about.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        self.about.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// How many notices of each severity wait to be taken: of what a peer says over and over, nobody keeps it all.
const MOST: usize = 128;

/// How many notices are remembered that are said once. Of more than so many some are said again.
const MOST_SAID: usize = 256;

/// Notices that nobody has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    waiting: VecDeque<Notice>,
    /// What is said once and has been.
    said: SortedSet<String>,
    /// How many values of what servers wrote have been passed over.
    odd_values: u64,
    /// How many of each severity.
    counts: [usize; 4],
    /// How many found no room.
    left_out: u64,
}

impl Notices {
    pub(crate) fn push(&mut self, notice: Notice) {
        self.push_with(notice.severity, || notice);
    }

    /// Pushes a notice of this severity, which is made if there is room. Returns whether there was.
    pub(crate) fn push_with(&mut self, severity: Severity, notice: impl FnOnce() -> Notice) -> bool {
        let count = &mut self.counts[severity as usize];
        if *count >= MOST {
            self.left_out += 1;
            return false;
        }
        *count += 1;
        self.waiting.push_back(notice());
        true
    }

    /// Pushes a warning unless one about the same has been pushed.
    pub(crate) fn push_once(&mut self, about: impl Display, notice: impl FnOnce() -> Notice) {
        if self.said.len() >= MOST_SAID {
            self.said.clear();
        }
        let about = about.to_string();
        if !self.said.contains(&about) && self.push_with(Severity::Warn, notice) {
            self.said.insert(about);
        }
    }

    /// Counts what was passed over of what a server wrote, and says the first of it, once for each field.
    pub(crate) fn note_odd(&mut self, name: &'static str, value: impl Display, odd: &Odd) {
        let Some(first) = odd.first() else {
            return;
        };
        self.odd_values += u64::from(odd.count());
        let notice = || Notice::warn("a value that a server wrote is passed over").about(name, value);
        self.push_once(first.name(), || notice().about("error", first));
    }

    pub(crate) const fn odd_values(&self) -> u64 {
        self.odd_values
    }

    pub(crate) fn pop(&mut self) -> Option<Notice> {
        let next = self.waiting.pop_front();
        if let Some(notice) = &next {
            self.counts[notice.severity as usize] -= 1;
        }
        if next.is_none() && self.left_out > 0 {
            let count = core::mem::take(&mut self.left_out);
            return Some(Notice::warn("more happened than is told").about("count", count));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_once_is_said_later_if_there_was_no_room() {
        let mut notices = Notices::default();
        (0..MOST).for_each(|number| notices.push(Notice::warn("it happens").about("number", number)));
        let once = |notices: &mut Notices| notices.push_once("a", || Notice::warn("this, too"));
        once(&mut notices);
        let told = |notices: &mut Notices| {
            core::iter::from_fn(|| notices.pop()).filter(|notice| notice.what == "this, too").count()
        };
        assert_eq!(told(&mut notices), 0);
        once(&mut notices);
        once(&mut notices);
        assert_eq!(told(&mut notices), 1);
    }

    #[test]
    fn of_too_many_notices_the_first_are_kept_and_the_rest_are_counted() {
        let mut notices = Notices::default();
        (0..MOST + 3).for_each(|number| notices.push(Notice::info("it happens").about("number", number)));
        notices.push(Notice::warn("it matters"));
        let told: Vec<String> = core::iter::from_fn(|| notices.pop()).map(|notice| notice.to_string()).collect();
        assert_eq!((told.len(), &*told[0]), (MOST + 2, "it happens number=0"));
        assert_eq!(told[MOST..], ["it matters", "more happened than is told count=3"]);
    }
}
