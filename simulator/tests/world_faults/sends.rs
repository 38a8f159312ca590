//! The forms of a send: awaited, with a callback, without an answer; in order, given back, withdrawn.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use stgclient_core::error::{Error, ErrorKind};
use stgclient_core::producer::{Message, QueueChoice, Receipt, SendOptions, SendStatus};
use stgclient_core::time::Duration;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced, ServerId};
use stgclient_simulator::Direction;

use super::stage::{
    BROKER_A, NAME_SERVER, ROUND_TRIP, SECOND, Stage, begun, consumer, message, producer, pull_all, queue, reason,
    single_try_producer, waiting,
};
use super::wire;

/// The number of a callback, and what it was told.
type Call = (u8, Result<Receipt, Error>);

/// What callbacks were told, in order.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Call>>>);

impl Told {
    fn callback(&self, number: u8) -> impl FnOnce(Result<Receipt, Error>) + Send + 'static {
        let told = Arc::clone(&self.0);
        move |result| told.lock().unwrap().push((number, result))
    }

    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_callback_is_told_once_the_receipt_or_the_error() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let producer = single_try_producer(&stage.client().await).await;
        let told = Told::default();
        for number in 0..10 {
            producer.send_with(message("t"), SendOptions::default(), told.callback(number)).expect("there is room");
        }
        assert!(told.take().is_empty(), "not on the caller's own turn");
        stage.sleep(SECOND).await;
        let first = told.take();
        assert_eq!(first.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        assert!(
            first.iter().all(|(_, result)| result.as_ref().is_ok_and(|receipt| receipt.status == SendStatus::SendOk))
        );

        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        producer.send_with(message("t"), SendOptions::default(), told.callback(10)).expect("there is room");
        stage.sleep(3 * SECOND - ROUND_TRIP).await;
        assert!(told.take().is_empty());
        stage.sleep(2 * ROUND_TRIP).await;
        let late = told.take();
        assert_eq!((late.len(), reason(&late[0].1).0), (1, ErrorKind::Timeout));
        stage.sleep(60 * SECOND).await;
        assert!(told.take().is_empty(), "once");
    });
}

#[test]
fn a_callback_whose_message_is_not_taken_is_not_called_and_the_message_comes_back() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(1, 1000).start().await.unwrap();
        let told = Told::default();
        producer.send_with(message("t"), SendOptions::default(), told.callback(1)).expect("there is room");
        let back = producer.send_with(Message::new("t", "two").tag("a"), SendOptions::default(), told.callback(2));
        let back = back.expect_err("there is none");
        assert_eq!((back.error.kind(), &back.message.body()[..]), (ErrorKind::Full, b"two".as_slice()));
        let wrong = producer.send_with(Message::new("no topic!", "3"), SendOptions::default(), told.callback(3));
        assert_eq!(wrong.expect_err("no name").error.kind(), ErrorKind::InvalidArgument);
        stage.sleep(SECOND).await;
        producer.send_with(back.message, SendOptions::default(), told.callback(4)).expect("there is room again");
        stage.sleep(SECOND).await;
        assert_eq!(told.take().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 4]);
    });
}

#[test]
fn a_callback_may_send_the_next_message() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        let count = Arc::new(AtomicU32::new(0));
        fn chain(producer: stgclient::Producer, count: Arc<AtomicU32>) {
            let again = producer.clone();
            let told = move |result: Result<Receipt, Error>| {
                result.expect("all is well");
                if count.fetch_add(1, Ordering::Relaxed) < 9 {
                    chain(again, count);
                }
            };
            producer.send_with(message("t"), SendOptions::default(), told).expect("there is room");
        }
        chain(producer, Arc::clone(&count));
        stage.sleep(SECOND).await;
        assert_eq!((count.load(Ordering::Relaxed), stage.stored("broker-a", "t")), (10, 10));
    });
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0), "the last one was the last of the client");
}

#[test]
fn a_oneway_ends_when_it_is_written_and_waits_for_no_answer() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        let (written, took) = stage.timed(producer.send_oneway(message("t"))).await;
        written.expect("there is a connection");
        assert_eq!(took, Duration::ZERO);
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(60 * SECOND))));
        let (written, took) = stage.timed(producer.send_oneway(message("t"))).await;
        written.expect("whatever the broker does with it");
        assert_eq!(took, Duration::ZERO);
        stage.sleep(SECOND).await;
        assert_eq!(stage.stored("broker-a", "t"), 3);
        assert_eq!(client.counters().unexpected_answers, 0);
    });
}

#[test]
fn a_oneway_that_cannot_be_written_says_so_within_its_time_and_is_never_tried_twice() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        client.admin().topic_route("t").await.unwrap();
        stage.world.network().refuse(BROKER_A, true);
        let (failed, took) = stage.timed(producer.send_oneway(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(BROKER_A)));
        assert_eq!(took, 3 * SECOND);
        assert!(failed.unwrap_err().attempts().is_empty());

        stage.world.network().heal();
        stage.world.network().partition(BROKER_A, true);
        stage.sleep(SECOND).await;
        let (failed, took) = stage.timed(producer.send_oneway(message("t"))).await;
        assert_eq!(reason(&failed), (ErrorKind::ConnectFailed, Some(BROKER_A)));
        assert_eq!(took, 3 * SECOND);

        stage.cluster.stop(ServerId::NameServer(0));
        let failed = producer.send_oneway(message("unknown")).await;
        assert_eq!(reason(&failed), (ErrorKind::NameServersUnavailable, Some(NAME_SERVER)));
        assert_eq!(stage.stored("broker-a", "t"), 0);
    });
}

