//! Finds requests in the bytes that came, reading no more of each than its answer needs.

use memchr::memmem;
use stgclient_core::wire::command::HeaderCodec;

/// A longer frame is no request of ours: the connection is closed.
pub(crate) const MAX_FRAME_LENGTH: usize = 16 << 20;

const FLAG_ONEWAY: i32 = 2;

/// What has to be known of a request to answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) codec: HeaderCodec,
    pub(crate) code: i32,
    pub(crate) opaque: i32,
    pub(crate) is_oneway: bool,
    /// The whole frame without its length word.
    pub(crate) frame: &'a [u8],
}

/// What stands at the beginning of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned<'a> {
    /// A whole request; it takes four bytes more than its frame.
    Request(Request<'a>),
    /// A part of a request.
    Partial,
    /// No request.
    Malformed,
}

/// Reads the first request.
pub(crate) fn scan(bytes: &[u8]) -> Scanned<'_> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Scanned::Partial;
    };
    let length = u32::from_be_bytes(*length) as usize;
    if length > MAX_FRAME_LENGTH {
        return Scanned::Malformed;
    }
    let Some(frame) = rest.get(..length) else {
        return Scanned::Partial;
    };
    request(frame).map_or(Scanned::Malformed, Scanned::Request)
}

fn request(frame: &[u8]) -> Option<Request<'_>> {
    let (&[kind, l0, l1, l2], rest) = frame.split_first_chunk::<4>()?;
    let header = rest.get(..u32::from_be_bytes([0, l0, l1, l2]) as usize)?;
    let (codec, code, opaque, flag) = if kind == 0 {
        let number = |name| number_after(header, name);
        (HeaderCodec::Json, number(b"\"code\":")?, number(b"\"opaque\":")?, number(b"\"flag\":")?)
    } else {
        let (&[c0, c1, _, _, _, o0, o1, o2, o3, f0, f1, f2, f3], _) = header.split_first_chunk::<13>()?;
        let code = i32::from(i16::from_be_bytes([c0, c1]));
        (HeaderCodec::Binary, code, i32::from_be_bytes([o0, o1, o2, o3]), i32::from_be_bytes([f0, f1, f2, f3]))
    };
    Some(Request { codec, code, opaque, is_oneway: flag & FLAG_ONEWAY != 0, frame })
}

/// The number after a name in a JSON header. Within a text the name's quotes would be escaped; as an extension field
/// its value would be a text.
fn number_after(header: &[u8], name: &[u8]) -> Option<i32> {
    memmem::find_iter(header, name).find_map(|at| {
        let (sign, digits) = match &header[at + name.len()..] {
            [b'-', digits @ ..] => (-1, digits),
            digits => (1, digits),
        };
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let fold = |value: i32, digit: &u8| value.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'));
        (count > 0).then(|| digits[..count].iter().fold(0, fold).wrapping_mul(sign))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_frame(header: &str) -> Vec<u8> {
        let mut frame = ((header.len() + 4) as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&(header.len() as u32).to_be_bytes());
        frame.extend_from_slice(header.as_bytes());
        frame
    }

    #[test]
    fn an_extension_field_of_the_same_name_is_not_the_flag() {
        let frame = json_frame(r#"{"code":10,"extFields":{"flag":"7"},"flag":2,"opaque":-31}"#);
        let Scanned::Request(request) = scan(&frame) else { panic!("{:?}", scan(&frame)) };
        assert_eq!((request.code, request.opaque, request.is_oneway), (10, -31, true));
    }

    #[test]
    fn a_request_is_partial_until_its_last_byte() {
        let frame = json_frame(r#"{"code":310,"flag":0,"opaque":5}"#);
        for length in 0..frame.len() {
            assert_eq!(scan(&frame[..length]), Scanned::Partial);
        }
        assert!(matches!(scan(&frame), Scanned::Request(_)));
    }

    #[test]
    fn what_names_no_number_is_malformed() {
        assert_eq!(scan(&json_frame(r#"{"code":310,"flag":0}"#)), Scanned::Malformed);
        assert_eq!(scan(&[0xff; 8]), Scanned::Malformed);
        assert_eq!(scan(&[0, 0, 0, 4, 1, 0, 0, 0]), Scanned::Malformed);
    }
}
