//! The records of a batch.
#![no_main]

use bytes::Bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stgclient_fuzzing::messages::check_batch(&Bytes::copy_from_slice(bytes));
});
