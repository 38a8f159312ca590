//! The body of a pull's answer: stored messages, compressed bodies, inner batches, properties.
#![no_main]

use bytes::Bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stgclient_fuzzing::messages::check_stored(&Bytes::copy_from_slice(bytes));
});
