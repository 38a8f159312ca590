//! Bodies with a topic's statistics, whose keys are objects.
#![no_main]

use stgclient_core::wire::body::TopicStatsTable;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check::<TopicStatsTable>(body);
});
