//! A body that was read, written again, reads as the same.

use std::fmt::Debug;

use serde::Serialize;
use serde_json::Value;
use stgclient_core::wire::body::{from_slice, to_vec};
use stgclient_core::wire::json::Readable;

/// Reads `body` as a `T` and checks what came of it, which is also returned.
pub fn check<T: Serialize + Readable + Debug + PartialEq>(body: &[u8]) -> Option<T> {
    let read: T = from_slice(body).ok()?;
    let written = to_vec(&read);
    let again = from_slice::<T>(&written);
    if again.as_ref() != Ok(&read) {
        // Numbers with a fraction are read to fifteen digits, and written with seventeen.
        let is_near = again.as_ref().is_ok_and(|again| is_near(&to_vec(again), &written));
        assert!(is_near, "{read:?} becomes {again:?}");
    }
    Some(read)
}

/// Whether two texts differ in the last digits of numbers alone.
fn is_near(one: &[u8], other: &[u8]) -> bool {
    let is_of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let parts = |text: &[u8]| {
        let parts = text.chunk_by(|a, b| is_of_number(a) == is_of_number(b));
        parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>()
    };
    let (one, other) = (parts(one), parts(other));
    let near = |(one, other): (&String, &String)| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-13 * a.abs(),
        _ => one == other,
    };
    one.len() == other.len() && one.iter().zip(&other).all(near)
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
