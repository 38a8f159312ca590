//! Frames out of arbitrary pieces, and what no frame should be.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::{CHUNK, DEFAULT_MAX_FRAME_LENGTH, FrameError, FrameReader, READ_ROOM};
use crate::wire::code::RequestCode;
use crate::wire::command::{self, Command, Head, HeaderCodec};
use crate::wire::dialect::Dialect;
use crate::wire::fields::NoFields;

fn frame(codec: HeaderCodec, opaque: i32, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    let head = Head::request(Dialect::Apache, RequestCode::HEART_BEAT, opaque);
    command::encode(&mut out, codec, Dialect::Apache, &head, &NoFields, body);
    out.freeze()
}

/// A frame as a liar writes it: its length word, its header's mark, and some bytes.
fn lie(length: u32, mark: u32, bytes: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes()[..], &mark.to_be_bytes()[..], bytes].concat()
}

fn reader() -> FrameReader {
    FrameReader::new(DEFAULT_MAX_FRAME_LENGTH)
}

/// Everything that is whole by now.
fn commands(reader: &mut FrameReader) -> Vec<Command> {
    core::iter::from_fn(|| reader.next_command().expect("good frames")).collect()
}

fn error_of(bytes: &[u8]) -> FrameError {
    let mut reader = reader();
    reader.extend(bytes);
    reader.next_command().expect_err("no frame")
}

/// Reads as a host does: into the reader's own buffer, at most `most` bytes at once.
fn read_into(reader: &mut FrameReader, mut bytes: &[u8], most: usize) {
    while !bytes.is_empty() {
        let buffer = reader.read_buffer();
        let room = buffer.capacity() - buffer.len();
        assert!(room >= READ_ROOM, "room for {room} bytes");
        let (piece, rest) = bytes.split_at(most.min(room).min(bytes.len()));
        buffer.put_slice(piece);
        bytes = rest;
    }
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_commands(
        bodies in proptest::collection::vec((any::<bool>(), prop_oneof![0..64_usize, 0..40_000_usize]), 0..6),
        cuts in proptest::collection::vec(1..30_000_usize, 1..20),
        is_read_into in any::<bool>(),
    ) {
        let mut stream = Vec::new();
        for (opaque, (binary, length)) in bodies.iter().enumerate() {
            let codec = if *binary { HeaderCodec::Binary } else { HeaderCodec::Json };
            stream.extend_from_slice(&frame(codec, opaque as i32, &vec![opaque as u8; *length]));
        }
        let mut reader = reader();
        let mut seen = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            if is_read_into { read_into(&mut reader, piece, READ_ROOM) } else { reader.extend(piece) }
            seen.extend(commands(&mut reader));
            rest = tail;
        }
        prop_assert!(!reader.is_mid_frame());
        prop_assert_eq!(seen.len(), bodies.len());
        for (opaque, (command, (binary, length))) in seen.iter().zip(&bodies).enumerate() {
            prop_assert_eq!(command.opaque, opaque as i32);
            prop_assert_eq!(command.codec == HeaderCodec::Binary, *binary);
            prop_assert_eq!(&command.body, &vec![opaque as u8; *length]);
        }
    }

    #[test]
    fn any_bytes_are_taken(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut reader = reader();
        for piece in pieces {
            reader.extend(&piece);
            while let Ok(Some(_)) = reader.next_command() {}
        }
    }

    #[test]
    fn any_frame_is_taken(type_byte in 0_u8..3, header_length in 0_u32..70, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mark = u32::from(type_byte) << 24 | header_length;
        let mut reader = reader();
        reader.extend(&lie(bytes.len() as u32 + 4, mark, &bytes));
        if let Ok(command) = reader.next_command() {
            prop_assert!(command.is_some_and(|command| command.fields.iter().count() < 64));
        }
    }
}

#[test]
fn one_byte_after_the_other_makes_a_frame() {
    let bytes = frame(HeaderCodec::Json, 7, b"body");
    let mut reader = reader();
    for byte in &bytes[..bytes.len() - 1] {
        reader.extend(&[*byte]);
        assert!(commands(&mut reader).is_empty() && reader.is_mid_frame());
    }
    reader.extend(&bytes[bytes.len() - 1..]);
    assert_eq!(commands(&mut reader)[0].opaque, 7);
    assert!(!reader.is_mid_frame());
}

#[test]
fn a_length_above_the_limit_is_refused_as_soon_as_it_is_known() {
    for length in [DEFAULT_MAX_FRAME_LENGTH as u32 + 1, 0x7FFF_FFFF, u32::MAX - 3, u32::MAX] {
        let mut reader = reader();
        reader.extend(&length.to_be_bytes());
        let error = FrameError::TooLong { length: length as usize, limit: DEFAULT_MAX_FRAME_LENGTH };
        assert_eq!(reader.next_command().unwrap_err(), error);
        assert_eq!(reader.buffer.capacity(), 0);
    }
}

