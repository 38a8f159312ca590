//! What the null broker answers to a send: a canned answer with the request's number.

use bytes::{BufMut, BytesMut};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::HeaderCodec;

/// The header of a real broker's answer (5.4.0, see `tests/corpus`), around the number of the request.
const JSON_SENT: [&str; 2] = [
    r#"{"code":0,"extFields":{"queueId":"1","transactionId":"FD0000000000000000000000000000023C2A30946E09748F9CC10000","msgId":"7F0000020000808F0000000000000000","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"0"},"flag":1,"language":"JAVA","opaque":"#,
    r#","serializeTypeCurrentRPC":"JSON","version":493}"#,
];

/// The same for binary headers.
const BINARY_FIELDS: [(&str, &str); 6] = [
    ("msgId", "7F000002000084770000000000000000"),
    ("queueId", "3"),
    ("queueOffset", "0"),
    ("transactionId", "FD0000000000000000000000000000026E3F30946E09749AD3FC0000"),
    ("TRACE_ON", "true"),
    ("MSG_REGION", "DefaultRegion"),
];

/// Where the number stands in a frame with a binary header: after two length words, code, language and version.
const BINARY_OPAQUE_AT: usize = 4 + 4 + 2 + 1 + 2;

/// Writes answers.
pub(crate) struct Answers {
    binary_sent: Vec<u8>,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { binary_sent: binary_sent() }
    }

    /// Whether a request is a send.
    pub(crate) fn is_send(code: i32) -> bool {
        [RequestCode::SEND_MESSAGE_V2, RequestCode::SEND_MESSAGE, RequestCode::SEND_BATCH_MESSAGE]
            .contains(&RequestCode(code))
    }

    /// Appends that a message is stored.
    pub(crate) fn sent(&self, codec: HeaderCodec, opaque: i32, out: &mut BytesMut) {
        match codec {
            HeaderCodec::Binary => {
                let start = out.len();
                out.put_slice(&self.binary_sent);
                let at = start + BINARY_OPAQUE_AT;
                out[at..at + 4].copy_from_slice(&opaque.to_be_bytes());
            }
            _ => {
                let mut digits = [0; 11];
                let digits = decimal(opaque, &mut digits);
                let header = JSON_SENT[0].len() + digits.len() + JSON_SENT[1].len();
                out.put_u32(header as u32 + 4);
                out.put_u32(header as u32);
                out.put_slice(JSON_SENT[0].as_bytes());
                out.put_slice(digits);
                out.put_slice(JSON_SENT[1].as_bytes());
            }
        }
    }
}

fn binary_sent() -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in BINARY_FIELDS {
        fields.put_u16(name.len() as u16);
        fields.put_slice(name.as_bytes());
        fields.put_u32(value.len() as u32);
        fields.put_slice(value.as_bytes());
    }
    let header = 2 + 1 + 2 + 4 + 4 + 4 + 4 + fields.len() as u32;
    let mut frame = Vec::new();
    frame.put_u32(header + 4);
    frame.put_u32(1 << 24 | header);
    frame.put_u16(0); // code: success
    frame.put_u8(0); // language: JAVA
    frame.put_u16(493); // version
    frame.put_u32(0); // opaque, to be written over
    frame.put_u32(1); // flag: a response
    frame.put_u32(0); // no remark
    frame.put_u32(fields.len() as u32);
    frame.put_slice(&fields);
    frame
}

/// A number in decimal digits.
fn decimal(number: i32, digits: &mut [u8; 11]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    &digits[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use stgclient_core::wire::command;

    #[test]
    fn a_canned_answer_carries_the_number_of_its_request() {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            for opaque in [0, 7, 1234, i32::MAX, -1, i32::MIN] {
                let mut out = BytesMut::new();
                Answers::new().sent(codec, opaque, &mut out);
                let command = command::decode(out.freeze().slice(4..)).expect("a frame");
                assert_eq!((command.opaque, command.code, command.flag), (opaque, 0, 1));
                assert_eq!(command.fields.get("queueOffset").as_deref(), Some("0"));
            }
        }
    }
}
