//! Administration: whom it asks, in which order, and what the answers add up to.

use super::scene::{address, ms};
use super::servers::{self, Reach, Reply, broker_data};
use super::*;
use crate::admin::{Placement, TopicSettings, TopicStatistics};
use crate::queue::MessageQueue;
use crate::routes::route::Permission;
use crate::wire::body::{self, QueueKey, QueueOffsets, TopicStatsTable};
use crate::wire::code::{RequestCode, ResponseCode};

const CREATE: RequestCode = RequestCode::UPDATE_AND_CREATE_TOPIC;
const DELETE: RequestCode = RequestCode::DELETE_TOPIC_IN_BROKER;
const DELETE_ROUTE: RequestCode = RequestCode::DELETE_TOPIC_IN_NAMESRV;
const STATISTICS: RequestCode = RequestCode::GET_TOPIC_STATS_INFO;

/// Two name servers and the clusters `one` (`a` with a slave, `b`) and `two` (`c`).
fn scene_of_clusters() -> Scene {
    let mut scene = scene_with("ns:1;ns:2");
    ["ns:1", "ns:2", "a:1", "a:2", "b:1", "c:1"].iter().for_each(|at| _ = scene.server(at));
    scene.book.route("T", &["a", "b", "c"], 2);
    let clusters = &mut scene.book.clusters;
    clusters.broker_addr_table.insert("a".to_owned(), broker_data("a", &[0, 1]));
    clusters.cluster_addr_table = [("one", &["a", "b"][..]), ("two", &["c"])]
        .map(|(name, brokers)| (name.to_owned(), brokers.iter().map(|name| (*name).to_owned()).collect()))
        .into();
    scene
}

fn create(scene: &mut Scene, settings: TopicSettings, placement: Placement) -> Result<(), Error> {
    let operation = scene.client.create_topic(scene.now, "T", settings, placement);
    scene.wait(operation)
}

fn delete(scene: &mut Scene, placement: Placement) -> Result<(), Error> {
    let operation = scene.client.delete_topic(scene.now, "T", placement);
    scene.wait(operation)
}

/// Who was asked this, in order.
fn asked(scene: &Scene, code: RequestCode) -> Vec<&str> {
    scene.asked.iter().filter(|asked| asked.code() == code).map(|asked| asked.address.as_str()).collect()
}

fn placements() -> [(Placement, &'static [&'static str]); 4] {
    [
        (Placement::Everywhere, &["a:1", "b:1", "c:1"]),
        (Placement::Cluster("one".to_owned()), &["a:1", "b:1"]),
        (Placement::Broker("c".to_owned()), &["c:1"]),
        (Placement::Address(address("b:1")), &["b:1"]),
    ]
}

#[test]
fn a_topic_is_created_at_the_masters_of_its_place() {
    for (placement, expected) in placements() {
        let mut scene = scene_of_clusters();
        assert_eq!(create(&mut scene, TopicSettings::default(), placement), Ok(()));
        assert_eq!(asked(&scene, CREATE), expected);
    }
}

#[test]
fn an_address_needs_no_name_server() {
    let mut scene = scene_of_clusters();
    ["ns:1", "ns:2"].iter().for_each(|at| scene.server(at).reach = Reach::Refuses);
    assert!(create(&mut scene, TopicSettings::default(), Placement::Address(address("a:1"))).is_ok());
    assert_eq!(
        kind(create(&mut scene, TopicSettings::default(), Placement::Everywhere)),
        ErrorKind::NameServersUnavailable
    );
}

