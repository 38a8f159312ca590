//! What the Java implementation computes, line by line: `tests/vectors`, which `Vectors.java` there makes.

#[path = "vectors/acl.rs"]
mod acl;
#[path = "vectors/allocate.rs"]
mod allocate;
#[path = "vectors/bodies.rs"]
mod bodies;
#[path = "vectors/filter.rs"]
mod filter;
#[path = "vectors/ids.rs"]
mod ids;
#[path = "vectors/lenient.rs"]
mod lenient;
#[path = "vectors/messages.rs"]
mod messages;
#[path = "vectors/names.rs"]
mod names;
#[path = "vectors/props.rs"]
mod props;
#[path = "vectors/remoting.rs"]
mod remoting;
#[path = "vectors/util.rs"]
mod util;

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn read(name: &str) -> String {
    let path = folder().join(name).with_extension("jsonl");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file's lines: how many were checked, and how many are about parts that do not exist yet.
fn checked(name: &str, check: fn(&str) -> Result<usize, String>) -> (usize, usize) {
    let text = read(name);
    let checked = check(&text).unwrap_or_else(|error| panic!("{name}.jsonl, {error}"));
    (checked, text.lines().count() - checked)
}

#[test]
fn signatures_are_as_java_computes_them() {
    assert_eq!(checked("acl", acl::check), (19, 0));
}

#[test]
fn queues_are_shared_as_java_shares_them() {
    assert_eq!(checked("allocate", allocate::check), (861, 0));
}

#[test]
fn bodies_are_as_java_writes_them() {
    assert_eq!(checked("bodies", bodies::check), (13, 0));
}

#[test]
fn what_java_takes_though_it_writes_it_otherwise_is_taken() {
    assert_eq!(checked("lenient", lenient::check), (174, 0));
}

#[test]
fn subscriptions_and_hashes_are_as_java_computes_them() {
    assert_eq!(checked("filter", filter::check), (42, 0));
}

#[test]
fn ids_are_as_java_makes_them() {
    assert_eq!(checked("ids", ids::check), (121, 0));
}

#[test]
fn messages_are_as_java_stores_them() {
    assert_eq!(checked("messages", messages::check), (38, 0));
}

#[test]
fn properties_are_as_java_encodes_them() {
    assert_eq!(checked("props", props::check), (17, 0));
}

#[test]
fn frames_are_as_java_writes_them() {
    assert_eq!(checked("remoting", remoting::check), (206, 0));
}

#[test]
fn numbers_are_as_java_has_them() {
    assert_eq!(checked("util", util::check), (275, 36));
}

/// 13 of the 36 lines that the test above leaves out.
#[test]
fn names_are_refused_as_java_refuses_them() {
    assert_eq!(checked("util", names::check), (13, 298));
}

/// So that a new file is not overlooked: the rest is about parts that do not exist yet.
#[test]
fn no_file_is_forgotten() {
    let known = ["acl", "allocate", "bodies", "filter", "ids", "lenient", "messages", "props", "remoting", "util"];
    let mut later: Vec<(String, usize)> = std::fs::read_dir(folder())
        .expect("the folder of the vectors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| !known.contains(&&**name))
        .map(|name| (name.clone(), read(&name).lines().count()))
        .collect();
    later.sort();
    let expected = [("pop", 16), ("trace", 10)];
    assert_eq!(later, expected.map(|(name, lines)| (name.to_owned(), lines)));
}
