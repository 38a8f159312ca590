//! As many queues for each member as for any other, give or take one.

use super::{Allocation, AllocationRequest};
use crate::queue::MessageQueue;

/// `AVG`, the default: neighbouring queues go to the same member, the first members have one more when there is a
/// remainder (`AllocateMessageQueueAveragely`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average;

impl Allocation for Average {
    fn name(&self) -> &str {
        "AVG"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        let Some(index) = request.index() else { return Vec::new() };
        let least = request.queues.len() / request.members.len();
        let with_one_more = request.queues.len() % request.members.len();
        let start = index * least + index.min(with_one_more);
        let count = least + usize::from(index < with_one_more);
        request.queues[start..start + count].to_vec()
    }
}

/// `AVG_BY_CIRCLE`: queues are dealt out one after the other, as cards are (`AllocateMessageQueueAveragelyByCircle`).
///
/// Members share each broker's queues evenly, where [`Average`] gives one broker's queues to few members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AverageByCircle;

impl Allocation for AverageByCircle {
    fn name(&self) -> &str {
        "AVG_BY_CIRCLE"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        let Some(index) = request.index() else { return Vec::new() };
        request.queues.iter().skip(index).step_by(request.members.len()).cloned().collect()
    }
}
