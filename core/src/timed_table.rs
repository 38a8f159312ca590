//! A table of values with deadlines of their own: the earliest is at hand, whatever has changed, without a look at the others.

use crate::table::{Id, Table};
use crate::time::{Deadline, Deadlines, Instant};

/// Something that has work to do at a moment that it knows.
pub(crate) trait Timed {
    /// When, and why.
    fn poll_timeout(&self) -> Option<Deadline>;
}

/// Values by [`Id`]. Those that may have changed are asked for their deadlines when somebody wants to know the earliest.
#[derive(Debug)]
pub(crate) struct TimedTable<T> {
    table: Table<T>,
    /// By slot.
    deadlines: Deadlines,
    /// The slots whose deadlines may be others now, and by slot whether it is among them.
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

impl<T> Default for TimedTable<T> {
    fn default() -> Self {
        Self { table: Table::EMPTY, deadlines: Deadlines::default(), touched: Vec::new(), is_touched: Vec::new() }
    }
}

impl<T: Timed> TimedTable<T> {
    pub(crate) const fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> Id<T> {
        let id = self.table.insert(value);
        self.touch(id);
        id
    }

    pub(crate) fn remove(&mut self, id: Id<T>) -> Option<T> {
        self.touch(id);
        self.table.remove(id)
    }

    pub(crate) fn get(&self, id: Id<T>) -> Option<&T> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.touch(id);
        self.table.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.table.iter()
    }

    /// The ids in use, for a loop that changes the table.
    pub(crate) fn ids(&self) -> Vec<Id<T>> {
        self.table.ids()
    }

    /// The earliest deadline.
    pub(crate) fn next(&mut self) -> Option<Deadline> {
        self.refresh();
        let (_, key) = self.deadlines.next_key()?;
        self.table.id_of(key).and_then(|id| self.table.get(id)).and_then(Timed::poll_timeout)
    }

    /// The values whose deadlines have come.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Id<T>> {
        self.refresh();
        let mut due = Vec::new();
        while let Some(id) = self.deadlines.pop_due(now).and_then(|key| self.table.id_of(key)) {
            self.touch(id);
            due.push(id);
        }
        due
    }

    fn touch(&mut self, id: Id<T>) {
        let slot = id.slot();
        if self.is_touched.len() <= slot {
            self.is_touched.resize(slot + 1, false);
        }
        if !core::mem::replace(&mut self.is_touched[slot], true) {
            self.touched.push(id.key());
        }
    }

    fn refresh(&mut self) {
        while let Some(key) = self.touched.pop() {
            self.is_touched[key as usize] = false;
            let value = self.table.id_of(key).and_then(|id| self.table.get(id));
            match value.and_then(Timed::poll_timeout) {
                Some(deadline) if self.deadlines.at(key) == Some(deadline.at) => {}
                Some(deadline) => self.deadlines.set(key, deadline.at),
                None => self.deadlines.clear(key),
            }
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
            let mut table = TimedTable::default();
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
