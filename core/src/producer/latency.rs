//! Which brokers were slow or failed lately, and for how long they are avoided (`MQFaultStrategy`).

use crate::sorted::SortedMap;
use crate::time::{Duration, Instant};

/// From which latency on (ms) a broker is avoided for how long (ms): `MQFaultStrategy.latencyMax` and
/// `notAvailableDuration` of 5.x.
const TABLE: [(u64, u64); 7] =
    [(50, 0), (100, 0), (550, 2000), (1800, 5000), (3000, 6000), (5000, 10_000), (15_000, 30_000)];

/// What a failed try counts as.
const FAILURE: Duration = Duration::from_millis(10_000);

/// How long a broker that took `latency` is avoided.
pub fn avoided_for(latency: Duration) -> Duration {
    let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    let row = TABLE.iter().rev().find(|(least, _)| millis >= *least);
    Duration::from_millis(row.map_or(0, |(_, avoided)| *avoided))
}

/// The latency-fault table: until when each broker is avoided. `K` names a broker.
#[derive(Clone, Debug)]
pub struct LatencyFaults<K> {
    avoided_until: SortedMap<K, Instant>,
}

impl<K> Default for LatencyFaults<K> {
    fn default() -> Self {
        Self { avoided_until: SortedMap::new() }
    }
}

impl<K: Ord + Copy> LatencyFaults<K> {
    /// A try at `broker` took `latency`, and was answered.
    pub fn note_answer(&mut self, now: Instant, broker: K, latency: Duration) {
        let avoided = avoided_for(latency);
        if avoided > Duration::ZERO {
            self.avoided_until.insert(broker, now + avoided);
        } else if !self.avoided_until.is_empty() {
            self.avoided_until.remove(&broker);
        }
    }

    /// A try at `broker` failed.
    pub fn note_failure(&mut self, now: Instant, broker: K) {
        self.avoided_until.insert(broker, now + avoided_for(FAILURE));
    }

    /// Whether `broker` is not to be avoided now.
    pub fn is_available(&self, now: Instant, broker: K) -> bool {
        self.avoided_until.get(&broker).is_none_or(|until| *until <= now)
    }

    /// Forgets the brokers that `known` does not know.
    pub fn retain(&mut self, known: impl Fn(K) -> bool) {
        self.avoided_until.retain(|broker, _| known(*broker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_table_is_javas() {
        for (latency, avoided) in [
            (0, 0),
            (549, 0),
            (550, 2000),
            (1799, 2000),
            (1800, 5000),
            (3000, 6000),
            (5000, 10_000),
            (10_000, 10_000),
            (15_000, 30_000),
        ] {
            assert_eq!(avoided_for(ms(latency)), ms(avoided), "{latency} ms");
        }
    }

    #[test]
    fn a_slow_broker_is_avoided_until_its_time_is_over_or_it_is_quick_again() {
        let mut faults = LatencyFaults::default();
        let t0 = Instant::from_micros(0);
        faults.note_answer(t0, 1, ms(600));
        assert!(!faults.is_available(t0 + ms(1999), 1));
        assert!(faults.is_available(t0 + ms(2000), 1));
        faults.note_failure(t0, 2);
        assert!(!faults.is_available(t0 + ms(9999), 2));
        faults.note_answer(t0 + ms(1), 2, ms(3));
        assert!(faults.is_available(t0 + ms(1), 2));
    }
}
