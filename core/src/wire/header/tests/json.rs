//! JSON headers, ours and those of servers that take it less seriously.

use proptest::prelude::*;
use serde_json::json;

use super::{encoded, framed, head, header_of, malformed, pairs};
use crate::wire::command::{self, Command, HeaderCodec, Language};
use crate::wire::frame::FrameError;

fn decode(text: &str) -> Result<Command, FrameError> {
    command::decode(framed(0, text.as_bytes()))
}

fn field(text: &str) -> Option<String> {
    let command = decode(&format!(r#"{{"extFields":{{"k":{text}}}}}"#)).unwrap();
    command.fields.get("k").map(|value| value.into_owned())
}

proptest! {
    #[test]
    fn any_text_is_taken(text in any::<String>()) {
        let _ = decode(&text);
    }

    #[test]
    fn any_text_that_is_nearly_json_is_taken(text in r#"\{["{}\[\],:\\u0-9a-f tn.-]{0,40}\}"#) {
        if let Ok(command) = decode(&format!(r#"{{"extFields":{text},"code":1}}"#)) {
            let _ = command.fields.iter().count();
        }
    }

    #[test]
    fn what_another_writer_writes_is_read_the_same(
        fields in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6),
        remark in any::<String>(),
        pretty in any::<bool>(),
    ) {
        let header = json!({ "code": 1, "language": "GO", "remark": remark, "extFields": fields });
        let text = if pretty { serde_json::to_string_pretty(&header) } else { serde_json::to_string(&header) };
        let command = decode(&text.unwrap()).unwrap();
        prop_assert_eq!((command.code, command.language), (1, Language(9)));
        prop_assert_eq!(command.remark.as_deref(), Some(&*remark));
        prop_assert_eq!(pairs(&command.fields), fields.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn texts_escaped_unit_by_unit_are_read_as_utf_16(text in any::<String>()) {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        prop_assert_eq!(field(&format!("\"{escaped}\"")), Some(text));
    }
}

#[test]
fn what_we_write_a_strict_reader_reads() {
    let text: String = (0..=0x7F).map(char::from).chain("é中\u{2028}😀".chars()).collect();
    let frame = encoded(HeaderCodec::Json, &head(Some(&text)), vec![("k".to_owned(), text.clone())]);
    let read: serde_json::Value = serde_json::from_slice(&header_of(&frame)).unwrap();
    assert_eq!((&read["remark"], &read["extFields"]["k"]), (&json!(text), &json!(text)));
    assert_eq!((&read["language"], &read["opaque"], &read["flag"]), (&json!("RUST"), &json!(5), &json!(1)));
}

#[test]
fn escapes_are_resolved() {
    for (written, meant) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u4E2D""#, "Aé中"),
        (r#""a\uD83D\uDE00b""#, "a😀b"),
        (r#""\\u0041""#, "\\u0041"),
        (r#""""#, ""),
    ] {
        assert_eq!(field(written).as_deref(), Some(meant), "{written}");
    }
}

#[test]
fn a_lone_surrogate_is_replaced_and_takes_nothing_with_it() {
    for (written, meant) in [
        (r#""\uD83D""#, "\u{FFFD}"),
        (r#""\uDE00\uD83D""#, "\u{FFFD}\u{FFFD}"),
        (r#""\uD83D\u0041""#, "\u{FFFD}A"),
        (r#""\uD83DA""#, "\u{FFFD}A"),
        (r#""\uD83D\n""#, "\u{FFFD}\n"),
        (r#""\uD83D\uD83D\uDE00""#, "\u{FFFD}😀"),
    ] {
        assert_eq!(field(written).as_deref(), Some(meant), "{written}");
    }
}

#[test]
fn wrong_escapes_and_strings_without_end_are_refused() {
    for text in [r#"{"a":"\x"}"#, r#"{"a":"\u12"}"#, r#"{"a":"\u12G4"}"#, r#"{"a":"\"#, r#"{"a":"b"#, r#"{"a"#] {
        malformed(decode(text));
    }
}

#[test]
fn the_fixed_part_may_be_written_as_texts_and_be_missing() {
    let command = decode(r#"{"code":"17","opaque":"-5","flag":"1","version":"493"}"#).unwrap();
    assert_eq!((command.code, command.opaque, command.flag, command.version), (17, -5, 1, 493));
    let empty = decode("{}").unwrap();
    assert_eq!((empty.code, empty.opaque, empty.flag, empty.version), (0, 0, 0, 0));
    assert_eq!((empty.remark, empty.fields.iter().count()), (None, 0));
    let nulls = decode(r#"{"code":null,"remark":null,"extFields":null,"language":null}"#).unwrap();
    assert_eq!((nulls.code, nulls.remark, nulls.fields.iter().count()), (0, None, 0));
}

#[test]
fn numbers_that_are_none_or_do_not_fit_are_refused_where_they_stand() {
    for value in ["2147483648", "-2147483649", "\"x\"", "\" 1\"", "{}", "[]", "1e13"] {
        assert_eq!(malformed(decode(&format!(r#"{{"code":{value}}}"#))), ("no number", 8), "{value}");
    }
}

#[test]
fn whatever_stands_among_the_fields_is_a_text_but_for_null() {
    let text = r#"{"extFields":{"n":-12,"t":true,"f":false,"x":1.5e3,"null":null,"o":{"k":"v"},"a":[1,"2"],"s":"s"}}"#;
    let command = decode(text).unwrap();
    let expected = [
        ("n", "-12"),
        ("t", "true"),
        ("f", "false"),
        ("x", "1.5e3"),
        ("o", r#"{"k":"v"}"#),
        ("a", r#"[1,"2"]"#),
        ("s", "s"),
    ];
    assert_eq!(pairs(&command.fields), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn commas_may_trail_and_space_may_be_anywhere() {
    let text = "\t{ \"code\" : 3 ,\r\n \"extFields\" : { \"a\" : \"b\" , } , \"x\" : [ 1 , 2 , ] , } \n";
    let command = decode(text).unwrap();
    assert_eq!((command.code, command.fields.get("a").as_deref()), (3, Some("b")));
}

#[test]
fn what_is_not_known_is_passed_over_however_it_is_nested() {
    let text = r#"{"x":{"a":[{"b":"}]\""},[],{}],"c":{"d":null}},"code":4,"y":[[["{"]]],"z":-1.5E+3}"#;
    assert_eq!(decode(text).unwrap().code, 4);
}

#[test]
fn broken_nesting_is_refused() {
    for value in ["[}", "{]", "[", "{", "[1", "{\"a\"}", "{\"a\":}", "{1}", "[\"a\":1]", "{\"a\":1]", "]", "}"] {
        malformed(decode(&format!(r#"{{"x":{value}}}"#)));
        malformed(decode(&format!(r#"{{"extFields":{{"x":{value}}}}}"#)));
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| format!(r#"{{"x":{}{},"code":5}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(decode(&nested(32)).unwrap().code, 5);
    assert_eq!(malformed(decode(&nested(33))).0, "values nested too deeply");
    assert_eq!(malformed(decode(&nested(1_000_000))).0, "values nested too deeply");
}

#[test]
fn only_one_object_makes_a_header() {
    for text in ["", " ", "null", "1", "\"a\"", "[]", "{}{}", "{} x", "{\"code\":1", "code", "{\"code\" 1}"] {
        malformed(decode(text));
    }
}

#[test]
fn fields_that_are_no_object_are_refused() {
    for value in ["1", "\"{}\"", "[]", "true"] {
        let (what, at) = malformed(decode(&format!(r#"{{"extFields":{value}}}"#)));
        assert_eq!((what, at), ("fields that are no object", 13));
    }
}

#[test]
fn wrong_utf_8_is_refused_where_it_stands() {
    let error = malformed(command::decode(framed(0, b"{\"remark\":\"\xFF\"}")));
    assert_eq!(error, ("wrong UTF-8", 11));
    // Half of a character at the end.
    assert_eq!(malformed(command::decode(framed(0, b"{}\xE4\xB8"))).0, "wrong UTF-8");
}

#[test]
fn a_language_is_known_by_its_name_in_any_case_or_by_its_number() {
    for (written, meant) in [
        (r#""COBOL""#, Language::OTHER),
        (r#""java""#, Language::JAVA),
        ("12", Language::RUST),
        ("-1", Language::OTHER),
        ("254", Language::OTHER),
        ("true", Language::OTHER),
        ("[]", Language::OTHER),
    ] {
        assert_eq!(decode(&format!(r#"{{"language":{written}}}"#)).unwrap().language, meant, "{written}");
    }
}

#[test]
fn names_may_have_other_quotes_and_numbers_none() {
    let command = decode(r#"{'code':34,'extFields':{"a":1,-5:'x "y"','b':2},"remark":'\'"\''}"#).unwrap();
    assert_eq!((command.code, command.remark.as_deref()), (34, Some(r#"'"'"#)));
    let fields = [("a", "1"), ("-5", r#"x "y""#), ("b", "2")];
    assert_eq!(pairs(&command.fields), fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(decode(r#"{"code":34,"extFields":""}"#).unwrap().fields.iter().count(), 0);
}
