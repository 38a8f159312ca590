//! A body that was read, written again, reads as the same.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::Value;
use stgclient_core::wire::body::{from_slice, to_vec};
use stgclient_core::wire::json::Readable;

/// Reads `body` as a `T` and checks what came of it, which is also returned.
pub fn check<T: Serialize + Readable + Debug + PartialEq>(body: &[u8]) -> Option<T> {
    let read: T = from_slice(body).ok()?;
    assert_eq!(from_slice::<T>(&to_vec(&read)).as_ref(), Ok(&read));
    Some(read)
}

/// As [`check`], for a body with keys that are names. A name that begins with a brace is written as the object it is
/// not, which no name of the protocol does (`fastjson.rs`), so such bodies are passed over.
pub fn check_with_names<T: Serialize + Readable + Debug + PartialEq>(body: &[u8]) -> Option<T> {
    let read: T = from_slice(body).ok()?;
    let value = serde_json::to_value(&read).expect("a body of plain values");
    if has_brace_key(&value) { None } else { check(body) }
}

fn has_brace_key(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| name.starts_with('{') || has_brace_key(value)),
        Value::Array(values) => values.iter().any(has_brace_key),
        _ => false,
    }
}
