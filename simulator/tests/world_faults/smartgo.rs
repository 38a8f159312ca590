//! Servers like smartgo's, which do some things worse than Apache's: what a client makes of that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use stgclient::simulator::Clients as _;
use stgclient::{Client, Producer, ReconsumeLater};
use stgclient_core::address::Address;
use stgclient_core::admin::Placement;
use stgclient_core::consumer::PullStatus;
use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::{Duration, Instant};
use stgclient_core::wire::body::{BrokerData, Permission, QueueData, TopicRouteData};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::dialect::Dialect;
use stgclient_servers::{ClusterConfig, Force, Forced, Memory, RouteOverride, ServerId};
use stgclient_simulator::Patience;

use super::stage::{SECOND, Stage, begun, consumer, message, queue, waiting};

const BROKER_A: &str = "10.0.1.1:10911";
const BROKER_B: &str = "10.0.1.2:10911";

fn stage(brokers: u8, change: impl FnOnce(&mut ClusterConfig)) -> Stage {
    let mut config = ClusterConfig::with_servers(1, brokers);
    config.dialect = Dialect::Smartgo;
    change(&mut config);
    Stage::of(config)
}

async fn client(stage: &Stage) -> Client {
    let builder = stage.machine.client(&stage.cluster).dialect(Dialect::Smartgo);
    builder.connect().await.expect("a name server answers")
}

async fn producer(client: &Client, queues: u32) -> Producer {
    let builder = client.producer("producers").configure(|config| config.default_topic_queues = queues);
    builder.start().await.expect("a producer")
}

fn queue_counts(stage: &Stage, topic: &str) -> Vec<Option<u32>> {
    stage.cluster.with(|cluster| cluster.brokers().map(|broker| broker.queue_count(topic)).collect())
}

#[test]
fn a_first_message_creates_a_topic_that_can_be_sent_to_and_pulled_from_whoever_sends_it() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let clients = [client(&stage).await, client(&stage).await, client(&stage).await];
        let mut sends = Vec::new();
        for client in &clients {
            let producer = producer(client, 3).await;
            for number in 0..50 {
                sends.push(producer.send(Message::new("new", number.to_string())));
            }
            sends.push(producer.send(message("another")));
        }
        for send in sends {
            send.await.expect("whoever was first");
        }
        assert_eq!(queue_counts(&stage, "new"), [Some(3), Some(3)]);
        stage.sleep(SECOND).await;
        let consumer = consumer(&clients[0]).await;
        assert_eq!(consumer.queues("new").await.expect("it is readable").len(), 6);
        assert_eq!(stage.stored("broker-a", "new") + stage.stored("broker-b", "new"), 150);
        producer(&clients[1], 3).await.send(message("new")).await.expect("the second time");
    });
}

#[test]
fn a_first_message_without_an_answer_arrives_too() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let producer = producer(&client(&stage).await, 4).await;
        producer.send_oneway(message("new")).await.expect("it is written");
        stage.sleep(SECOND).await;
        assert_eq!(stage.stored("broker-a", "new"), 1);
    });
}

/// Name servers know nothing of a topic, as when they have just started.
fn forget(stage: &Stage, topic: &str) {
    stage.cluster.name_server(0, |server| server.override_route(Some(topic), RouteOverride::Missing));
}

#[test]
fn a_topic_that_name_servers_have_forgotten_is_not_changed_by_who_sends_to_it() {
    // Fewer queues than the producer would create, and more.
    for queues in [2, 7] {
        let stage = stage(1, |_| {}).with_topic("t", queues);
        stage.world.block_on(async {
            forget(&stage, "t");
            // A queue that is not there would be refused, and be no second time another one.
            let producer = client(&stage).await.producer("producers").max_tries(1).start().await.expect("a producer");
            for _ in 0..20 {
                producer.send(message("t")).await.expect("its broker has it");
            }
            assert_eq!(queue_counts(&stage, "t"), [Some(queues)]);
            // Brokers were asked: without an answer nothing is sent.
            stage.on_broker_a(|broker| {
                broker.force(Force::requests([RequestCode::GET_TOPIC_STATS_INFO], Forced::Lost).times(u32::MAX));
            });
            let other = client(&stage).await.producer("others").start().await.expect("a producer");
            let error = other.send(message("t")).await.expect_err("nobody says whether it is there");
            assert!(error.to_string().contains("create topic t "), "{error}");
        });
    }
}

