//! Endings: whatever is closed or dropped, and whatever is wrong then, nothing of it is left and nobody hangs.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use stgclient::simulator::Clients as _;
use stgclient_core::consumer::PullStatus;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::SendOptions;
use stgclient_core::time::Duration;
use stgclient_core::wire::body::{self, ConsumerList};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::request::{GetConsumerList, Request};
use stgclient_servers::{Force, Forced};
use stgclient_simulator::Direction;

use super::stage::{
    BROKER_A, NAME_SERVER, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, queue, reason, waiting,
};
use super::wire;

/// How long brokers have to say good-bye.
const FAREWELL: Duration = Duration::from_millis(500);

/// Nothing runs and no link is left, once the last bytes have arrived.
fn assert_empty(stage: &Stage) {
    stage.world.network().heal();
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0));
}

/// How many members a consumer group has at broker-a, as the broker itself says.
async fn members(stage: &Stage, group: &str) -> usize {
    let stream = stage.machine.open(BROKER_A).await.expect("the broker is there");
    let mut request = BytesMut::new();
    let head = Head::request(Dialect::Apache, GetConsumerList::CODE, 1);
    let header = GetConsumerList { consumer_group: group.into() };
    command::encode(&mut request, HeaderCodec::Json, Dialect::Apache, &head, &header, &[]);
    stream.write(request).await.expect("the broker reads");
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    loop {
        assert!(stream.read(reader.read_buffer()).await.expect("the broker answers"));
        if let Some(answer) = reader.next_command().expect("a frame") {
            let list = body::from_slice::<ConsumerList>(&answer.body);
            return if answer.code == 0 { list.expect("a list").consumer_id_list.len() } else { 0 };
        }
    }
}

#[test]
fn a_closed_client_leaves_nothing_and_other_clients_their_own() {
    let stage = Stage::new(2, 2).with_topic("t", 2);
    stage.world.block_on(async {
        let other = stage.client().await;
        let others = (producer(&other).await, consumer(&other).await);
        others.0.send(message("t")).await.unwrap();
        let held = begun(async { others.1.pull_with(&queue("broker-b", 1), "*", 0, waiting(30 * SECOND)).await }).await;
        stage.sleep(SECOND).await;
        let before = (stage.world.tasks(), stage.world.network().links());
        for _ in 0..3 {
            let client = stage.client().await;
            let producer = producer(&client).await;
            let consumer = consumer(&client).await;
            for _ in 0..4 {
                producer.send(message("t")).await.expect("all is well");
            }
            consumer.pull(&queue("broker-a", 0), "*", 0, 1).await.expect("all is well");
            assert!(stage.world.tasks() > before.0);
            let ((), took) = stage.timed(client.close()).await;
            assert!(took <= 2 * ROUND_TRIP, "{took:?}");
            assert_eq!(stage.world.tasks(), before.0, "when it returns, not later");
            stage.sleep(ROUND_TRIP).await;
            assert_eq!(stage.world.network().links(), before.1);
        }
        others.0.send_to(message("t"), queue("broker-b", 1)).await.expect("not concerned");
        assert_eq!(held.await.expect("not concerned").status, PullStatus::Found);
    });
}

#[test]
fn dropping_every_handle_closes_the_client() {
    for dropped in 0..4 {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = producer(&client).await;
            let consumer = consumer(&client).await;
            producer.send(message("t")).await.expect("all is well");
            let _ = consumer.queues("t").await;
            match dropped {
                0 => drop((client, producer, consumer)),
                // What is under way goes with those who waited for it.
                1 => drop((client, consumer, producer.send(message("t")), producer)),
                2 => {
                    let queue = queue("broker-a", 0);
                    let held = begun(consumer.pull_with(&queue, "*", 1, waiting(30 * SECOND))).await;
                    stage.sleep(SECOND).await;
                    drop(held);
                    drop((client, producer, consumer));
                }
                _ => {
                    // The last handle keeps everything alive.
                    drop((client.clone(), client, consumer));
                    stage.sleep(200 * SECOND).await;
                    producer.send(message("t")).await.expect("the producer is a handle too");
                    drop(producer);
                }
            }
        });
        assert_empty(&stage);
    }
}

#[test]
fn closing_waits_for_sends_under_way() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(SECOND))));
        let sends: Vec<_> = (0..10).map(|_| producer.send(message("t"))).collect();
        let oneway = producer.send_oneway(message("t"));
        let ((), took) = stage.timed(client.close()).await;
        assert!(took >= SECOND && took <= SECOND + 3 * ROUND_TRIP, "{took:?}");
        for sending in sends {
            sending.await.expect("it was under way");
        }
        oneway.await.expect("it was under way");
        assert_eq!(stage.stored("broker-a", "t"), 12);
    });
    assert_empty(&stage);
}

