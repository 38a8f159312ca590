//! The body of a pull's answer: stored messages, compressed bodies, inner batches, properties.

use bytes::Bytes;

pub fn run(bytes: &[u8]) {
    stgclient_fuzzing::messages::check_stored(&Bytes::copy_from_slice(bytes));
}
