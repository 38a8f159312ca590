//! `allocate.jsonl`: which queues each member of a group gets by each strategy.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::borrow::Cow;
use std::num::NonZeroU16;

use line::{Line, same, text};
use stgclient_core::consumer::allocation::{
    Allocation, AllocationRequest, Average, AverageByCircle, ConsistentHash, MachineRoom, MachineRoomNearby,
    RoomResolver,
};
use stgclient_core::queue::MessageQueue;

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "AVG" => allocate(line, &Average),
        "AVG_BY_CIRCLE" => allocate(line, &AverageByCircle),
        "CONSISTENT_HASH" => allocate(line, &consistent_hash(line)?),
        "MACHINE_ROOM" => allocate(line, &MachineRoom::new(texts(&line.value("extra")["consumeridcs"])?)),
        "MACHINE_ROOM_NEARBY" => allocate(line, &MachineRoomNearby::new(Average, Rooms)),
        other => Err(format!("the strategy {other} is new")),
    })
}

/// Every member's share, all queues in Java's order.
fn allocate(line: &Line, strategy: &dyn Allocation) -> Result<(), String> {
    same("name", strategy.name().split('-').next(), Some(line.kind()))?;
    let java = line.value("queues");
    let queues = texts(java)?.into_iter().map(queue).collect::<Result<Vec<_>, _>>()?;
    let members: Vec<String> = texts(line.value("cids"))?.into_iter().map(str::to_owned).collect();
    same("whether queues are sorted", queues.is_sorted(), true)?;
    same("whether members are sorted", members.is_sorted(), true)?;
    let results = line.value("result").as_object().ok_or("no result")?;
    same("members", results.len(), members.len())?;
    for (client_id, java) in results {
        let ours = strategy.allocate(&AllocationRequest { group: "G", client_id, queues: &queues, members: &members });
        let ours: Vec<String> = ours.iter().map(|queue| format!("{}:{}", queue.broker_name, queue.queue_id)).collect();
        same(client_id, ours.iter().map(String::as_str).collect(), texts(java)?)?;
    }
    Ok(())
}

fn consistent_hash(line: &Line) -> Result<ConsistentHash, String> {
    let virtual_nodes = line::integer(&line.value("extra")["virtualNodes"])?;
    let virtual_nodes = u16::try_from(virtual_nodes).ok().and_then(NonZeroU16::new);
    virtual_nodes.map(ConsistentHash::new).ok_or_else(|| "no virtual nodes".to_owned())
}

/// The resolver of `Vectors.java`, in words in each line's `extra`.
#[derive(Debug)]
struct Rooms;

impl RoomResolver for Rooms {
    fn room_of_queue<'a>(&'a self, queue: &'a MessageQueue) -> Cow<'a, str> {
        queue.broker_name.split('@').next().unwrap_or_default().into()
    }

    fn room_of_member<'a>(&'a self, client_id: &'a str) -> Cow<'a, str> {
        let number = client_id.split_once('#').and_then(|(_, number)| number.parse::<u32>().ok());
        format!("room{}", 1 + number.unwrap_or_default() % 2).into()
    }
}

fn queue(text: &str) -> Result<MessageQueue, String> {
    let (broker, id) = text.rsplit_once(':').ok_or_else(|| format!("{text} is no queue"))?;
    let id = id.parse().map_err(|_| format!("{text} has no number"))?;
    Ok(MessageQueue::new("TopicTest", broker, id))
}

fn texts(value: &serde_json::Value) -> Result<Vec<&str>, String> {
    value.as_array().ok_or_else(|| format!("{value} is no list"))?.iter().map(text).collect()
}
