//! A table of deadlines by dense key: the earliest at hand, each set, moved and cleared without a search.

use super::Instant;

/// Deadlines by key; keys are small and dense, as slots of a table are.
///
/// A binary heap that knows where each key stands. Deadlines that fall together keep the order they were set in.
/// Most deadlines are cleared long before they are due (an answer comes), and most are later than all before them
/// (time-outs of one length), which is where this heap is cheapest. It allocates only to grow.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    heap: Vec<Entry>,
    /// Where in the heap a key stands; `ABSENT` when it has no deadline.
    position: Vec<u32>,
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    key: u32,
}

const ABSENT: u32 = u32::MAX;

impl Deadlines {
    /// Sets the deadline of `key`, in place of an earlier one.
    pub fn set(&mut self, key: u32, at: Instant) {
        self.clear(key);
        let index = key as usize;
        if self.position.len() <= index {
            self.position.resize(index + 1, ABSENT);
        }
        self.sequence += 1;
        self.heap.push(Entry { at, sequence: self.sequence, key });
        self.sift_up(self.heap.len() - 1);
    }

    /// Takes the deadline of `key` back, if it has one.
    pub fn clear(&mut self, key: u32) {
        let Some(&position) = self.position.get(key as usize).filter(|&&position| position != ABSENT) else {
            return;
        };
        self.position[key as usize] = ABSENT;
        let position = position as usize;
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.sift_up(position);
            self.sift_down(position);
        }
    }

    /// Whether `key` has a deadline.
    pub fn is_set(&self, key: u32) -> bool {
        self.position.get(key as usize).is_some_and(|&position| position != ABSENT)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes out the earliest key whose deadline has come.
    pub fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let first = self.heap.first().filter(|entry| entry.at <= now)?;
        let key = first.key;
        self.clear(key);
        Some(key)
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent] <= self.heap[at] {
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
            let (left, right) = (2 * at + 1, 2 * at + 2);
            let mut least = at;
            for child in [left, right] {
                if child < self.heap.len() && self.heap[child] < self.heap[least] {
                    least = child;
                }
            }
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
        self.position[self.heap[at].key as usize] = at as u32;
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
        fn the_earliest_is_always_at_hand(steps in proptest::collection::vec((0_u32..20, proptest::option::of(0_u64..50)), 0..200)) {
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
