//! Topics in use: what their routes give, when they are asked for, and when they are forgotten.

use std::collections::BTreeMap;

use super::*;
use crate::routes::route::{Permission, RouteBroker, RouteQueues};

const fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

/// How often each route is asked for.
const INTERVAL: Duration = Duration::from_secs(30);

/// A topic and what it is known by.
struct Known {
    topics: Topics,
    brokers: Brokers,
    id: TopicId,
}

fn known() -> Known {
    let mut topics = Topics::default();
    let id = topics.using(at(0), &"T".into(), || (7, INTERVAL));
    Known { topics, brokers: Brokers::default(), id }
}

/// A route with two queues at each of these brokers.
fn route(names: &[&str]) -> TopicRoute {
    let broker = |name: &&str| RouteBroker {
        name: (*name).into(),
        cluster: String::new(),
        addresses: BTreeMap::from([(0, format!("{name}:1").parse().expect("an address"))]),
    };
    let queues = |name: &&str| RouteQueues {
        broker_name: (*name).into(),
        read: 3,
        write: 2,
        permission: Permission::READ_WRITE,
    };
    TopicRoute {
        brokers: names.iter().map(broker).collect(),
        queues: names.iter().map(queues).collect(),
        order_configuration: None,
    }
}

impl Known {
    fn learn(&mut self, names: &[&str]) {
        self.topics.learn(self.id, route(names), false, &mut self.brokers);
    }

    fn topic(&self) -> &Topic {
        self.topics.get(self.id).expect("the topic")
    }
}

#[test]
fn a_topic_is_one_however_often_it_is_used() {
    let mut known = known();
    assert_eq!(known.topics.using(at(1), &"T".into(), || panic!("it has a cursor")), known.id);
    assert_eq!((known.topics.find("T"), known.topics.find("U")), (Some(known.id), None));
    assert_eq!(known.topic().cursor, 7);
}

#[test]
fn a_route_gives_places_to_write_to_and_queues_to_read_from() {
    let mut known = known();
    known.learn(&["a", "b"]);
    let topic = known.topic();
    let written: Vec<_> = topic.writable.iter().filter_map(|place| topic.queue(*place, &known.brokers)).collect();
    let queue = |name: &str, number| MessageQueue::new("T", name, number);
    assert_eq!(written, [queue("a", 0), queue("a", 1), queue("b", 0), queue("b", 1)]);
    assert_eq!(topic.readable_queues().len(), 6);
    assert!(topic.has_several_brokers);
    known.learn(&["b"]);
    assert!(!known.topic().has_several_brokers);
    assert_eq!(known.topic().writable.len(), 2);
}

#[test]
fn a_route_is_asked_for_once_at_a_time_and_not_again_at_once() {
    let mut known = known();
    assert!(known.topics.begin_asking(at(0), known.id));
    assert!(!known.topics.begin_asking(at(9000), known.id));
    known.learn(&["a"]);
    known.topics.end_asking(known.id);
    assert!(!known.topics.begin_asking(at(199), known.id));
    assert!(known.topics.begin_asking(at(200), known.id));
}

#[test]
fn a_route_that_is_not_known_is_asked_for_without_a_pause() {
    let mut known = known();
    assert!(known.topics.begin_asking(at(0), known.id));
    known.topics.end_asking(known.id);
    assert!(known.topics.begin_asking(at(0), known.id));
    known.learn(&["a"]);
    known.topics.end_asking(known.id);
    known.topics.note_denied(known.id, &"a".into());
    assert!(known.topics.left_in_absence(known.id).is_none());
    assert!(known.topics.begin_asking(at(0), known.id));
}

#[test]
fn what_is_known_of_a_topic_that_is_no_more_is_over() {
    let mut known = known();
    known.learn(&["a"]);
    known.topics.note_denied(known.id, &"a".into());
    assert!(known.topics.left_in_absence(known.id).is_none());
    assert!(known.topic().route.is_none() && known.topic().writable.is_empty());
    assert!(known.topic().readable_queues().is_empty());
}

