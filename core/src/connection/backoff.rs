//! How long to wait before a broken connection is tried again.

use crate::random::Random;
use crate::time::Duration;

/// Doubling pauses with jitter: half of each pause is certain, half is drawn, so that many clients do not come back
/// together.
#[derive(Clone, Debug)]
pub struct Backoff {
    least: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from about `least` to `most`.
    pub const fn new(least: Duration, most: Duration) -> Self {
        Self { least, most, failures: 0 }
    }

    /// The pause after one more failure.
    pub fn next_pause(&mut self, random: &mut Random) -> Duration {
        let full = self.least.saturating_mul(1_u32 << self.failures.min(20)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
        half + Duration::from_micros(random.below(micros.saturating_add(1)))
    }

    /// Whether there was a failure since the last success.
    pub const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// The connection stands: the next pause is a short one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_most_and_start_again() {
        let (least, most) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(least, most);
        let mut random = Random::new(1);
        let mut expected = least;
        for _ in 0..40 {
            let pause = backoff.next_pause(&mut random);
            assert!(pause >= expected / 2 && pause <= expected, "{pause:?} for {expected:?}");
            expected = (expected * 2).min(most);
        }
        backoff.reset();
        assert!(backoff.next_pause(&mut random) <= least);
    }
}