#[test]
fn the_limit_counts_all_but_the_length_word() {
    let bytes = frame(HeaderCodec::Json, 1, &[0; 100]);
    let mut exact = FrameReader::new(bytes.len() - 4);
    exact.extend(&bytes);
    assert_eq!(commands(&mut exact).len(), 1);
    let mut less = FrameReader::new(bytes.len() - 5);
    less.extend(&bytes);
    assert!(matches!(less.next_command(), Err(FrameError::TooLong { .. })));
}

#[test]
fn a_frame_without_room_for_its_headers_length_is_refused() {
    for length in 0..4_u32 {
        let error = error_of(&lie(length, 0, &[]));
        assert_eq!(error, FrameError::TooShort { length: length as usize });
    }
}

#[test]
fn a_header_that_would_end_outside_its_frame_is_refused() {
    for (header_length, available) in [(1, 0), (3, 2), (0x00FF_FFFF, 2)] {
        let error = error_of(&lie(4 + available, header_length, b"{}}}"));
        let (header_length, available) = (header_length as usize, available as usize);
        assert_eq!(error, FrameError::HeaderTooLong { header_length, available });
    }
    // The next frame's bytes are not the header's.
    let bytes = [lie(6, 3, b"{}"), frame(HeaderCodec::Json, 1, b"").to_vec()].concat();
    assert_eq!(error_of(&bytes), FrameError::HeaderTooLong { header_length: 3, available: 2 });
}

#[test]
fn a_header_of_an_unknown_type_is_refused() {
    for type_byte in [2, 3, 128, 255] {
        let error = error_of(&lie(6, u32::from(type_byte) << 24 | 2, b"{}"));
        assert_eq!(error, FrameError::UnknownCodec { type_byte });
    }
}

#[test]
fn an_empty_header_is_no_header() {
    assert!(matches!(error_of(&lie(4, 0, &[])), FrameError::MalformedHeader { .. }));
    assert!(matches!(error_of(&lie(4, 1 << 24, &[])), FrameError::MalformedHeader { .. }));
}

#[test]
fn commands_before_a_malformed_frame_count_and_nothing_after_it_does() {
    let good = frame(HeaderCodec::Json, 1, b"");
    let mut reader = reader();
    reader.extend(&[&good[..], &lie(0, 0, &[])[..], &good[..]].concat());
    assert_eq!(reader.next_command().unwrap().map(|command| command.opaque), Some(1));
    let error = FrameError::TooShort { length: 0 };
    for _ in 0..3 {
        assert_eq!(reader.next_command().unwrap_err(), error);
        read_into(&mut reader, &good, READ_ROOM);
    }
}

#[test]
fn a_reader_that_has_failed_keeps_nothing() {
    let mut reader = reader();
    reader.extend(&lie(0, 0, &[]));
    for _ in 0..100 {
        assert!(reader.next_command().is_err());
        reader.extend(&[0; CHUNK]);
    }
    assert!(reader.next_command().is_err());
    assert!(reader.buffer.capacity() <= 2 * CHUNK, "{} bytes are kept", reader.buffer.capacity());
    assert!(!reader.is_mid_frame());
}

#[test]
fn a_frame_that_announces_much_reserves_little_until_it_comes() {
    let mut reader = reader();
    reader.extend(&lie(DEFAULT_MAX_FRAME_LENGTH as u32, 2, b"{}"));
    let mut came = reader.buffer.len();
    while came < DEFAULT_MAX_FRAME_LENGTH {
        assert!(commands(&mut reader).is_empty());
        let room = reader.read_buffer().capacity();
        assert!(room <= 2 * came + 2 * CHUNK, "{room} bytes reserved when {came} have come");
        read_into(&mut reader, &[7; 1000], 1000);
        came += 1000;
    }
}

#[test]
fn large_and_small_frames_follow_each_other() {
    let lengths = [10, 16 * 1024, 0, CHUNK, 3 * CHUNK, 1, 4 * 1024 * 1024, 20];
    let mut reader = reader();
    let mut seen = Vec::new();
    for (opaque, length) in lengths.into_iter().enumerate() {
        let bytes = frame(HeaderCodec::Binary, opaque as i32, &vec![opaque as u8; length]);
        for piece in bytes.chunks(10_000) {
            read_into(&mut reader, piece, usize::MAX);
            seen.extend(commands(&mut reader));
        }
    }
    assert_eq!(seen.iter().map(|command| command.body.len()).collect::<Vec<_>>(), lengths);
    assert!(seen.iter().all(|command| command.body.iter().all(|byte| i32::from(*byte) == command.opaque)));
}