#[test]
fn closing_waits_for_sends_no_longer_than_its_time_and_says_so_to_them() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.machine.client(NAME_SERVER).close_timeout(2 * SECOND).connect().await.unwrap();
        let producer = client.producer("p").send_timeout(60 * SECOND).max_waiting(5, 1_000_000).start().await.unwrap();
        producer.send(message("t")).await.expect("all is well");
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let sends: Vec<_> = (0..10).map(|_| producer.send(message("t"))).collect();
        let told = Arc::new(Mutex::new(None));
        let callback = Arc::clone(&told);
        let back = producer.send_with(message("t"), SendOptions::default(), move |result| {
            *callback.lock().unwrap() = Some(result);
        });
        assert_eq!(back.unwrap_err().error.kind(), ErrorKind::Full);
        let ((), took) = stage.timed(client.close()).await;
        assert!(took >= 2 * SECOND && took <= 2 * SECOND + FAREWELL, "{took:?}");
        for sending in sends {
            assert_eq!(reason(&sending.await).0, ErrorKind::Closed);
        }
        assert!(told.lock().unwrap().is_none(), "it was given back");
    });
    assert_empty(&stage);
}

#[test]
fn closing_ends_long_polls_at_once() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let queue = queue("broker-a", 0);
        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(30 * SECOND))).await;
        stage.sleep(SECOND).await;
        let begin = stage.world.now().mono;
        let closing = begun(client.close()).await;
        assert_eq!(reason(&held.await).0, ErrorKind::Closed);
        assert_eq!(stage.world.now().mono, begin);
        closing.await;
        let took = stage.world.now().mono.since(begin);
        assert!(took <= 2 * ROUND_TRIP, "nobody waits for the answer of a pull: {took:?}");
    });
    assert_empty(&stage);
}

#[test]
fn closing_is_quick_or_in_time_whatever_is_wrong_with_the_servers() {
    for fault in 0..6 {
        let stage = Stage::new(1, 2).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = producer(&client).await;
            let consumer = consumer(&client).await;
            for _ in 0..2 {
                producer.send(message("t")).await.expect("all is well");
            }
            let network = stage.world.network();
            match fault {
                0 => network.stall(BROKER_A, Direction::ToServer, true),
                1 => network.partition(BROKER_A, true),
                2 => network.partition(NAME_SERVER, true),
                3 => {
                    network.refuse(BROKER_A, true);
                    network.reset(BROKER_A);
                }
                4 => {
                    // Its connection is just being made.
                    network.partition(BROKER_A, true);
                    network.reset(BROKER_A);
                    stage.sleep(40 * SECOND).await;
                }
                _ => stage.cluster.with(|cluster| {
                    cluster.brokers().for_each(|broker| {
                        let codes = [RequestCode::UNREGISTER_CLIENT, RequestCode::HEART_BEAT];
                        broker.force(Force::requests(
                            codes,
                            Forced::Refuse(stgclient_core::wire::code::ResponseCode(1), "no".into()),
                        ));
                    });
                }),
            }
            let sending = producer.send(message("t"));
            let pulling = begun(async { consumer.pull(&queue("broker-a", 0), "*", 7, 1).await }).await;
            let ((), took) = stage.timed(client.close()).await;
            assert!(took <= 3 * SECOND + FAREWELL, "fault {fault}: {took:?}");
            assert_eq!(stage.world.tasks(), 0, "fault {fault}");
            let _ = sending.await;
            assert!(pulling.await.is_err(), "fault {fault}");
        });
        assert_empty(&stage);
    }
}

#[test]
fn nothing_can_be_asked_of_a_closed_client() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        client.close().await;
        let begin = stage.world.now().mono;
        assert_eq!(reason(&producer.send(message("t")).await).0, ErrorKind::Closed);
        assert_eq!(reason(&producer.send_oneway(message("t")).await).0, ErrorKind::Closed);
        let back = producer.try_send(message("t"), SendOptions::default()).map(drop).unwrap_err();
        assert_eq!((back.error.kind(), back.message.topic()), (ErrorKind::Closed, "t"));
        assert_eq!(reason(&consumer.pull(&queue("broker-a", 0), "*", 0, 1).await).0, ErrorKind::Closed);
        assert_eq!(consumer.queues("t").await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(reason(&client.admin().create_topic("u").await).0, ErrorKind::Closed);
        assert_eq!(client.producer("p").start().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(client.pull_consumer("c").start().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(client.set_name_servers(NAME_SERVER).unwrap_err().kind(), ErrorKind::Closed);
        client.close().await;
        client.clone().close().await;
        producer.close().await;
        consumer.close().await;
        assert_eq!(stage.world.now().mono, begin);
        stage.sleep(600 * SECOND).await;
        assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0));
    });
}

#[test]
fn everybody_who_closes_a_client_waits_until_it_is_closed() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(SECOND))));
        let sending = producer.send(message("t"));
        let first = begun(client.close()).await;
        let second = begun(client.close()).await;
        // One who loses patience does not stop the closing.
        drop(first);
        let ((), took) = stage.timed(second).await;
        assert!(took >= SECOND, "{took:?}");
        sending.await.expect("it was under way");
        assert_eq!(stage.world.tasks(), 0);
    });
}

