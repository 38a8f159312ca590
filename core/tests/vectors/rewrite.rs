//! Frames of Java, read and written again.

use std::collections::BTreeMap;

use bytes::BytesMut;
use serde_json::Value;
use stgclient_core::wire::command::{Command, HeaderCodec, Language, encode};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, Fields, Header, WriteHeader};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameError, FrameReader};
use stgclient_core::wire::odd::Odd;

/// Extension fields by name.
pub(crate) type ByName = BTreeMap<String, String>;

/// Any extension fields.
struct AllFields(ByName);

impl WriteHeader for AllFields {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in &self.0 {
            writer.text(name, value);
        }
    }
}

impl Header<'_> for AllFields {
    fn read(fields: &Fields, _: &Odd) -> Result<Self, FieldError> {
        Ok(Self(fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

/// The extension fields of a command.
pub(crate) fn all_fields(command: &Command) -> Result<ByName, String> {
    command.header::<AllFields>().map(|fields| fields.0).map_err(|error| error.to_string())
}

/// The one command of a frame, read at once and byte by byte, which has to make no difference.
pub(crate) fn read_frame(frame: &[u8]) -> Result<Command, FrameError> {
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    reader.extend(frame);
    let at_once = reader.next_command();
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    let mut by_byte = Ok(None);
    for byte in frame.chunks(1) {
        reader.extend(byte);
        by_byte = reader.next_command();
    }
    assert_eq!(format!("{at_once:?}"), format!("{by_byte:?}"));
    at_once.map(|command| command.expect("a whole frame"))
}

fn write_frame(command: &Command, fields: &dyn WriteHeader) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(&mut out, command.codec, dialect_of(command), &command.head(), fields, &command.body);
    out.to_vec()
}

/// Which dialect somebody speaks, by the language that he names.
pub(crate) fn dialect_of(command: &Command) -> Dialect {
    match command.language {
        Language::GOLANG | Language::NONE => Dialect::Smartgo,
        _ => Dialect::Apache,
    }
}

/// A JSON header, as anybody reads it.
fn header_of(frame: &[u8]) -> Option<Value> {
    let (word, rest) = frame.get(4..)?.split_first_chunk::<4>()?;
    serde_json::from_slice(rest.get(..u32::from_be_bytes(*word) as usize)?).ok()
}

/// A command without the bytes of its fields, whose order may change.
fn shown(command: &Command) -> Result<String, String> {
    Ok(format!("{:?}, {:?}", Command { fields: Fields::default(), ..command.clone() }, all_fields(command)?))
}

/// Written again, a command has to be what it was; in the binary layout up to the fields byte for byte, and of their
/// length but for those without a value, which are null. The order of the fields, and in JSON of everything, is left
/// open in Java.
pub(crate) fn rewrite(command: &Command, frame: &[u8]) -> Result<(), String> {
    let again = write_frame(command, &AllFields(all_fields(command)?));
    if command.codec == HeaderCodec::Binary {
        let length_of_remark = command.remark.as_deref().map_or(0, str::len);
        let fields_at = 8 + 17 + length_of_remark + 4;
        let fixed_part = 8..fields_at - 4;
        let nulls = length_of_nulls(&frame[fields_at..frame.len() - command.body.len()]);
        if again.get(fixed_part.clone()) != frame.get(fixed_part) || again.len() + nulls != frame.len() {
            return Err(format!("{frame:?} was written as {again:?}"));
        }
    }
    let back = read_frame(&again).map_err(|error| error.to_string())?;
    let (before, after) = (shown(command)?, shown(&back)?);
    if before == after { Ok(()) } else { Err(format!("{before} came back as {after}")) }
}

/// How many bytes those fields take that have no value.
fn length_of_nulls(mut fields: &[u8]) -> usize {
    let mut nulls = 0;
    while let [a, b, rest @ ..] = fields {
        let name = usize::from(u16::from_be_bytes([*a, *b]));
        let value = u32::from_be_bytes(rest[name..name + 4].try_into().expect("four bytes")) as usize;
        nulls += if value == 0 { 2 + name + 4 } else { 0 };
        fields = &rest[name + 4 + value..];
    }
    nulls
}

/// Read as a typed header and written again, the fields have to be the same. Returns the names of those that the
/// header does not know.
pub(crate) fn rewrite_header<'a, H: Header<'a>>(command: &'a Command, frame: &[u8]) -> Result<Vec<String>, String> {
    let header: H = command.header().map_err(|error| error.to_string())?;
    let again = write_frame(command, &header);
    // Go's servers mind every name, so there nothing at all may differ.
    if command.language == Language::GOLANG && header_of(&again) != header_of(frame) {
        return Err(format!("{} was written as {}", String::from_utf8_lossy(frame), String::from_utf8_lossy(&again)));
    }
    let back = read_frame(&again).map_err(|error| error.to_string())?;
    let (mut before, after) = (all_fields(command)?, all_fields(&back)?);
    for (name, value) in after {
        match before.remove(&name) {
            Some(same) if same == value => {}
            other => return Err(format!("the field {name} was {other:?} and came back as {value:?}")),
        }
    }
    Ok(before.into_keys().collect())
}
