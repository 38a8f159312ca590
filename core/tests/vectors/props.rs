//! `props.jsonl`: properties, encoded and decoded.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::collections::BTreeMap;

use line::{Line, map, same};
use stgclient_core::wire::message::{Properties, PropertiesRef, PropertyError};

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "encode" => encode(line),
        "decode" => decode(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Java writes a property with an empty value, which no reader sees; we refuse to set it. The rest is byte-equal.
fn encode(line: &Line) -> Result<(), String> {
    let java = String::from_utf8(line.bytes("hex")?).map_err(|error| error.to_string())?;
    let mut expected = java.clone();
    let mut ours = Properties::new();
    for (name, value) in map(line.value("map"))? {
        let set = ours.set(name, value);
        if value.is_empty() {
            same("an empty value", set, Err(PropertyError::EmptyValue { name: name.to_owned() }))?;
            expected = expected.replace(&format!("{name}\u{1}\u{2}"), "");
        } else {
            set.map_err(|error| error.to_string())?;
        }
    }
    same("what was set", ours.encoded(), &expected)?;
    same("what was encoded", Properties::from_encoded(&*java).encoded(), &java)
}

fn decode(line: &Line) -> Result<(), String> {
    let text = String::from_utf8(line.bytes("hex")?).map_err(|error| error.to_string())?;
    let expected = map(line.value("map"))?;
    let ours = PropertiesRef::new(&text);
    same("properties", ours.iter().collect::<BTreeMap<_, _>>(), expected.clone())?;
    for (name, value) in expected {
        same(name, ours.get(name), Some(value))?;
    }
    let again = Properties::from_encoded(&*text);
    same("properties read again", again.iter().collect::<Vec<_>>(), ours.iter().collect())
}
