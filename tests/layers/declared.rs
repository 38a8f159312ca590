//! Which files some module names. What none names is never compiled, and the tests in it never run.

use std::collections::{BTreeMap, BTreeSet};

/// The files below a folder that nobody names, by their paths there; `is_root` says of a file whether cargo itself does.
pub(crate) fn undeclared(files: &[(String, String)], is_root: impl Fn(&str) -> bool) -> Vec<&str> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let by_path: BTreeSet<String> = texts.iter().flat_map(|(path, text)| named_by_path(path, text)).collect();
    let is_named = |path: &str| {
        let (folder, name) = place(path);
        let mut parents = parents(folder).into_iter().filter_map(|parent| texts.get(parent.as_str()));
        by_path.contains(path) || parents.any(|text| declares(text, name))
    };
    texts.keys().copied().filter(|path| !is_root(path) && !is_named(path)).collect()
}

/// The folder whose module names a file, and the name: a folder's own file is named where its folder is.
fn place(path: &str) -> (&str, &str) {
    let module = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs")).unwrap_or(path);
    module.rsplit_once('/').unwrap_or(("", module))
}

/// The files that may name what is in a folder.
fn parents(folder: &str) -> Vec<String> {
    let inside = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let mut parents: Vec<String> = ["mod.rs", "lib.rs", "main.rs"].map(inside).into();
    if !folder.is_empty() {
        parents.push(format!("{folder}.rs"));
    }
    parents
}

/// Whether a line of a module's file declares the module of this name.
fn declares(text: &str, name: &str) -> bool {
    let declaration = format!("mod {name};");
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    code.into_iter().any(|line| line == declaration || line.ends_with(&format!(" {declaration}")))
}

/// The files that a file names by their paths from its folder.
fn named_by_path<'t>(path: &'t str, text: &'t str) -> impl Iterator<Item = String> + 't {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \"")?.split('"').next());
    named.map(move |named| {
        // From the folder, and up where it says so.
        let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
        for step in named.split('/') {
            if step == ".." {
                steps.pop();
            } else {
                steps.push(step);
            }
        }
        steps.join("/")
    })
}

#[cfg(test)]
mod tests {
    use super::undeclared;

    #[test]
    fn a_file_that_no_module_names_is_told() {
        let files = [
            ("lib.rs", "mod a;\npub(crate) mod b;\n// mod lost;\n#[path = \"far/d.rs\"]\nmod e;"),
            ("far/d.rs", "#[path = \"../near/f.rs\"]\nmod f;"),
            ("near/f.rs", ""),
            ("a.rs", "#[cfg(test)]\nmod tests;"),
            ("a/tests.rs", ""),
            ("b/mod.rs", "mod c;"),
            ("b/c.rs", ""),
            ("b/lost.rs", ""),
            ("lost.rs", ""),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(undeclared(&files, |path| path == "lib.rs"), ["b/lost.rs", "lost.rs"]);
    }
}
