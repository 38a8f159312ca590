//! Bodies of heartbeats, subscriptions among them.

use stgclient_core::wire::body::HeartbeatData;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check::<HeartbeatData>(body);
}