#[test]
fn a_oneway_that_the_broker_was_too_busy_for_is_counted() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let busy = Arc::new(AtomicBool::new(true));
    let is_busy = Arc::clone(&busy);
    let script = wire::broker(RequestCode::SEND_MESSAGE_V2, move |request| {
        assert!(request.is_oneway());
        let code = if is_busy.load(Ordering::Relaxed) { 2 } else { 1 };
        wire::at_once(wire::answer(request, code, "{}", &[]))
    });
    stage.world.serve(BROKER_A, script);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for _ in 0..5 {
            producer.send_oneway(message("t")).await.expect("it is written");
        }
        stage.sleep(SECOND).await;
        let counters = client.counters();
        assert_eq!((counters.busy_oneways, counters.unexpected_answers), (5, 0));
        busy.store(false, Ordering::Relaxed);
        producer.send_oneway(message("t")).await.expect("it is written");
        stage.sleep(SECOND).await;
        let counters = client.counters();
        assert_eq!((counters.busy_oneways, counters.unexpected_answers), (5, 1), "another answer is just unexpected");
    });
}

#[test]
fn what_cannot_be_sent_at_all_is_refused_before_anybody_is_asked() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.cluster.stop(ServerId::Broker(0));
    stage.world.block_on(async {
        let producer = producer(&stage.client().await).await;
        let too_long = "t".repeat(128);
        for wrong in [
            Message::new("", "body"),
            Message::new("no spaces", "body"),
            Message::new(&*too_long, "body"),
            Message::new("t", ""),
            Message::new("t", vec![0; 4 * 1024 * 1024 + 1]),
            Message::new("t", "body").property("UNIQ_KEY", "mine"),
            Message::new("t", "body").tag("a\u{1}b"),
            Message::new("t", "body").key("two keys"),
        ] {
            let (failed, took) = stage.timed(producer.send(wrong.clone())).await;
            assert_eq!(reason(&failed), (ErrorKind::InvalidArgument, None), "{wrong:?}");
            assert_eq!(took, Duration::ZERO);
            let back = producer.try_send(wrong, SendOptions::default()).map(drop).unwrap_err();
            assert_eq!(back.error.kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!(stage.world.network().links(), 1, "the name server's");
    });
}

#[test]
fn a_send_that_waits_for_its_connection_is_withdrawn_when_it_is_dropped() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        // Before its route is there.
        drop(producer.send(Message::new("t", "withdrawn")));
        stage.sleep(SECOND).await;
        // While its connection is made.
        stage.world.network().partition(BROKER_A, true);
        let withdrawn = producer.send(Message::new("t", "withdrawn"));
        let also_withdrawn = producer.send_oneway(Message::new("t", "withdrawn"));
        let sent = producer.send(Message::new("t", "sent"));
        stage.sleep(SECOND).await;
        drop((withdrawn, also_withdrawn));
        stage.world.network().heal();
        sent.await.expect("when the connection stands");
        stage.sleep(3 * SECOND).await;
        assert_eq!(producer.backlog().messages, 0);
        assert_eq!(pull_all(&consumer, "t").await.unwrap(), [b"sent".to_vec()]);
    });
}

#[test]
fn a_send_that_is_dropped_once_it_is_written_is_stored_and_its_answer_ignored() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        producer.send(message("t")).await.expect("all is well");
        for _ in 0..10 {
            let sending = producer.send(message("t"));
            stage.sleep(ROUND_TRIP / 4).await;
            drop(sending);
            assert_eq!(producer.backlog().messages, 0, "its room is free at once");
        }
        stage.sleep(SECOND).await;
        assert_eq!(stage.stored("broker-a", "t"), 11);
        assert_eq!(client.counters().unexpected_answers, 0, "nobody waits, but it was asked for");
    });
}

#[test]
fn a_dropped_pull_or_lookup_leaves_nothing_and_disturbs_nobody() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let consumer = consumer(&client).await;
        let (admin, queue) = (client.admin(), queue("broker-a", 0));
        for _ in 0..3 {
            let held = begun(consumer.pull_with(&queue, "*", 0, waiting(20 * SECOND))).await;
            let list = begun(admin.topic_list()).await;
            stage.sleep(ROUND_TRIP / 4).await;
            drop((held, list));
        }
        producer.send(message("t")).await.expect("not concerned");
        assert_eq!(consumer.pull(&queue, "*", 0, 32).await.unwrap().messages.len(), 1);
        assert_eq!(client.counters().connects, 2);
    });
}

#[test]
fn messages_for_one_queue_keep_the_order_of_the_calls_whatever_their_form() {
    let stage = Stage::new(1, 1).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let to = || SendOptions::from(QueueChoice::Hash("key".into()));
        let told = Told::default();
        let (mut sends, mut oneways) = (Vec::new(), Vec::new());
        for number in 0..120_u8 {
            let message = Message::new("t", vec![number]);
            match number % 4 {
                0 => sends.push(producer.send_to(message, to())),
                1 => oneways.push(producer.send_oneway_to(message, to())),
                2 => producer.send_with(message, to(), told.callback(number)).expect("there is room"),
                _ => sends.push(producer.try_send(message, to()).expect("there is room")),
            }
        }
        for sending in sends {
            sending.await.expect("all is well");
        }
        for sending in oneways {
            sending.await.expect("all is well");
        }
        let bodies = pull_all(&consumer(&client).await, "t").await.unwrap();
        assert_eq!(bodies, (0..120).map(|number| vec![number]).collect::<Vec<_>>());
    });
}
