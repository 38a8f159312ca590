//! Bodies that say which brokers there are.

use stgclient_core::wire::body::ClusterInfo;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check_with_names::<ClusterInfo>(body);
}
