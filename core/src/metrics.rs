//! What a client counts: one snapshot of numbers, most of which only grow.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::time::Duration;

/// Declares counters: numbers that only grow, and with `now` what is so at the moment.
macro_rules! counters {
    ($(#[$about:meta])* $name:ident { $($(#[$grows:meta])* $grown:ident,)* } $(now { $($(#[$is:meta])* $now:ident: $kind:ty,)* })?) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$grows])* pub $grown: u64,)*
            $($($(#[$is])* pub $now: $kind,)*)?
        }

        impl $name {
            /// The numbers that only grow, by their names.
            pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($grown), self.$grown)),*].into_iter()
            }

            /// With what was counted elsewhere, or before.
            pub(crate) const fn plus(mut self, other: &Self) -> Self {
                $(self.$grown += other.$grown;)*
                self
            }
        }
    };
}

pub(crate) use counters;

/// How a client has fared since it was made, and what it has under way. Numbers without another word only grow.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Sends that are over, by the broker of their last try, those that are gone among them.
    pub sends: BTreeMap<Arc<str>, SendCounters>,
    /// All other sends that are over: they had no broker when they ended, or theirs is one of more than 256 that are gone.
    pub other_sends: SendCounters,
    /// How long sends took, from the call to the receipt, with all tries; those with a receipt.
    pub send_latency: Histogram,
    /// Sends under way now, whose messages wait for their answers or to be written.
    pub messages_in_flight: usize,
    /// The bytes of their bodies.
    pub bytes_in_flight: usize,
    /// Sends that stand in line for room now.
    pub messages_in_line: usize,
    /// Connections that stand now.
    pub connections: usize,
    /// How often a connection stood.
    pub connects: u64,
    /// How often one stood of a server that there had been one of before, and that the client has known since.
    pub reconnects: u64,
    /// Bytes handed to the host to be written, with all that the protocol adds, without TLS.
    pub bytes_sent: u64,
    /// Bytes of frames that came, without TLS.
    pub bytes_received: u64,
    /// Push consumers, by group, those that are closed by now too.
    pub consumers: BTreeMap<Arc<str>, ConsumerMetrics>,
}

impl Metrics {
    /// All sends that are over, whatever broker they went to.
    pub fn all_sends(&self) -> SendCounters {
        self.sends.values().fold(self.other_sends, |sum, counters| sum.plus(counters))
    }
}

counters! {
    /// Sends that are over, by how they ended; each counts once, however often it was tried.
    SendCounters {
        /// With a receipt of the status SEND_OK.
        send_ok,
        /// With a receipt of the status FLUSH_DISK_TIMEOUT.
        flush_disk_timeout,
        /// With a receipt of the status FLUSH_SLAVE_TIMEOUT.
        flush_slave_timeout,
        /// With a receipt of the status SLAVE_NOT_AVAILABLE.
        slave_not_available,
        /// Oneway, and written.
        oneway,
        /// With an error.
        failed,
        /// Given up by the application before they were over. They may have been stored all the same.
        cancelled,
        /// How often messages were handed to the broker: more than the sends where some were tried again.
        tries,
    }
}

impl SendCounters {
    /// How many sends are over.
    pub const fn total(&self) -> u64 {
        let receipts = self.send_ok + self.flush_disk_timeout + self.flush_slave_timeout + self.slave_not_available;
        receipts + self.oneway + self.failed + self.cancelled
    }
}

/// Durations, counted by how long they were.
///
/// ```
/// use std::time::Duration;
/// use stgclient_core::metrics::Histogram;
///
/// let mut histogram = Histogram::default();
/// (1..=100).for_each(|millis| histogram.add(Duration::from_millis(millis)));
/// assert_eq!((histogram.count(), histogram.sum()), (100, Duration::from_millis(5050)));
/// // No more than half were longer than this.
/// assert_eq!(histogram.at_most(0.5), Some(Duration::from_millis(50)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

/// The upper bounds of a histogram's buckets, in microseconds; the last bucket has none.
const BOUNDS: [u64; 19] = [
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

impl Histogram {
    /// One more.
    pub fn add(&mut self, duration: Duration) {
        let micros = duration.as_micros();
        let bucket = BOUNDS.iter().take_while(|bound| micros > u128::from(**bound)).count();
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The buckets, each with its upper bound, which still belongs to it, and how many are in it; the last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = BOUNDS.iter().map(|micros| Some(Duration::from_micros(*micros)));
        bounds.chain([None]).zip(self.counts)
    }

    /// The bound below which this share of all lies, 0 to 1: the upper bound of a bucket, so it is exact to a factor of 2.5. `None`
    /// when there are none, or it is in the last bucket, above 100 s.
    pub fn at_most(&self, share: f64) -> Option<Duration> {
        let wanted = (share.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0);
        let mut seen = 0;
        let reaches = |(_, count): &(Option<Duration>, u64)| {
            seen += count;
            seen as f64 >= wanted
        };
        self.buckets().find(reaches)?.0
    }
}

counters! {
    /// How the push consumers of a group of one client have fared.
    ConsumerMetrics {
        /// Messages that came.
        pulled,
        /// Messages that were consumed.
        consumed,
        /// Messages that failed, each as often as it did.
        failed,
        /// Messages that brokers have taken back, to bring them again or to the dead letters.
        sent_back,
        /// Messages that could not be read, and were passed over.
        passed_over,
        /// How often a queue was not fetched from any more because as much as may be of it was cached.
        flow_controlled,
        /// Queues that a rebalance gave to the consumer.
        assigned,
        /// Queues that it took from it, or that it gave back when it closed.
        revoked,
    } now {
        /// Queues that are its own now.
        queues: usize,
        /// Messages that the application has now.
        in_work: usize,
        /// How many messages of its queues are not yet consumed now; `None` while that is not known, and when it is closed.
        lag: Option<u64>,
    }
}

impl ConsumerMetrics {
    /// What is left of it once it is closed.
    pub(crate) const fn closed(self) -> Self {
        Self { queues: 0, in_work: 0, lag: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_whose_bound_it_does_not_pass() {
        for (micros, bound) in [(0, Some(100)), (100, Some(100)), (101, Some(200)), (100_000_001, None)] {
            let mut histogram = Histogram::default();
            histogram.add(Duration::from_micros(micros));
            let of: Vec<_> = histogram.buckets().filter(|(_, count)| *count > 0).collect();
            assert_eq!(of, [(bound.map(Duration::from_micros), 1)], "{micros}");
            assert_eq!(histogram.at_most(1.0), bound.map(Duration::from_micros));
        }
        assert_eq!(Histogram::default().at_most(0.5), None);
    }

    #[test]
    fn counters_are_told_by_their_names_without_what_is_so_at_the_moment() {
        let counters = ConsumerMetrics { sent_back: 7, queues: 3, ..ConsumerMetrics::default() };
        let told: BTreeMap<_, _> = counters.counts().collect();
        assert_eq!((told.len(), told["sent_back"], told["pulled"]), (8, 7, 0));
        assert!(!told.contains_key("queues"));
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS.is_sorted());
    }
}
