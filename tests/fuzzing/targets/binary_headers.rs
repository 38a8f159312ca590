//! Headers in the ROCKETMQ layout: read, written again, read as the same.
#![no_main]

use stgclient_core::wire::command::HeaderCodec;

libfuzzer_sys::fuzz_target!(|header: &[u8]| stgclient_fuzzing::commands::check_header(HeaderCodec::Binary, header));
