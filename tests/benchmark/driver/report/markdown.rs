//! The report's tables.

use std::fmt::Write;

use crate::accounting::{processor_name, processors};
use crate::goals;
use crate::scenario::{BATCH, RATE, Scenario, ServerKind, Work};
use crate::summary::{Row, Spread, Summary};

use super::plot;

/// All tables.
pub(crate) fn markdown(summaries: &[Summary]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "# stgclient beside other clients\n\n{} processors ({}), client and server on the same machine. Medians of the \
         rounds, least and most in brackets. How it is measured: tests/benchmark/README.md.\n",
        processors(),
        processor_name()
    );
    goals_table(&mut out, summaries);
    for summary in summaries.iter().filter(|summary| !summary.scenario.is_curve) {
        scenario_table(&mut out, summary);
    }
    system_calls_table(&mut out, summaries);
    lock_table(&mut out, summaries);
    curve_table(&mut out, summaries);
    let _ = writeln!(out, "## Plots\n");
    for (name, _) in plot::all(summaries) {
        let _ = writeln!(out, "![{name}]({name})");
    }
    out
}

fn goals_table(out: &mut String, summaries: &[Summary]) {
    let _ = writeln!(out, "## Goals\n\n| goal | found | |\n|---|---|---|");
    for goal in goals::all(summaries) {
        let met = match goal.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(out, "| {} | {} | {met} |", goal.what, goal.found);
    }
    out.push('\n');
}

fn describe(scenario: &Scenario) -> String {
    let server = match scenario.server {
        ServerKind::Null => "null broker",
        ServerKind::Real => "real broker",
    };
    let Scenario { in_flight, body, count, .. } = scenario;
    match scenario.work {
        Work::Send => format!("{server}, {count} messages of {body} B, {in_flight} in flight"),
        Work::Oneway => format!("{server}, {count} oneway messages of {body} B, one sender"),
        Work::Drain => format!("{server}, pulling {count} messages of {body} B from 8 queues"),
        Work::Consume => format!("{server}, consuming {count} messages of {body} B from 8 queues by push, one a call"),
        Work::ConsumeBatches => {
            format!("{server}, consuming {count} messages of {body} B from 8 queues by push, up to {BATCH} a call")
        }
        Work::EndToEnd => format!(
            "{server}, {count} messages of {body} B sent at {RATE} a second and consumed by push in the same process"
        ),
    }
}

fn scenario_table(out: &mut String, summary: &Summary) {
    let Summary { scenario, rows, failures, .. } = summary;
    let _ = writeln!(
        out,
        "## {}: {}\n\n| | msg/s | p50 us | p99 us | client CPU s/M | peak MB | first ms | server CPU us/msg | msg per \
         server read | sent, arrived | others busy |\n|---|---|---|---|---|---|---|---|---|---|---|",
        scenario.name,
        describe(scenario)
    );
    for row in rows {
        let has_latency = !scenario.work.empties();
        let latency = |spread| if has_latency { figure(spread, 1) } else { "-".to_owned() };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.contestant,
            figure(row.rate, 0),
            latency(row.p50_us),
            latency(row.p99_us),
            figure(row.cpu, 2),
            figure(row.peak_memory_mb, 1),
            figure(row.first_ms, 1),
            figure(row.server_cpu_us, 2),
            row.messages_per_read.map_or_else(|| "-".to_owned(), |spread| figure(spread, 1)),
            arrivals(scenario, row),
            figure(percent(row.others_busy), 0) + " %",
        );
    }
    for (contestant, reasons) in failures {
        let word = if summary.row(contestant).is_some() { "failed" } else { "missing" };
        let _ =
            writeln!(out, "| {contestant} | **{word}** in {} runs: {} |", reasons.len(), reasons[0].replace('|', "/"));
    }
    out.push('\n');
    notes(out, rows);
}

fn percent(spread: Spread) -> Spread {
    Spread { median: spread.median * 100.0, least: spread.least * 100.0, most: spread.most * 100.0 }
}

/// What the client believes, and what the server has.
fn arrivals(scenario: &Scenario, row: &Row) -> String {
    if scenario.work.empties() {
        let verb = if scenario.work == Work::Drain { "pulled" } else { "consumed" };
        return format!("{} of {} {verb}", row.sent, scenario.count * row.rounds);
    }
    if row.sent == row.arrived { format!("{}, all", row.sent) } else { format!("{}, **{}**", row.sent, row.arrived) }
}

