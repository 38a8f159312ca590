//! A whole cluster, whose clients are played by the input.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| stgclient_fuzzing::cluster::play(script));