#[test]
fn a_topic_that_one_broker_has_is_created_at_no_other() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        stage.cluster.broker("broker-b", |broker| broker.create_topic("t", 3).unwrap());
        forget(&stage, "t");
        let producer = producer(&client(&stage).await, 4).await;
        for _ in 0..6 {
            let receipt = producer.send(message("t")).await.expect("one has it");
            assert_eq!(&*receipt.queue.broker_name, "broker-b");
        }
        assert_eq!(queue_counts(&stage, "t"), [None, Some(3)]);
    });
}

#[test]
fn a_topic_of_a_broker_that_name_servers_do_not_know_yet_is_created_at_no_other() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        for topic in ["t", "other"] {
            stage.cluster.broker("broker-b", |broker| broker.create_topic(topic, 3).unwrap());
        }
        let producer = producer(&client(&stage).await, 4).await;
        producer.send(message("other")).await.expect("the client knows broker-b");
        forget(&stage, "t");
        let default = Dialect::Smartgo.default_topic();
        let broker = BrokerData {
            broker_addrs: [(0, BROKER_A.to_owned())].into(),
            broker_name: "broker-a".to_owned(),
            ..BrokerData::default()
        };
        let queues = QueueData {
            broker_name: "broker-a".to_owned(),
            perm: Permission(7),
            read_queue_nums: 8,
            write_queue_nums: 8,
            ..QueueData::default()
        };
        let route =
            TopicRouteData { broker_datas: vec![broker], queue_datas: vec![queues], ..TopicRouteData::default() };
        stage.cluster.name_server(0, |server| server.override_route(Some(default), RouteOverride::Route(route)));
        for _ in 0..6 {
            let receipt = producer.send(message("t")).await.expect("broker-b has it");
            assert_eq!(&*receipt.queue.broker_name, "broker-b");
        }
        // What nobody has is created where the default topic is, as far as name servers know.
        producer.send(message("new")).await.expect("broker-a creates it");
        assert_eq!(queue_counts(&stage, "t"), [None, Some(3)]);
        assert_eq!(queue_counts(&stage, "new"), [Some(4), None]);
    });
}

#[test]
fn a_topic_that_somebody_creates_while_a_creation_waits_for_its_turn_stays_as_it_is() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let client = client(&stage).await;
        let producer = producer(&client, 4).await;
        let slow = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::Delay(SECOND / 2)).times(1);
        stage.on_broker_a(|broker| broker.force(slow));
        let first = begun(producer.send(message("first"))).await;
        let second = begun(producer.send(message("second"))).await;
        stage.sleep(SECOND / 4).await;
        stage.on_broker_a(|broker| broker.create_topic("second", 16).unwrap());
        first.await.expect("it is created");
        second.await.expect("it is there");
        assert_eq!(queue_counts(&stage, "second"), [Some(16)]);
    });
}

#[test]
fn a_client_changes_one_topic_at_a_time_at_a_broker() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let client = client(&stage).await;
        for broker in ["broker-a", "broker-b"] {
            let changes = [RequestCode::UPDATE_AND_CREATE_TOPIC, RequestCode::DELETE_TOPIC_IN_BROKER];
            let slow = Force::requests(changes, Forced::Delay(SECOND / 10)).times(u32::MAX);
            stage.cluster.broker(broker, |broker| broker.force(slow));
        }
        let producer = producer(&client, 4).await;
        let mut sends = Vec::new();
        for number in 0..4 {
            sends.push(begun(producer.send(message(&format!("new-{number}")))).await);
        }
        let admin = client.admin();
        let (create, delete) = (admin.create_topic("made"), admin.delete_topic("gone"));
        let (others, took) = stage.timed(async { (create.await, delete.await) }).await;
        others.0.expect("it is created");
        others.1.expect("it was not there");
        for sent in sends {
            sent.await.expect("its topic is created");
        }
        // Six of them, one after the other, at both brokers at the same time.
        assert!(took >= SECOND * 5 / 10 && took < SECOND, "{took:?}");
    });
}

