//! JSON headers: read, written again, read as the same.

use stgclient_core::wire::command::HeaderCodec;

pub fn run(header: &[u8]) {
    stgclient_fuzzing::commands::check_header(HeaderCodec::Json, header);
}
