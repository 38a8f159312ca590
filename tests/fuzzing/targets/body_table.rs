//! Bodies of names and values.
#![no_main]

use stgclient_core::wire::body::KeyValueTable;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check_with_names::<KeyValueTable>(body);
});
