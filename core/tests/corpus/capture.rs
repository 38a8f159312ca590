//! A captured conversation: frames as they were on the wire, and an index that says what each is.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};

/// A frame.
pub(crate) struct Captured {
    /// Its bytes, length word included.
    pub(crate) bytes: Bytes,
    /// What our reader makes of it.
    pub(crate) command: Command,
    /// What Java's reader makes of it, by the names of `RemotingCommand`'s fields.
    pub(crate) index: Value,
}

impl Captured {
    /// The code of the request: the frame's own, or that of the request it answers.
    pub(crate) fn request_code(&self) -> i64 {
        self.index["reqCode"].as_i64().unwrap_or_else(|| i64::from(self.command.code))
    }
}

/// The frames of one of the folders in `tests/corpus`.
pub(crate) fn read(folder: &str) -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus").join(folder);
    let bytes = Bytes::from(std::fs::read(folder.join("frames.bin")).expect("frames.bin"));
    let index = std::fs::read_to_string(folder.join("index.jsonl")).expect("index.jsonl");
    let mut commands = commands(&bytes).into_iter();
    let captured = index
        .lines()
        .map(|line| {
            let index: Value = serde_json::from_str(line).expect("a line of JSON");
            let number = |name: &str| usize::try_from(index[name].as_u64().expect("a number")).expect("32 bits");
            let start = number("off");
            let command = commands.next().expect("a frame for each line");
            Captured { bytes: bytes.slice(start..start + number("len")), command, index }
        })
        .collect();
    assert!(commands.next().is_none(), "a frame that has no line");
    captured
}

/// The frames of a stream that comes in pieces of all lengths from 1 to 2000 bytes.
fn commands(bytes: &[u8]) -> Vec<Command> {
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    let mut commands = Vec::new();
    let mut rest = bytes;
    for length in (1..=2000).cycle() {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        reader.extend(piece);
        while let Some(command) = reader.next_command().expect("a frame of Java") {
            commands.push(command);
        }
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    assert!(!reader.is_mid_frame());
    commands
}
