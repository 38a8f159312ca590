//! A table of deadlines by dense key: the earliest at hand, each set, moved and cleared without a search.

use super::Instant;

/// Deadlines by key; keys are small and dense, as slots of a table are. Those that fall together keep the order they were
/// set in.
///
/// Most deadlines are time-outs of a few lengths, so of one length each is later than all before it, and nearly all are
/// cleared before they are due, since an answer comes. So they stand in a few lines, each in order, and a deadline goes
/// to the end of the first line whose last one is not later: nothing is compared but the ends. What fits into no line
/// goes to a heap. It allocates only to grow.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    /// By key.
    entries: Vec<Entry>,
    lines: [Line; LINES],
    heap: Vec<u32>,
    sequence: u64,
}

/// How many lines there are: for answers, long polls, whole operations, and one to spare.
const LINES: usize = 4;
const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    place: Position,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    Nowhere,
    Line { number: u8, before: u32, after: u32 },
    Heap { index: u32 },
}

/// The keys at both ends of a line.
#[derive(Clone, Copy, Debug)]
struct Line {
    first: u32,
    last: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self { first: NOBODY, last: NOBODY }
    }
}

impl Deadlines {
    /// Sets the deadline of `key`, in place of an earlier one.
    pub fn set(&mut self, key: u32, at: Instant) {
        self.clear(key);
        let index = key as usize;
        if self.entries.len() <= index {
            let nowhere = Entry { at, sequence: 0, place: Position::Nowhere };
            self.entries.resize(index + 1, nowhere);
        }
        self.sequence += 1;
        let place = self.place_for(key, at);
        self.entries[index] = Entry { at, sequence: self.sequence, place };
        if let Position::Heap { index } = place {
            self.heap.push(key);
            self.sift_up(index as usize);
        }
    }

    /// The end of a line, in which `key` then is the last; or the heap's.
    fn place_for(&mut self, key: u32, at: Instant) -> Position {
        for (number, line) in self.lines.iter_mut().enumerate() {
            let before = line.last;
            let number = number as u8;
            match self.entries.get_mut(before as usize) {
                None => {
                    *line = Line { first: key, last: key };
                    return Position::Line { number, before: NOBODY, after: NOBODY };
                }
                Some(Entry { at: last, place: Position::Line { after, .. }, .. }) if *last <= at => {
                    *after = key;
                    line.last = key;
                    return Position::Line { number, before, after: NOBODY };
                }
                Some(_) => {}
            }
        }
        Position::Heap { index: self.heap.len() as u32 }
    }

    /// Takes the deadline of `key` back, if it has one.
    pub fn clear(&mut self, key: u32) {
        let Some(entry) = self.entries.get_mut(key as usize) else {
            return;
        };
        match std::mem::replace(&mut entry.place, Position::Nowhere) {
            Position::Nowhere => {}
            Position::Line { number, before, after } => self.leave_line(number, before, after),
            Position::Heap { index } => self.leave_heap(index as usize),
        }
    }

    fn leave_line(&mut self, number: u8, before: u32, after: u32) {
        let line = &mut self.lines[usize::from(number)];
        match self.entries.get_mut(before as usize) {
            Some(Entry { place: Position::Line { after: next, .. }, .. }) => *next = after,
            _ => line.first = after,
        }
        match self.entries.get_mut(after as usize) {
            Some(Entry { place: Position::Line { before: last, .. }, .. }) => *last = before,
            _ => line.last = before,
        }
    }

    fn leave_heap(&mut self, index: usize) {
        self.heap.swap_remove(index);
        if index < self.heap.len() {
            self.sift_up(index);
            self.sift_down(index);
        }
    }

    /// The deadline of `key`, if it has one.
    pub fn at(&self, key: u32) -> Option<Instant> {
        self.entries.get(key as usize).filter(|entry| !matches!(entry.place, Position::Nowhere)).map(|entry| entry.at)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.first().map(|(at, ..)| at)
    }

    /// Takes out the earliest key whose deadline has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let (_, _, key) = self.first().filter(|(at, ..)| *at <= now)?;
        self.clear(key);
        Some(key)
    }

    fn first(&self) -> Option<(Instant, u64, u32)> {
        let firsts = self.lines.iter().map(|line| line.first).chain(self.heap.first().copied());
        let known = firsts.filter_map(|key| Some((key, self.entries.get(key as usize)?)));
        known.map(|(key, entry)| (entry.at, entry.sequence, key)).min()
    }

    fn order(&self, index: usize) -> (Instant, u64) {
        let entry = &self.entries[self.heap[index] as usize];
        (entry.at, entry.sequence)
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.order(parent) <= self.order(at) {
                break;
            }
            self.heap.swap(parent, at);
            self.note(at);
            at = parent;
        }
        self.note(at);
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|&child| child < self.heap.len());
            let least = children.chain([at]).min_by_key(|&index| self.order(index)).unwrap_or(at);
            if least == at {
                break;
            }
            self.heap.swap(at, least);
            self.note(at);
            at = least;
        }
        self.note(at);
    }

    fn note(&mut self, at: usize) {
        self.entries[self.heap[at] as usize].place = Position::Heap { index: at as u32 };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deadlines_that_fall_together_come_in_the_order_they_were_set() {
        let mut deadlines = Deadlines::default();
        for key in [4, 1, 3, 0, 2] {
            deadlines.set(key, Instant::from_micros(7));
        }
        let order: Vec<u32> = core::iter::from_fn(|| deadlines.pop_due(Instant::from_micros(7))).collect();
        assert_eq!(order, [4, 1, 3, 0, 2]);
    }

    proptest! {
        #[test]
        fn the_earliest_is_always_at_hand(steps in proptest::collection::vec((0_u32..60, proptest::option::of(0_u64..50)), 0..300)) {
            let mut deadlines = Deadlines::default();
            let mut model = BTreeMap::new();
            for (key, at) in steps {
                match at {
                    Some(at) => {
                        deadlines.set(key, Instant::from_micros(at));
                        model.insert(key, at);
                    }
                    None => {
                        deadlines.clear(key);
                        model.remove(&key);
                    }
                }
                prop_assert_eq!(deadlines.next().map(Instant::as_micros), model.values().min().copied());
            }
            while let Some(key) = deadlines.pop_due(Instant::from_micros(u64::MAX)) {
                let at = model.remove(&key);
                prop_assert!(at.is_some_and(|at| model.values().all(|&other| other >= at)));
            }
            prop_assert!(model.is_empty());
        }
    }
}
