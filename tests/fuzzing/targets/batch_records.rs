//! The records of a batch.

use bytes::Bytes;

pub fn run(bytes: &[u8]) {
    stgclient_fuzzing::messages::check_batch(&Bytes::copy_from_slice(bytes));
}
