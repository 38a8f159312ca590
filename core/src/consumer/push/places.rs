//! How far a consumer is on queues that it has or had: where it goes on when no broker knows, and what a broadcasting
//! consumer has its application store.

use std::collections::BTreeMap;

use crate::queue::MessageQueue;
use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};

/// A place is forgotten when its queue has not been ours for so long: by then brokers have deleted what it points at
/// (`MessageStoreConfig.fileReservedTime`).
pub(super) const KEPT_FOR: Duration = Duration::from_secs(72 * 60 * 60);

/// All are stored when one has changed: so much time lies between two stores for each, that queues which begin one by one cost
/// no more than if they began together.
const PAUSE_PER_OFFSET: Duration = Duration::from_micros(20);

#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    noted_at: Instant,
}

/// Offsets by queue.
#[derive(Debug)]
pub(super) struct Places {
    by_queue: SortedMap<MessageQueue, Place>,
    /// Something has changed that was not given to be stored, or could not be.
    is_unstored: bool,
    /// What was given to be stored is on its way.
    is_under_way: bool,
    /// It must not wait for the interval.
    is_urgent: bool,
    /// What is urgent is not stored before.
    rests_until: Instant,
}

impl Places {
    /// What was stored last.
    pub(super) fn new(now: Instant, stored: BTreeMap<MessageQueue, u64>) -> Self {
        let place = |offset| Place { offset, noted_at: now };
        let by_queue = stored.into_iter().map(|(queue, offset)| (queue, place(offset))).collect();
        Self { by_queue, is_unstored: false, is_under_way: false, is_urgent: false, rests_until: now }
    }

    pub(super) fn get(&self, queue: &MessageQueue) -> Option<u64> {
        self.by_queue.get(queue).map(|place| place.offset)
    }

    /// Whether there is one on a queue of a topic.
    pub(super) fn has_any_of(&self, topic: &str) -> bool {
        let first = MessageQueue::new(topic, "", 0);
        self.by_queue.iter_from(&first).next().is_some_and(|(queue, _)| &*queue.topic == topic)
    }

    /// The consumer has come to `offset`.
    pub(super) fn note(&mut self, now: Instant, queue: &MessageQueue, offset: u64) {
        if let Some(known) = self.by_queue.get_mut(queue) {
            known.noted_at = now;
            if core::mem::replace(&mut known.offset, offset) == offset {
                return;
            }
        } else {
            self.by_queue.insert(queue.clone(), Place { offset, noted_at: now });
        }
        self.is_unstored = true;
    }

    /// What has changed is to be stored as soon as may be.
    pub(super) const fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// From when on something is to be stored without waiting for the interval, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.is_urgent && self.is_unstored && !self.is_under_way).then_some(self.rests_until)
    }

    /// Whether something that must not wait is not stored yet.
    pub(super) const fn is_busy(&self) -> bool {
        self.is_under_way || (self.is_urgent && self.is_unstored)
    }

    /// Forgets what points at nothing any more.
    pub(super) fn prune(&mut self, now: Instant) {
        self.by_queue.retain(|_, place| now.since(place.noted_at) < KEPT_FOR);
    }

    /// What is to be stored, if anything is that is not. One store is under way at a time.
    pub(super) fn take_unstored(&mut self, now: Instant) -> Option<BTreeMap<MessageQueue, u64>> {
        if !self.is_unstored || self.is_under_way {
            return None;
        }
        (self.is_unstored, self.is_under_way, self.is_urgent) = (false, true, false);
        let count = u32::try_from(self.by_queue.len()).unwrap_or(u32::MAX);
        self.rests_until = now + PAUSE_PER_OFFSET * count;
        Some(self.by_queue.iter().map(|(queue, place)| (queue.clone(), place.offset)).collect())
    }

    /// What is on its way to being stored may not arrive, and nobody will say so: it is given once more.
    pub(super) const fn doubt(&mut self) {
        self.is_unstored |= core::mem::replace(&mut self.is_under_way, false);
    }

    /// What was taken last has been stored, or could not be.
    pub(super) const fn note_stored(&mut self, is_stored: bool) {
        let was_under_way = core::mem::replace(&mut self.is_under_way, false);
        self.is_unstored |= was_under_way && !is_stored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_stored_is_stored_with_what_comes_next() {
        let (now, queue) = (Instant::default(), MessageQueue::new("T", "a", 0));
        let mut places = Places::new(now, BTreeMap::new());
        assert_eq!(places.take_unstored(now), None);
        places.note(now, &queue, 3);
        assert!(places.take_unstored(now).is_some());
        assert_eq!(places.take_unstored(now), None, "it is on its way");
        places.note_stored(false);
        assert_eq!(places.take_unstored(now), Some(BTreeMap::from([(queue.clone(), 3)])));
        places.note(now, &queue, 4);
        assert_eq!(places.take_unstored(now), None, "one at a time");
        places.note_stored(true);
        assert_eq!(places.take_unstored(now), Some(BTreeMap::from([(queue, 4)])), "that was the one before");
    }

    #[test]
    fn however_many_queues_begin_one_by_one_no_more_offsets_are_stored_than_time_passes() {
        let (start, mut stored) = (Instant::default(), 0);
        let mut places = Places::new(start, BTreeMap::new());
        let mut now = start;
        for id in 0..1_000 {
            places.note(now, &MessageQueue::new("T", "a", id), 3);
            places.hurry();
            if places.due().is_some_and(|at| at <= now) {
                stored += places.take_unstored(now).unwrap().len();
                places.note_stored(true);
            }
            now = now + PAUSE_PER_OFFSET;
        }
        assert!((1..=1_000 + 512).contains(&stored), "{stored}");
        now = places.due().expect("the last is still to be stored");
        assert_eq!(places.take_unstored(now).unwrap().len(), 1_000);
    }

    #[test]
    fn a_place_on_a_queue_that_has_not_been_ours_for_days_is_forgotten() {
        let (now, queue) = (Instant::default(), MessageQueue::new("T", "a", 0));
        let mut places = Places::new(now, BTreeMap::from([(queue.clone(), 7)]));
        places.prune(now + KEPT_FOR / 2);
        assert_eq!(places.get(&queue), Some(7));
        places.prune(now + KEPT_FOR);
        assert_eq!(places.get(&queue), None);
    }
}
