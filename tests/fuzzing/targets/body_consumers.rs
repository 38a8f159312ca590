//! Bodies that say who consumes.
#![no_main]

use stgclient_core::wire::body::ConsumerList;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check::<ConsumerList>(body);
});
