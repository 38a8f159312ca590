//! What the project wants to reach, as ratios of what was measured in one and the same run: reported, never a gate.

use serde::Serialize;

use crate::scenario::{CONTESTANTS, Kind};
use crate::summary::{Row, Summary};

/// "Not above" and "not below" mean within a quarter: what is less is noise.
const WITHIN: f64 = 1.25;
const OURS: &str = "stgclient";

/// A goal, and how far it is reached.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    /// What was measured.
    pub(crate) found: String,
    /// Whether it is reached; `None` when something of it was not measured.
    pub(crate) met: Option<bool>,
}

/// Whether more or less is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    AtLeast,
    AtMost,
}

/// All goals.
pub(crate) fn all(summaries: &[Summary]) -> Vec<Goal> {
    let rate: Figure = |row| row.rate.median;
    let cpu: Figure = |row| row.cpu.median;
    let p50: Figure = |row| row.p50_us.median;
    let p99: Figure = |row| row.p99_us.median;
    let (at_least, at_most) = (Wanted::AtLeast, Wanted::AtMost);
    let mut goals = Vec::new();
    for (scenario, faster, cheaper) in [("null-64", 4.0, 5.0), ("null-1024", 8.0, 10.0)] {
        goals.push(to_best_peer(summaries, scenario, "messages per second", rate, at_least, faster));
        goals.push(to_best_peer(summaries, scenario, "CPU per message", cpu, at_most, 1.0 / cheaper));
    }
    goals.push(to_best_peer(summaries, "real-64", "CPU per message", cpu, at_most, 0.5));
    goals.push(to_best_peer(summaries, "real-64", "messages per second", rate, at_least, 1.0 / WITHIN));
    goals.push(to_best_peer(summaries, "real-1", "p50", p50, at_most, WITHIN));
    for (scenario, limit) in [("null-64", 8.0), ("null-1024", 12.0), ("real-64", 8.0), ("real-1024", 12.0)] {
        goals.push(below(summaries, scenario, limit));
    }
    goals.push(not_later_than_go(summaries, "real-1", "acknowledged"));
    for scenario in ["null-consume", "null-consume-32"] {
        goals.push(to_best_peer(summaries, scenario, "messages per second", rate, at_least, 4.0));
        goals.push(to_best_peer(summaries, scenario, "CPU per message", cpu, at_most, 0.25));
    }
    for scenario in ["real-consume", "real-consume-32"] {
        goals.push(to_best_peer(summaries, scenario, "messages per second", rate, at_least, 1.0 / WITHIN));
        goals.push(to_best_peer(summaries, scenario, "CPU per message", cpu, at_most, 1.0 / 3.0));
    }
    goals.push(not_later_than_go(summaries, "real-consume", "consumed"));
    for (name, figure) in [("p50", p50), ("p99", p99)] {
        goals.push(to_best_peer(summaries, "real-end-to-end", name, figure, at_most, WITHIN));
    }
    goals.push(to_best_peer(summaries, "real-end-to-end", "CPU per message", cpu, at_most, 0.5));
    for (few, many) in [("topics-1", "topics-1000"), ("queues-8", "queues-10000")] {
        goals.push(flat(summaries, few, many));
    }
    goals
}

type Figure = fn(&Row) -> f64;

fn row<'a>(summaries: &'a [Summary], scenario: &str, contestant: &str) -> Option<&'a Row> {
    summaries.iter().find(|summary| summary.scenario.name == scenario)?.row(contestant)
}

fn goal(what: String, found: Option<(String, bool)>) -> Goal {
    match found {
        Some((found, met)) => Goal { what, found, met: Some(met) },
        None => Goal { what, found: "not measured".to_owned(), met: None },
    }
}

fn to_best_peer(summaries: &[Summary], scenario: &str, name: &str, figure: Figure, wanted: Wanted, ratio: f64) -> Goal {
    let sign = if wanted == Wanted::AtLeast { "at least" } else { "at most" };
    let found = || {
        let ours = figure(row(summaries, scenario, OURS)?);
        let peers = CONTESTANTS.iter().filter(|contestant| matches!(contestant.kind, Kind::Peer | Kind::PeerAsync));
        let rows = peers.filter_map(|peer| row(summaries, scenario, peer.name));
        let by_figure = |a: &&Row, b: &&Row| figure(a).total_cmp(&figure(b));
        let best = if wanted == Wanted::AtLeast { rows.max_by(by_figure) } else { rows.min_by(by_figure) }?;
        let found = ours / figure(best);
        let met = if wanted == Wanted::AtLeast { found >= ratio } else { found <= ratio };
        Some((format!("{found:.2} of {}'s ({ours:.1} to {:.1})", best.contestant, figure(best)), met))
    };
    goal(format!("{scenario}: {name} {sign} {ratio:.2} of the best peer's"), found())
}

fn below(summaries: &[Summary], scenario: &str, limit: f64) -> Goal {
    let found = row(summaries, scenario, OURS).map(|row| {
        let peak = row.peak_memory_mb.median;
        (format!("{peak:.1} MB"), peak < limit)
    });
    goal(format!("{scenario}: peak memory below {limit} MB"), found)
}

fn not_later_than_go(summaries: &[Summary], scenario: &str, verb: &str) -> Goal {
    let found = || {
        let first = |contestant| Some(row(summaries, scenario, contestant)?.first_ms.median);
        let (ours, go) = (first(OURS)?, first("go")?);
        Some((format!("{ours:.1} ms to {go:.1} ms"), ours <= go * WITHIN))
    };
    goal(format!("{scenario}: start to first {verb} message not above Go's"), found())
}

fn flat(summaries: &[Summary], few: &str, many: &str) -> Goal {
    let found = || {
        let cpu = |scenario| Some(row(summaries, scenario, OURS)?.cpu.median);
        let (before, after) = (cpu(few)?, cpu(many)?);
        Some((format!("{before:.2} to {after:.2} CPU s/M"), after <= before * WITHIN))
    };
    goal(format!("CPU per message does not grow from {few} to {many}"), found())
}
