//! What a broker sends, frame by frame: where frames end, because answers of the gateway's own go between two of them, and which of them
//! are questions. Nothing else of it is read, and all of it goes on as it comes.

use bytes::{Buf, BytesMut};
use stgclient_core::wire::command::{self, HeaderCodec};

use crate::asked::Asked;

/// Headers that are longer are not read: what such a one asks nobody answers.
const LONGEST_READ: usize = 16 * 1024;
/// The length word, and what says how long the header is.
const FRONT: usize = 8;
/// An answer of JSON is one that says so, as Java's and Go's servers write it. In a value the quotes are escaped.
const ANSWER: &[u8] = b"\"flag\":1";

/// The frames of a server's stream.
#[derive(Debug)]
pub(crate) struct Boundaries {
    asked: Asked,
    /// The front of a frame, and its header, as far as they have come.
    front: BytesMut,
    /// How many bytes of the frame are still to come that are not read.
    left: usize,
}

impl Boundaries {
    /// What is asked is noted there.
    pub(crate) fn new(asked: Asked) -> Self {
        Self { asked, front: BytesMut::new(), left: 0 }
    }

    /// Whether the broker is between two frames.
    pub(crate) fn is_between(&self) -> bool {
        self.front.is_empty() && self.left == 0
    }

    /// Follows a piece of the stream. Gives the last place in it, counted in bytes, at which a frame has ended.
    pub(crate) fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        let (mut at, mut last) = (0, self.is_between().then_some(0));
        while at < piece.len() {
            let rest = &piece[at..];
            if self.left > 0 {
                let taken = self.left.min(rest.len());
                self.left -= taken;
                at += taken;
            } else {
                at += self.follow_front(rest);
            }
            if self.is_between() {
                last = Some(at);
            }
        }
        last
    }

    /// Takes what belongs to a frame's front and header; gives how much that is. Most often both are there as a whole, and not copied.
    fn follow_front(&mut self, rest: &[u8]) -> usize {
        if let Some(wanted) = wanted(rest).filter(|wanted| self.front.is_empty() && rest.len() >= *wanted) {
            self.begin(&rest[..wanted]);
            return wanted;
        }
        let mut taken = 0;
        while let Some(missing) = missing(&self.front).filter(|_| taken < rest.len()) {
            let more = missing.min(rest.len() - taken);
            self.front.extend_from_slice(&rest[taken..taken + more]);
            taken += more;
        }
        if missing(&self.front).is_none() {
            let front = std::mem::take(&mut self.front);
            self.begin(&front);
        }
        taken
    }

    /// A front is there, with its header if that is read.
    fn begin(&mut self, front: &[u8]) {
        let length = length_of(front);
        self.left = (4 + length).saturating_sub(front.len());
        if let Some(opaque) = question(front) {
            self.asked.note(opaque);
        }
    }
}

fn length_of(front: &[u8]) -> usize {
    front.first_chunk().map_or(0, |length| u32::from_be_bytes(*length) as usize)
}

/// How many bytes there are to be until a front is whole, as far as it says so; less, of a frame that is shorter.
fn wanted(front: &[u8]) -> Option<usize> {
    let whole = 4 + length_of(front.get(..4)?);
    if whole <= FRONT {
        return Some(whole);
    }
    let [_, a, b, c] = *front.get(4..FRONT)?.first_chunk()?;
    let header = u32::from_be_bytes([0, a, b, c]) as usize;
    Some(if header > LONGEST_READ { FRONT } else { whole.min(FRONT + header) })
}

/// How many bytes are missing for the next that can be said of a front; nothing, once it is whole.
fn missing(front: &[u8]) -> Option<usize> {
    let next = wanted(front).unwrap_or(if front.len() < 4 { 4 } else { FRONT });
    next.checked_sub(front.len()).filter(|missing| *missing > 0)
}

/// The number of the question that a frame with this front is, if it is one.
fn question(front: &[u8]) -> Option<i32> {
    let header = front.get(FRONT..)?;
    if front[4] == HeaderCodec::Json as u8 && memchr::memmem::find(header, ANSWER).is_some() {
        return None;
    }
    let mut frame = BytesMut::from(front);
    frame.advance(4);
    let command = command::decode(frame.freeze()).ok()?;
    (!command.is_response()).then_some(command.opaque)
}

#[cfg(test)]
mod tests {
    use stgclient_core::wire::code::{RequestCode, ResponseCode};
    use stgclient_core::wire::command::Head;
    use stgclient_core::wire::dialect::Dialect;
    use stgclient_core::wire::fields::NoFields;

    use super::*;

    fn frame(codec: HeaderCodec, head: &Head<'_>, body: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        command::encode(&mut out, codec, Dialect::Apache, head, &NoFields, body);
        out.to_vec()
    }

    fn question_of(opaque: i32) -> Head<'static> {
        Head::request(Dialect::Apache, RequestCode::GET_CONSUMER_RUNNING_INFO, opaque)
    }

    #[test]
    fn questions_are_noted_however_they_are_cut_and_answers_are_not() {
        for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
            let answer = Head::response(Dialect::Apache, ResponseCode::SUCCESS, 2, Some("a \"flag\":0"));
            let all = [
                frame(codec, &question_of(1), b"body"),
                frame(codec, &answer, b"\"flag\":0"),
                frame(codec, &question_of(3), b""),
            ]
            .concat();
            for cut in 1..all.len() {
                let asked = Asked::default();
                let mut boundaries = Boundaries::new(asked.clone());
                let ends: Vec<_> = all.chunks(cut).map(|piece| boundaries.follow(piece)).collect();
                assert!(boundaries.is_between() && ends.last().unwrap().is_some());
                assert!(asked.answered(1) && !asked.answered(2) && asked.answered(3), "{codec:?}, {cut}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_followed_all_the_same() {
        let long = [&100_000_u32.to_be_bytes()[..], &[0, 0, 0xff, 0xff], &vec![b'x'; 99_996]].concat();
        let short = [0, 0, 0, 2, 1, 2];
        let empty = [0, 0, 0, 0];
        let odd = [0, 0, 0, 6, 0, 0xff, 0xff, 0xff, 1, 2];
        for bytes in [&long[..], &short, &empty, &odd] {
            let asked = Asked::default();
            for cut in [1, 3, 4, 7, 8, 9, bytes.len()] {
                let mut boundaries = Boundaries::new(asked.clone());
                let next = frame(HeaderCodec::Json, &question_of(9), b"");
                let all = [bytes, &next].concat();
                let ends = all.chunks(cut).filter_map(|piece| boundaries.follow(piece)).count();
                assert!(ends > 0);
                assert!(boundaries.is_between() && asked.answered(9), "{cut}: {:?}", &bytes[..4]);
            }
        }
    }
}