#[test]
fn a_change_that_nobody_waits_for_any_more_has_its_turn_until_its_broker_is_through_with_it() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let admin = client(&stage).await.admin();
        let slow = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::Delay(2 * SECOND)).times(1);
        stage.on_broker_a(|broker| broker.force(slow));
        let first = begun(admin.create_topic("first").into_future()).await;
        stage.sleep(SECOND / 2).await;
        drop(first);
        let (second, took) = stage.timed(admin.create_topic("second").into_future()).await;
        second.expect("it is created");
        assert!(took >= SECOND * 3 / 2, "beside the first one, after {took:?}");
    });
}

#[test]
fn changes_go_one_after_the_other_also_when_connecting_takes_longer_than_brokers_are_waited_for() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let builder = client(&stage).await.producer("producers").send_timeout(20 * SECOND);
        let producer = builder.start().await.expect("a producer");
        let slow = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::Delay(SECOND)).times(u32::MAX);
        stage.on_broker_a(|broker| broker.force(slow));
        stage.world.network().delay(BROKER_A, Duration::from_millis(700));
        let first = begun(producer.send(message("first"))).await;
        let second = begun(producer.send(message("second"))).await;
        stage.sleep(Duration::from_millis(1200)).await;
        stage.world.network().delay(BROKER_A, Duration::ZERO);
        let mut created: [Option<Instant>; 2] = [None, None];
        while created.iter().any(Option::is_none) {
            for (topic, created) in ["first", "second"].into_iter().zip(&mut created) {
                if created.is_none() && queue_counts(&stage, topic)[0].is_some() {
                    *created = Some(stage.world.now().mono);
                }
            }
            stage.sleep(Duration::from_millis(1)).await;
        }
        first.await.expect("it has time");
        second.await.expect("it has time");
        let [Some(first), Some(second)] = created else { unreachable!() };
        let apart = first.max(second).since(first.min(second));
        assert!(apart >= SECOND * 9 / 10, "each takes the broker a second, and they are {apart:?} apart");
    });
}

#[test]
fn a_topic_that_somebody_creates_while_another_broker_is_silent_stays_as_it_is() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let lost = Force::requests([RequestCode::GET_TOPIC_STATS_INFO], Forced::Lost).times(u32::MAX);
        stage.cluster.broker("broker-b", |broker| broker.force(lost));
        let producer = producer(&client(&stage).await, 4).await;
        let sent = begun(producer.send(message("t"))).await;
        stage.sleep(SECOND / 4).await;
        client(&stage).await.admin().create_topic("t").queues(16).await.expect("an administrator may");
        sent.await.expect("it is there");
        stage.sleep(SECOND).await;
        assert_eq!(queue_counts(&stage, "t"), [Some(16), Some(16)]);
    });
}

#[test]
fn a_topic_is_made_anew_at_once_whatever_another_broker_has_to_do() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let producer = producer(&client(&stage).await, 4).await;
        let lost = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::Lost).times(u32::MAX);
        stage.cluster.broker("broker-b", |broker| broker.force(lost));
        for number in 0..10 {
            producer.send(message(&format!("new-{number}"))).await.expect("broker-a creates it");
        }
        stage.on_broker_a(|broker| broker.delete_topic("new-9"));
        let (sent, took) = stage.timed(producer.send(message("new-9"))).await;
        sent.expect("broker-a can create it");
        assert!(took < SECOND, "{took:?}");
    });
}

#[test]
fn readers_find_a_topic_that_one_broker_has_lost_at_the_other_all_the_time() {
    let stage = stage(2, |_| {}).with_topic("t", 2);
    stage.world.block_on(async {
        let client = client(&stage).await;
        let (producer, consumer) = (producer(&client, 4).await, consumer(&client).await);
        producer.send(message("t")).await.expect("all is well");
        stage.sleep(SECOND).await;
        stage.cluster.broker("broker-b", |broker| broker.delete_topic("t"));
        let slow = Force::requests([RequestCode::GET_TOPIC_STATS_INFO], Forced::Delay(SECOND / 2)).times(2);
        stage.on_broker_a(|broker| broker.force(slow));
        let place = MessageQueue::new("t", "broker-b", 0);
        let _sent = begun(producer.send_to(message("t"), place)).await;
        for _ in 0..10 {
            stage.sleep(SECOND / 10).await;
            consumer.queues("t").await.expect("broker-a has it");
        }
    });
}

