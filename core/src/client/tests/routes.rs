//! Routes: when they are asked for, what is done without one, and how changes are followed.

use super::scene::ms;
use super::servers::{self, Reach, Reply};
use super::*;
use crate::consumer::{MessageSelector, PullOptions, Pulled};
use crate::producer::QueueChoice;
use crate::queue::MessageQueue;
use crate::wire::body::{self, Permission};
use crate::wire::code::{RequestCode, ResponseCode};

const ROUTE: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;
const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// The topics that the name server was asked about, in order.
fn asked_topics(scene: &Scene) -> Vec<String> {
    scene.asked_of("ns:1", ROUTE).iter().map(|asked| asked.field("topic")).collect()
}

fn queues(scene: &mut Scene, topic: &str) -> Result<Vec<MessageQueue>, Error> {
    let operation = scene.client.queues(scene.now, topic);
    scene.wait(operation)
}

fn pull(scene: &mut Scene, queue: MessageQueue) -> Result<Pulled, Error> {
    let consumer = scene.client.start_pull_consumer(scene.now, "C").unwrap();
    let options = PullOptions::default();
    let operation = scene.client.pull(scene.now, consumer, queue, MessageSelector::all(), 0, options);
    scene.wait(operation)
}

#[test]
fn many_sends_wait_for_one_answer() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operations: Vec<_> = (0..100).map(|_| send(&mut scene, producer, SendOptions::default())).collect();
    assert!(operations.into_iter().all(|operation| scene.wait(operation).is_ok()));
    assert_eq!(asked_topics(&scene), ["T"]);
}

#[test]
fn a_topic_that_does_not_exist_is_sent_to_by_the_default_topics_route() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("TBW102", &["a"], 8);
    scene.book.routes.remove("T");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let mut used: Vec<_> = (0..8).map(|_| send_and_wait(&mut scene, producer).unwrap().queue.queue_id).collect();
    used.sort_unstable();
    assert_eq!(used, [0, 0, 1, 1, 2, 2, 3, 3]);
    // The first message may have created the topic, so it is asked for again at once, and not at each send.
    assert_eq!(asked_topics(&scene)[..2], ["T", "TBW102"]);
    assert!(asked_topics(&scene).len() <= 4, "{:?}", asked_topics(&scene));
}

#[test]
fn once_a_topic_is_created_its_own_route_replaces_the_inherited_one() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("TBW102", &["a"], 8);
    scene.book.routes.remove("T");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.book.route("T", &["b"], 1);
    scene.run_for(ms(200));
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(1));
    assert_eq!(send_and_wait(&mut scene, producer).unwrap().queue, MessageQueue::new("T", "b", 0));
}

#[test]
fn without_a_default_topic_an_unknown_one_is_an_error_at_once() {
    let mut scene = scene_of(&["a"]);
    scene.book.routes.clear();
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let error = send_and_wait(&mut scene, producer).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TopicNotFound, false));
    assert_eq!(millis(&scene), 0);
    // It is asked for at each send: it may be created at any time.
    scene.book.route("T", &["a"], 1);
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_reader_of_a_topic_that_does_not_exist_hears_that() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("TBW102", &["a"], 8);
    assert_eq!(kind(queues(&mut scene, "U")), ErrorKind::TopicNotFound);
    assert_eq!(kind(pull(&mut scene, MessageQueue::new("U", "x", 0))), ErrorKind::TopicNotFound);
    assert!(!asked_topics(&scene).contains(&"TBW102".to_owned()));
}

#[test]
fn what_senders_inherit_is_nothing_to_readers() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("TBW102", &["a"], 8);
    scene.book.routes.remove("T");
    scene.on("ns:1", ROUTE, |asked| match &*asked.field("topic") {
        "TBW102" => Some(Reply::ok().body(servers::route(&["a"], 8, Permission(7))).after(ms(100))),
        _ => Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST).after(ms(100))),
    });
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let sending = send(&mut scene, producer, SendOptions::default());
    // While the default topic is being asked about on behalf of the sender.
    scene.run_for(ms(150));
    assert_eq!(kind(queues(&mut scene, "T")), ErrorKind::TopicNotFound);
    assert!(scene.wait(sending).is_ok());
    // And when the inherited route is known, new or old.
    for pause in [0, 1000] {
        scene.run_for(ms(pause));
        assert_eq!(kind(queues(&mut scene, "T")), ErrorKind::TopicNotFound);
    }
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_queue_whose_broker_no_route_names_is_an_error_at_once_every_time() {
    let mut scene = scene_of(&["a"]);
    for _ in 0..3 {
        assert_eq!(kind(pull(&mut scene, MessageQueue::new("T", "x", 0))), ErrorKind::BrokerNotFound);
        assert_eq!(millis(&scene), 0);
    }
    assert_eq!(asked_topics(&scene), ["T"]);
}

