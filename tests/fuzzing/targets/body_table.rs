//! Bodies of names and values.

use stgclient_core::wire::body::KeyValueTable;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check_with_names::<KeyValueTable>(body);
}
