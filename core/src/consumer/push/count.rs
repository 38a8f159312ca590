//! A count that also knows how much of it came lately.

use crate::time::Instant;

/// How far back a count looks, in seconds.
const SECONDS: u64 = 60;

/// How often something happened: in all, and in the last minute, second by second.
#[derive(Clone, Debug)]
pub(super) struct Count {
    total: u64,
    by_second: [u32; SECONDS as usize],
    /// The second that was counted last.
    second: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self { total: 0, by_second: [0; SECONDS as usize], second: 0 }
    }
}

const fn second_of(now: Instant) -> u64 {
    now.as_micros() / 1_000_000
}

impl Count {
    pub(super) fn add(&mut self, now: Instant, count: usize) {
        let second = second_of(now).max(self.second);
        // What is older than a minute makes room.
        for gone in (self.second + 1..=second).rev().take(SECONDS as usize) {
            self.by_second[(gone % SECONDS) as usize] = 0;
        }
        self.second = second;
        self.total += count as u64;
        let here = &mut self.by_second[(second % SECONDS) as usize];
        *here = here.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// How often in the last minute.
    pub(super) fn last_minute(&self, now: Instant) -> u64 {
        let now = second_of(now);
        let ages = (0..SECONDS).filter(|age| *age <= self.second && self.second - age + SECONDS > now);
        ages.map(|age| u64::from(self.by_second[((self.second - age) % SECONDS) as usize])).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_is_older_than_a_minute_counts_in_all_but_not_lately() {
        let mut count = Count::default();
        count.add(at(5), 3);
        count.add(at(5), 1);
        count.add(at(64), 10);
        assert_eq!((count.total(), count.last_minute(at(64))), (14, 14));
        assert_eq!(count.last_minute(at(65)), 10);
        assert_eq!(count.last_minute(at(123)), 10);
        assert_eq!(count.last_minute(at(124)), 0);
        count.add(at(1000), 7);
        assert_eq!((count.total(), count.last_minute(at(1000))), (21, 7));
    }

    #[test]
    fn a_minute_at_one_pace_counts_sixty_seconds_of_it() {
        let mut count = Count::default();
        for second in 0..200 {
            count.add(at(second), 2);
        }
        assert_eq!(count.last_minute(at(199)), 120);
    }
}
