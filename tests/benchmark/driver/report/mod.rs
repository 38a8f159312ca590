//! The report: a table for people, the same and every run for programs, and plots.

mod markdown;
mod plot;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use crate::accounting::{processor_name, processors};
use crate::goals;
use crate::run::Measured;
use crate::summary::Summary;

pub(crate) use markdown::markdown;

/// Writes all files of the report into a folder.
pub(crate) fn write(folder: &Path, summaries: &[Summary], runs: &[Measured]) -> io::Result<()> {
    let machine = json!({ "processors": processors(), "processor": processor_name() });
    let all = json!({ "machine": machine, "goals": goals::all(summaries), "scenarios": summaries, "runs": runs });
    fs::write(folder.join("report.json"), serde_json::to_string_pretty(&all)?)?;
    for (name, svg) in plot::all(summaries) {
        fs::write(folder.join(name), svg)?;
    }
    fs::write(folder.join("report.md"), markdown(summaries))
}
