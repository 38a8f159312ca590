//! Bodies with a topic's statistics, whose keys are objects.

use stgclient_core::wire::body::TopicStatsTable;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check::<TopicStatsTable>(body);
}
