//! Allocation: which queues of a topic belong to which member of a group.
//!
//! Members do not talk to each other. Each asks a broker who the members are, takes the queues from the topic's route
//! and computes what is its own; because all compute the same from the same lists, every queue is owned once. So a
//! strategy is a pure function, and equal to Java's to the last queue: groups may have members of both.

mod average;
mod configured;
mod consistent_hash;
mod machine_room;
#[cfg(test)]
mod tests;

use core::fmt::Debug;

pub use average::{Average, AverageByCircle};
pub use configured::Configured;
pub use consistent_hash::ConsistentHash;
pub use machine_room::{MachineRoom, MachineRoomNearby, RoomResolver};

use crate::queue::MessageQueue;

/// What one member asks a strategy: which of these queues are mine?
#[derive(Clone, Copy, Debug)]
pub struct AllocationRequest<'a> {
    /// The group.
    pub group: &'a str,
    /// The client id of the member that asks.
    pub client_id: &'a str,
    /// All readable queues of one topic, sorted, each once.
    pub queues: &'a [MessageQueue],
    /// The client ids of all members, sorted. An id that the broker lists twice counts twice, as in Java: the share of
    /// the second belongs to nobody, which is why ids have to differ.
    pub members: &'a [String],
}

impl AllocationRequest<'_> {
    /// The place of the asking member among all, from 0; `None` when the broker does not list it (yet), in which case
    /// it owns nothing (`AbstractAllocateMessageQueueStrategy.check`).
    pub fn index(&self) -> Option<usize> {
        self.members.iter().position(|member| member == self.client_id)
    }
}

/// A strategy: how a topic's queues are shared among a group's members (`AllocateMessageQueueStrategy`).
///
/// Whoever writes one: the answer may depend on nothing but the request and what the strategy was made with, or two
/// members own the same queue, or none does. All members of a group need the same strategy.
pub trait Allocation: Debug + Send + Sync {
    /// The strategy's name, as Java has it and `mqadmin` shows it: `AVG`.
    fn name(&self) -> &str;

    /// The queues of the asking member, all of them out of `request.queues`, each once. Empty for one that is not
    /// among the members.
    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue>;
}
