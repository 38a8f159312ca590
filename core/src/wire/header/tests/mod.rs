//! Headers: what we write comes back, and nothing that a peer writes can hurt.

mod binary;
mod json;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::wire::command::{self, Command, Head, HeaderCodec, Language};
use crate::wire::dialect::Dialect;
use crate::wire::fields::{FieldError, FieldWriter, Fields, Header, WriteHeader};
use crate::wire::frame::FrameError;
use crate::wire::odd::Odd;

/// Fields of any name and value.
struct Pairs(Vec<(String, String)>);

impl WriteHeader for Pairs {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in &self.0 {
            writer.text(name, value);
        }
    }
}

impl Header<'_> for Pairs {
    fn read(fields: &Fields, _: &Odd) -> Result<Self, FieldError> {
        Ok(Self(pairs(fields)))
    }
}

fn pairs(fields: &Fields) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The frame of a header, its length word left off.
fn framed(type_byte: u8, header: &[u8]) -> Bytes {
    let mark = u32::from(type_byte) << 24 | header.len() as u32;
    [&mark.to_be_bytes()[..], header].concat().into()
}

fn encoded(codec: HeaderCodec, head: &Head<'_>, fields: Vec<(String, String)>) -> Bytes {
    let mut out = BytesMut::new();
    command::encode(&mut out, codec, Dialect::Apache, head, &Pairs(fields), b"body");
    out.freeze().slice(4..)
}

/// The header of a frame.
fn header_of(frame: &Bytes) -> Bytes {
    frame.slice(4..frame.len() - b"body".len())
}

fn malformed(result: Result<Command, FrameError>) -> (&'static str, usize) {
    match result {
        Err(FrameError::MalformedHeader { what, at }) => (what, at),
        other => panic!("{other:?}"),
    }
}

fn head(remark: Option<&str>) -> Head<'_> {
    Head { code: 0, language: Language::RUST, version: 493, opaque: 5, flag: 1, remark }
}

proptest! {
    #[test]
    fn whatever_is_written_comes_back(
        binary in any::<bool>(),
        (code, version) in any::<(i16, i16)>(),
        (opaque, flag) in any::<(i32, i32)>(),
        language in 0_u8..14,
        remark in proptest::option::of(any::<String>()),
        fields in proptest::collection::vec(("[a-zA-Z_]{1,12}", any::<String>()), 0..8),
    ) {
        let codec = if binary { HeaderCodec::Binary } else { HeaderCodec::Json };
        let head = Head {
            code: i32::from(code),
            language: Language(language),
            version: i32::from(version),
            opaque,
            flag,
            remark: remark.as_deref(),
        };
        let command = command::decode(encoded(codec, &head, fields.clone())).unwrap();
        prop_assert_eq!((command.code, command.version), (i32::from(code), i32::from(version)));
        prop_assert_eq!((command.opaque, command.flag), (opaque, flag));
        prop_assert_eq!((command.language, command.codec), (Language(language), codec));
        // The binary layout cannot tell an empty remark from none.
        prop_assert_eq!(command.remark.as_deref(), remark.as_deref().filter(|text| !binary || !text.is_empty()));
        // Nor an empty value.
        let told = fields.into_iter().filter(|(_, value)| !binary || !value.is_empty()).collect::<Vec<_>>();
        prop_assert_eq!(pairs(&command.fields), told);
        prop_assert_eq!(&command.body[..], b"body");
    }

    #[test]
    fn any_cut_header_is_an_error(binary in any::<bool>(), remark in "\\PC{0,8}", fields in proptest::collection::vec(("[a-z]{1,4}", "\\PC{0,8}"), 0..4)) {
        let codec = if binary { HeaderCodec::Binary } else { HeaderCodec::Json };
        let frame = encoded(codec, &head(Some(&remark)), fields);
        let header = header_of(&frame);
        for length in 0..header.len() {
            malformed(command::decode(framed(u8::from(binary), &header[..length])));
        }
    }
}

#[test]
fn codes_that_do_not_fit_16_bits_travel_as_json() {
    for (code, codec) in [
        (32_767, HeaderCodec::Binary),
        (-32_768, HeaderCodec::Binary),
        (32_768, HeaderCodec::Json),
        (200_050, HeaderCodec::Json),
        (-32_769, HeaderCodec::Json),
        (i32::MAX, HeaderCodec::Json),
        (i32::MIN, HeaderCodec::Json),
    ] {
        let head = Head { code, ..head(None) };
        let command = command::decode(encoded(HeaderCodec::Binary, &head, Vec::new())).unwrap();
        assert_eq!((command.code, command.codec), (code, codec));
    }
}
