//! Reads the imports of every crate and fails on one that runs up and on files that go in a circle.
//!
//! `layers` is run in the root of the project; the order of floors stands in `tests/layers/floors`.

mod floors;
mod graph;
mod source;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use floors::Order;
use graph::Crate;

fn main() -> ExitCode {
    match run() {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            wrong.iter().for_each(|line| println!("{line}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("layers: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Vec<String>, String> {
    let order = Order::read(&read(Path::new("tests/layers/floors"))?)?;
    let mut crates = Vec::new();
    for floors in &order.crates {
        let mut files = Vec::new();
        collect(Path::new(&floors.folder), "", &mut files)?;
        crates.push((floors, Crate::new(files)));
    }
    let mut wrong: Vec<String> = crates.iter().flat_map(|(floors, known)| order.check(floors, known)).collect();
    wrong.extend(order.needless(crates.iter().map(|(floors, known)| (*floors, known))));
    Ok(wrong)
}

/// The files below a folder, but for those that hold only tests.
fn collect(folder: &Path, below: &str, files: &mut Vec<(String, String)>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, shown) = (entry.path(), format!("{below}{name}"));
        if path.is_dir() && name != "tests" {
            collect(&path, &format!("{shown}/"), files)?;
        } else if name.ends_with(".rs") && name != "tests.rs" {
            files.push((shown, read(&path)?));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
