//! Bodies that list topics.
#![no_main]

use stgclient_core::wire::body::TopicList;
use stgclient_fuzzing::bodies;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    bodies::check::<TopicList>(body);
});