#[test]
fn a_topic_gets_the_settings_that_were_asked_for() {
    let mut scene = scene_of_clusters();
    let settings =
        TopicSettings { queues: 5, permission: Permission::READ, template: Some("MINE".to_owned()), ordered: true };
    create(&mut scene, settings, Placement::Broker("a".to_owned())).unwrap();
    create(&mut scene, TopicSettings::default(), Placement::Broker("a".to_owned())).unwrap();
    let asked = scene.asked_of("a:1", CREATE);
    for (name, first, second) in [
        ("topic", "T", "T"),
        ("defaultTopic", "MINE", "TBW102"),
        ("readQueueNums", "5", "8"),
        ("writeQueueNums", "5", "8"),
        ("perm", "4", "6"),
        ("topicFilterType", "SINGLE_TAG", "SINGLE_TAG"),
        ("topicSysFlag", "0", "0"),
        ("order", "true", "false"),
    ] {
        assert_eq!((&*asked[0].field(name), &*asked[1].field(name)), (first, second), "the field {name}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_at_once() {
    let mut scene = scene_of_clusters();
    for queues in [0, 65_537] {
        let settings = TopicSettings { queues, ..TopicSettings::default() };
        assert_eq!(kind(create(&mut scene, settings, Placement::Everywhere)), ErrorKind::InvalidArgument);
    }
    let now = scene.now;
    for operation in [
        scene.client.create_topic(now, "no topic", TopicSettings::default(), Placement::Everywhere).id(),
        scene.client.delete_topic(now, "", Placement::Everywhere).id(),
        scene.client.topic_statistics(now, "a b").id(),
        scene.client.topic_route(now, "a/b").id(),
        scene.client.queues(now, "").id(),
    ] {
        assert_eq!(scene.outcome_of(operation).map(kind), Some(ErrorKind::InvalidArgument));
    }
    assert!(scene.opened.is_empty());
}

#[test]
fn a_place_that_does_not_exist_is_an_error_that_helps() {
    let mut scene = scene_of_clusters();
    let unknown = create(&mut scene, TopicSettings::default(), Placement::Cluster("three".to_owned()));
    let text = error(unknown).to_string();
    assert!(text.contains("no cluster three") && text.contains("one, two"), "{text}");
    let unknown = create(&mut scene, TopicSettings::default(), Placement::Broker("x".to_owned()));
    assert_eq!(kind(unknown), ErrorKind::BrokerNotFound);
    scene.book.clusters.broker_addr_table.insert("a".to_owned(), broker_data("a", &[1]));
    let slave = create(&mut scene, TopicSettings::default(), Placement::Broker("a".to_owned()));
    assert_eq!(kind(slave), ErrorKind::BrokerNotFound);
    assert!(asked(&scene, CREATE).is_empty());
}

#[test]
fn all_have_to_agree_and_who_does_not_is_named() {
    let mut scene = scene_of_clusters();
    scene.on("b:1", CREATE, |_| Some(Reply::code(ResponseCode::NO_PERMISSION).remark("not you")));
    let error = error(create(&mut scene, TopicSettings::default(), Placement::Everywhere));
    assert_eq!((error.code(), error.address()), (Some(ResponseCode::NO_PERMISSION), Some(&address("b:1"))));
    assert_eq!(error.to_string(), "create topic T: NO_PERMISSION (16): not you (at b:1)");
}

#[test]
fn brokers_are_asked_side_by_side() {
    let mut scene = scene_of_clusters();
    for at in ["a:1", "b:1", "c:1"] {
        scene.server(at).opens_after = ms(300);
        scene.on(at, CREATE, |_| Some(Reply::ok().after(ms(500))));
    }
    assert!(create(&mut scene, TopicSettings::default(), Placement::Everywhere).is_ok());
    assert_eq!(millis(&scene), 800);
}

#[test]
fn a_dead_broker_fails_the_task_at_once_and_a_hung_one_in_its_time() {
    let mut scene = scene_of_clusters();
    scene.server("b:1").reach = Reach::Refuses;
    let refused = error(create(&mut scene, TopicSettings::default(), Placement::Everywhere));
    assert_eq!(
        (refused.kind(), refused.address(), millis(&scene)),
        (ErrorKind::ConnectFailed, Some(&address("b:1")), 0)
    );
    let mut scene = scene_of_clusters();
    scene.on("b:1", CREATE, |_| None);
    let hung = error(create(&mut scene, TopicSettings::default(), Placement::Everywhere));
    assert_eq!((hung.kind(), hung.address(), millis(&scene)), (ErrorKind::Timeout, Some(&address("b:1")), 6000));
}

#[test]
fn a_topic_is_deleted_at_all_members_and_then_in_the_routes() {
    let mut scene = scene_of_clusters();
    assert_eq!(delete(&mut scene, Placement::Everywhere), Ok(()));
    assert_eq!(asked(&scene, DELETE), ["a:1", "b:1", "c:1", "a:2"]);
    let mut told = asked(&scene, DELETE_ROUTE);
    told.sort_unstable();
    assert_eq!(told, ["ns:1", "ns:2"]);
    let order: Vec<_> = scene.asked.iter().map(|asked| asked.code()).collect();
    let last_broker = order.iter().rposition(|code| *code == DELETE);
    assert!(last_broker < order.iter().position(|code| *code == DELETE_ROUTE));
}

#[test]
fn no_route_is_deleted_before_every_broker_has_answered() {
    let mut scene = scene_of_clusters();
    scene.on("c:1", DELETE, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).after(ms(100))));
    assert!(delete(&mut scene, Placement::Everywhere).is_err());
    scene.run_for(ms(1000));
    assert!(asked(&scene, DELETE_ROUTE).is_empty());
}

