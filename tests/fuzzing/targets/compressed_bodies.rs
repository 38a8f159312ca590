//! Compressed bodies.
//!
//! The first byte of an input names the format as the system flag does.

pub fn run(input: &[u8]) {
    if let Some((&format, body)) = input.split_first() {
        stgclient_fuzzing::messages::check_compressed(body, i32::from(format & 7) << 8);
    }
}
