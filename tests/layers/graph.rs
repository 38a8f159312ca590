//! Which file knows which: paths are followed through the modules that give names on, to the file that has them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// The files of one crate by their paths below its source folder, such as `wire/mod.rs`.
pub(crate) struct Crate {
    files: BTreeMap<String, Source>,
}

/// Who imports whom.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

impl Crate {
    pub(crate) fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { files: files.into_iter().map(|(path, text)| (path, Source::read(&text))).collect() }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (file, source) in &self.files {
            let known = imports.entry(file.clone()).or_default();
            known.extend(source.paths.iter().filter_map(|path| self.follow(file, path, 0)));
            known.remove(file);
        }
        imports
    }

    /// The file that has what `path` names, as seen from `file`.
    fn follow(&self, file: &str, path: &[String], steps: usize) -> Option<String> {
        let mut module = module_of(file);
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (module, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|word| word == "super") {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            // A module below this one, or another crate.
            name => {
                let mut child = module.clone();
                child.push(name.to_owned());
                self.file_of(&child)?;
            }
        }
        while let Some(name) = rest.first() {
            module.push(name.clone());
            if self.file_of(&module).is_none() {
                module.pop();
                break;
            }
            rest = &rest[1..];
        }
        let found = self.file_of(&module)?;
        let Some(name) = rest.first().filter(|_| steps < 8) else {
            return Some(found);
        };
        // It may have the name from elsewhere.
        let source = &self.files[&found];
        if source.items.contains(name) {
            return Some(found);
        }
        let named = source.exports.iter().find(|(known, _)| known == name);
        if let Some((_, path)) = named {
            return self.follow(&found, path, steps + 1).or(Some(found));
        }
        let globs = source.exports.iter().filter(|(known, _)| known == "*");
        for (_, path) in globs {
            let inside: Vec<String> = path[..path.len() - 1].iter().chain([name]).cloned().collect();
            let target = self.follow(&found, &inside, steps + 1);
            if let Some(target) = target.filter(|target| self.files[target].items.contains(name)) {
                return Some(target);
            }
        }
        Some(found)
    }

    fn file_of(&self, module: &[String]) -> Option<String> {
        let path = module.join("/");
        let candidates = match path.as_str() {
            "" => ["lib.rs".to_owned(), "main.rs".to_owned()],
            path => [format!("{path}.rs"), format!("{path}/mod.rs")],
        };
        candidates.into_iter().find(|candidate| self.files.contains_key(candidate))
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let words = path.split('/').filter(|word| !matches!(*word, "lib" | "main" | "mod"));
    words.map(str::to_owned).collect()
}

/// The circles among files, each as one way round.
pub(crate) fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let mut circles = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for start in imports.keys() {
        if done.contains(start) {
            continue;
        }
        if let Some(way) = way(imports, start) {
            done.extend(way.iter().cloned());
            circles.push(way);
        }
    }
    circles
}

/// The shortest way from a file back to itself.
fn way(imports: &Imports, start: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut line = vec![start];
    while !line.is_empty() {
        let mut next = Vec::new();
        for file in line {
            for known in imports.get(file).into_iter().flatten() {
                if known == start {
                    let mut way = vec![start.to_owned()];
                    let mut at = file;
                    while at != start {
                        way.push(at.to_owned());
                        at = before[at];
                    }
                    way.push(start.to_owned());
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(known.as_str()) {
                    before.insert(known, file);
                    next.push(known.as_str());
                }
            }
        }
        line = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Imports {
        Crate::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))).imports()
    }

    #[test]
    fn names_are_followed_to_the_file_that_has_them() {
        let imports = imports(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod c; mod d; pub use c::C; pub use d::*; pub fn own() {}"),
            ("a/c.rs", "pub struct C;"),
            ("a/d.rs", "use super::own; pub struct D;"),
            ("b.rs", "use crate::a::{C, D, own}; use std::fmt; fn f() { super::a::c::g(); }"),
        ]);
        let known = |file: &str| imports[file].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(known("b.rs"), ["a/c.rs", "a/d.rs", "a/mod.rs"]);
        assert_eq!(known("a/d.rs"), ["a/mod.rs"]);
        assert!(known("a/mod.rs").is_empty(), "giving a name on is no import");
    }

    #[test]
    fn a_circle_is_found_and_told_once() {
        let files =
            [("lib.rs", ""), ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use super::a::A;")];
        assert_eq!(circles(&imports(&files)), [["a.rs", "b.rs", "c.rs", "a.rs"]]);
        assert!(circles(&imports(&files[..3])).is_empty());
    }
}