#[test]
fn in_one_place_a_topic_is_deleted_at_its_brokers_only() {
    for (placement, expected) in placements().into_iter().skip(1) {
        let mut scene = scene_of_clusters();
        assert!(delete(&mut scene, placement).is_ok());
        let masters: Vec<_> = asked(&scene, DELETE).into_iter().filter(|at| *at != "a:2").collect();
        assert_eq!(masters, expected);
        assert!(asked(&scene, DELETE_ROUTE).is_empty());
    }
}

#[test]
fn a_topic_that_is_not_there_is_deleted_already() {
    let mut scene = scene_of_clusters();
    scene.on("a:1", DELETE, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
    scene.on("ns:1", DELETE_ROUTE, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
    assert!(delete(&mut scene, Placement::Everywhere).is_ok());
}

#[test]
fn a_name_server_that_is_away_does_not_keep_a_topic_from_being_deleted() {
    // Brokers tell it their topics when it comes back, and this one is no longer among them.
    for (reach, is_mute, within) in
        [(Reach::Refuses, false, 0), (Reach::Vanishes, false, 3000 + 1500), (Reach::Accepts, true, 6000)]
    {
        let mut scene = scene_of_clusters();
        scene.server("ns:2").reach = reach;
        scene.server("ns:2").is_mute = is_mute;
        for _ in 0..3 {
            let begun = millis(&scene);
            assert_eq!(delete(&mut scene, Placement::Everywhere), Ok(()));
            assert!(millis(&scene) - begun <= within, "{reach:?}: {} ms", millis(&scene) - begun);
        }
        assert_eq!(scene.asked_of("ns:1", DELETE_ROUTE).len(), 3);
    }
}

#[test]
fn a_name_server_that_is_still_being_connected_to_does_not_use_up_the_task() {
    let mut scene = scene_of_clusters();
    scene.server("ns:2").reach = Reach::Vanishes;
    scene.on("a:1", DELETE, |_| Some(Reply::ok().after(ms(4000))));
    assert_eq!(delete(&mut scene, Placement::Everywhere), Ok(()));
    assert_eq!(millis(&scene), 6000);
}

#[test]
fn one_name_server_at_least_has_to_be_told() {
    for answers in [false, true] {
        let mut scene = scene_of_clusters();
        for at in ["ns:1", "ns:2"] {
            scene.on(at, DELETE_ROUTE, move |_| answers.then(|| Reply::code(ResponseCode::NO_PERMISSION)));
        }
        let error = error(delete(&mut scene, Placement::Everywhere));
        assert_eq!(error.kind(), if answers { ErrorKind::Refused } else { ErrorKind::Timeout });
        assert!(error.address().unwrap().host() == "ns" && millis(&scene) <= 6000);
    }
}

#[test]
fn a_deleted_topic_is_not_sent_to_by_its_old_route() {
    let mut scene = scene_of_clusters();
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.book.routes.clear();
    delete(&mut scene, Placement::Everywhere).unwrap();
    assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::TopicNotFound);
}

fn statistics(broker: &str, offsets: &[(i32, i64, i64)]) -> Vec<u8> {
    let queue = |queue_id: i32| QueueKey { broker_name: broker.to_owned(), queue_id, topic: "T".to_owned() };
    let offsets = offsets.iter().map(|(id, min_offset, max_offset)| {
        let offsets = QueueOffsets { last_update_timestamp: 5, max_offset: *max_offset, min_offset: *min_offset };
        (queue(*id), offsets)
    });
    body::to_vec(&TopicStatsTable { offset_table: offsets.collect(), topic_put_tps: 0.0 })
}

fn ask_statistics(scene: &mut Scene) -> Result<TopicStatistics, Error> {
    let operation = scene.client.topic_statistics(scene.now, "T");
    scene.wait(operation)
}

#[test]
fn statistics_are_those_of_all_masters_together() {
    let mut scene = scene_of(&["a", "b"]);
    scene.on("a:1", STATISTICS, |_| Some(Reply::ok().body(statistics("a", &[(0, 1, 10), (1, 0, 0)])).after(ms(50))));
    scene.on("b:1", STATISTICS, |_| Some(Reply::ok().body(statistics("b", &[(0, 5, 25)]))));
    let found = ask_statistics(&mut scene).unwrap();
    let shown: Vec<_> =
        found.queues.iter().map(|(queue, at)| (queue.to_string(), at.min_offset, at.max_offset)).collect();
    assert_eq!(shown, [("T@a:0".to_owned(), 1, 10), ("T@a:1".to_owned(), 0, 0), ("T@b:0".to_owned(), 5, 25)]);
    assert_eq!((found.messages(), found.queues[&MessageQueue::new("T", "b", 0)].last_update_timestamp), (29, 5));
}

#[test]
fn statistics_of_nothing_are_errors_that_say_so() {
    let mut scene = scene_of(&["a"]);
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[1])], 1, Permission::READ));
    assert_eq!(ask_statistics(&mut scene).unwrap_err().kind(), ErrorKind::BrokerNotFound);
    scene.book.routes.clear();
    assert_eq!(ask_statistics(&mut scene).unwrap_err().kind(), ErrorKind::TopicNotFound);
}