#[test]
fn the_queues_of_a_topic_are_the_newest() {
    let mut scene = scene_of(&["a"]);
    let numbers = |scene: &mut Scene| {
        let queues = queues(scene, "T").unwrap();
        queues.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut scene), ["T@a:0", "T@a:1"]);
    scene.book.route("T", &["a"], 3);
    scene.run_for(ms(200));
    assert_eq!(numbers(&mut scene), ["T@a:0", "T@a:1", "T@a:2"]);
    // What was learnt a moment ago is new enough.
    assert_eq!((numbers(&mut scene).len(), asked_topics(&scene).len()), (3, 2));
}

#[test]
fn routes_in_use_are_asked_for_again_every_thirty_seconds() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("U", &["a"], 1);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    assert!(queues(&mut scene, "U").is_ok());
    // Each at its own moment, and then every half minute.
    for rounds in 1..=3 {
        scene.run_for(ms(30_000));
        let mut asked = asked_topics(&scene)[2 * rounds..].to_vec();
        asked.sort_unstable();
        assert_eq!(asked, ["T", "U"]);
    }
}

#[test]
fn many_topics_are_not_asked_about_at_one_moment() {
    let mut scene = scene_of(&["a"]);
    let names: Vec<_> = (0..300).map(|number| format!("T{number}")).collect();
    for name in &names {
        scene.book.route(name, &["a"], 1);
        let queues = scene.client.queues(scene.now, name);
        scene.wait(queues).unwrap();
    }
    scene.asked.clear();
    let mut most = 0;
    for _ in 0..30 {
        scene.asked.clear();
        scene.run_for(ms(1000));
        most = most.max(asked_topics(&scene).len());
    }
    assert!(most <= 30, "{most} of 300 in one second of thirty");
}

#[test]
fn a_change_of_the_route_is_followed() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("T", &["a"], 2);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.book.route("T", &["b"], 2);
    scene.run_for(ms(30_000));
    assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "b");
}

#[test]
fn a_failing_send_asks_for_the_route_at_once() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("T", &["a"], 2);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(200));
    // The topic has moved: its old broker does not have it any more.
    scene.book.route("T", &["b"], 2);
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
    _ = send_and_wait(&mut scene, producer);
    assert_eq!(asked_topics(&scene).len(), 2);
    assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "b");
}

#[test]
fn a_failing_connection_asks_for_the_route_at_once() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("T", &["a"], 2);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(200));
    scene.server("a:1").reach = Reach::Refuses;
    scene.book.route("T", &["b"], 2);
    scene.cut("a:1", "reset");
    // The first try finds the pause and the refusal after it, and the second one the new route.
    assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "b");
    assert!(millis(&scene) < 1000);
}

#[test]
fn a_send_that_has_no_other_try_asks_for_the_route_too() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig { max_tries: 1, ..ProducerConfig::default() });
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(200));
    scene.on("a:1", SEND, |_| None);
    send_and_wait(&mut scene, producer).unwrap_err();
    scene.settle();
    assert_eq!(asked_topics(&scene).len(), 2);
}

#[test]
fn failures_do_not_flood_the_name_servers() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    scene.on("a:1", SEND, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY).after(ms(1))));
    while millis(&scene) < 2000 {
        send_and_wait(&mut scene, producer).unwrap_err();
    }
    let asked = asked_topics(&scene).len();
    assert!((9..=11).contains(&asked), "{asked} questions in two seconds");
}

#[test]
fn an_old_route_is_better_than_none() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.server("ns:1").reach = Reach::Refuses;
    scene.cut("ns:1", "gone");
    for _ in 0..10 {
        scene.run_for(ms(30_000));
        assert!(send_and_wait(&mut scene, producer).is_ok());
        for _ in 0..2 {
            assert!(queues(&mut scene, "T").is_ok());
            scene.run_for(ms(5000));
        }
    }
}

#[test]
fn an_inherited_route_is_better_than_none_too() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("TBW102", &["a"], 8);
    scene.book.routes.remove("T");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    // The name server still knows that there is no such topic, but says nothing of the default one.
    scene.on("ns:1", ROUTE, |asked| {
        (asked.field("topic") != "TBW102").then(|| Reply::code(ResponseCode::TOPIC_NOT_EXIST))
    });
    for _ in 0..3 {
        scene.run_for(ms(30_000));
        assert!(send_and_wait(&mut scene, producer).is_ok());
    }
}

