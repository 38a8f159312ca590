//! Medians of the rounds, with their spread.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::run::{LockTimes, Measured};
use crate::scenario::{Contestant, Scenario};
use crate::system_calls::SystemCalls;

/// The median of several rounds, and the least and the most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one value.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<_> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) };
        Self { median, least: at(0), most: at(sorted.len().wrapping_sub(1)) }
    }
}

/// A contestant in a scenario, all rounds together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) contestant: &'static str,
    /// Messages per second.
    pub(crate) rate: Spread,
    pub(crate) p50_us: Spread,
    pub(crate) p99_us: Spread,
    /// CPU seconds of the client per million messages.
    pub(crate) cpu: Spread,
    /// CPU microseconds of the server per message.
    pub(crate) server_cpu_us: Spread,
    /// Messages per read of the server, where it counts them.
    pub(crate) messages_per_read: Option<Spread>,
    /// MB of 10^6 bytes.
    pub(crate) peak_memory_mb: Spread,
    pub(crate) first_ms: Spread,
    /// The share of the machine that others had, from 0 to 1.
    pub(crate) others_busy: Spread,
    /// Messages that failed, by what the client says.
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    /// Messages that the client believes it sent, and those that arrived.
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    /// Runs whose process had to be killed in the end.
    pub(crate) killed: usize,
    pub(crate) rounds: usize,
}

/// What a scenario gave.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) scenario: Scenario,
    pub(crate) rows: Vec<Row>,
    /// What kept contestants from runs, by contestant.
    pub(crate) failures: BTreeMap<&'static str, Vec<String>>,
    /// Of our client, if they were to be counted: calls, and messages meanwhile.
    pub(crate) system_calls: Option<Result<(SystemCalls, u64), String>>,
    /// The same of its lock.
    pub(crate) lock: Option<Result<(LockTimes, u64), String>>,
}

impl Summary {
    /// Of the runs of a scenario, in the order of the contestants.
    pub(crate) fn of(scenario: &Scenario, runs: &[Measured], contestants: &[Contestant]) -> Self {
        let rows = contestants.iter().filter_map(|contestant| {
            let runs: Vec<_> = runs.iter().filter(|run| run.contestant == contestant.name).collect();
            (!runs.is_empty()).then(|| row(contestant.name, &runs))
        });
        Self {
            scenario: scenario.clone(),
            rows: rows.collect(),
            failures: BTreeMap::new(),
            system_calls: None,
            lock: None,
        }
    }

    /// The row of a contestant.
    pub(crate) fn row(&self, contestant: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.contestant == contestant)
    }
}

fn row(contestant: &'static str, runs: &[&Measured]) -> Row {
    let spread = |value: fn(&Measured) -> f64| Spread::of(runs.iter().map(|run| value(run)));
    let has_reads = runs.iter().all(|run| run.server_reads.is_some_and(|reads| reads > 0));
    Row {
        contestant,
        rate: spread(|run| run.outcome.succeeded as f64 / run.outcome.seconds),
        p50_us: spread(|run| run.outcome.p50_us),
        p99_us: spread(|run| run.outcome.p99_us),
        cpu: spread(|run| run.cpu_seconds * 1e6 / run.outcome.succeeded as f64),
        server_cpu_us: spread(|run| run.server_cpu_seconds * 1e6 / run.outcome.succeeded as f64),
        messages_per_read: has_reads
            .then(|| spread(|run| run.outcome.succeeded as f64 / run.server_reads.unwrap_or(1) as f64)),
        peak_memory_mb: spread(|run| run.peak_memory_kib as f64 * 1024.0 / 1e6),
        first_ms: spread(|run| run.first_ms),
        others_busy: spread(|run| run.others_busy),
        failed: runs.iter().map(|run| run.outcome.failed).sum(),
        first_failure: runs.iter().find_map(|run| run.outcome.first_failure.clone()),
        sent: runs.iter().map(|run| run.outcome.total).sum(),
        arrived: runs.iter().map(|run| run.arrived).sum(),
        killed: runs.iter().filter(|run| !run.ended).count(),
        rounds: runs.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 9.0]), Spread { median: 3.0, least: 1.0, most: 9.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]).median, 3.0);
        assert_eq!(spread(&[5.0]).median, 5.0);
    }
}
