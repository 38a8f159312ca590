//! Push consumers of a client: what brokers are asked for them, whom, and on which connection.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::scene::ms;
use super::servers::{self, Reply, broker_data};
use super::*;
use crate::client::PushConsumerId;
use crate::consumer::MessageSelector;
use crate::consumer::push::{ConsumeFrom, ConsumeOrder, ConsumeOutcome, PushConfig};
use crate::wire::body::{self, LockedQueues, Permission, QueueLockRequest};
use crate::wire::code::{RequestCode, ResponseCode};

const COMMIT: RequestCode = RequestCode::UPDATE_CONSUMER_OFFSET;
const UNLOCK: RequestCode = RequestCode::UNLOCK_BATCH_MQ;
const LOCK: RequestCode = RequestCode::LOCK_BATCH_MQ;
const MEMBERS: RequestCode = RequestCode::GET_CONSUMER_LIST_BY_GROUP;
const GROUP_OFFSET: RequestCode = RequestCode::QUERY_CONSUMER_OFFSET;
const MAX_OFFSET: RequestCode = RequestCode::GET_MAX_OFFSET;
const PULL: RequestCode = RequestCode::PULL_MESSAGE;

/// Has a server be a broker of a group that we are the only member of.
fn be_broker(scene: &mut Scene, at: &str) {
    scene.on(at, MEMBERS, |_| Some(Reply::ok().body(r#"{"consumerIdList":["127.0.0.1@DEFAULT"]}"#)));
    scene.on(at, GROUP_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
    scene.on(at, MAX_OFFSET, |_| Some(Reply::ok().field("offset", 5)));
    scene.on(at, PULL, |asked| Some(servers::nothing_new(asked).after(ms(10_000))));
    scene.on(at, LOCK, |asked| {
        let wanted: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
        Some(Reply::ok().body(body::to_vec(&LockedQueues { lock_ok_mq_set: wanted.mq_set })))
    });
}

fn consume(scene: &mut Scene, config: PushConfig) -> PushConsumerId {
    let consumer = scene.client.start_push_consumer(scene.now, "C", config, Vec::new(), BTreeMap::new()).unwrap();
    scene.client.subscribe(scene.now, consumer, "T", MessageSelector::all()).unwrap();
    consumer
}

/// Grants the locks on these of the queues that are asked for.
fn grant(asked: &servers::Asked, wanted: impl Fn(i32) -> bool) -> Reply {
    let request: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
    let lock_ok_mq_set = request.mq_set.into_iter().filter(|queue| wanted(queue.queue_id)).collect();
    Reply::ok().body(body::to_vec(&LockedQueues { lock_ok_mq_set }))
}

fn consume_orderly(scene: &mut Scene) -> PushConsumerId {
    consume(scene, PushConfig { order: ConsumeOrder::Orderly, ..PushConfig::default() })
}

/// Set in the process that may die.
const IN_CHILD: &str = "STGCLIENT_TEST_CHILD";

/// Runs a test of this file in a process of its own, unless this is that: a stack that overflows ends the process, and not
/// the test.
fn ran_in_child(test: &str) -> bool {
    if std::env::var_os(IN_CHILD).is_some() {
        return false;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let name = format!("client::tests::push_consumers::{test}");
    let output = child.args(["--exact", &name]).env(IN_CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
    true
}

#[test]
fn a_consumer_of_many_queues_survives_that_too_many_operations_are_under_way() {
    if ran_in_child("a_consumer_of_many_queues_survives_that_too_many_operations_are_under_way") {
        return;
    }
    let mut config = ClientConfig::new(parse_list("ns:1").unwrap());
    config.max_operations = 8;
    let mut scene = Scene::new(config, 1);
    scene.server("ns:1");
    scene.book.route("T", &["a"], 4096);
    be_broker(&mut scene, "a:1");
    // Others are under way for the application: whatever the consumer asks for now is refused.
    scene.on("a:1", RequestCode::GET_MIN_OFFSET, |_| None);
    let consumer = consume(&mut scene, PushConfig::default());
    scene.run_for(ms(1));
    assert!(scene.client.consumer_status(scene.now, consumer).is_some());
    scene.run_for(ms(2000));
}

#[test]
fn queues_are_shared_although_producers_start_all_the_time() {
    let mut scene = scene_of(&["a"]);
    be_broker(&mut scene, "a:1");
    scene.on("a:1", RequestCode::HEART_BEAT, |_| Some(Reply::ok().after(ms(10))));
    consume(&mut scene, PushConfig::default());
    for _ in 0..6000 {
        let producer = scene.client.start_producer(scene.now, "P", ProducerConfig::default()).unwrap();
        scene.run_for(ms(5));
        scene.client.close_producer(scene.now, producer);
    }
    assert!(!scene.asked_of("a:1", PULL).is_empty(), "in 30 seconds no queue was its consumer's");
}

#[test]
fn nothing_is_committed_on_another_connection_than_the_one_that_granted_the_lock() {
    let mut scene = scene_of(&["a"]);
    be_broker(&mut scene, "a:1");
    // A group without an offset: where it begins is committed at once, first of one queue, then of the other.
    scene.on("a:1", GROUP_OFFSET, |_| Some(Reply::code(ResponseCode::QUERY_NOT_FOUND)));
    scene.on("a:1", RequestCode::GET_MIN_OFFSET, |_| Some(Reply::ok().field("offset", 0)));
    scene.on("a:1", COMMIT, |_| None);
    let (order, consume_from) = (ConsumeOrder::Orderly, ConsumeFrom::FirstOffset);
    consume(&mut scene, PushConfig { order, consume_from, ..PushConfig::default() });
    for _ in 0..500 {
        if scene.asked_of("a:1", COMMIT).is_empty() {
            scene.run_for(ms(10));
        }
    }
    scene.run_for(ms(100));
    assert_eq!(scene.asked_of("a:1", COMMIT).len(), 1);
    // The connection ends, and with it the locks, which another member has from now on.
    scene.on("a:1", LOCK, |_| Some(Reply::ok().body(r#"{"lockOKMQSet":[]}"#)));
    scene.cut("a:1", "reset");
    scene.run_for(ms(10_000));
    let of_locks = scene.asked_of("a:1", LOCK).len();
    assert!(of_locks > 2, "it is connected again, and asks for the locks in vain");
    let commits = scene.asked_of("a:1", COMMIT).iter().skip(1).map(|asked| asked.field("queueId")).collect::<Vec<_>>();
    assert!(commits.is_empty(), "committed without the lock: of the queues {commits:?}");
}

/// Has the broker at `at` answer pulls with three messages of ten bytes from the offset 5 on, once for each queue.
fn bring_three(scene: &mut Scene, at: &str, and_then: impl Fn(&servers::Asked) -> Option<Reply> + 'static) {
    scene.on(at, PULL, move |asked| {
        if asked.field("queueOffset") != "5" {
            return and_then(asked);
        }
        Some(servers::three_from_five(asked))
    });
}

#[test]
fn a_pull_that_is_tried_again_does_not_take_the_groups_offset_back() {
    let mut scene = scene_of(&["a"]);
    scene.server("a:2");
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[0, 1])], 1, Permission(6)));
    for at in ["a:1", "a:2"] {
        be_broker(&mut scene, at);
    }
    scene.on("a:2", PULL, |asked| Some(servers::nothing_new(asked).after(ms(15_000))));
    bring_three(&mut scene, "a:1", |asked| Some(servers::nothing_new(asked).after(ms(15_000))));
    let consumer = consume(&mut scene, PushConfig::default());
    scene.run_for(ms(3000));
    // The next pull goes to the slave that the master suggests, and is held there.
    assert_eq!(scene.asked_of("a:2", PULL).len(), 1);
    while let Some(delivery) = scene.client.next_delivery(scene.now, consumer, 8) {
        scene.client.settle(scene.now, consumer, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.run_for(ms(8000));
    let committed = |scene: &Scene| scene.asked_of("a:1", COMMIT).last().map(|asked| asked.field("commitOffset"));
    assert_eq!(committed(&scene).as_deref(), Some("8"));
    let before = scene.asked_of("a:1", PULL).len();
    scene.cut("a:2", "reset");
    scene.run_for(ms(100));
    let again = scene.asked_of("a:1", PULL);
    let said: Vec<String> = again[before..].iter().map(|asked| asked.field("commitOffset")).collect();
    assert_eq!(said.len(), 1, "it is tried again at the master");
    assert!(said.iter().all(|offset| offset == "8" || offset == "0"), "8 is committed, and then {said:?}");
}

#[test]
fn that_a_group_has_no_offset_is_believed_of_its_master_only() {
    let mut scene = scene_of(&["a"]);
    // The master is away. Its slave has started a moment ago, and has not taken the groups' offsets over yet.
    scene.server("a:2");
    scene.book.routes.insert("T".to_owned(), servers::route_by(vec![broker_data("a", &[1])], 1, Permission(6)));
    be_broker(&mut scene, "a:2");
    scene.on("a:2", GROUP_OFFSET, |_| Some(Reply::code(ResponseCode::QUERY_NOT_FOUND)));
    scene.on("a:2", MAX_OFFSET, |_| Some(Reply::ok().field("offset", 100)));
    consume(&mut scene, PushConfig::default());
    scene.run_for(ms(5000));
    let committed: Vec<String> =
        scene.asked_of("a:2", COMMIT).iter().map(|asked| asked.field("commitOffset")).collect();
    assert!(committed.is_empty(), "the group's backlog is passed over: {committed:?} is committed");
}

#[test]
fn another_broker_is_asked_for_the_members_each_time() {
    let mut scene = scene_of(&["a", "b"]);
    for at in ["a:1", "b:1"] {
        be_broker(&mut scene, at);
    }
    scene.book.route("%RETRY%C", &["a", "b"], 1);
    consume(&mut scene, PushConfig::default());
    scene.run_for(ms(1000));
    // Nobody says so, but the topic's questions are every other one.
    let of_topic = |scene: &Scene, at: &str| {
        let asked: Vec<_> = scene.asked.iter().filter(|asked| asked.code() == MEMBERS).collect();
        let of_topic = asked.iter().skip(1).step_by(2);
        of_topic.filter(|asked| asked.address.as_str() == at).count()
    };
    scene.run_for(ms(200_000));
    let asked = [of_topic(&scene, "a:1"), of_topic(&scene, "b:1")];
    assert!(asked.iter().all(|asked| *asked >= 4), "of the topic's questions {asked:?} went to each");
}

#[test]
fn a_pull_that_a_suggested_slave_does_not_take_goes_to_the_master_next() {
    for is_refused in [true, false] {
        let mut scene = scene_of(&["a"]);
        scene.server("a:2");
        let route = servers::route_by(vec![broker_data("a", &[0, 1])], 1, Permission::READ_WRITE);
        scene.book.routes.insert("T".to_owned(), route);
        be_broker(&mut scene, "a:1");
        // The slave lives, but has too much to do to serve pulls.
        let busy = move |_: &servers::Asked| is_refused.then(|| Reply::code(ResponseCode::SYSTEM_BUSY));
        scene.on("a:2", PULL, busy);
        bring_three(&mut scene, "a:1", |asked| Some(servers::nothing_new(asked).after(ms(15_000))));
        consume(&mut scene, PushConfig::default());
        scene.run_for(ms(300_000));
        let asked = (scene.asked_of("a:1", PULL).len(), scene.asked_of("a:2", PULL).len());
        assert!(asked.0 > 1, "refused: {is_refused}; pulls of the master and of the slave: {asked:?}");
    }
}

#[test]
fn closing_tells_what_never_ended_also_when_a_broker_does_not_answer_and_the_host_is_late() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 1);
    be_broker(&mut scene, "a:1");
    bring_three(&mut scene, "a:1", |asked| Some(servers::nothing_new(asked).after(ms(15_000))));
    let consumer = consume(&mut scene, PushConfig { commit_interval: ms(600_000), ..PushConfig::default() });
    scene.run_for(ms(1000));
    let first = scene.client.next_delivery(scene.now, consumer, 1).expect("a message");
    let _never_ends = scene.client.next_delivery(scene.now, consumer, 1).expect("another one");
    scene.client.settle(scene.now, consumer, first.settlement, ConsumeOutcome::Success);
    scene.on("a:1", COMMIT, |_| None);
    scene.client.close(scene.now, ms(1000));
    // Timers of hosts are late by a little, and not always by the same.
    for late in (1..12).rev() {
        scene.settle();
        let Some(due) = scene.client.poll_timeout() else { break };
        scene.now.mono = due.at + ms(late);
        scene.client.handle_timeout(scene.now);
    }
    scene.settle();
    let left = scene.events.iter().find_map(|event| match event {
        Event::Consumer { event: crate::consumer::push::PushEvent::Closed(left), .. } => Some(left.clone()),
        _ => None,
    });
    let left = left.expect("the consumer is closed");
    assert_eq!(left.iter().map(|left| left.offsets.clone()).collect::<Vec<_>>(), [[6]], "told: {left:?}");
}

#[test]
fn however_many_locks_are_lost_and_answers_come_in_one_read_nothing_calls_itself() {
    if ran_in_child("however_many_locks_are_lost_and_answers_come_in_one_read_nothing_calls_itself") {
        return;
    }
    let count = 1024;
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 2 * count);
    be_broker(&mut scene, "a:1");
    scene.on("a:1", PULL, |_| None);
    consume_orderly(&mut scene);
    scene.run_for(ms(10_000));
    let pulls = scene.asked_of("a:1", PULL).into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(pulls.len(), 2 * count as usize, "each queue is pulled from");
    // The locks are renewed; the answer comes later, with others.
    scene.on("a:1", LOCK, |_| None);
    scene.run_for(ms(11_000));
    let renewal = scene.asked_of("a:1", LOCK).pop().expect("a renewal").clone();
    // One half of the queues is another member's; of the other there is nothing new.
    let mut frames = BytesMut::new();
    grant(&renewal, |id| id < count).encode(&mut frames, &renewal.command);
    for pull in pulls.iter().filter(|pull| pull.field("queueId").parse::<i32>().unwrap() < count) {
        servers::nothing_new(pull).encode(&mut frames, &pull.command);
    }
    scene.give(renewal.connection, &frames);
}

#[test]
fn a_lock_goes_back_when_a_consumer_closes_though_the_last_commit_gets_no_answer() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 1);
    be_broker(&mut scene, "a:1");
    bring_three(&mut scene, "a:1", |asked| Some(servers::nothing_new(asked).after(ms(1000))));
    let consumer = consume_orderly(&mut scene);
    // Another group's consumer, whose pulls are answered all the time.
    let other =
        scene.client.start_push_consumer(scene.now, "D", PushConfig::default(), Vec::new(), BTreeMap::new()).unwrap();
    scene.client.subscribe(scene.now, other, "T", MessageSelector::all()).unwrap();
    scene.run_for(ms(1000));
    let delivery = scene.client.next_delivery(scene.now, consumer, 1).expect("a message");
    scene.client.settle(scene.now, consumer, delivery.settlement, ConsumeOutcome::Success);
    // The answer to the commit is lost; the broker lives.
    scene.on("a:1", COMMIT, |_| None);
    scene.client.close_push_consumer(scene.now, consumer, ms(1000));
    scene.run_for(ms(60_000));
    assert!(scene.client.consumer_status(scene.now, consumer).is_none(), "it is closed");
    assert!(!scene.asked_of("a:1", COMMIT).is_empty());
    let unlocks = scene.asked_of("a:1", UNLOCK).len();
    assert!(unlocks > 0, "whoever gets the queue next waits for its lock for a minute");
}

#[test]
fn whatever_lock_was_asked_for_before_a_reset_goes_back_when_the_queue_has_left() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 1);
    be_broker(&mut scene, "a:1");
    // The first request gets lost with its connection; its second try is taken in late, and its answer never comes; the
    // other question, of after the reset, is answered at once.
    let mut asked_for = 0;
    scene.on("a:1", RequestCode::LOCK_BATCH_MQ, move |asked| {
        asked_for += 1;
        let wanted: QueueLockRequest = body::from_slice(&asked.command.body).unwrap();
        let locked = LockedQueues { lock_ok_mq_set: wanted.mq_set };
        (asked_for == 3).then(|| Reply::ok().body(body::to_vec(&locked)))
    });
    let consumer = consume_orderly(&mut scene);
    while scene.asked_of("a:1", RequestCode::LOCK_BATCH_MQ).is_empty() {
        scene.run_for(ms(10));
    }
    scene.cut("a:1", "reset");
    while scene.asked_of("a:1", RequestCode::LOCK_BATCH_MQ).len() < 3 {
        scene.run_for(ms(10));
    }
    scene.client.unsubscribe(scene.now, consumer, "T");
    scene.run_for(ms(20_000));
    let of = |code| scene.asked_of("a:1", code).iter().map(|asked| asked.at).collect::<Vec<_>>();
    let (locks, unlocks) = (of(RequestCode::LOCK_BATCH_MQ), of(RequestCode::UNLOCK_BATCH_MQ));
    // The second try's answer is given up 3 s after it was asked for; only then it is known what became of it.
    let is_given_back_later = unlocks.iter().any(|at| at.since(locks[1]) >= ms(2900));
    assert!(is_given_back_later, "locks asked for at {locks:?}, given back at {unlocks:?}");
}

#[test]
fn a_busy_broker_is_asked_where_its_queues_end_with_pauses_that_grow() {
    let mut scene = scene_of(&["a"]);
    scene.book.route("T", &["a"], 1);
    be_broker(&mut scene, "a:1");
    scene.on("a:1", RequestCode::GET_MAX_OFFSET, |_| Some(Reply::code(ResponseCode::SYSTEM_BUSY)));
    consume(&mut scene, PushConfig::default());
    scene.run_for(ms(3000));
    let asked = scene.asked_of("a:1", RequestCode::GET_MAX_OFFSET).len();
    assert!(asked < 40, "{asked} questions about one queue in three seconds: pauses grow");
}