#[test]
fn a_start_that_is_given_up_leaves_nothing() {
    for answers in [true, false] {
        let stage = Stage::new(1, 1);
        stage.world.network().partition(NAME_SERVER, !answers);
        stage.world.block_on(async {
            let starting = begun(stage.machine.client(NAME_SERVER).connect()).await;
            stage.sleep(ROUND_TRIP / 2).await;
            drop(starting);
        });
        assert_empty(&stage);
    }
}

#[test]
fn brokers_hear_of_a_consumer_group_with_its_first_use_and_when_it_leaves() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let other = stage.client().await;
        // An administrator's connection stands already.
        client.admin().create_topic("u").await.expect("all is well");
        assert_eq!(members(&stage, "consumers").await, 0);
        let first = consumer(&client).await;
        let second = consumer(&client).await;
        let others = consumer(&other).await;
        first.pull(&queue("broker-a", 0), "*", 0, 1).await.expect("all is well");
        assert_eq!(members(&stage, "consumers").await, 1);
        others.pull(&queue("broker-a", 0), "*", 0, 1).await.expect("all is well");
        assert_eq!(members(&stage, "consumers").await, 2);
        drop(first);
        stage.sleep(SECOND).await;
        assert_eq!(members(&stage, "consumers").await, 2, "another one of the client is left");
        second.close().await;
        stage.sleep(SECOND).await;
        assert_eq!(members(&stage, "consumers").await, 1);
        stage.sleep(60 * SECOND).await;
        assert_eq!(members(&stage, "consumers").await, 1, "heartbeats do not name it any more");
        other.close().await;
        assert_eq!(members(&stage, "consumers").await, 0, "when it returns, not later");
    });
}

#[test]
fn brokers_hear_of_a_producer_group_and_that_it_leaves() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    stage.world.serve(BROKER_A, move |_, _, request: &Command| {
        let mut log = log.lock().unwrap();
        match RequestCode(request.code) {
            RequestCode::HEART_BEAT => log.push(format!("heartbeat {}", String::from_utf8_lossy(&request.body))),
            RequestCode::UNREGISTER_CLIENT => {
                log.push(format!("leaves {}", request.fields.get("producerGroup").unwrap_or_default()));
            }
            RequestCode::SEND_MESSAGE_V2 => {
                log.push("send".to_owned());
                return wire::at_once(wire::stored(request));
            }
            other => panic!("{other:?}"),
        }
        wire::at_once(wire::answer(request, 0, "{}", &[]))
    });
    let take = || std::mem::take(&mut *heard.lock().unwrap());
    stage.world.block_on(async {
        let client = stage.client().await;
        let first = client.producer("first").start().await.unwrap();
        first.send(message("t")).await.expect("all is well");
        let log = take();
        assert_eq!((log.len(), log[1].as_str()), (2, "send"), "{log:?}");
        assert!(log[0].contains("first"), "{log:?}: before anything else");
        let _second = client.producer("second").start().await.unwrap();
        stage.sleep(SECOND).await;
        let log = take();
        assert!(log.len() == 1 && log[0].contains("second"), "{log:?}: at once");
        drop(first);
        stage.sleep(SECOND).await;
        assert_eq!(take(), ["leaves first"]);
        stage.sleep(30 * SECOND).await;
        let log = take();
        assert!(log.len() == 1 && log[0].contains("second") && !log[0].contains("first"), "{log:?}");
        client.close().await;
        assert_eq!(take(), ["leaves second"]);
    });
}

#[test]
fn a_closed_producer_takes_nothing_new_and_what_it_has_under_way_goes_on() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let first = producer(&client).await;
        let second = producer(&client).await;
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(SECOND)).times(3)));
        let sends: Vec<_> = (0..3).map(|_| first.send(message("t"))).collect();
        first.close().await;
        assert_eq!(reason(&first.send(message("t")).await).0, ErrorKind::Closed);
        for sending in sends {
            sending.await.expect("it was under way");
        }
        second.send(message("t")).await.expect("another producer of the same group");
        assert_eq!(first.backlog().messages, 0);
    });
}

#[test]
fn a_closed_consumer_takes_nothing_new_and_its_pulls_go_on() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let consumer = consumer(&client).await;
        let producer = producer(&client).await;
        let queue = queue("broker-a", 0);
        let held = begun(consumer.pull_with(&queue, "*", 0, waiting(30 * SECOND))).await;
        stage.sleep(SECOND).await;
        consumer.close().await;
        assert_eq!(reason(&consumer.pull(&queue, "*", 0, 1).await).0, ErrorKind::Closed);
        producer.send(message("t")).await.expect("all is well");
        assert_eq!(held.await.expect("it was under way").messages.len(), 1);
    });
}
