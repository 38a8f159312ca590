//! Which queues of a route can be written and read, and which routes cannot be followed.

use proptest::prelude::*;

use super::*;
use crate::wire::body::{BrokerData, QueueData, from_slice};

fn broker(name: &str, addresses: &[(i64, &str)]) -> BrokerData {
    let addresses = addresses.iter().map(|(id, address)| (*id, (*address).to_owned()));
    BrokerData { broker_addrs: addresses.collect(), broker_name: name.to_owned(), ..BrokerData::default() }
}

fn queues(broker_name: &str, read: i32, write: i32, permission: Permission) -> QueueData {
    QueueData {
        broker_name: broker_name.to_owned(),
        perm: permission,
        read_queue_nums: read,
        write_queue_nums: write,
        ..QueueData::default()
    }
}

fn data(broker_datas: Vec<BrokerData>, queue_datas: Vec<QueueData>) -> TopicRouteData {
    TopicRouteData { broker_datas, queue_datas, ..TopicRouteData::default() }
}

fn route(data: TopicRouteData) -> TopicRoute {
    TopicRoute::from_body(data).0
}

/// The places as `broker:queue`.
fn shown(places: Vec<BrokerQueue<'_>>) -> Vec<String> {
    places.iter().map(|(name, queue_id)| format!("{name}:{queue_id}")).collect()
}

const READ_WRITE: Permission = Permission::READ_WRITE;

