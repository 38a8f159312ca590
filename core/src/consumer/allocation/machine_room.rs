//! Machine rooms: queues are read where they are.

use core::fmt::Debug;
use std::borrow::Cow;
use std::sync::Arc;

use super::{Allocation, AllocationRequest};
use crate::queue::MessageQueue;
use crate::sorted::{SortedMap, SortedSet};

/// `MACHINE_ROOM`: only the queues of brokers that are named `room@broker`, in the rooms given here, are shared, evenly
/// (`AllocateMessageQueueByMachineRoom`). The other queues belong to nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineRoom {
    rooms: SortedSet<String>,
}

impl MachineRoom {
    /// The strategy of members that read in these rooms.
    pub fn new<R: Into<String>>(rooms: impl IntoIterator<Item = R>) -> Self {
        Self { rooms: rooms.into_iter().map(Into::into).collect() }
    }

    fn is_in_our_rooms(&self, queue: &MessageQueue) -> bool {
        // Java's `split("@")` forgets what is empty at the end: `room@broker@` has two parts.
        let named = queue.broker_name.trim_end_matches('@').split_once('@');
        named.is_some_and(|(room, broker)| !broker.contains('@') && self.rooms.contains(room))
    }
}

impl Allocation for MachineRoom {
    fn name(&self) -> &str {
        "MACHINE_ROOM"
    }

    /// Neighbouring queues go to one member as with `AVG`, but the remainder is dealt out from the end.
    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        let Some(index) = request.index() else { return Vec::new() };
        let queues: Vec<&MessageQueue> = request.queues.iter().filter(|queue| self.is_in_our_rooms(queue)).collect();
        let members = request.members.len();
        let least = queues.len() / members;
        let own = queues[index * least..(index + 1) * least].iter();
        let one_more = queues.get(least * members + index).into_iter();
        own.chain(one_more).map(|queue| (*queue).clone()).collect()
    }
}

/// Says in which room a broker or a member stands (`AllocateMachineRoomNearby.MachineRoomResolver`).
///
/// All members have to say the same of each, or a queue is owned twice or by nobody. A room without a name is a room
/// like any other; Java members refuse to share queues then.
pub trait RoomResolver: Debug + Send + Sync {
    /// The room of the broker that has `queue`.
    fn room_of_queue<'a>(&'a self, queue: &'a MessageQueue) -> Cow<'a, str>;

    /// The room of the member with this client id.
    fn room_of_member<'a>(&'a self, client_id: &'a str) -> Cow<'a, str>;
}

/// `MACHINE_ROOM_NEARBY-` and the name of another strategy: the queues of a room are shared among the members in the
/// same room, and those of a room without members among all, both by the other strategy
/// (`AllocateMachineRoomNearby`).
#[derive(Clone, Debug)]
pub struct MachineRoomNearby {
    shares: Arc<dyn Allocation>,
    rooms: Arc<dyn RoomResolver>,
    name: String,
}

impl MachineRoomNearby {
    /// The strategy that shares by `shares` within the rooms that `rooms` tells.
    pub fn new(shares: impl Allocation + 'static, rooms: impl RoomResolver + 'static) -> Self {
        let name = format!("MACHINE_ROOM_NEARBY-{}", shares.name());
        Self { shares: Arc::new(shares), rooms: Arc::new(rooms), name }
    }
}

impl Allocation for MachineRoomNearby {
    fn name(&self) -> &str {
        &self.name
    }

    /// The queues of the own room first, then those of each room without members, in the order of the rooms' names.
    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        if request.index().is_none() {
            return Vec::new();
        }
        let mut queues: SortedMap<Cow<'_, str>, Vec<MessageQueue>> = SortedMap::new();
        for queue in request.queues {
            queues.get_or_default(self.rooms.room_of_queue(queue)).push(queue.clone());
        }
        let mut members: SortedMap<Cow<'_, str>, Vec<String>> = SortedMap::new();
        for member in request.members {
            members.get_or_default(self.rooms.room_of_member(member)).push(member.clone());
        }

        let ours = self.rooms.room_of_member(request.client_id);
        let near = queues.remove(&ours).unwrap_or_default();
        let neighbours = members.get(&ours).map(Vec::as_slice).unwrap_or_default();
        let mut allocated = self.shares.allocate(&AllocationRequest { queues: &near, members: neighbours, ..*request });
        for (_, queues) in queues.iter().filter(|(room, _)| !members.contains_key(*room)) {
            allocated.extend(self.shares.allocate(&AllocationRequest { queues, ..*request }));
        }
        allocated
    }
}
