//! The order of floors, and what breaks it.

use std::collections::BTreeSet;

use crate::graph::{Crate, Imports, circles};

/// What the file `floors` says.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) crates: Vec<Floors>,
    /// Imports that may be, with the reason: from where, to where; a `*` at the end stands for anything.
    exceptions: Vec<Exception>,
}

#[derive(Debug)]
pub(crate) struct Floors {
    /// The source folder of the crate.
    pub(crate) folder: String,
    /// The floors, the lowest first: files and folders.
    floors: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Exception {
    from: String,
    to: String,
}

impl Order {
    /// Reads the order. A line `[folder]` begins a crate; each line after it is a floor; `from -> to: reason` is an exception.
    ///
    /// # Errors
    /// A line is none of these; it is told.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut order = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(folder) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                order.crates.push(Floors { folder: folder.to_owned(), floors: Vec::new() });
            } else if let Some((from, rest)) = line.split_once("->") {
                let (to, reason) = rest.split_once(": ").ok_or_else(|| format!("{line:?} has no reason"))?;
                if reason.trim().is_empty() {
                    return Err(format!("{line:?} has no reason"));
                }
                order.exceptions.push(Exception { from: from.trim().to_owned(), to: to.trim().to_owned() });
            } else {
                let floors = order.crates.last_mut().ok_or_else(|| format!("{line:?} belongs to no crate"))?;
                floors.floors.push(line.split_whitespace().map(str::to_owned).collect());
            }
        }
        Ok(order)
    }

    /// What is wrong with a crate, a line each.
    pub(crate) fn check(&self, floors: &Floors, known: &Crate) -> Vec<String> {
        let folder = &floors.folder;
        let mut wrong = Vec::new();
        for file in known.files().filter(|file| floors.floor_of(file).is_none()) {
            wrong.push(format!("{folder}/{file} stands on no floor"));
        }
        let mut imports = known.imports();
        self.take_exceptions(folder, &mut imports);
        for (file, known) in &imports {
            for import in known {
                let (from, to) = (floors.floor_of(file), floors.floor_of(import));
                if from.is_some() && to > from {
                    wrong.push(format!("{folder}/{file} imports {folder}/{import}, which stands above it"));
                }
            }
        }
        wrong.extend(circles(&imports).iter().map(|way| format!("{folder}: a circle of files: {}", way.join(" -> "))));
        wrong
    }

    fn take_exceptions(&self, folder: &str, imports: &mut Imports) {
        for (file, known) in imports.iter_mut() {
            let from = format!("{folder}/{file}");
            known.retain(|import| {
                let to = format!("{folder}/{import}");
                !self.exceptions.iter().any(|known| matches(&known.from, &from) && matches(&known.to, &to))
            });
        }
    }

    /// The exceptions that nothing needs any more.
    pub(crate) fn needless<'c>(&self, crates: impl Iterator<Item = (&'c Floors, &'c Crate)>) -> Vec<String> {
        let mut all = BTreeSet::new();
        for (floors, known) in crates {
            for (file, imports) in known.imports() {
                let name = |file: &str| format!("{}/{file}", floors.folder);
                all.extend(imports.iter().map(|import| (name(&file), name(import))));
            }
        }
        let is_used = |exception: &&Exception| {
            !all.iter().any(|(from, to)| matches(&exception.from, from) && matches(&exception.to, to))
        };
        let needless = self.exceptions.iter().filter(is_used);
        needless
            .map(|exception| format!("nothing needs the exception {} -> {}", exception.from, exception.to))
            .collect()
    }
}

impl Floors {
    /// The floor of a file: that of the longest entry which names it or a folder around it.
    fn floor_of(&self, file: &str) -> Option<usize> {
        let entries =
            self.floors.iter().enumerate().flat_map(|(floor, entries)| entries.iter().map(move |entry| (entry, floor)));
        let around =
            entries.filter(|(entry, _)| *entry == file || (entry.ends_with('/') && file.starts_with(entry.as_str())));
        around.max_by_key(|(entry, _)| entry.len()).map(|(_, floor)| floor)
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => pattern == path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(order: &str, files: &[(&str, &str)]) -> Vec<String> {
        let order = Order::read(order).unwrap();
        let known = Crate::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let mut wrong = order.check(&order.crates[0], &known);
        wrong.extend(order.needless(order.crates.iter().map(|floors| (floors, &known))));
        wrong
    }

    const FILES: [(&str, &str); 3] =
        [("lib.rs", ""), ("low.rs", "fn f() { crate::high::h() }"), ("high.rs", "pub fn h() {}")];

    #[test]
    fn an_import_that_runs_up_is_told() {
        let order = "[x]\nlow.rs\nhigh.rs\nlib.rs";
        assert_eq!(wrong(order, &FILES), ["x/low.rs imports x/high.rs, which stands above it"]);
        assert!(wrong("[x]\nhigh.rs\nlow.rs lib.rs", &FILES).is_empty());
    }

    #[test]
    fn a_file_without_a_floor_and_a_circle_are_told() {
        assert_eq!(wrong("[x]\nhigh.rs low.rs", &FILES), ["x/lib.rs stands on no floor"]);
        let circle = [("lib.rs", ""), ("low.rs", "use crate::high::h;"), ("high.rs", "use crate::low::f;")];
        assert_eq!(
            wrong("[x]\nlib.rs high.rs low.rs", &circle),
            ["x: a circle of files: high.rs -> low.rs -> high.rs"]
        );
    }

    #[test]
    fn an_exception_has_a_reason_and_is_needed() {
        let order = "[x]\nlow.rs\nhigh.rs lib.rs\nx/low.rs -> x/high.rs: it is being mended";
        assert!(wrong(order, &FILES).is_empty());
        let order = "[x]\nhigh.rs\nlow.rs lib.rs\nx/high.rs -> x/*: it was";
        assert_eq!(wrong(order, &FILES), ["nothing needs the exception x/high.rs -> x/*"]);
        assert!(Order::read("[x]\na.rs -> b.rs").is_err() && Order::read("a.rs").is_err());
    }
}
