//! A stream of frames in arbitrary pieces: as in one piece, and no more memory than the bytes that came are worth.
//!
//! The input is a number n, n lengths of pieces which then repeat, and the stream.

use bytes::BufMut;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{FrameError, FrameReader};
use stgclient_fuzzing::{MEMORY, commands};

/// The longest frame that is read here, in bytes: far longer than any input, and far shorter than a frame may claim.
const LIMIT: usize = 1024 * 1024;
/// What a reader may hold beyond the bytes that came: its buffers.
const ROOM: usize = 3 * 64 * 1024;
/// The body of a frame that comes first and takes up most of a buffer, so that the input decides on the next.
static FIRST_BODY: [u8; 56 * 1024] = [0; 56 * 1024];

pub fn run(input: &[u8]) {
    let Some((&count, rest)) = input.split_first() else { return };
    let (lengths, stream) = rest.split_at(rest.len().min(usize::from(count)));

    let mut whole = FrameReader::new(LIMIT);
    whole.extend(stream);
    let expected = read(&mut whole);

    let before = MEMORY.allocated();
    let mut reader = FrameReader::new(LIMIT);
    let buffer = reader.read_buffer();
    buffer.put_u32(6 + FIRST_BODY.len() as u32);
    buffer.put_slice(b"\0\0\0\x02{}");
    buffer.put_slice(&FIRST_BODY);
    let mut got = Vec::new();
    let mut rest = stream;
    for (number, &length) in lengths.iter().chain(&[255]).cycle().enumerate() {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(length.max(1))));
        // The two ways to give a reader bytes; the first piece joins the first frame.
        if number % 2 == 0 {
            reader.extend(piece)
        } else {
            reader.read_buffer().extend_from_slice(piece)
        }
        let mut read = read(&mut reader);
        if number == 0 {
            let first = read.remove(0).expect("the first frame");
            assert_eq!(*first.body, FIRST_BODY);
        }
        let has_failed = read.last().is_some_and(Result::is_err);
        got.append(&mut read);
        if after.is_empty() || has_failed {
            break;
        }
        rest = after;
    }
    assert!(MEMORY.allocated() - before <= ROOM + 64 * stream.len(), "for {} bytes", stream.len());
    assert_eq!(format!("{got:?}"), format!("{expected:?}"));
    if let Some(Err(error)) = got.last() {
        assert_eq!(reader.next_command().as_ref().err(), Some(error), "an error stays");
    }
    got.iter().flatten().for_each(commands::check);
}

/// All that there is, up to the first error.
fn read(reader: &mut FrameReader) -> Vec<Result<Command, FrameError>> {
    let mut all = Vec::new();
    while let Some(result) = reader.next_command().transpose() {
        let has_failed = result.is_err();
        all.push(result);
        if has_failed {
            break;
        }
    }
    all
}