#[test]
fn who_knows_a_topic_that_is_gone_makes_it_anew_so_that_it_can_be_used() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let client = client(&stage).await;
        let producer = producer(&client, 3).await;
        for _ in 0..6 {
            producer.send(message("t")).await.expect("it is created");
            stage.sleep(SECOND).await;
        }
        // Somebody else deletes it, and a broker loses its disk.
        self::client(&stage).await.admin().delete_topic("t").await.expect("it is there");
        producer.send(message("t")).await.expect("it is created anew");
        stage.cluster.stop(ServerId::Broker(0));
        stage.cluster.start(ServerId::Broker(0), Memory::Lost);
        for _ in 0..40 {
            stage.sleep(SECOND).await;
            producer.send(message("t")).await.expect("where it is");
        }
        let reader = self::client(&stage).await;
        let queues = consumer(&reader).await.queues("t").await.expect("its queues");
        assert!(queues.len() >= 3 && queues.len() % 3 == 0, "{queues:?}");
    });
}

#[test]
fn a_topic_is_created_at_the_brokers_that_are_there_and_not_where_brokers_create_none() {
    let lost = Force::requests([RequestCode::GET_TOPIC_STATS_INFO], Forced::Lost).times(u32::MAX);
    let silent = |stage: &Stage| stage.cluster.broker("broker-b", |broker| broker.force(lost.clone()));
    let cut_off = |stage: &Stage| stage.world.network().partition(BROKER_B, true);
    let refuses = |stage: &Stage| {
        stage.world.network().refuse(BROKER_B, true);
        stage.world.network().reset(BROKER_B);
    };
    let away: [&dyn Fn(&Stage); 3] = [&silent, &cut_off, &refuses];
    for away in away {
        let stage = stage(2, |_| {}).with_topic("t", 1);
        stage.world.block_on(async {
            let producer = producer(&client(&stage).await, 4).await;
            for _ in 0..4 {
                producer.send(message("t")).await.expect("both are there");
            }
            away(&stage);
            stage.sleep(5 * SECOND).await;
            for number in 0..3 {
                let topic = format!("new-{number}");
                let (receipt, took) = stage.timed(producer.send(message(&topic))).await;
                assert_eq!(&*receipt.expect("one is there").queue.broker_name, "broker-a");
                assert!(took < SECOND * 3 / 2, "{took:?}");
                assert_eq!(queue_counts(&stage, &topic), [Some(4), None]);
            }
        });
    }

    let none = stage(1, |config| config.brokers[0].auto_create_topics = false);
    none.world.block_on(async {
        let error = producer(&client(&none).await, 4).await.send(message("new")).await.expect_err("nobody creates it");
        assert_eq!(error.kind(), ErrorKind::TopicNotFound, "{error}");
        assert_eq!(queue_counts(&none, "new"), [None]);
    });
}

#[test]
fn a_broker_that_is_late_gets_the_topic_after_the_first_message() {
    let stage = stage(2, |_| {});
    stage.world.block_on(async {
        let producer = producer(&client(&stage).await, 4).await;
        let slow = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::Delay(2 * SECOND)).times(1);
        stage.cluster.broker("broker-b", |broker| broker.force(slow));
        let (receipt, took) = stage.timed(producer.send(message("new"))).await;
        assert_eq!(&*receipt.expect("one has it").queue.broker_name, "broker-a");
        assert!(took < SECOND / 10, "{took:?}");
        stage.sleep(3 * SECOND).await;
        assert_eq!(queue_counts(&stage, "new"), [Some(4), Some(4)]);
        let mut brokers = BTreeSet::new();
        for _ in 0..8 {
            brokers.insert(producer.send(message("new")).await.expect("both have it").queue.broker_name.to_string());
        }
        assert_eq!(brokers.len(), 2, "{brokers:?}");
    });
}

#[test]
fn a_topic_gets_as_many_queues_as_wanted_and_no_more_than_the_default_topic_has() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        for (wanted, gets) in [(1, 1), (5, 5), (8, 8), (1000, 8), (u32::MAX, 8)] {
            let client = client(&stage).await;
            let topic = format!("new-{wanted}");
            producer(&client, wanted).await.send(message(&topic)).await.expect("it is created");
            assert_eq!(queue_counts(&stage, &topic), [Some(gets)]);
        }
    });
}

