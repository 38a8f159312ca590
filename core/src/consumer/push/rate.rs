//! A bound on how many messages a second are delivered: tokens that come back steadily, up to a second's worth.

use crate::time::{Duration, Instant};

const SECOND: u64 = 1_000_000;

/// A bound of so many messages a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    most: u64,
    /// Millionths of a message: so that nothing is rounded away.
    tokens: u64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(now: Instant, most: u32) -> Self {
        Self { most: most.into(), tokens: SECOND, at: now }
    }

    /// How many messages may be delivered now.
    pub(super) fn allowed(&mut self, now: Instant) -> usize {
        let passed = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
        self.at = self.at.max(now);
        let come = passed.min(SECOND) * self.most;
        self.tokens = self.tokens.saturating_add(come).min(self.most * SECOND);
        usize::try_from(self.tokens / SECOND).unwrap_or(usize::MAX)
    }

    pub(super) fn spend(&mut self, count: usize) {
        self.tokens = self.tokens.saturating_sub(count as u64 * SECOND);
    }

    /// When the next message may be delivered.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let missing = SECOND.saturating_sub(self.tokens);
        now + Duration::from_micros(missing.div_ceil(self.most).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn in_the_long_run_no_more_go_than_are_allowed_and_no_fewer() {
        for most in [1, 3, 7, 1000] {
            let mut rate = Rate::new(at(0), most);
            let (mut now, mut count) = (at(0), 0);
            while now < at(10 * SECOND) {
                let allowed = rate.allowed(now);
                rate.spend(allowed);
                count += allowed as u64;
                now = rate.next(now);
            }
            assert!((u64::from(most) * 10..=u64::from(most) * 10 + 1).contains(&count), "{most}: {count}");
        }
    }

    #[test]
    fn after_a_rest_a_second_s_worth_may_go_at_once() {
        let mut rate = Rate::new(at(0), 5);
        assert_eq!(rate.allowed(at(100 * SECOND)), 5);
        rate.spend(5);
        assert_eq!(rate.allowed(at(100 * SECOND)), 0);
        assert_eq!(rate.next(at(100 * SECOND)), at(100 * SECOND + SECOND / 5));
    }
}
