//! Too much at once: calls stand in line and keep their order, or get their message back; nothing grows and nothing hangs.

use std::future::Future;

use stgclient::Producer;
use stgclient::simulator::Clients as _;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::{Message, QueueChoice, SendOptions};
use stgclient_core::time::Duration;
use stgclient_servers::{Force, Forced};
use stgclient_simulator::Direction;

use super::stage::{
    BROKER_A, BROKER_B, ROUND_TRIP, SECOND, Stage, consumer, message, producer, pull_all, queue, reason,
};

/// Numbered messages for one queue.
fn numbered(number: u8) -> (Message, SendOptions) {
    (Message::new("t", vec![number; 100]), QueueChoice::Hash("key".into()).into())
}

#[test]
fn calls_beyond_the_bounds_stand_in_line_and_keep_their_order() {
    for (messages, bytes) in [(1, 1_000_000), (3, 1_000_000), (1000, 100), (1000, 350)] {
        let stage = Stage::new(1, 1).with_topic("t", 2);
        stage.world.block_on(async {
            let client = stage.client().await;
            let producer = client.producer("p").max_waiting(messages, bytes).start().await.unwrap();
            let sends: Vec<_> = (0..100).map(numbered).map(|(message, to)| producer.send_to(message, to)).collect();
            let backlog = producer.backlog();
            assert!(backlog.messages <= messages && backlog.bytes <= bytes, "{backlog:?}");
            // They are sent in their turn whether anybody looks at their futures or not.
            stage.sleep(SECOND).await;
            for sending in sends {
                sending.await.expect("in its turn");
            }
            let bodies = pull_all(&consumer(&client).await, "t").await.unwrap();
            assert_eq!(bodies, (0..100).map(|number| vec![number; 100]).collect::<Vec<_>>());
        });
    }
}

#[test]
fn a_message_that_finds_no_room_is_given_back_and_taken_when_there_is() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(2, 1_000_000).start().await.unwrap();
        let first = producer.try_send(message("t"), SendOptions::default()).expect("there is room");
        let second = producer.try_send(message("t"), SendOptions::default()).expect("there is room");
        let message = Message::new("t", "three").tag("tag").key("key");
        let back = producer.try_send(message, SendOptions::default()).map(drop).expect_err("there is none");
        assert_eq!(back.error.kind(), ErrorKind::Full);
        assert!(back.error.is_retryable());
        assert_eq!(
            (&back.message.body()[..], back.message.properties().get("TAGS")),
            (b"three".as_slice(), Some("tag"))
        );
        first.await.expect("all is well");
        producer.try_send(back.message, SendOptions::default()).expect("there is room").await.expect("all is well");
        second.await.expect("all is well");
        assert_eq!(stage.stored("broker-a", "t"), 3);
    });
}

#[test]
fn nobody_goes_before_those_who_stand_in_line() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(1, 1_000_000).start().await.unwrap();
        let first = producer.send(message("t"));
        let in_line = producer.send(message("t"));
        first.await.expect("all is well");
        let back = producer.try_send(message("t"), SendOptions::default()).map(drop).expect_err("another one waits");
        assert_eq!(back.error.kind(), ErrorKind::Full);
        in_line.await.expect("all is well");
    });
}

#[test]
fn a_message_that_leaves_the_line_is_never_sent_and_lets_the_others_move_up() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(1, 1_000_000).start().await.unwrap();
        let mut sends: Vec<_> = (0..10).map(|number| producer.send(Message::new("t", vec![number]))).collect();
        // The head of the line, some within it, and the one under way, whose bytes are not written yet.
        for gone in [9, 5, 4, 1, 0] {
            drop(sends.remove(gone));
        }
        for sending in sends {
            sending.await.expect("in its turn");
        }
        let bodies = pull_all(&consumer(&client).await, "t").await.unwrap();
        assert_eq!(bodies, [vec![2], vec![3], vec![6], vec![7], vec![8]]);
    });
}

#[test]
fn in_a_line_before_a_hung_broker_the_time_runs_from_the_call() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(2, 1_000_000).start().await.unwrap();
        producer.send(message("t")).await.expect("all is well");
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let sends: Vec<_> = (0..6).map(|_| producer.send(message("t"))).collect();
        let ((), took) = stage
            .timed(async {
                for sending in sends {
                    assert!(matches!(reason(&sending.await).0, ErrorKind::Timeout | ErrorKind::ConnectFailed));
                }
            })
            .await;
        assert_eq!(took, 3 * SECOND);
        stage.world.network().heal();
        stage.sleep(SECOND).await;
        producer.send(message("t")).await.expect("all is well again");
        assert_eq!(producer.backlog().messages, 0);
    });
}

#[test]
fn a_producer_whose_broker_hangs_holds_up_no_other_producer_of_its_client() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let slow = client.producer("slow").max_waiting(10, 1_000_000).max_tries(1).start().await.unwrap();
        let quick = client.producer("quick").start().await.unwrap();
        for broker in ["broker-a", "broker-b"] {
            quick.send_to(message("t"), queue(broker, 0)).await.expect("all is well");
        }
        stage.world.network().stall(BROKER_A, Direction::ToServer, true);
        let hung: Vec<_> = (0..100).map(|_| slow.send_to(message("t"), queue("broker-a", 0))).collect();
        let (sent, took) = stage.timed(quick.send_to(message("t"), queue("broker-b", 0))).await;
        sent.expect("its broker is well");
        assert_eq!(took, ROUND_TRIP);
        let ((), took) = stage
            .timed(async {
                for sending in hung {
                    assert!(matches!(reason(&sending.await).0, ErrorKind::Timeout | ErrorKind::ConnectFailed));
                }
            })
            .await;
        assert!(took <= 3 * SECOND, "the time runs from the call: {took:?}");
    });
}

