//! Plots as SVG: bars for what clients are compared by, lines for what our client costs against what it knows.

use std::fmt::Write;

use crate::scenario::{CONTESTANTS, Kind};
use crate::summary::{Row, Spread, Summary};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 150.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 34.0;

type Figure = fn(&Row) -> Spread;

/// All plots that these scenarios give, with their file names.
pub(crate) fn all(summaries: &[Summary]) -> Vec<(&'static str, String)> {
    let compared: Vec<_> = summaries.iter().filter(|s| !s.scenario.is_curve && !s.rows.is_empty()).collect();
    let mut plots = Vec::new();
    if !compared.is_empty() {
        plots.push(("throughput.svg", bars("Messages per second: more is better", &compared, |row| row.rate)));
        plots.push(("cpu.svg", bars("CPU seconds per million messages: less is better", &compared, |row| row.cpu)));
        let sends: Vec<_> = compared.into_iter().filter(|s| s.rows.iter().any(|row| row.p99_us.median > 0.0)).collect();
        plots.push(("p99.svg", bars("p99 in microseconds: less is better", &sends, |row| row.p99_us)));
    }
    let curve = |prefix: &str| -> Vec<_> { summaries.iter().filter(|s| s.scenario.name.starts_with(prefix)).collect() };
    let (topics, queues) = (curve("topics-"), curve("queues-"));
    if topics.len() + queues.len() > 1 {
        plots.push(("curve.svg", lines(&topics, &queues)));
    }
    plots
}

fn color(contestant: &str) -> &'static str {
    let kind = CONTESTANTS.iter().find(|known| known.name == contestant).map(|known| known.kind);
    match kind {
        Some(Kind::Ours) => "#1a7f5a",
        Some(Kind::OursToo) => "#5fb894",
        Some(Kind::Floor) => "#b0b0b0",
        _ => "#4a6fa5",
    }
}

fn open(width: f64, height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"15\">{title}</text>\n"
    )
}

/// A group of bars for each scenario, each group with a scale of its own; whiskers from the least to the most.
fn bars(title: &str, summaries: &[&Summary], figure: Figure) -> String {
    let rows: usize = summaries.iter().map(|summary| summary.rows.len()).sum();
    let height = HEAD + summaries.len() as f64 * 2.0 * BAR + rows as f64 * BAR + 10.0;
    let mut out = open(WIDTH, height, title);
    let mut y = HEAD;
    for summary in summaries {
        y += BAR;
        let _ = writeln!(out, "<text x=\"10\" y=\"{:.0}\" font-weight=\"bold\">{}</text>", y, summary.scenario.name);
        let most = summary.rows.iter().map(|row| figure(row).most).fold(f64::MIN_POSITIVE, f64::max);
        let x = |value: f64| LABELS + value / most * (WIDTH - LABELS - 110.0);
        for row in &summary.rows {
            let Spread { median, least, most } = figure(row);
            let text = y + BAR - 3.0;
            let middle = y + BAR / 2.0 + 1.0;
            let _ = writeln!(
                out,
                "<text x=\"{:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LABELS}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{}\"/>\
                 <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"black\"/>\
                 <text x=\"{:.1}\" y=\"{text:.0}\">{}</text>",
                LABELS - 6.0,
                row.contestant,
                y + 3.0,
                x(median) - LABELS,
                BAR - 4.0,
                color(row.contestant),
                x(least),
                x(most),
                x(most) + 6.0,
                short(median),
            );
            y += BAR;
        }
        y += BAR;
    }
    out + "</svg>\n"
}

/// CPU per message against the number of topics, and of queues, on a logarithmic axis.
fn lines(topics: &[&Summary], queues: &[&Summary]) -> String {
    const HEIGHT: f64 = 300.0;
    let mut out = open(WIDTH, HEIGHT, "stgclient: CPU seconds per million messages against topics and queues known");
    let points = |summaries: &[&Summary], known: fn(&Summary) -> usize| -> Vec<(f64, f64)> {
        let point = |summary: &&Summary| Some((known(summary) as f64, summary.rows.first()?.cpu.median));
        summaries.iter().filter_map(point).collect()
    };
    let series = [
        ("topics", "#1a7f5a", points(topics, |summary| summary.scenario.topics)),
        ("queues", "#4a6fa5", points(queues, |summary| summary.scenario.queues)),
    ];
    let all = series.iter().flat_map(|(_, _, points)| points);
    let most = all.map(|(_, cpu)| *cpu).fold(f64::MIN_POSITIVE, f64::max) * 1.2;
    let x = |known: f64| 60.0 + known.log10() / 4.0 * (WIDTH - 140.0);
    let y = |cpu: f64| HEIGHT - 40.0 - cpu / most * (HEIGHT - 90.0);
    for exponent in 0..=4 {
        let known = 10f64.powi(exponent);
        let _ =
            writeln!(out, "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"middle\">{known}</text>", x(known), HEIGHT - 20.0);
    }
    for cpu in [0.0, most / 2.0, most] {
        let _ = writeln!(
            out,
            "<line x1=\"60\" x2=\"{}\" y1=\"{:.0}\" y2=\"{:.0}\" stroke=\"#ddd\"/><text x=\"50\" y=\"{:.0}\" \
             text-anchor=\"end\">{cpu:.2}</text>",
            WIDTH - 80.0,
            y(cpu),
            y(cpu),
            y(cpu) + 4.0
        );
    }
    for (name, color, points) in &series {
        let path: Vec<_> = points.iter().map(|(known, cpu)| format!("{:.1},{:.1}", x(*known), y(*cpu))).collect();
        let _ = writeln!(out, "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\"/>", path.join(" "));
        for (known, cpu) in points {
            let _ = writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{color}\"/>", x(*known), y(*cpu));
        }
        if let Some((known, cpu)) = points.last() {
            let _ =
                writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{color}\">{name}</text>", x(*known) + 6.0, y(*cpu));
        }
    }
    out + "</svg>\n"
}

/// Three digits or so.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.2}M", value / 1e6),
        _ if value >= 1e4 => format!("{:.0}k", value / 1e3),
        _ if value >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}
