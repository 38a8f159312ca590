//! A whole client, its servers and its user, played by the input.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| stgclient_fuzzing::client::play(script));