#[test]
fn a_creation_that_is_refused_is_tried_again_for_as_long_as_its_message_has_time() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let client = client(&stage).await;
        let refuse = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::busy()).times(2);
        stage.on_broker_a(|broker| broker.force(refuse));
        producer(&client, 4).await.send(message("new")).await.expect("the third time");
        assert_eq!(queue_counts(&stage, "new"), [Some(4)]);

        let refuse = Force::requests([RequestCode::UPDATE_AND_CREATE_TOPIC], Forced::busy()).times(u32::MAX);
        stage.on_broker_a(|broker| broker.force(refuse));
        let (sent, took) = stage.timed(producer(&client, 4).await.send(message("newer"))).await;
        let error = sent.expect_err("it is never created");
        assert!(error.to_string().contains("create topic newer"), "{error}");
        assert!(took <= 3 * SECOND, "{took:?}");
    });
}

#[test]
fn what_failed_comes_again_within_a_second() {
    let stage = stage(1, |_| {}).with_topic("t", 1);
    stage.world.block_on(async {
        let client = client(&stage).await;
        let times = Arc::new(Mutex::new(Vec::new()));
        let (noted, machine) = (Arc::clone(&times), Arc::clone(&stage.machine));
        let consumer = client.push_consumer("group").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |_| {
            noted.lock().unwrap().push(machine.clock().mono);
            async { Err(ReconsumeLater::new()) }
        });
        let _consumer = consumer.start().await.expect("a consumer");
        producer(&client, 1).await.send(message("t")).await.expect("all is well");
        stage.sleep(20 * SECOND).await;
        let times = times.lock().unwrap();
        // The first one may have to wait for the retry topic's route; 16 times, and then it is dead.
        assert_eq!(times.len(), 17);
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        assert!(pauses[1..].iter().all(|pause| *pause <= SECOND + SECOND / 10), "{pauses:?}");
        assert!(pauses[1..].iter().any(|pause| *pause >= SECOND / 10), "nobody is woken: {pauses:?}");
    });
}

#[test]
fn the_servers_own_topics_are_neither_sent_to_nor_changed_wherever_that_is_asked() {
    let stage = stage(1, |_| {});
    stage.world.block_on(async {
        let client = client(&stage).await;
        let (producer, admin) = (producer(&client, 4).await, client.admin());
        let broker: Address = "10.0.1.1:10911".parse().expect("an address");
        let own = [
            "MY_DEFAULT_TOPIC",
            "SELF_TEST_TOPIC",
            "BenchmarkTest",
            "OFFSET_MOVED_EVENT",
            "DefaultCluster",
            "broker-a",
        ];
        let before = own.map(|topic| queue_counts(&stage, topic));
        for topic in own {
            let place = queue("broker-a", 0);
            let refused = [
                producer.send(message(topic)).await.map(|_| ()),
                producer.send_to(message(topic), MessageQueue::new(topic, place.broker_name, 0)).await.map(|_| ()),
                admin.create_topic(topic).await,
                admin.create_topic(topic).at(Placement::Address(broker.clone())).await,
                admin.delete_topic(topic).await,
                admin.delete_topic(topic).at(Placement::Address(broker.clone())).await,
            ];
            if topic != "DefaultCluster" {
                let error = producer.send_oneway(message(topic)).await.expect_err(topic);
                assert!(error.to_string().contains("Dialect::Smartgo"), "{error}");
            }
            for (number, refused) in refused.into_iter().enumerate() {
                let error = refused.expect_err(&format!("{topic} {number}"));
                if topic == "DefaultCluster" && number < 2 {
                    // Routes do not say what clusters are called; brokers refuse that by themselves.
                    continue;
                }
                assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{topic} {number}: {error}");
                assert!(error.to_string().contains("Dialect::Smartgo"), "{error}");
            }
        }
        assert_eq!(own.map(|topic| queue_counts(&stage, topic)), before);
        assert!(own.iter().all(|topic| stage.stored("broker-a", topic) == 0));
    });
}

