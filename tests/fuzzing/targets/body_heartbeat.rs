//! Bodies of heartbeats, subscriptions among them.
#![no_main]

use stgclient_core::wire::body::HeartbeatData;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check::<HeartbeatData>(body);
});
