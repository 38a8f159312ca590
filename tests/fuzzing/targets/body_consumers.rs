//! Bodies that say who consumes, what and how far.

use stgclient_core::wire::body::{
    CommittedOffsets, ConsumeStats, ConsumerConnections, ConsumerList, ConsumerRunningInfo, ConsumerStatus,
    QueueLockRequest, SubscriptionGroups, from_slice,
};
use stgclient_fuzzing::bodies;

pub fn run(body: &[u8]) {
    bodies::check_with_names::<CommittedOffsets>(body);
    bodies::check::<ConsumerList>(body);
    bodies::check::<QueueLockRequest>(body);
    bodies::check_with_names::<ConsumerConnections>(body);
    bodies::check_with_names::<ConsumerStatus>(body);
    // These hold fractions, which may come back differently in the last digit.
    let _ = from_slice::<ConsumeStats>(body);
    let _ = from_slice::<ConsumerRunningInfo>(body);
    let _ = from_slice::<SubscriptionGroups>(body);
}
