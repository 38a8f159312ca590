//! What visitors send through a gateway: the same however it is cut, and nothing forbidden passes.
//!
//! The input is whether the visitor has rules and which dialect it is, a number n, n lengths of pieces which then repeat, and the stream.

use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::FrameReader;
use stgclient_fuzzing::MEMORY;
use stgclient_gateway::trial::{ends, inspect};

/// The codes that clients need: a list of this test's own.
const PERMITTED: [i32; 32] = [
    10, 11, 12, 14, 15, 29, 30, 31, 32, 33, 34, 35, 36, 38, 41, 42, 46, 105, 106, 201, 202, 203, 204, 206, 208, 300,
    310, 320, 343, 345, 351, 352,
];
/// The names of topics and groups that a visitor with rules may have here.
const MINE: [&str; 6] = ["mine", "%RETRY%mine", "%DLQ%mine", "TBW102", "MY_DEFAULT_TOPIC", "CLIENT_INNER_PRODUCER"];
/// What an inspection may hold beside twice what came.
const ROOM: usize = 1024 * 1024;

pub fn run(input: &[u8]) {
    let [bound, count, rest @ ..] = input else { return };
    let is_bound = bound & 1 == 1;
    let dialect = if bound & 2 == 2 { Dialect::Smartgo } else { Dialect::Apache };
    let (lengths, stream) = rest.split_at(rest.len().min(usize::from(*count)));
    let whole = inspect(dialect, is_bound, [stream]);
    let before = MEMORY.allocated();
    let cut = inspect(dialect, is_bound, pieces(stream, lengths));
    assert!(MEMORY.allocated().saturating_sub(before) <= ROOM + 64 * stream.len());
    assert_eq!(cut, whole);

    let mut reader = FrameReader::new(1 << 24);
    reader.extend(&whole.forwarded);
    while let Ok(Some(command)) = reader.next_command() {
        assert!(command.is_response() || PERMITTED.contains(&command.code), "{} passes", command.code);
        if is_bound && !command.is_response() {
            for (name, value) in command.fields.iter() {
                let is_sent = matches!(command.code, 310 | 320) && matches!(&*name, "a" | "A" | "b" | "B");
                // Both dialects: only the first letter is another.
                let names =
                    name.get(1..).is_some_and(|rest| ["opic", "onsumerGroup", "roducerGroup", "roup"].contains(&rest));
                assert!(MINE.contains(&&*value) || !(is_sent || names), "{name}={value} passes in {}", command.code);
            }
        }
    }
    let again = inspect(dialect, is_bound, [&whole.forwarded[..]]);
    assert_eq!(again.forwarded, whole.forwarded, "what has passed passes");
    assert!(again.answers.is_empty() && again.end.is_none());

    let all = ends([stream]);
    assert!(ends(pieces(stream, lengths)).last().unwrap_or(&0) == all.last().unwrap_or(&0));
}

fn pieces<'a>(mut stream: &'a [u8], lengths: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().chain(&[255]).cycle();
    std::iter::from_fn(move || {
        let length = usize::from(*lengths.next()?).max(1).min(stream.len());
        let (piece, rest) = stream.split_at(length);
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
