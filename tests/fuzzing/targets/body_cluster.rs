//! Bodies that say which brokers there are.
#![no_main]

use stgclient_core::wire::body::ClusterInfo;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check_with_names::<ClusterInfo>(body);
});
