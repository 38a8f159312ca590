//! What the documentation lists is what there is: lines of the log and their fields, metrics, and Java's methods.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose lines reach a user's log.
const SOURCES: [&str; 5] = ["core/src", "host/src", "servers/src", "runtime-tokio/src", "runtime/src"];

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// All sources, without their tests.
fn sources() -> Vec<String> {
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(|folder| root().join(folder)).collect();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((path.file_name().unwrap() != "tests").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                texts.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
            }
        }
    }
    texts
}

/// The texts in quotes.
fn literals(code: &str) -> Vec<String> {
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Up to the semicolon that ends it, or to the parenthesis that closes what was open before.
fn expression(code: &str) -> &str {
    let (mut depth, mut is_quoted) = (1, false);
    let end = code.find(|character| {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            _ => {}
        }
        depth == 0 || (character == ';' && !is_quoted)
    });
    &code[..end.unwrap_or(code.len())]
}

/// The lines that `source` writes by `call`: their texts stand there, or in a `what` before.
fn lines(source: &str, call: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in source.match_indices(call) {
        let given = expression(&source[place + call.len()..]);
        let text = literals(given).pop().unwrap_or_default();
        if text.is_empty() || text == "{what}" {
            let what = source[..place].rsplit("let what =").next();
            found.extend(literals(expression(what.unwrap())));
        } else {
            found.push(text);
        }
    }
    found
}

#[test]
fn every_line_that_is_logged_is_in_the_table_and_no_other() {
    let sources = sources();
    let page = read("runtime/docs/logs.md");
    for level in LEVELS {
        let calls = [format!("Notice::{level}("), format!("tracing::{level}!(")];
        let of = |source: &String| calls.iter().flat_map(|call| lines(source, call)).collect::<Vec<_>>();
        let written: BTreeSet<String> = sources.iter().flat_map(of).collect();
        let section = page.split(&format!("\n## {level}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let told: BTreeSet<String> = rows.map(str::to_owned).collect();
        let missing: Vec<_> = written.difference(&told).collect();
        let nobody_writes: Vec<_> = told.difference(&written).collect();
        assert!(missing.is_empty() && nobody_writes.is_empty(), "{level}: add {missing:?}, remove {nobody_writes:?}");
    }
}

#[test]
fn every_field_that_the_core_gives_is_written() {
    let log = read("runtime/src/log.rs");
    for source in sources() {
        for (place, call) in source.match_indices(".about(\"") {
            let name = source[place + call.len()..].split('"').next().unwrap();
            assert!(log.contains(&format!("$notice.get(\"{name}\")")), "log.rs leaves the field {name} out");
        }
    }
}

#[test]
fn every_metric_that_is_exported_is_in_the_guide() {
    let guide = read("runtime/docs/guide.md");
    let names: BTreeSet<_> = literals(&read("runtime/src/export.rs")).into_iter().collect();
    for name in names.iter().filter(|name| name.starts_with("stgclient_")) {
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
    }
}

#[test]
fn every_method_of_java_is_in_its_table() {
    let page = read("runtime/docs/coming-from-java.md");
    let mut section = "";
    for line in read("runtime/tests/java-methods.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix("class ") {
            Some(class) => {
                let heading = format!("\n## {class}\n");
                section =
                    page.split(&heading).nth(1).unwrap_or_else(|| panic!("{class}")).split("\n## ").next().unwrap();
            }
            None => assert!(section.contains(&format!("`{line}`")), "{line} is not in its table"),
        }
    }
}
