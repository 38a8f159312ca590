//! Rules that hold for any queues and members; what exactly is allocated is checked against Java in `tests/vectors`.

use std::borrow::Cow;
use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;

fn queues(brokers: &[&str], count: u32) -> Vec<MessageQueue> {
    let all = brokers.iter().flat_map(|broker| (0..count).map(|id| MessageQueue::new("orders", *broker, id)));
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

fn members(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ask(strategy: &dyn Allocation, client_id: &str, queues: &[MessageQueue], members: &[String]) -> Vec<MessageQueue> {
    strategy.allocate(&AllocationRequest { group: "billing", client_id, queues, members })
}

/// The room is what stands before the `@` or the `#`.
#[derive(Debug)]
struct Before;

impl RoomResolver for Before {
    fn room_of_queue<'a>(&'a self, queue: &'a MessageQueue) -> Cow<'a, str> {
        queue.broker_name.split('@').next().unwrap_or_default().into()
    }

    fn room_of_member<'a>(&'a self, client_id: &'a str) -> Cow<'a, str> {
        client_id.split('#').next().unwrap_or_default().into()
    }
}

fn ring(virtual_nodes: u16) -> ConsistentHash {
    ConsistentHash::new(NonZeroU16::new(virtual_nodes).unwrap())
}

#[test]
fn a_member_that_is_not_listed_owns_nothing() {
    let strategies: [&dyn Allocation; 5] = [
        &Average,
        &AverageByCircle,
        &ConsistentHash::default(),
        &MachineRoom::new(["r"]),
        &MachineRoomNearby::new(Average, Before),
    ];
    for strategy in strategies {
        for members in [members(&["r#a", "r#c"]), Vec::new()] {
            assert_eq!(ask(strategy, "r#b", &queues(&["r@x"], 8), &members), [], "{}", strategy.name());
        }
    }
}

#[test]
fn names_are_javas() {
    let near = MachineRoomNearby::new(MachineRoomNearby::new(AverageByCircle, Before), Before);
    let strategies: [&dyn Allocation; 6] = [
        &Average,
        &AverageByCircle,
        &ConsistentHash::default(),
        &MachineRoom::default(),
        &near,
        &Configured::default(),
    ];
    assert_eq!(
        strategies.map(Allocation::name),
        [
            "AVG",
            "AVG_BY_CIRCLE",
            "CONSISTENT_HASH",
            "MACHINE_ROOM",
            "MACHINE_ROOM_NEARBY-MACHINE_ROOM_NEARBY-AVG_BY_CIRCLE",
            "CONFIG"
        ]
    );
}

#[test]
fn configured_queues_are_owned_whoever_is_a_member() {
    let all = queues(&["x"], 4);
    let other = MessageQueue::new("payments", "x", 0);
    let gone = MessageQueue::new("orders", "x", 9);
    let strategy = Configured::new([&all[3], &other, &all[1], &all[3], &gone].map(Clone::clone));
    assert_eq!(ask(&strategy, "a", &all, &members(&["b"])), [all[3].clone(), all[1].clone()]);
    assert_eq!(ask(&strategy, "a", std::slice::from_ref(&other), &[]), [other]);
}

#[test]
fn only_brokers_named_by_a_room_are_in_it() {
    let strategy = MachineRoom::new(["r", ""]);
    let owns = |broker: &str| !ask(&strategy, "a", &queues(&[broker], 1), &members(&["a"])).is_empty();
    for broker in ["r@x", "r@x@", "r@x@@", "@x"] {
        assert!(owns(broker), "{broker}");
    }
    for broker in ["r", "r@", "x@r", "r@x@y", "r@@x", "@", "", "R@x"] {
        assert!(!owns(broker), "{broker}");
    }
}

#[test]
fn a_room_without_members_is_shared_by_all() {
    let strategy = MachineRoomNearby::new(Average, Before);
    let (all, both) = (queues(&["north@x", "south@y", "west@z"], 2), members(&["north#a", "south#b"]));
    let [north, south, west] = [&all[..2], &all[2..4], &all[4..]];
    assert_eq!(ask(&strategy, "north#a", &all, &both), [north, &west[..1]].concat());
    assert_eq!(ask(&strategy, "south#b", &all, &both), [south, &west[1..]].concat());
}

#[test]
fn an_id_that_is_listed_twice_has_twice_the_places_on_the_ring() {
    let all = queues(&["x"], 64);
    let (once, twice) = (members(&["a", "b"]), members(&["a", "a", "b"]));
    assert_eq!(ask(&ring(10), "a", &all, &twice).len() + ask(&ring(10), "b", &all, &twice).len(), 64);
    assert!(ask(&ring(10), "b", &all, &twice).len() < ask(&ring(10), "b", &all, &once).len());
    assert_eq!(ask(&ring(10), "a", &all, &members(&["a", "a"])), ask(&ring(20), "a", &all, &members(&["a"])));
}

#[test]
fn the_second_share_of_an_id_listed_twice_belongs_to_nobody() {
    let all = queues(&["x"], 6);
    let twice = members(&["a", "a", "b"]);
    for strategy in [&Average as &dyn Allocation, &AverageByCircle] {
        assert_eq!(ask(strategy, "a", &all, &twice).len(), 2, "{}", strategy.name());
        assert_eq!(ask(strategy, "b", &all, &twice).len(), 2, "{}", strategy.name());
    }
}

/// Queues of several brokers, sorted.
fn some_queues() -> impl Strategy<Value = Vec<MessageQueue>> {
    let queue = ("[a-c]{1,2}(@[x-z])?", 0..12_u32).prop_map(|(broker, id)| MessageQueue::new("orders", broker, id));
    prop::collection::btree_set(queue, 0..32).prop_map(|queues| queues.into_iter().collect())
}

/// Client ids, sorted, each once.
fn some_members() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-c]#[a-z0-9]{1,4}", 1..10).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn every_queue_is_owned_exactly_once(queues in some_queues(), members in some_members(), places in 1..6_u16) {
        let near = MachineRoomNearby::new(Average, Before);
        let strategies: [&dyn Allocation; 4] = [&Average, &AverageByCircle, &ring(places), &near];
        for strategy in strategies {
            let owned = members.iter().flat_map(|member| ask(strategy, member, &queues, &members));
            let mut owned: Vec<MessageQueue> = owned.collect();
            owned.sort();
            prop_assert_eq!(&owned, &queues, "{}", strategy.name());
        }
    }

    #[test]
    fn shares_differ_by_at_most_one(queues in some_queues(), members in some_members()) {
        for strategy in [&Average as &dyn Allocation, &AverageByCircle, &MachineRoom::new(["a", "b", "c"])] {
            let shares = members.iter().map(|member| ask(strategy, member, &queues, &members).len());
            let shares: Vec<usize> = shares.collect();
            let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{}: {:?}", strategy.name(), shares);
        }
    }

    /// What a member computes of itself is what any other, with a strategy and lists of its own, computes of it.
    #[test]
    fn it_does_not_matter_who_computes(queues in some_queues(), members in some_members(), places in 1..6_u16) {
        let ours: [&dyn Allocation; 4] =
            [&Average, &AverageByCircle, &ring(places), &MachineRoomNearby::new(ring(places), Before)];
        let theirs: [&dyn Allocation; 4] =
            [&Average, &AverageByCircle, &ring(places), &MachineRoomNearby::new(ring(places), Before)];
        let (their_queues, their_members) = (queues.clone(), members.clone());
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            for member in &members {
                let other = AllocationRequest {
                    group: "elsewhere", client_id: member, queues: &their_queues, members: &their_members,
                };
                prop_assert_eq!(ask(ours, member, &queues, &members), theirs.allocate(&other), "{}", ours.name());
            }
        }
    }

    #[test]
    fn on_the_ring_only_the_leaving_members_queues_move(
        queues in some_queues(), members in some_members(), leaves in any::<prop::sample::Index>(),
    ) {
        let mut remaining = members.clone();
        let left = remaining.remove(leaves.index(members.len()));
        // Places that meet, which is next to impossible, may move others.
        for member in &remaining {
            let (before, after) = (ask(&ring(3), member, &queues, &members), ask(&ring(3), member, &queues, &remaining));
            let had = ask(&ring(3), &left, &queues, &members);
            prop_assert!(after.iter().all(|queue| before.contains(queue) || had.contains(queue)));
            prop_assert!(before.iter().all(|queue| after.contains(queue)));
        }
    }
}
