//! What may go wrong on a network, and how often.

use stgclient_core::random::Random;
use stgclient_core::time::Duration;

/// How a network treats links and their bytes. Chances are per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// The shortest time that bytes take from one end to the other. Each link draws its own.
    pub min_latency: Duration,
    /// The longest.
    pub max_latency: Duration,
    /// By how much each piece may be later than that.
    pub jitter: Duration,
    /// How likely the next piece of what is written ends somewhere within.
    pub cuts: u16,
    /// How likely an attempt to connect is refused.
    pub refusals: u16,
    /// How likely an attempt to connect is never decided.
    pub silences: u16,
    /// How likely a piece is preceded by the link's reset.
    pub resets: u16,
    /// How likely the link is reset in the middle of a piece.
    pub breaks: u16,
    /// How likely a piece waits, and everything after it.
    pub stalls: u16,
    /// How long it waits at the most.
    pub max_stall: Duration,
}

impl Faults {
    /// Nothing goes wrong: 100 microseconds for every piece, nothing is cut.
    pub const NONE: Self = Self {
        min_latency: Duration::from_micros(100),
        max_latency: Duration::from_micros(100),
        jitter: Duration::ZERO,
        cuts: 0,
        refusals: 0,
        silences: 0,
        resets: 0,
        breaks: 0,
        stalls: 0,
        max_stall: Duration::ZERO,
    };

    /// A network of its own kind for each seed: every fault is left out with one chance in two and has a rate of its
    /// own otherwise, so that some runs have much of one kind and nothing of another.
    pub fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let min_latency = Duration::from_micros(20 + random.below(2_000));
        let mut chance = |most: u64| {
            let is_on = random.below(2) == 1;
            let rate = 1 + random.below(most);
            if is_on { rate as u16 } else { 0 }
        };
        Self {
            cuts: chance(900),
            refusals: chance(200),
            silences: chance(50),
            resets: chance(20),
            breaks: chance(20),
            stalls: chance(30),
            min_latency,
            max_latency: min_latency + Duration::from_micros(random.below(20_000)),
            jitter: Duration::from_micros(random.below(10_000)),
            max_stall: Duration::from_millis(1 + random.below(8_000)),
        }
    }
}

/// Whether something happens that happens `rate` times in a thousand. Draws nothing when it never does.
pub(super) const fn happens(random: &mut Random, rate: u16) -> bool {
    rate > 0 && random.below(1000) < rate as u64
}

/// A duration from `from` to `to`. Draws nothing when they are the same.
pub(super) fn between(random: &mut Random, from: Duration, to: Duration) -> Duration {
    let spread = to.saturating_sub(from).as_micros() as u64;
    if spread == 0 { from } else { from + Duration::from_micros(random.below(spread + 1)) }
}