/// Lets time pass until `end`. Gives the topics whose routes were asked for in the last interval.
fn sweep(topics: &mut Topics, end: Instant) -> Vec<TopicId> {
    let refreshes = core::iter::from_fn(|| topics.pop_refresh(end, INTERVAL));
    let due: SortedSet<TopicId> = refreshes
        .filter_map(|refresh| match refresh {
            Refresh::Due(id) => Some(id),
            Refresh::Forgotten(_) => None,
        })
        .collect();
    due.into_iter().filter(|id| topics.get(*id).is_some()).collect()
}

#[test]
fn each_topic_has_its_own_moment_in_the_interval() {
    let mut topics = Topics::default();
    for (name, first) in [("T", 10), ("U", 20)] {
        topics.using(at(0), &name.into(), || (0, Duration::from_millis(first)));
    }
    let mut moments = Vec::new();
    while let Some(moment) = topics.next_refresh().filter(|moment| *moment < at(100_000)) {
        assert!(matches!(topics.pop_refresh(moment, INTERVAL), Some(Refresh::Due(_))));
        moments.push(moment);
    }
    let expected = [10, 20, 30_010, 30_020, 60_010, 60_020, 90_010, 90_020];
    assert_eq!(moments, expected.map(at));
}

#[test]
fn a_topic_that_nobody_used_for_ten_minutes_is_forgotten() {
    let mut known = known();
    known.topics.using(at(1000), &"U".into(), || (0, INTERVAL));
    assert_eq!(sweep(&mut known.topics, at(570_000)).len(), 2);
    assert_eq!(known.topics.pop_refresh(at(600_000), INTERVAL), Some(Refresh::Forgotten("T".into())));
    assert!(known.topics.get(known.id).is_none() && known.topics.find("T").is_none());
    // It is used again, as a new one.
    assert_ne!(known.topics.using(at(600_001), &"T".into(), || (0, INTERVAL)), known.id);
}

#[test]
fn use_and_a_question_under_way_keep_a_topic() {
    let mut known = known();
    known.topics.using(at(5000), &"T".into(), || (0, INTERVAL));
    assert_eq!(sweep(&mut known.topics, at(600_000)), [known.id]);
    known.topics.begin_asking(at(600_000), known.id);
    assert_eq!(sweep(&mut known.topics, at(900_000)), [known.id]);
    known.topics.end_asking(known.id);
    assert_eq!(sweep(&mut known.topics, at(930_000)), []);
}

#[test]
fn a_route_that_comes_after_its_topic_went_teaches_nothing() {
    let mut known = known();
    known.topics.begin_asking(at(0), known.id);
    known.topics.remove("T");
    known.learn(&["a"]);
    assert!(known.topics.get(known.id).is_none());
    assert_eq!(known.brokers.iter().count(), 0);
}

#[test]
fn brokers_are_routed_to_as_long_as_a_known_route_names_them() {
    let mut known = known();
    let other = known.topics.using(at(0), &"U".into(), || (0, INTERVAL));
    known.learn(&["a", "b"]);
    known.topics.learn(other, route(&["b", "c"]), false, &mut known.brokers);
    let routed = |known: &Known| {
        let ids = known.topics.routed_brokers(&known.brokers);
        ids.iter()
            .filter_map(|id| known.brokers.get(*id))
            .map(|broker| broker.name.to_string())
            .collect::<SortedSet<_>>()
    };
    assert_eq!(routed(&known), ["a", "b", "c"].map(str::to_owned).into());
    known.learn(&["b"]);
    assert_eq!(routed(&known), ["b", "c"].map(str::to_owned).into());
    known.topics.remove("U");
    assert_eq!(routed(&known), ["b"].map(str::to_owned).into());
    known.topics.note_denied(known.id, &"b".into());
    assert!(known.topics.left_in_absence(known.id).is_none());
    assert!(routed(&known).is_empty());
}