#[test]
fn queues_are_sorted_by_broker_and_number() {
    let brokers = vec![broker("b", &[(0, "b:1")]), broker("a", &[(0, "a:1")])];
    let route = route(data(brokers, vec![queues("b", 1, 2, READ_WRITE), queues("a", 2, 1, READ_WRITE)]));
    assert_eq!(shown(route.writable()), ["a:0", "b:0", "b:1"]);
    assert_eq!(shown(route.readable()), ["a:0", "a:1", "b:0"]);
    assert_eq!(route.brokers.iter().map(|broker| &*broker.name).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn permission_decides_what_may_be_done() {
    for (bits, writes, reads) in
        [(0, 0, 0), (1, 0, 0), (2, 1, 0), (4, 0, 1), (6, 1, 1), (7, 1, 1), (-1, 1, 1), (8, 0, 0)]
    {
        let route = route(data(vec![broker("a", &[(0, "a:1")])], vec![queues("a", 1, 1, Permission(bits))]));
        assert_eq!((route.writable().len(), route.readable().len()), (writes, reads), "permission {bits}");
    }
}

#[test]
fn only_a_master_can_be_written_and_a_slave_can_be_read() {
    let brokers = vec![broker("gone", &[]), broker("slave", &[(1, "s:1")]), broker("whole", &[(0, "m:1"), (1, "s:2")])];
    let names = ["gone", "slave", "unknown", "whole"];
    let route = route(data(brokers, names.map(|name| queues(name, 1, 1, READ_WRITE)).into()));
    assert_eq!(shown(route.writable()), ["whole:0"]);
    assert_eq!(shown(route.readable()), names.map(|name| format!("{name}:0")));
}

#[test]
fn an_order_configuration_is_followed_to_the_letter() {
    let brokers = vec![broker("a", &[(0, "a:1")]), broker("b", &[(1, "b:1")])];
    // Written and readable numbers, permission and masters do not count.
    let mut body = data(brokers, vec![queues("a", 8, 8, Permission::READ), queues("b", 8, 8, READ_WRITE)]);
    body.order_topic_conf = Some("b:1;a:2;unknown:3;".to_owned());
    let route = route(body);
    assert_eq!(shown(route.writable()), ["b:0", "a:0", "a:1"]);
    assert_eq!(route.readable().len(), 16);
}

#[test]
fn an_empty_order_configuration_is_none() {
    let mut body = data(vec![broker("a", &[(0, "a:1")])], vec![queues("a", 1, 1, READ_WRITE)]);
    body.order_topic_conf = Some(String::new());
    let route = route(body);
    assert_eq!((route.order_configuration.as_deref(), route.writable().len()), (None, 1));
}

#[test]
fn what_is_odd_in_an_order_configuration_is_passed_over() {
    for (text, expected) in
        [("a:1;b", 1), ("a:x;a:2", 2), ("a:-1", 8), ("a:1:2", 8), ("a", 8), (":", 8), ("a:4294967296", 8)]
    {
        let mut body = data(vec![broker("a", &[(0, "a:1")])], vec![queues("a", 8, 8, READ_WRITE)]);
        body.order_topic_conf = Some(text.to_owned());
        let (route, odd) = TopicRoute::from_body(body);
        assert_eq!(route.writable().len(), expected, "{text}");
        assert!(matches!(&odd[..], [RouteError::OrderConfiguration(part)] if text.contains(&**part)), "{text}");
    }
}

#[test]
fn an_odd_member_of_a_broker_is_passed_over_and_named() {
    for address in ["", "a", "a:", ":1", "a:0", "a:65536", "a b:1", "10.0.0.9 :10911"] {
        let (route, odd) =
            TopicRoute::from_body(data(vec![broker("broker-a", &[(0, "a:1"), (1, address)])], Vec::new()));
        assert_eq!(route.brokers[0].addresses.len(), 1);
        assert!(odd[0].to_string().starts_with("broker broker-a: "), "{odd:?}");
    }
    let (route, odd) = TopicRoute::from_body(data(vec![broker("broker-a", &[(0, "a:1"), (-1, "b:1")])], Vec::new()));
    assert_eq!(route.brokers[0].addresses.keys().collect::<Vec<_>>(), [&0]);
    assert_eq!(odd[0].to_string(), "broker broker-a: the member at b:1 has no role (its id is -1)");
}

#[test]
fn negative_numbers_of_queues_are_none() {
    let route = route(data(vec![broker("a", &[(0, "a:1")])], vec![queues("a", -1, i32::MIN, READ_WRITE)]));
    assert_eq!((route.writable().len(), route.readable().len()), (0, 0));
}

#[test]
fn absurd_numbers_of_queues_are_passed_over() {
    let most = MAX_QUEUES as i32;
    let with = |numbers: &[(i32, i32)]| {
        let named = ["a", "b"].iter().zip(numbers);
        let queues = named.map(|(name, (read, write))| queues(name, *read, *write, READ_WRITE)).collect();
        let (route, odd) = TopicRoute::from_body(data(vec![broker("a", &[(0, "a:1")])], queues));
        (route.queues.len(), odd.len())
    };
    assert_eq!(with(&[(most, most)]), (1, 0));
    assert_eq!(with(&[(most / 2, 0), (0, most / 2)]), (2, 0));
    for numbers in [&[(most + 1, 0), (1, 1)][..], &[(0, i32::MAX), (1, 1)], &[(most, 0), (0, 1)]] {
        assert_eq!(with(numbers), (1, 1), "{numbers:?}");
    }
}

#[test]
fn absurd_numbers_in_an_order_configuration_are_passed_over() {
    let with = |text: &str| {
        let mut body = data(vec![broker("a", &[(0, "a:1")])], Vec::new());
        body.order_topic_conf = Some(text.to_owned());
        TopicRoute::from_body(body).0.writable().len()
    };
    assert_eq!(with("a:65536"), MAX_QUEUES);
    for (text, expected) in
        [("a:65537", 0), ("a:65536;a:1", MAX_QUEUES), ("a:1;a:4294967295", 1), ("unknown:4294967295", 0)]
    {
        assert_eq!(with(text), expected, "{text}");
    }
}

#[test]
fn an_unknown_topic_inherits_some_queues_of_the_default_topic() {
    let brokers = vec![broker("a", &[(0, "a:1")]), broker("b", &[(0, "b:1")])];
    let mut body = data(brokers, vec![queues("a", 8, 1, Permission(7)), queues("b", 2, 8, Permission(7))]);
    body.order_topic_conf = Some("a:8".to_owned());
    // `min(defaultTopicQueueNums, readQueueNums)`, for reading and for writing.
    let route = route(body).inherited(4);
    assert_eq!(shown(route.writable()), ["a:0", "a:1", "a:2", "a:3", "b:0", "b:1"]);
    assert_eq!(route.readable(), route.writable());
}

#[test]
fn an_empty_route_is_one_without_queues() {
    let route = route(from_slice(b"{}").unwrap());
    assert_eq!((route.writable().len(), route.readable().len(), route.brokers.len()), (0, 0, 0));
}

proptest! {
    #[test]
    fn any_route_is_taken(
        brokers in proptest::collection::vec(("[ab]", proptest::collection::btree_map(any::<i64>(), "[a:1 ]{0,4}", 0..3)), 0..3),
        numbers in proptest::collection::vec(("[abc]", any::<(i32, i32, i32)>()), 0..3),
        order in proptest::option::of("[ab:;0-9]{0,12}"),
    ) {
        let brokers = brokers.into_iter().map(|(broker_name, broker_addrs)| {
            BrokerData { broker_addrs: broker_addrs.into_iter().collect(), broker_name, ..BrokerData::default() }
        });
        let numbers = numbers.iter().map(|(name, (read, write, bits))| queues(name, *read, *write, Permission(*bits)));
        let mut body = data(brokers.collect(), numbers.collect());
        body.order_topic_conf = order;
        let (route, _) = TopicRoute::from_body(body);
        prop_assert!(route.writable().len() <= MAX_QUEUES && route.readable().len() <= MAX_QUEUES);
    }
}

#[test]
fn of_a_route_that_is_odd_all_over_little_is_noted_and_that_is_short() {
    let name = "b".repeat(1 << 20);
    let addresses = (0..10_000).map(|id| (-id - 1, "a".repeat(1000))).collect();
    let broker = BrokerData { broker_name: name.clone(), broker_addrs: addresses, ..BrokerData::default() };
    let data = TopicRouteData { broker_datas: vec![broker; 2], ..TopicRouteData::default() };
    let (route, odd) = TopicRoute::from_body(data);
    assert_eq!((route.brokers.len(), &*route.brokers[0].name), (1, &*name));
    assert!(odd.len() <= 64 && odd.iter().all(|error| error.to_string().len() < 500), "{}", odd.len());
}
