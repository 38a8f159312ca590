//! Makes strict JSON of what fastjson writes, so that one strict reader serves for all bodies.
//!
//! fastjson writes the keys of a Java map as JSON values. A `Map<Long, String>` becomes `{0:"a"}`, a
//! `Map<MessageQueue, Long>` becomes `{{"brokerName":"b","queueId":0,"topic":"t"}:12}`. And it reads trailing commas,
//! so some peers write them.

use std::borrow::Cow;

use super::BodyError;

/// How many objects and arrays may lie in each other. Real bodies have five.
const MAX_DEPTH: usize = 64;

/// Quotes keys that are numbers, makes strings of keys that are objects, and drops trailing commas.
///
/// What is wrong otherwise stays wrong, for the strict reader to say. Borrows when there is nothing to change.
///
/// # Errors
/// Objects and arrays are nested deeper than 64, a key that is an object has such a key itself, or it does not end.
pub fn strict(text: &[u8]) -> Result<Cow<'_, [u8]>, BodyError> {
    rewrite(text, false)
}

fn rewrite(text: &[u8], in_key: bool) -> Result<Cow<'_, [u8]>, BodyError> {
    Rewriter { text, in_key, at: 0, copied: 0, out: Vec::new(), open: Vec::new(), is_key: false }.run()
}

/// Reads the text once and copies it as soon as something has to change.
struct Rewriter<'a> {
    text: &'a [u8],
    /// Whether the text itself is a key.
    in_key: bool,
    at: usize,
    /// Up to where the text is copied, or left out of the copy.
    copied: usize,
    out: Vec<u8>,
    /// The brackets that have not been closed.
    open: Vec<u8>,
    /// Whether the next value is a key.
    is_key: bool,
}

impl<'a> Rewriter<'a> {
    fn run(mut self) -> Result<Cow<'a, [u8]>, BodyError> {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'"' => self.at = after_string(self.text, self.at),
                b'{' if self.is_key => self.quote_object()?,
                b'{' | b'[' => self.open(byte)?,
                b'}' | b']' => self.close(),
                b',' if self.is_trailing_comma() => self.leave_out(),
                b',' => self.begin_member(),
                b'-' | b'0'..=b'9' if self.is_key => self.quote_number(),
                b':' => {
                    self.is_key = false;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        if self.copied == 0 {
            return Ok(Cow::Borrowed(self.text));
        }
        self.copy_up_to(self.text.len());
        Ok(Cow::Owned(self.out))
    }

    fn open(&mut self, bracket: u8) -> Result<(), BodyError> {
        if self.open.len() == MAX_DEPTH {
            return Err(BodyError::Malformed { what: "brackets nested too deep", at: self.at });
        }
        self.open.push(bracket);
        self.is_key = bracket == b'{';
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.is_key = false;
        self.at += 1;
    }

    fn begin_member(&mut self) {
        self.is_key = self.open.last() == Some(&b'{');
        self.at += 1;
    }

    fn is_trailing_comma(&self) -> bool {
        let mut following = self.text.iter().skip(self.at + 1).skip_while(|byte| byte.is_ascii_whitespace());
        matches!(following.next(), Some(b'}' | b']'))
    }

    fn leave_out(&mut self) {
        self.copy_up_to(self.at);
        self.at += 1;
        self.copied = self.at;
    }

    fn quote_number(&mut self) {
        self.copy_up_to(self.at);
        self.out.push(b'"');
        while self.text.get(self.at).is_some_and(|byte| matches!(byte, b'-' | b'0'..=b'9')) {
            self.at += 1;
        }
        self.copy_up_to(self.at);
        self.out.push(b'"');
        self.is_key = false;
    }

    fn quote_object(&mut self) -> Result<(), BodyError> {
        if self.in_key {
            // Each level of keys in keys would double the backslashes of the one inside.
            return Err(BodyError::Malformed { what: "an object as a key of a key", at: self.at });
        }
        self.copy_up_to(self.at);
        let end = after_object(self.text, self.at)?;
        let object = rewrite(self.text.get(self.at..end).unwrap_or_default(), true)?;
        self.out.push(b'"');
        for &byte in object.iter() {
            match byte {
                b'"' | b'\\' => self.out.extend([b'\\', byte]),
                // Outside of strings these are white space; inside, the text is no JSON anyway.
                0..0x20 => self.out.push(b' '),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        self.at = end;
        self.copied = end;
        self.is_key = false;
        Ok(())
    }

    fn copy_up_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }
}

/// The place after the string that begins at `start`; the end of the text when it is not closed.
fn after_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The place after the object that begins at `start` and is a key.
fn after_object(text: &[u8], start: usize) -> Result<usize, BodyError> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at = after_string(text, at);
                continue;
            }
            b'{' => depth += 1,
            b'}' if depth == 1 => return Ok(at + 1),
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Err(BodyError::Malformed { what: "a key without an end", at: start })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        String::from_utf8(strict(text.as_bytes()).expect("no deep brackets").into_owned()).expect("UTF-8")
    }

    #[test]
    fn strict_json_is_borrowed() {
        for text in ["", "{}", r#"{"a":[1,-2,{"b":"x,}"}],"c":null}"#, r#"["\\\"",{"0":1}]"#] {
            assert!(matches!(strict(text.as_bytes()), Ok(Cow::Borrowed(same)) if same == text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn number_keys_are_quoted() {
        assert_eq!(of(r#"{0:"a", -1 :[2,{3:4}]}"#), r#"{"0":"a", "-1" :[2,{"3":4}]}"#);
    }

    #[test]
    fn object_keys_become_strings() {
        assert_eq!(
            of(r#"{{"t":"x\"y","q":0}:12,{"t":"z",}:{}}"#),
            r#"{"{\"t\":\"x\\\"y\",\"q\":0}":12,"{\"t\":\"z\"}":{}}"#
        );
    }

    #[test]
    fn trailing_commas_are_dropped() {
        assert_eq!(of("{\"a\":[1,2, ],\n}"), "{\"a\":[1,2 ]\n}");
    }

    #[test]
    fn hostile_nesting_is_refused() {
        assert!(strict("[".repeat(64).as_bytes()).is_ok());
        assert!(matches!(strict("[".repeat(65).as_bytes()), Err(BodyError::Malformed { at: 64, .. })));
        assert!(matches!(strict(br#"{{{"a":1}:2}:3}"#), Err(BodyError::Malformed { at: 1, .. })));
        assert!(matches!(strict(br#"{{"a":1"#), Err(BodyError::Malformed { at: 1, .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(text in r#"[\[\]{}",:\\\\0-9a \n-]{0,60}"#, bytes in any::<Vec<u8>>()) {
            let _ = strict(text.as_bytes());
            let _ = strict(&bytes);
        }

        #[test]
        fn what_is_strict_stays_so(value in json()) {
            let text = value.to_string();
            prop_assert!(matches!(strict(text.as_bytes()), Ok(Cow::Borrowed(_))));
        }

        #[test]
        fn what_was_made_strict_is_read(value in json(), number in any::<i64>()) {
            let lenient = format!("{{{number}:[{value},],{{\"key\":{value},}}:{value},}}");
            let read: serde_json::Value = serde_json::from_slice(&strict(lenient.as_bytes()).expect("shallow"))
                .expect("strict");
            prop_assert_eq!(&read[number.to_string()][0], &value);
            let key = serde_json::json!({ "key": value }).to_string();
            prop_assert_eq!(&read[key], &value);
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
