//! Queues by hand.

use super::{Allocation, AllocationRequest};
use crate::queue::MessageQueue;

/// `CONFIG`: this member owns the queues it was configured with, whoever else is in the group
/// (`AllocateMessageQueueByConfig`).
///
/// That every queue is owned once is then the business of whoever wrote the configurations. As in Java the member need
/// not be listed. Unlike Java, whose strategy gives its whole list to each topic that is asked for, this one gives those
/// queues that exist in the topic asked for: one list may name the queues of several topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    queues: Vec<MessageQueue>,
}

impl Configured {
    /// The strategy of a member that owns these queues, of one topic or several. Their order is kept; a queue that
    /// stands there twice is given once.
    pub fn new(queues: impl IntoIterator<Item = MessageQueue>) -> Self {
        let mut once: Vec<MessageQueue> = Vec::new();
        for queue in queues {
            if !once.contains(&queue) {
                once.push(queue);
            }
        }
        Self { queues: once }
    }
}

impl Allocation for Configured {
    fn name(&self) -> &str {
        "CONFIG"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        self.queues.iter().filter(|queue| request.queues.contains(queue)).cloned().collect()
    }
}
