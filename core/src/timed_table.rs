//! A table of values with deadlines of their own: the earliest is at hand, whatever has changed, without a look at the others.

use crate::table::{Id, Table};
use crate::time::{Deadline, Instant, Reason};

/// Something that has work to do at a moment that it knows.
pub(crate) trait Timed {
    /// When, and why.
    fn poll_timeout(&self) -> Option<Deadline>;
}

/// Values by [`Id`]. Those that may have changed are asked for their deadlines when somebody wants to know the earliest.
#[derive(Debug)]
pub(crate) struct TimedTable<T, K = T> {
    table: Table<T, K>,
    /// The earliest of ever larger groups of slots: the root is at 1, and below the place `n` are `2 n` and `2 n + 1`.
    earliest: Vec<Instant>,
    /// The earliest of all, as it was when somebody asked last: until something is touched, asking costs nothing.
    first: Option<Deadline>,
    /// By slot.
    reasons: Vec<Reason>,
    /// The slots whose deadlines may be others now, and by slot whether it is among them.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

/// No deadline: it is never due.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl<T, K> Default for TimedTable<T, K> {
    fn default() -> Self {
        Self {
            table: Table::EMPTY,
            earliest: vec![NEVER; 2],
            first: None,
            reasons: Vec::new(),
            touched: Vec::new(),
            is_touched: Vec::new(),
        }
    }
}

impl<T: Timed, K> TimedTable<T, K> {
    pub(crate) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> Id<K> {
        let id = self.table.insert(value);
        self.touch(id);
        id
    }

    pub(crate) fn remove(&mut self, id: Id<K>) -> Option<T> {
        self.touch(id);
        self.table.remove(id)
    }

    pub(crate) fn get(&self, id: Id<K>) -> Option<&T> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<K>) -> Option<&mut T> {
        self.touch(id);
        self.table.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<K>, &T)> {
        self.table.iter()
    }

    /// The ids in use, for a loop that changes the table.
    pub(crate) fn ids(&self) -> Vec<Id<K>> {
        self.table.ids()
    }

    /// The earliest deadline.
    pub(crate) fn next(&mut self) -> Option<Deadline> {
        if !self.touched.is_empty() {
            self.refresh();
            let at = self.earliest[1];
            self.first = (at != NEVER).then(|| Deadline { at, reason: self.reasons[self.first_at(at)] });
        }
        self.first
    }

    /// The values whose deadlines have come.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Id<K>> {
        if self.next().is_none_or(|first| first.at > now) {
            return Vec::new();
        }
        let mut due = Vec::new();
        while self.earliest[1] <= now && self.earliest[1] != NEVER {
            let slot = self.first_at(self.earliest[1]);
            self.set(slot, NEVER);
            // Only what is there has a deadline.
            if let Some(id) = self.table.id_of(slot as u32) {
                self.touch(id);
                due.push(id);
            }
        }
        due
    }

    /// The first slot with the earliest deadline.
    fn first_at(&self, at: Instant) -> usize {
        let leaves = self.earliest.len() / 2;
        let mut place = 1;
        while place < leaves {
            place = if self.earliest[2 * place] == at { 2 * place } else { 2 * place + 1 };
        }
        place - leaves
    }

    fn set(&mut self, slot: usize, at: Instant) {
        let mut place = self.earliest.len() / 2 + slot;
        self.earliest[place] = at;
        while place > 1 {
            place /= 2;
            let earliest = self.earliest[2 * place].min(self.earliest[2 * place + 1]);
            if self.earliest[place] == earliest {
                return;
            }
            self.earliest[place] = earliest;
        }
    }

    /// Makes room for twice as many slots.
    fn grow(&mut self) {
        let leaves = self.earliest.len() / 2;
        let known: Vec<Instant> = self.earliest[leaves..].to_vec();
        self.earliest = vec![NEVER; 4 * leaves];
        self.earliest[2 * leaves..3 * leaves].copy_from_slice(&known);
        for place in (1..2 * leaves).rev() {
            self.earliest[place] = self.earliest[2 * place].min(self.earliest[2 * place + 1]);
        }
    }

    fn touch(&mut self, id: Id<K>) {
        let slot = id.slot();
        if self.is_touched.len() <= slot {
            self.is_touched.resize(slot + 1, false);
            self.reasons.resize(slot + 1, Reason::Operation);
            while self.earliest.len() / 2 <= slot {
                self.grow();
            }
        }
        if !core::mem::replace(&mut self.is_touched[slot], true) {
            self.touched.push(id.key());
        }
    }

    fn refresh(&mut self) {
        while let Some(key) = self.touched.pop() {
            let slot = key as usize;
            self.is_touched[slot] = false;
            let value = self.table.id_of(key).and_then(|id| self.table.get(id));
            let deadline = value.and_then(Timed::poll_timeout);
            if let Some(deadline) = deadline {
                self.reasons[slot] = deadline.reason;
            }
            self.set(slot, deadline.map_or(NEVER, |deadline| deadline.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::time::Reason;

    #[derive(Debug)]
    struct Alarm(Option<u64>);

    impl Timed for Alarm {
        fn poll_timeout(&self) -> Option<Deadline> {
            self.0.map(|at| Deadline { at: Instant::from_micros(at), reason: Reason::Consumer })
        }
    }

    proptest! {
        #[test]
        fn the_earliest_of_all_is_known_whatever_changed(
            steps in proptest::collection::vec((0_u8..4, 0_usize..8, proptest::option::of(0_u64..50)), 0..200),
        ) {
            let mut table: TimedTable<Alarm> = TimedTable::default();
            let mut model: BTreeMap<Id<Alarm>, Option<u64>> = BTreeMap::new();
            for (step, which, at) in steps {
                let known = model.keys().nth(which).copied();
                match (step, known) {
                    (0, _) => {
                        model.insert(table.insert(Alarm(at)), at);
                    }
                    (1, Some(id)) => {
                        table.remove(id);
                        model.remove(&id);
                    }
                    (2, Some(id)) => {
                        table.get_mut(id).unwrap().0 = at;
                        model.insert(id, at);
                    }
                    (_, _) => {
                        let now = at.unwrap_or(0);
                        let mut due = table.due(Instant::from_micros(now));
                        due.sort_unstable();
                        let is_due = |entry: &(&Id<Alarm>, &Option<u64>)| entry.1.is_some_and(|at| at <= now);
                        prop_assert_eq!(due, model.iter().filter(is_due).map(|(id, _)| *id).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(table.next().map(|due| due.at.as_micros()), model.values().flatten().min().copied());
            }
        }
    }
}
