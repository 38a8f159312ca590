//! A hash ring: when a member joins or leaves, only the queues that it takes or had move.

use std::num::NonZeroU16;

use md5::{Digest, Md5};

use super::{Allocation, AllocationRequest};
use crate::queue::MessageQueue;
use crate::sorted::SortedMap;

/// `CONSISTENT_HASH`: each member stands at several places of a ring, and a queue belongs to the member at or behind
/// its own place (`AllocateMessageQueueConsistentHash`, `ConsistentHashRouter`).
///
/// A change of the group moves few queues, but shares are uneven, and with few queues some members get none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsistentHash {
    virtual_nodes: NonZeroU16,
}

impl ConsistentHash {
    /// At how many places a member stands unless told otherwise, as in Java.
    pub const DEFAULT_VIRTUAL_NODES: NonZeroU16 = NonZeroU16::new(10).unwrap();

    /// A ring on which each member stands at `virtual_nodes` places: the more, the more even the shares. All members
    /// of a group need the same number.
    pub const fn new(virtual_nodes: NonZeroU16) -> Self {
        Self { virtual_nodes }
    }

    fn ring<'a>(&self, members: &'a [String]) -> SortedMap<u32, &'a str> {
        // Where two meet the later member stands, as in Java's map: so `collect` has it.
        let ring = |places: &[(u32, &'a str)]| places.iter().copied().collect::<SortedMap<_, _>>();
        let mut places = Vec::new();
        for (index, member) in members.iter().enumerate() {
            // An id that is listed again adds places of its own (`getExistingReplicas`).
            let again = index.checked_sub(1).is_some_and(|before| members[before] == *member);
            let first = if again { ring(&places).values().filter(|owner| *owner == member).count() } else { 0 };
            for replica in (first..).take(usize::from(self.virtual_nodes.get())) {
                places.push((hash(&format!("{member}-{replica}")), member.as_str()));
            }
        }
        ring(&places)
    }
}

impl Default for ConsistentHash {
    fn default() -> Self {
        Self::new(Self::DEFAULT_VIRTUAL_NODES)
    }
}

impl Allocation for ConsistentHash {
    fn name(&self) -> &str {
        "CONSISTENT_HASH"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        if request.index().is_none() {
            return Vec::new();
        }
        let ring = self.ring(request.members);
        let is_ours = |queue: &&MessageQueue| {
            let place = hash(&java_text(queue));
            let owner = ring.iter_from(&place).next().or_else(|| ring.first_key_value());
            owner.is_some_and(|(_, owner)| *owner == request.client_id)
        };
        request.queues.iter().filter(is_ours).cloned().collect()
    }
}

/// `MessageQueue.toString`, which is what Java hashes.
fn java_text(queue: &MessageQueue) -> String {
    let MessageQueue { topic, broker_name, queue_id } = queue;
    format!("MessageQueue [topic={topic}, brokerName={broker_name}, queueId={queue_id}]")
}

/// The first four bytes of the MD5, big endian (`ConsistentHashRouter.MD5Hash`).
fn hash(text: &str) -> u32 {
    let digest = Md5::digest(text.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_ring_is_what_comes_of_putting_one_place_after_the_other_as_java_does() {
        let members: Vec<String> = ["a", "b", "b", "b", "c", "a"].map(str::to_owned).to_vec();
        for virtual_nodes in [1, 10, 500] {
            let mut java = BTreeMap::new();
            for (index, member) in members.iter().enumerate() {
                let again = index > 0 && members[index - 1] == *member;
                let first = if again { java.values().filter(|owner| *owner == member).count() } else { 0 };
                for replica in first..first + virtual_nodes {
                    java.insert(hash(&format!("{member}-{replica}")), member.clone());
                }
            }
            let strategy = ConsistentHash::new(NonZeroU16::new(virtual_nodes as u16).unwrap());
            let ring = strategy.ring(&members);
            assert!(ring.iter().map(|(place, owner)| (*place, (*owner).to_owned())).eq(java));
        }
    }
}
