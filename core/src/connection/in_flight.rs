//! Requests that wait for their answer, by opaque.

use crate::time::{Deadlines, Instant};

/// A request that waits.
#[derive(Debug)]
struct Waiting<T> {
    opaque: i32,
    since: Instant,
    /// The deadline is not the last word: its owner may go on waiting.
    is_share: bool,
    owner: T,
}

/// A request whose deadline has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due<T> {
    pub(crate) owner: T,
    /// When it was made.
    pub(crate) since: Instant,
    /// Whether that was only a share of its time.
    pub(crate) is_share: bool,
}

/// Requests in flight: found by opaque, taken out when their deadline comes.
///
/// The index is a hash table of our own: unlike a map it allocates nothing but to grow.
#[derive(Debug)]
pub(crate) struct InFlight<T> {
    slots: Vec<Option<Waiting<T>>>,
    free: Vec<u32>,
    /// Slots by opaque, open addressing with linear probing; `EMPTY` where there is none.
    index: Vec<u32>,
    deadlines: Deadlines,
}

const EMPTY: u32 = u32::MAX;

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), index: vec![EMPTY; 16], deadlines: Deadlines::default() }
    }
}

impl<T> InFlight<T> {
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds a request; its opaque must not be in flight already.
    pub(crate) fn insert(&mut self, opaque: i32, now: Instant, (deadline, is_share): (Instant, bool), owner: T) {
        if (self.len() + 1) * 2 > self.index.len() {
            self.grow();
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize] = Some(Waiting { opaque, since: now, is_share, owner });
        self.index_slot(opaque, slot);
        self.deadlines.set(slot, deadline);
    }

    /// Takes out the request that `opaque` answers, and when it was made.
    pub(crate) fn remove(&mut self, opaque: i32) -> Option<(T, Instant)> {
        let mut at = self.home(opaque);
        loop {
            let slot = self.index[at];
            if slot == EMPTY {
                return None;
            }
            if self.opaque_of(slot) == Some(opaque) {
                self.close_gap(at);
                self.deadlines.clear(slot);
                return self.release(slot).map(|waiting| (waiting.owner, waiting.since));
            }
            at = self.next(at);
        }
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes out a request whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Due<T>> {
        let slot = self.deadlines.pop_due(now)?;
        let opaque = self.opaque_of(slot)?;
        let mut at = self.home(opaque);
        while self.index[at] != slot {
            at = self.next(at);
        }
        self.close_gap(at);
        let Waiting { since, is_share, owner, .. } = self.release(slot)?;
        Some(Due { owner, since, is_share })
    }

    /// Takes out every request, in the order of their deadlines.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let end = Instant::from_micros(u64::MAX);
        core::iter::from_fn(|| self.pop_due(end)).map(|due| due.owner).collect()
    }

    fn release(&mut self, slot: u32) -> Option<Waiting<T>> {
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    fn opaque_of(&self, slot: u32) -> Option<i32> {
        self.slots.get(slot as usize)?.as_ref().map(|waiting| waiting.opaque)
    }

    /// Where the search for an opaque begins. Opaques come from a counter: scattered by a multiplication with 2^32 over
    /// the golden ratio they hardly ever meet, while side by side each would stand in the way of the one before.
    const fn home(&self, opaque: i32) -> usize {
        let scattered = (opaque as u32).wrapping_mul(0x9E37_79B9);
        (scattered >> (32 - self.index.len().trailing_zeros())) as usize
    }

    const fn next(&self, at: usize) -> usize {
        (at + 1) & (self.index.len() - 1)
    }

    fn index_slot(&mut self, opaque: i32, slot: u32) {
        let mut at = self.home(opaque);
        while self.index[at] != EMPTY {
            at = self.next(at);
        }
        self.index[at] = slot;
    }

    /// Empties the place `gap` and moves those behind it up that would not be found any more.
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.index.len() - 1;
        let mut at = gap;
        loop {
            at = self.next(at);
            let slot = self.index[at];
            let Some(opaque) = self.opaque_of(slot).filter(|_| slot != EMPTY) else {
                break;
            };
            let home = self.home(opaque);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.index[gap] = slot;
                gap = at;
            }
        }
        self.index[gap] = EMPTY;
    }

    fn grow(&mut self) {
        self.index = vec![EMPTY; self.index.len() * 2];
        for slot in 0..self.slots.len() as u32 {
            if let Some(opaque) = self.opaque_of(slot) {
                self.index_slot(opaque, slot);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn each_answer_finds_its_request_once() {
        let mut in_flight = InFlight::default();
        for opaque in 1..=100 {
            in_flight.insert(opaque, at(0), (at(9), false), opaque * 10);
        }
        assert_eq!(in_flight.remove(50), Some((500, at(0))));
        assert_eq!(in_flight.remove(50), None);
        assert_eq!(in_flight.remove(-50), None);
        assert_eq!(in_flight.len(), 99);
    }

    #[test]
    fn what_is_due_leaves_earliest_first() {
        let mut in_flight = InFlight::default();
        for (opaque, deadline) in [(1, 30), (2, 10), (3, 20)] {
            in_flight.insert(opaque, at(0), (at(deadline), opaque == 2), opaque);
        }
        assert_eq!(in_flight.pop_due(at(9)), None);
        assert_eq!(in_flight.pop_due(at(20)), Some(Due { owner: 2, since: at(0), is_share: true }));
        assert_eq!(in_flight.pop_due(at(20)), Some(Due { owner: 3, since: at(0), is_share: false }));
        assert_eq!(in_flight.pop_due(at(20)), None);
        assert_eq!(in_flight.drain(), [1]);
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((any::<bool>(), 0_i32..64, 0_u64..100), 0..400)) {
            let mut in_flight = InFlight::default();
            let mut model = BTreeMap::new();
            for (insert, key, deadline) in steps {
                // Few low bits, so that places collide.
                let opaque = (key & 7) | ((key >> 3) << 20);
                if insert && !model.contains_key(&opaque) {
                    in_flight.insert(opaque, at(0), (at(deadline), false), deadline);
                    model.insert(opaque, deadline);
                } else {
                    prop_assert_eq!(in_flight.remove(opaque).map(|(owner, _)| owner), model.remove(&opaque));
                }
                prop_assert_eq!(in_flight.len(), model.len());
            }
            let mut left: Vec<u64> = model.into_values().collect();
            left.sort_unstable();
            prop_assert_eq!(in_flight.drain(), left);
        }
    }
}
