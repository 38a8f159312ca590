//! Reads the imports of every crate and fails on one that runs up, on files that go in a circle, and on files that no
//! module names.
//!
//! `layers` is run in the root of the project; the order of floors stands in `tests/layers/floors`.

mod declared;
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
        let is_code = |name: &str| name != "tests" && name != "tests.rs";
        collect(Path::new(&floors.folder), "", &is_code, &mut files)?;
        crates.push((floors, Crate::new(files)));
    }
    let mut wrong: Vec<String> = crates.iter().flat_map(|(floors, known)| order.check(floors, known)).collect();
    wrong.extend(order.needless(crates.iter().map(|(floors, known)| (*floors, known))));
    for floors in &order.crates {
        wrong.extend(lost(Path::new(&floors.folder))?);
    }
    Ok(wrong)
}

/// The files of a crate and of its tests that are never compiled.
fn lost(source: &Path) -> Result<Vec<String>, String> {
    let of_source = lost_below(source, |path| matches!(path, "lib.rs" | "main.rs") || path.starts_with("bin/"))?;
    let of_tests =
        lost_below(&source.with_file_name("tests"), |path| path.ends_with("main.rs") || !path.contains('/'))?;
    Ok([of_source, of_tests].concat())
}

fn lost_below(folder: &Path, is_root: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(folder, "", &|_| true, &mut files)?;
    }
    let undeclared = declared::undeclared(&files, is_root);
    Ok(undeclared.iter().map(|file| format!("no module names {}/{file}", folder.display())).collect())
}

/// The files below a folder, of those files and folders whose names are wanted.
fn collect(
    folder: &Path,
    below: &str,
    is_wanted: &dyn Fn(&str) -> bool,
    files: &mut Vec<(String, String)>,
) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, shown) = (entry.path(), format!("{below}{name}"));
        if !is_wanted(&name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{shown}/"), is_wanted, files)?;
        } else if name.ends_with(".rs") {
            files.push((shown, read(&path)?));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
