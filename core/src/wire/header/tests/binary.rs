//! Headers in the binary layout, and lies about their lengths.

use bytes::BufMut;
use proptest::prelude::*;

use super::{encoded, framed, head, header_of, malformed, pairs};
use crate::wire::command::{self, Command, HeaderCodec};
use crate::wire::frame::FrameError;

/// The fixed part: code, language, version, opaque and flag.
const FIXED: usize = 13;

fn decode(header: &[u8]) -> Result<Command, FrameError> {
    command::decode(framed(1, header))
}

/// A header with this remark and these fields, whatever lengths they claim.
fn header(remark: (i32, &[u8]), fields: (i32, &[u8])) -> Vec<u8> {
    let mut out = vec![0; FIXED];
    for (length, bytes) in [remark, fields] {
        out.put_i32(length);
        out.put_slice(bytes);
    }
    out
}

/// A header with one field, whatever lengths it claims.
fn header_with_field(name_length: i16, name: &[u8], value_length: i32, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    field.put_i16(name_length);
    field.put_slice(name);
    field.put_i32(value_length);
    field.put_slice(value);
    header((0, b""), (field.len() as i32, &field))
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(command) = decode(&bytes) {
            let _ = command.fields.iter().count();
        }
    }

    #[test]
    fn any_changed_byte_is_taken(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let fields = vec![("name".to_owned(), "value".to_owned()), ("n".to_owned(), "中".to_owned())];
        let mut bytes = header_of(&encoded(HeaderCodec::Binary, &head(Some("remark")), fields)).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(command) = decode(&bytes) {
            prop_assert!(command.fields.iter().count() <= bytes.len());
        }
    }
}

#[test]
fn lengths_that_point_outside_are_refused() {
    for (what, bytes) in [
        ("remark", header((5, b""), (0, b""))),
        ("remark", header((i32::MAX, b"abc"), (0, b""))),
        ("fields", header((0, b""), (1, b""))),
        ("fields", header((2, b"ab"), (i32::MAX, b"abc"))),
        ("field name", header_with_field(6, b"a", 0, b"")),
        ("field name", header_with_field(i16::MAX, b"a", 0, b"")),
        ("field value", header_with_field(1, b"a", 2, b"b")),
        ("field value", header_with_field(1, b"a", i32::MAX, b"b")),
    ] {
        let (found, at) = malformed(decode(&bytes));
        assert!(found.starts_with(what), "{found} instead of {what}");
        assert!(at >= FIXED && at <= bytes.len());
    }
}

#[test]
fn a_field_is_not_read_beyond_the_end_of_the_fields() {
    // The value would fit the header, but not the fields.
    let mut bytes = header_with_field(1, b"a", 4, b"b");
    bytes.extend_from_slice(b"cdef");
    assert_eq!(malformed(decode(&bytes)).0, "field value");
}

#[test]
fn negative_lengths_count_as_zero() {
    for length in [-1, i32::MIN] {
        let command = decode(&header((length, b""), (length, b""))).unwrap();
        assert_eq!((command.remark, command.fields.iter().count()), (None, 0));
        let command = decode(&header_with_field(1, b"a", length, b"")).unwrap();
        assert_eq!(pairs(&command.fields), []);
    }
    let command = decode(&header_with_field(i16::MIN, b"", 1, b"v")).unwrap();
    assert_eq!(pairs(&command.fields), [(String::new(), "v".to_owned())]);
}

#[test]
fn wrong_utf_8_is_refused_where_it_begins() {
    assert_eq!(malformed(decode(&header((2, b"a\xFF"), (0, b"")))), ("remark", FIXED + 4));
    assert_eq!(malformed(decode(&header_with_field(1, b"\xFF", 0, b""))).0, "field name");
    assert_eq!(malformed(decode(&header_with_field(1, b"a", 1, b"\xFF"))).0, "field value");
}

#[test]
fn code_and_version_have_a_sign() {
    let mut bytes = header((0, b""), (0, b""));
    bytes[..5].copy_from_slice(&[0xFF, 0xFE, 200, 0xFF, 0xFF]);
    let command = decode(&bytes).unwrap();
    assert_eq!((command.code, command.version, command.language.0), (-2, -1, 200));
    assert_eq!(command.language.name(), "OTHER");
}