#[test]
fn a_change_of_the_default_topics_route_is_followed() {
    let mut scene = scene_of(&["a", "b"]);
    scene.book.route("TBW102", &["a"], 8);
    scene.book.routes.remove("T");
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.book.route("TBW102", &["b"], 8);
    scene.run_for(ms(30_000));
    assert_eq!(&*send_and_wait(&mut scene, producer).unwrap().queue.broker_name, "b");
}

#[test]
fn a_topic_that_was_deleted_is_not_sent_to_any_more() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.book.routes.clear();
    let delete = scene.client.delete_topic(scene.now, "T", Default::default());
    scene.wait(delete).unwrap();
    assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::TopicNotFound);
    assert_eq!(scene.asked_of("a:1", SEND).len(), 1);
}

#[test]
fn a_topic_that_may_not_be_written_is_refused_and_asked_about_again() {
    let mut scene = scene_of(&["a"]);
    scene.book.routes.insert("T".to_owned(), servers::route(&["a"], 2, Permission::READ));
    let producer = start_producer(&mut scene, ProducerConfig::default());
    assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::NoQueueAvailable);
    assert!(queues(&mut scene, "T").is_ok());
    scene.book.route("T", &["a"], 2);
    // Asked about a moment ago.
    assert_eq!(send_and_wait(&mut scene, producer).unwrap_err().kind(), ErrorKind::NoQueueAvailable);
    scene.run_for(ms(200));
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_topic_that_nobody_uses_is_not_asked_about_for_ever() {
    let mut scene = scene_of(&["a"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    scene.run_for(ms(600_000));
    let asked = asked_topics(&scene).len();
    assert!((20..=21).contains(&asked), "{asked}");
    scene.run_for(ms(600_000));
    assert_eq!(asked_topics(&scene).len(), asked);
    assert!(scene.links_to("a:1").is_empty(), "nobody needs the broker any more");
    assert!(send_and_wait(&mut scene, producer).is_ok());
}

#[test]
fn a_send_whose_time_is_shorter_than_the_question_ends_in_its_time() {
    let mut scene = scene_of(&["a"]);
    scene.server("ns:1").is_mute = true;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let operation = send(&mut scene, producer, SendOptions { timeout: Some(ms(700)), ..SendOptions::default() });
    assert_eq!((kind(scene.wait(operation)), millis(&scene)), (ErrorKind::Timeout, 700));
}

#[test]
fn what_is_odd_in_a_route_is_passed_over_and_the_rest_is_used() {
    for address in ["10.0.0.9 :10911", "", "10.0.0.9", "10.0.0.9:0"] {
        for id in [0, 1, -1] {
            let mut scene = scene_of(&["a"]);
            let mut odd = servers::broker_data(if id == 0 { "b" } else { "a" }, if id == 0 { &[] } else { &[0] });
            odd.broker_addrs.insert(id, address.to_owned());
            let brokers = if id == 0 { vec![servers::broker_data("a", &[0]), odd] } else { vec![odd] };
            scene.book.routes.insert("T".to_owned(), servers::route_by(brokers, 2, Permission::READ_WRITE));
            let producer = start_producer(&mut scene, ProducerConfig::default());
            (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
            let route = scene.client.topic_route(scene.now, "T");
            assert!(scene.wait(route).is_ok());
            assert_eq!(millis(&scene), 0, "{address} as {id}");
        }
    }
}

#[test]
fn each_queue_of_a_topic_is_listed_once_whatever_a_route_says_twice() {
    let mut scene = scene_of(&["a"]);
    let data = |brokers: &[&str]| -> body::TopicRouteData {
        body::from_slice(&servers::route(brokers, 2, Permission::READ_WRITE)).unwrap()
    };
    let mut route = data(&["a"]);
    route.queue_datas.extend(data(&["a"]).queue_datas);
    scene.book.routes.insert("T".to_owned(), body::to_vec(&route));
    let queues = scene.client.queues(scene.now, "T");
    let Ok(queues) = scene.wait(queues) else { panic!("queues") };
    // Two members would share them as four, and own both the same two.
    assert_eq!(queues, [MessageQueue::new("T", "a", 0), MessageQueue::new("T", "a", 1)]);
}

#[test]
fn a_key_keeps_its_queue_while_a_name_server_has_heard_of_one_of_two_brokers_again() {
    let mut scene = scene_of(&["a", "b"]);
    let producer = start_producer(&mut scene, ProducerConfig::default());
    let keyed = |scene: &mut Scene, key: &str| {
        let options = SendOptions::from(QueueChoice::Hash(key.to_owned()));
        let operation = send(scene, producer, options);
        scene.wait(operation).unwrap().queue
    };
    let key = (0..).map(|number| number.to_string()).find(|key| &*keyed(&mut scene, key).broker_name == "b").unwrap();
    let before = keyed(&mut scene, &key);
    // The name server restarts, and `a` registers first; `b` answers all the time.
    scene.book.route("T", &["a"], 2);
    scene.run_for(ms(1000));
    let queues = scene.client.queues(scene.now, "T");
    scene.wait(queues).unwrap();
    let sends = scene.asked_of("b:1", RequestCode::SEND_MESSAGE_V2).len();
    assert!(sends > 0 && !scene.links_to("b:1").is_empty(), "it is there, and connected");
    assert_eq!(keyed(&mut scene, &key), before);
}

#[test]
fn a_broker_that_says_itself_that_it_has_no_such_topic_loses_its_place_and_so_does_one_unnamed_for_long() {
    for denies in [true, false] {
        let mut scene = scene_of(&["a", "b"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        (0..4).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
        scene.book.route("T", &["a"], 2);
        scene.run_for(ms(1000));
        let queues = queues(&mut scene, "T").unwrap();
        assert_eq!(queues.len(), 4, "it is there, and was named a moment ago");
        if denies {
            scene.on("b:1", RequestCode::SEND_MESSAGE_V2, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
            (0..2).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
            scene.run_for(ms(31_000));
        } else {
            scene.run_for(ms(91_000));
        }
        let queues = self::queues(&mut scene, "T").unwrap();
        assert!(queues.iter().all(|queue| &*queue.broker_name == "a"), "{denies}: {queues:?}");
    }
}

#[test]
fn a_broker_that_has_no_such_topic_speaks_for_itself_and_for_no_other() {
    for is_known in [true, false] {
        let mut scene = scene_of(&["a", "b", "c"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        (0..6).for_each(|_| _ = send_and_wait(&mut scene, producer).unwrap());
        // The name server restarts; `a` registers first, or nobody yet. From `c` alone an administrator has deleted the topic.
        if is_known {
            scene.book.route("T", &["a"], 2);
        } else {
            scene.book.routes.remove("T");
        }
        scene.on("c:1", SEND, |_| Some(Reply::code(ResponseCode::TOPIC_NOT_EXIST)));
        scene.run_for(ms(1000));
        (0..6).for_each(|_| _ = send_and_wait(&mut scene, producer));
        scene.run_for(ms(1000));
        let queues = queues(&mut scene, "T");
        let has_b = queues.as_ref().is_ok_and(|queues| queues.iter().any(|queue| &*queue.broker_name == "b"));
        assert!(has_b, "`b` is there, has the topic, and was named two seconds ago: {queues:?}");
    }
}

#[test]
fn a_key_keeps_its_queue_also_when_the_name_server_that_restarts_was_away_for_minutes() {
    for away in [30, 90, 300] {
        let mut scene = scene_of(&["a", "b"]);
        let producer = start_producer(&mut scene, ProducerConfig::default());
        let keyed = |scene: &mut Scene, key: &str| {
            let options = SendOptions::from(QueueChoice::Hash(key.to_owned()));
            let operation = send(scene, producer, options);
            scene.wait(operation).unwrap().queue
        };
        let key =
            (0..).map(|number| number.to_string()).find(|key| &*keyed(&mut scene, key).broker_name == "b").unwrap();
        let before = keyed(&mut scene, &key);
        scene.server("ns:1").is_mute = true;
        for _ in 0..away {
            scene.run_for(ms(1000));
            assert_eq!(keyed(&mut scene, &key), before, "all goes on");
        }
        // It is back, and `a` registers first; `b` answers all the time.
        scene.server("ns:1").is_mute = false;
        scene.book.route("T", &["a"], 2);
        // Until the client has asked it.
        for _ in 0..35 {
            scene.run_for(ms(1000));
            assert_eq!(keyed(&mut scene, &key), before, "away for {away} s");
            if scene.elapsed() > ms(1000 * (away + 32)) {
                scene.book.route("T", &["a", "b"], 2);
            }
        }
    }
}