#[test]
fn a_pull_that_waits_gets_its_message_although_it_is_woken_before_that_is_there() {
    let stage = stage(1, |_| {}).with_topic("t", 1);
    stage.world.block_on(async {
        let client = client(&stage).await;
        let (producer, consumer, queue) = (producer(&client, 1).await, consumer(&client).await, queue("broker-a", 0));
        for count in 0..5 {
            let held = begun(consumer.pull_with(&queue, "*", count, waiting(20 * SECOND))).await;
            stage.sleep(3 * SECOND).await;
            producer.send(message("t")).await.expect("all is well");
            let (found, took) = stage.timed(held).await;
            assert_eq!(found.expect("an answer").messages.len(), 1);
            assert!(took < SECOND / 10, "{took:?}");
        }
        // What others want wakes it as well, and it waits on.
        let held = begun(consumer.pull_with(&queue, "wanted", 5, waiting(20 * SECOND))).await;
        for _ in 0..3 {
            stage.sleep(SECOND).await;
            producer.send(message("t")).await.expect("all is well");
        }
        let (passed_over, took) = stage.timed(held).await;
        let passed_over = passed_over.expect("an answer");
        assert!(matches!(passed_over.status, PullStatus::NoMatchedMessage), "{passed_over:?}");
        assert!(passed_over.next_offset > 5 && took < SECOND, "{passed_over:?} {took:?}");
    });
}

#[test]
fn a_pull_waits_as_long_as_it_was_told_and_asks_a_broker_that_holds_nothing_only_now_and_then() {
    let stage = stage(1, |config| config.brokers[0].limits.held_pulls = 0).with_topic("t", 1);
    // What would go round in circles takes thousands of steps a second.
    let patience = Patience { time: 25 * SECOND, steps: 3000 };
    let pulling = stage.world.try_block_on(patience, async {
        let consumer = consumer(&client(&stage).await).await;
        let (nothing, took) =
            stage.timed(consumer.pull_with(&queue("broker-a", 0), "*", 0, waiting(20 * SECOND))).await;
        assert_eq!(nothing.expect("an answer").status, PullStatus::NoNewMessage);
        assert!(took >= 19 * SECOND && took <= 21 * SECOND, "{took:?}");
    });
    assert!(pulling.is_ok(), "{:?}", pulling.map_err(|stuck| stuck.reason));
}

#[test]
fn the_time_of_the_last_second_counts_a_broker_that_looks_once_a_second() {
    let stage = stage(1, |_| {}).with_topic("t", 1);
    stage.world.block_on(async {
        let consumer = consumer(&client(&stage).await).await;
        for wait in [1, 300, 1000, 2500].map(Duration::from_millis) {
            let (nothing, took) = stage.timed(consumer.pull_with(&queue("broker-a", 0), "*", 0, waiting(wait))).await;
            assert_eq!(nothing.expect("an answer").status, PullStatus::NoNewMessage);
            assert!(took <= wait + SECOND + SECOND / 10, "{took:?} for {wait:?}");
        }
    });
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_stops_all_sends() {
    let stage = stage(1, |_| {}).with_topic("t", 1);
    stage.world.block_on(async {
        let client = client(&stage).await;
        let builder = client.producer("producers").configure(|config| config.max_body_size = Some(usize::MAX));
        let producer = builder.start().await.expect("a producer");
        let mut longest = 0;
        for length in [131_072, 262_144, 520_000, 522_000, 523_000, 524_000, 600_000, 5_000_000] {
            match producer.send(Message::new("t", vec![b'x'; length])).await {
                Ok(_) => longest = length,
                Err(error) => {
                    assert_eq!((error.kind(), error.address()), (ErrorKind::InvalidArgument, None), "{error}");
                    assert!(error.to_string().contains("Dialect::Smartgo"), "{error}");
                }
            }
        }
        assert_eq!(longest, 523_000);
        // Also one that comes again, with what its broker adds to it.
        let times = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&times);
        let consumer = client.push_consumer("group").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |received| {
            let is_longest = received.body().len() == 523_000;
            let is_first = is_longest && counted.fetch_add(1, Ordering::Relaxed) == 0;
            async move { if is_first { Err(ReconsumeLater::new()) } else { Ok(()) } }
        });
        let _consumer = consumer.start().await.expect("a consumer");
        stage.sleep(30 * SECOND).await;
        assert_eq!(times.load(Ordering::Relaxed), 2, "it comes again");
        producer.send(message("t")).await.expect("the broker takes messages");
    });
}
