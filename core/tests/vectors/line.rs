//! Vector files: one JSON object a line, each checked by its kind.
//!
//! No files and no clock in here or in the modules beside it: they also run inside WebAssembly.
#![allow(dead_code, reason = "each file uses some of this")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

/// A line of a vector file.
pub(crate) struct Line {
    object: Value,
}

/// Gives every line to `check`, but for those of kinds that `later` lists: these are about parts that do not exist yet,
/// and must be exactly as many as it says. Returns how many lines were checked.
pub(crate) fn check(
    text: &str,
    later: &[(&str, usize)],
    mut check: impl FnMut(&Line) -> Result<(), String>,
) -> Result<usize, String> {
    let mut passed_over: BTreeMap<&str, usize> = later.iter().map(|&(kind, _)| (kind, 0)).collect();
    let mut checked = 0;
    for (index, text) in text.lines().enumerate() {
        let object = serde_json::from_str(text).map_err(|error| format!("line {}: {error}", index + 1))?;
        let line = Line { object };
        if let Some(count) = passed_over.get_mut(line.kind()) {
            *count += 1;
            continue;
        }
        check(&line).map_err(|error| format!("line {}, {}: {error}", index + 1, line.kind()))?;
        checked += 1;
    }
    same("lines for later", passed_over, later.iter().copied().collect())?;
    Ok(checked)
}

impl Line {
    /// What the line is about.
    pub(crate) fn kind(&self) -> &str {
        ["kind", "type", "strategy"].iter().find_map(|name| self.object[name].as_str()).unwrap_or("no kind")
    }

    /// The value called `name`; null when there is none.
    pub(crate) fn value(&self, name: &str) -> &Value {
        &self.object[name]
    }

    /// The text called `name`.
    pub(crate) fn text(&self, name: &str) -> Result<&str, String> {
        text(self.value(name))
    }

    /// The whole number called `name`.
    pub(crate) fn integer(&self, name: &str) -> Result<i64, String> {
        integer(self.value(name))
    }

    /// The truth value called `name`.
    pub(crate) fn truth(&self, name: &str) -> Result<bool, String> {
        self.value(name).as_bool().ok_or_else(|| format!("{name} is no truth value"))
    }

    /// The bytes whose hexadecimal digits are called `name`.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        bytes(self.value(name))
    }
}

/// `value`, which is a text.
pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}

/// `value`, which is a whole number.
pub(crate) fn integer(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no whole number"))
}

/// `value`, which is hexadecimal digits, or null for no bytes.
pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let digits = text(value)?;
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|_| format!("{digits} is not hexadecimal"))).collect()
}

/// `value`, which is an object of texts.
pub(crate) fn map(value: &Value) -> Result<BTreeMap<&str, &str>, String> {
    let object = value.as_object().ok_or_else(|| format!("{value} is no object"))?;
    object.iter().map(|(name, value)| Ok((name.as_str(), text(value)?))).collect()
}

/// Both have to be equal.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what} is {ours:?}, not {theirs:?}")) }
}
