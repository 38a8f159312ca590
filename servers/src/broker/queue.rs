//! One queue: where its messages stand in the log, by offset.

use std::collections::VecDeque;

/// There is always room for so many messages.
const FEW: usize = 4;

/// What a queue knows of one message, as an entry of Apache's `ConsumeQueue` does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The message's record in the log.
    pub(super) record: u64,
    /// Java's hash of its tag; 0 without one.
    pub(super) tags_code: i32,
}

/// A queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    min_offset: i64,
    entries: VecDeque<Entry>,
}

impl Queue {
    /// The first offset that is still there.
    pub(super) const fn min_offset(&self) -> i64 {
        self.min_offset
    }

    /// The offset of the next message.
    pub(super) fn max_offset(&self) -> i64 {
        self.min_offset + self.entries.len() as i64
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    /// The oldest message is gone from the log.
    pub(super) fn drop_oldest(&mut self) {
        if self.entries.pop_front().is_some() {
            self.min_offset += 1;
        }
        // What a queue has had room for once it need not have room for any more.
        if self.entries.len() < self.entries.capacity() / 2 && self.entries.capacity() > FEW {
            self.entries.shrink_to(self.entries.len() + self.entries.len() / 2);
        }
    }

    pub(super) fn get(&self, offset: i64) -> Option<Entry> {
        let index = usize::try_from(offset.checked_sub(self.min_offset)?).ok()?;
        self.entries.get(index).copied()
    }

    /// Messages with their offsets, from `offset` on, which is not below the first.
    pub(super) fn from(&self, offset: i64) -> impl Iterator<Item = (i64, Entry)> {
        let skipped = usize::try_from(offset - self.min_offset).unwrap_or_default().min(self.entries.len());
        (offset..).zip(self.entries.range(skipped..).copied())
    }

    /// The first offset whose message does not come before what is looked for; the queue is ordered by that.
    pub(super) fn partition_point(&self, mut comes_before: impl FnMut(Entry) -> bool) -> i64 {
        self.min_offset + self.entries.partition_point(|entry| comes_before(*entry)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Queue};

    #[test]
    fn offsets_stay_when_the_oldest_message_goes() {
        let mut queue = Queue::default();
        (0..5).for_each(|record| queue.push(Entry { record, tags_code: 0 }));
        queue.drop_oldest();
        queue.drop_oldest();
        assert_eq!((queue.min_offset(), queue.max_offset()), (2, 5));
        assert_eq!((queue.get(1).map(|entry| entry.record), queue.get(2).map(|entry| entry.record)), (None, Some(2)));
        assert_eq!(queue.from(3).map(|(offset, _)| offset).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(queue.partition_point(|entry| entry.record < 4), 4);
    }
}
