//! Bodies that list topics.

use stgclient_core::wire::body::TopicList;
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check::<TopicList>(body);
}