#[test]
fn numbers_in_statistics_that_no_broker_would_give_do_no_harm() {
    let mut scene = scene_of(&["a"]);
    let odd = || statistics("a", &[(-1, 0, 5), (1, i64::MAX, i64::MIN), (i32::MAX, -5, i64::MAX)]);
    scene.on("a:1", STATISTICS, move |_| Some(Reply::ok().body(odd())));
    let found = ask_statistics(&mut scene).unwrap();
    assert_eq!(found.messages(), i64::MAX as u64);
    assert_eq!(found.queues.keys().map(|queue| queue.queue_id).collect::<Vec<_>>(), [1, i32::MAX as u32]);
}

#[test]
fn name_servers_tell_of_topics_clusters_and_routes() {
    let mut scene = scene_of_clusters();
    for at in ["ns:1", "ns:2"] {
        let list = r#"{"topicList":["b","a"]}"#;
        scene.on(at, RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, move |_| Some(Reply::ok().body(list)));
    }
    let operation = scene.client.topic_list(scene.now);
    assert!(matches!(scene.wait(operation), Ok(topics) if topics == ["a", "b"]));
    let operation = scene.client.cluster_info(scene.now);
    let Ok(clusters) = scene.wait(operation) else { panic!("no cluster info") };
    assert_eq!(clusters, scene.book.clusters);
    let operation = scene.client.topic_route(scene.now, "T");
    let Ok(route) = scene.wait(operation) else { panic!("no route") };
    assert_eq!((route.brokers.len(), route.writable().len()), (3, 6));
    let operation = scene.client.topic_route(scene.now, "U");
    assert_eq!(kind(scene.wait(operation)), ErrorKind::TopicNotFound);
}

#[test]
fn what_a_slave_says_to_the_deletion_of_a_topic_does_not_matter() {
    let sayings: [fn(&mut Scene); 4] = [
        |scene| scene.on("a:2", DELETE, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("I am a slave"))),
        |scene| scene.server("a:2").reach = Reach::Refuses,
        |scene| scene.server("a:2").reach = Reach::Vanishes,
        |scene| scene.server("a:2").is_mute = true,
    ];
    for make in sayings {
        let mut scene = scene_of_clusters();
        make(&mut scene);
        assert_eq!(delete(&mut scene, Placement::Everywhere), Ok(()));
        assert_eq!(asked(&scene, RequestCode::DELETE_TOPIC_IN_NAMESRV).len(), 2, "the name servers hear of it");
        assert!(millis(&scene) <= 3000);
    }
}

#[test]
fn odd_members_of_clusters_are_passed_over() {
    let mut scene = scene_of_clusters();
    let brokers = &mut scene.book.clusters.broker_addr_table;
    let odd = [(-1, "x:1"), (3, ""), (4, "10.0.0.9 :10911"), (5, "x:0")].map(|(id, at)| (id, at.to_owned()));
    brokers.get_mut("a").unwrap().broker_addrs.extend(odd);
    let info = scene.client.cluster_info(scene.now);
    assert!(scene.wait(info).is_ok());
    assert!(create(&mut scene, TopicSettings::default(), Placement::Everywhere).is_ok());
    assert_eq!(asked(&scene, CREATE), ["a:1", "b:1", "c:1"]);
    assert!(delete(&mut scene, Placement::Everywhere).is_ok());
    assert_eq!(asked(&scene, DELETE), ["a:1", "b:1", "c:1", "a:2"]);
}

#[test]
fn statistics_ride_out_a_broker_that_is_busy_or_about_to_go() {
    for code in [ResponseCode::SYSTEM_BUSY, ResponseCode::GO_AWAY] {
        let mut scene = scene_of(&["a"]);
        let mut busy = 2;
        scene.on("a:1", RequestCode::GET_TOPIC_STATS_INFO, move |_| {
            busy -= 1;
            Some(if busy < 0 { Reply::ok().body(statistics("a", &[(0, 1, 5)])) } else { Reply::code(code) })
        });
        let begun = millis(&scene);
        let outcome = ask_statistics(&mut scene);
        assert!(outcome.is_ok(), "after {} ms of 6000: {outcome:?}", millis(&scene) - begun);
    }
}