#[test]
fn a_crowd_that_leaves_a_line_costs_each_of_them_about_nothing() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(1, 1_000_000).start().await.unwrap();
        // Taking each out by a search would take minutes.
        let mut crowd: Vec<_> = (0..40_000).map(|_| producer.send(message("t"))).collect();
        let back = crowd.split_off(20_000);
        crowd.into_iter().rev().zip(back).for_each(drop);
        producer.send(message("t")).await.expect("nobody is left in line");
    });
}

/// Fills the connection to a hung broker up to its high-water mark.
async fn congest(stage: &Stage, producer: &Producer, broker: &str) -> Vec<impl Future> {
    let address = if broker == "broker-a" { BROKER_A } else { BROKER_B };
    stage.world.network().stall(address, Direction::ToServer, true);
    let mut sends = Vec::new();
    loop {
        let body = Message::new("t", vec![0; 1024 * 1024]);
        match producer.try_send(body, queue(broker, 0)) {
            Ok(sending) => sends.push(sending),
            Err(back) => {
                assert_eq!(back.error.kind(), ErrorKind::Full);
                return sends;
            }
        }
        assert!(sends.len() < 20, "there is a bound");
        stage.sleep(ROUND_TRIP).await;
    }
}

#[test]
fn a_congested_broker_takes_no_more_and_the_other_one_takes_it_all() {
    let stage = Stage::new(1, 2).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").compression(None).start().await.unwrap();
        for _ in 0..2 {
            producer.send(message("t")).await.expect("all is well");
        }
        let stuck = congest(&stage, &producer, "broker-a").await;
        for _ in 0..20 {
            let (sent, took) = stage.timed(producer.send(message("t"))).await;
            assert_eq!(&*sent.expect("the other broker takes it").queue.broker_name, "broker-b");
            assert_eq!(took, ROUND_TRIP);
        }
        stage.world.network().heal();
        for sending in stuck {
            sending.await;
        }
        producer.send_to(message("t"), queue("broker-a", 0)).await.expect("all is well again");
    });
}

#[test]
fn a_send_whose_route_leads_to_a_congested_broker_does_not_hang() {
    let stage = Stage::new(1, 1).with_topic("t", 1).with_topic("u", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").compression(None).start().await.unwrap();
        producer.send(message("t")).await.expect("all is well");
        let stuck = congest(&stage, &producer, "broker-a").await;
        // The route of this topic is not known yet, so that the congestion shows itself only later.
        let (failed, took) = stage.timed(producer.send(message("u"))).await;
        // It was taken, so it waits for room as long as it lives.
        assert_eq!(reason(&failed).0, ErrorKind::Timeout);
        assert_eq!(took, 3 * SECOND);
        drop(stuck);
    });
}

#[test]
fn calls_in_line_for_a_congested_broker_go_on_when_it_reads_again() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").compression(None).start().await.unwrap();
        producer.send(message("t")).await.expect("all is well");
        let stuck = congest(&stage, &producer, "broker-a").await;
        let in_line: Vec<_> = (0..10).map(|_| producer.send(message("t"))).collect();
        stage.sleep(SECOND).await;
        stage.world.network().heal();
        for sending in in_line {
            sending.await.expect("there is room again");
        }
        let count = stuck.len();
        for sending in stuck {
            sending.await;
        }
        assert_eq!(stage.stored("broker-a", "t"), 11 + count as i64, "everything once");
    });
}

#[test]
fn a_flood_of_calls_all_end_with_a_receipt() {
    let stage = Stage::new(1, 2).with_topic("t", 4);
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        let (sends, took) = stage
            .timed(async {
                let sends: Vec<_> = (0..5_000).map(|_| producer.send(message("t"))).collect();
                assert!(producer.backlog().messages <= 2048);
                let mut count = 0;
                for sending in sends {
                    sending.await.expect("in its turn");
                    count += 1;
                }
                count
            })
            .await;
        assert_eq!(sends, 5_000);
        assert!(took < SECOND, "{took:?}");
        assert_eq!(stage.stored("broker-a", "t") + stage.stored("broker-b", "t"), 5_000);
    });
}

#[test]
fn a_slow_broker_slows_its_callers_down_and_loses_nothing() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(Duration::from_millis(100)))));
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = client.producer("p").max_waiting(10, 1_000_000).start().await.unwrap();
        let ((), took) = stage
            .timed(async {
                let sends: Vec<_> = (0..100).map(|_| producer.send(message("t"))).collect();
                for sending in sends {
                    sending.await.expect("in its turn");
                }
            })
            .await;
        assert!(took >= SECOND && took < 2 * SECOND, "ten at a time, ten times: {took:?}");
    });
}

#[test]
fn lines_take_turns_when_too_many_operations_are_under_way() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.block_on(async {
        let client = stage.machine.client(&stage.cluster);
        let client = client.configure(|config| config.max_operations = 4).connect().await.unwrap();
        let many = client.producer("many").send_timeout(60 * SECOND).start().await.unwrap();
        let quick = client.producer("quick").start().await.unwrap();
        quick.send(message("t")).await.unwrap();
        let wait = Duration::from_millis(100);
        stage.on_broker_a(|broker| broker.force(Force::sends(Forced::Delay(wait))));
        // A line of about ten seconds.
        let sends: Vec<_> = (0..400).map(|_| many.send(message("t"))).collect();
        let sent = quick.send(message("t")).await;
        assert!(sent.is_ok(), "one message in a line of its own: {}", sent.unwrap_err());
        drop(sends);
        client.close().await;
    });
}