fn notes(out: &mut String, rows: &[Row]) {
    for row in rows {
        if row.failed > 0 || row.first_failure.is_some() {
            let first = row.first_failure.as_deref().unwrap_or("unknown");
            let _ = writeln!(out, "- {}: {} failed; the first: {first}", row.contestant, row.failed);
        }
        if row.killed > 0 {
            let _ = writeln!(out, "- {}: did not end in {} of {} runs", row.contestant, row.killed, row.rounds);
        }
    }
    if rows.iter().any(|row| row.failed > 0 || row.first_failure.is_some() || row.killed > 0) {
        out.push('\n');
    }
}

fn system_calls_table(out: &mut String, summaries: &[Summary]) {
    let counted: Vec<_> =
        summaries.iter().filter_map(|summary| Some((&summary.scenario, summary.system_calls.as_ref()?))).collect();
    if counted.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## System calls of stgclient per 1,000 messages\n\nCounted in a run of their own, whose speed is not in the \
         tables. Futex calls are how threads wait at locks, and how idle workers sleep and wake.\n\n| | all | reads | writes | polls | futex | by |\n\
         |---|---|---|---|---|---|---|"
    );
    for (scenario, counted) in counted {
        let _ = match counted {
            Ok((calls, messages)) => {
                let per = |count: u64| count as f64 * 1000.0 / *messages as f64;
                writeln!(
                    out,
                    "| {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
                    scenario.name,
                    per(calls.all),
                    per(calls.reads),
                    per(calls.writes),
                    per(calls.polls),
                    per(calls.futexes),
                    calls.by
                )
            }
            Err(reason) => writeln!(out, "| {} | {reason} |", scenario.name),
        };
    }
    out.push('\n');
}

fn lock_table(out: &mut String, summaries: &[Summary]) {
    let measured: Vec<_> =
        summaries.iter().filter_map(|summary| Some((&summary.scenario, summary.lock.as_ref()?))).collect();
    if measured.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## The lock of stgclient per message\n\nMeasured by the client itself, in a run of its own, whose speed is not \
         in the tables: each acquisition costs two looks at the clock, which is part of the times.\n\n\
         | | acquisitions | waited ns | held ns |\n|---|---|---|---|"
    );
    for (scenario, measured) in measured {
        let _ = match measured {
            Ok((times, messages)) => {
                let per = |sum: u64| number(sum as f64 / *messages as f64, 2);
                let (acquisitions, waited, held) = (per(times.acquisitions), per(times.waited_ns), per(times.held_ns));
                writeln!(out, "| {} | {acquisitions} | {waited} | {held} |", scenario.name)
            }
            Err(reason) => writeln!(out, "| {} | {reason} |", scenario.name),
        };
    }
    out.push('\n');
}

fn curve_table(out: &mut String, summaries: &[Summary]) {
    let curve: Vec<_> = summaries.iter().filter(|summary| summary.scenario.is_curve).collect();
    if curve.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## Cost against what is known\n\nstgclient, null broker, 64 in flight, messages to all topics in turn.\n\n\
         | topics | queues each | client CPU s/M | msg/s | peak MB |\n|---|---|---|---|---|"
    );
    for summary in curve {
        for row in &summary.rows {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} |",
                summary.scenario.topics,
                summary.scenario.queues,
                figure(row.cpu, 2),
                figure(row.rate, 0),
                figure(row.peak_memory_mb, 1)
            );
        }
    }
    out.push('\n');
}

/// A median, and the spread if there is one.
fn figure(spread: Spread, digits: usize) -> String {
    let Spread { median, least, most } = spread;
    if least == most {
        return number(median, digits);
    }
    format!("{} ({}-{})", number(median, digits), number(least, digits), number(most, digits))
}

/// Digits after the point; thousands are set apart.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::LockTimes;
    use crate::scenario::all;

    #[test]
    fn the_lock_is_told_per_message() {
        let scenarios = all(1.0);
        let mut summaries: Vec<_> = scenarios.iter().take(3).map(|scenario| Summary::of(scenario, &[], &[])).collect();
        let mut out = String::new();
        lock_table(&mut out, &summaries);
        assert_eq!(out, "", "nothing was measured");
        summaries[0].lock = Some(Ok((LockTimes { acquisitions: 500, waited_ns: 25, held_ns: 123_450 }, 100)));
        summaries[1].lock = Some(Err("cannot be built".to_owned()));
        lock_table(&mut out, &summaries);
        assert!(out.ends_with("| null-1 | 5.00 | 0.25 | 1,234.50 |\n| null-64 | cannot be built |\n\n"), "{out}");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(999.96, 1), "1,000.0");
        assert_eq!(number(0.5, 2), "0.50");
    }
}
