//! Concurrent consumption.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use stgclient::{Delivered, ReconsumeLater, RetryDelay};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{Force, Forced};

use super::stage::{Book, SECOND, Stage, TOPIC, member, of_topic, shares};

#[test]
fn every_message_is_consumed_and_what_is_finished_is_committed() {
    let stage = Stage::new(2, 4);
    stage.play(async {
        stage.send(0..500).await;
        let client = stage.client().await;
        let book = Book::default();
        let consumer = {
            let book = book.clone();
            member(&client).concurrently(move |message| {
                book.note(0, &message);
                async { Ok::<_, ReconsumeLater>(()) }
            })
        };
        let consumer = consumer.start().await.unwrap();
        stage.until(5 * SECOND, "500 messages", || book.len() == 500).await;
        assert!(book.times().values().all(|times| *times == 1));
        assert_eq!((consumer.status().lag(), consumer.status().consumed_last_minute), (Some(0), 500));
        assert!(consumer.close().await.is_empty());
        let committed: i64 = ["broker-a", "broker-b"]
            .into_iter()
            .flat_map(|broker| (0..4).map(move |queue| MessageQueue::new("orders", broker, queue)))
            .filter_map(|queue| stage.committed(&queue))
            .sum();
        assert_eq!(committed, 500);
        client.close().await;
    });
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0), "and nothing is left");
}

#[test]
fn a_message_that_fails_comes_back_later_and_in_the_end_goes_to_the_dead_letters() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        stage.send(0..4).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).max_reconsume_times(2).concurrently(move |message| {
            noted.note(0, &message);
            let fails = message.body() == "1";
            assert_eq!(message.topic(), TOPIC, "also the second time");
            async move { if fails { Err(ReconsumeLater::new()) } else { Ok(()) } }
        });
        let consumer = consumer.start().await.unwrap();
        // 10 s and 30 s by the broker's levels.
        stage.until(60 * SECOND, "three tries", || book.times().get("1") == Some(&3)).await;
        let times = book.entries().into_iter().filter(|entry| entry.body == "1").map(|entry| entry.reconsume_times);
        assert_eq!(times.collect::<Vec<_>>(), [0, 1, 2]);
        let letters = || stage.cluster.broker("broker-a", |broker| broker.offsets("%DLQ%billing", 0));
        stage.until(SECOND, "a dead letter", || letters() == Some((0, 1))).await;
        stage.sleep(200 * SECOND).await;
        assert_eq!(book.len(), 6, "and nothing more");
        assert_eq!(consumer.status().failed.values().sum::<u64>(), 3);
    });
}

#[test]
fn a_handler_says_when_a_message_is_to_come_back() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..2).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).concurrently(move |message| {
            noted.note(0, &message);
            let is_first = message.reconsume_times() == 0;
            let delay = if message.body() == "0" { RetryDelay::Level(1) } else { RetryDelay::Never };
            async move { if is_first { Err(ReconsumeLater::after(delay)) } else { Ok(()) } }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(3 * SECOND, "a second later", || book.times().get("0") == Some(&2)).await;
        let letters = || stage.cluster.broker("broker-a", |broker| broker.offsets("%DLQ%billing", 0));
        assert_eq!(letters(), Some((0, 1)));
        assert_eq!(book.times()["1"], 1);
    });
}

#[test]
fn a_handler_that_panics_has_failed_and_the_others_are_not_affected() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..5).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).concurrently(move |message| {
            noted.note(0, &message);
            assert!(message.body() != "2" || message.reconsume_times() > 0, "it is expected that this panics");
            async { Ok::<_, ReconsumeLater>(()) }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(15 * SECOND, "the panicked one again", || book.times().get("2") == Some(&2)).await;
        assert_eq!(book.len(), 6);
    });
}

#[test]
fn when_a_message_cannot_be_sent_back_it_stays_and_is_tried_again_and_nothing_is_committed_past_it() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        stage.cluster.broker("broker-a", |broker| {
            let refused = Forced::Refuse(ResponseCode::SYSTEM_ERROR, "no".to_owned());
            broker.force(Force::requests([RequestCode::CONSUMER_SEND_MSG_BACK], refused));
        });
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).concurrently(move |message| {
            noted.note(0, &message);
            let fails = message.body() == "1" && message.reconsume_times() < 2;
            async move { if fails { Err(ReconsumeLater::new()) } else { Ok(()) } }
        });
        let consumer = consumer.start().await.unwrap();
        stage.sleep(4 * SECOND).await;
        assert_eq!((book.len(), of_topic(&consumer).offset), (3, 1));
        stage.until(12 * SECOND, "two more tries", || book.times().get("1") == Some(&3)).await;
        consumer.close().await;
        assert_eq!(stage.committed(&MessageQueue::new(TOPIC, "broker-a", 0)), Some(3));
    });
}

#[test]
fn slow_handlers_work_side_by_side_as_many_as_are_allowed() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        stage.send(0..100).await;
        let client = stage.client().await;
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let book = Book::default();
        let (noted, machine) = (book.clone(), Arc::clone(&stage.machine));
        let (running, seen) = (Arc::clone(&now), Arc::clone(&most));
        let consumer = member(&client).max_in_work(10).concurrently(move |message| {
            let (noted, machine) = (noted.clone(), Arc::clone(&machine));
            let (running, seen) = (Arc::clone(&running), Arc::clone(&seen));
            async move {
                seen.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
                machine.sleep(SECOND).await;
                running.fetch_sub(1, Relaxed);
                noted.note(0, &message);
                Ok::<_, ReconsumeLater>(())
            }
        });
        let _consumer = consumer.start().await.unwrap();
        stage.until(12 * SECOND, "100 messages", || book.len() == 100).await;
        assert_eq!(most.load(Relaxed), 10);
    });
}

#[test]
fn a_handler_that_never_ends_holds_up_nobody_and_its_message_comes_back_after_the_consume_time_out() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..50).await;
        let client = stage.client().await;
        let book = Book::default();
        let noted = book.clone();
        let consumer = member(&client).configure(|config| config.consume_timeout = 60 * SECOND);
        let consumer = consumer.concurrently(move |message| {
            noted.note(0, &message);
            let hangs = message.body() == "7" && message.reconsume_times() == 0;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok::<_, ReconsumeLater>(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(3 * SECOND, "all others", || book.len() == 50).await;
        assert_eq!(of_topic(&consumer).offset, 7, "nothing is committed past it");
        stage.until(150 * SECOND, "it comes back", || book.times().get("7") == Some(&2)).await;
        assert_eq!(of_topic(&consumer).offset, 50);
    });
}

#[test]
fn batches_have_as_many_messages_as_there_are_up_to_the_size() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..70).await;
        let client = stage.client().await;
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        let consumer = member(&client).concurrently_in_batches(32, move |messages| {
            seen.lock().unwrap().push(messages.len());
            async { Ok::<_, ReconsumeLater>(()) }
        });
        let consumer = consumer.start().await.unwrap();
        stage.until(3 * SECOND, "70 messages", || sizes.lock().unwrap().iter().sum::<usize>() == 70).await;
        assert_eq!(*sizes.lock().unwrap(), [32, 32, 6]);
        assert_eq!(consumer.status().lag(), Some(0));
    });
}

#[test]
fn what_is_finished_is_committed_at_once_for_whom_the_interval_is_too_long() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..10).await;
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume(member(&client).configure(|config| config.commit_interval = 600 * SECOND)).await;
        stage.until(3 * SECOND, "10 messages", || book.len() == 10).await;
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        assert_eq!(stage.committed(&queue).unwrap_or(0), 0);
        consumer.commit();
        stage.until(SECOND / 10, "it is committed", || stage.committed(&queue) == Some(10)).await;
    });
}

#[test]
fn a_paused_consumer_or_queue_gets_nothing_until_it_goes_on() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        let client = stage.client().await;
        let book = Book::default();
        let consumer = book.consume(member(&client)).await;
        stage.until(3 * SECOND, "the queues", || shares(&[&consumer]) == [2]).await;
        consumer.pause();
        stage.send(0..10).await;
        stage.sleep(5 * SECOND).await;
        assert_eq!(book.len(), 0);
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        assert!(consumer.pause_queue(&queue));
        consumer.resume();
        stage.sleep(5 * SECOND).await;
        assert_eq!(book.len(), 5);
        assert!(book.entries().iter().all(|entry| entry.queue != queue));
        assert!(consumer.resume_queue(&queue));
        stage.until(3 * SECOND, "the rest", || book.len() == 10).await;
        assert!(!consumer.pause_queue(&MessageQueue::new(TOPIC, "broker-z", 0)));
    });
}

#[test]
fn no_more_messages_a_second_are_delivered_than_are_allowed() {
    let stage = Stage::new(1, 2);
    stage.play(async {
        stage.send(0..100).await;
        let client = stage.client().await;
        let book = Book::default();
        let _consumer = book.consume(member(&client).max_rate(10)).await;
        stage.sleep(5 * SECOND).await;
        assert!((45..=51).contains(&book.len()), "{}", book.len());
        stage.until(6 * SECOND, "the rest", || book.len() == 100).await;
    });
}

#[test]
fn nothing_is_fetched_beyond_the_bounds_of_what_may_be_cached() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..300).await;
        let client = stage.client().await;
        let consumer = member(&client).configure(|config| config.max_cached_messages = 50);
        let messages = consumer.stream().start().await.unwrap();
        stage.sleep(3 * SECOND).await;
        let cached = of_topic(messages.consumer()).cached_messages;
        assert!((50..50 + 32).contains(&cached), "{cached}: a pull more at the most");
        for _ in 0..300 {
            assert!(messages.next().await.unwrap().ack());
        }
        assert_eq!(messages.consumer().status().lag(), Some(0));
    });
}

#[test]
fn a_stream_gives_messages_that_are_acknowledged_by_hand_and_what_is_dropped_comes_back() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let messages = member(&client).stream().start().await.unwrap();
        let first = messages.next().await.unwrap();
        let second = messages.next().await.unwrap();
        let third = messages.next().await.unwrap();
        assert_eq!((first.body(), second.body(), third.body()), (&"0".into(), &"1".into(), &"2".into()));
        assert!(third.ack());
        drop(second);
        assert!(first.reconsume_later(RetryDelay::Level(1)));
        let again = messages.next().await.unwrap();
        assert_eq!((again.body(), again.reconsume_times()), (&"0".into(), 1));
        assert!(again.ack());
        let again = messages.next().await.unwrap();
        assert_eq!((again.body(), again.reconsume_times()), (&"1".into(), 1));
        assert!(again.ack());
        let consumer = messages.consumer().clone();
        assert!(consumer.close().await.is_empty());
        assert!(messages.next().await.is_none());
    });
}

#[test]
fn closing_with_nothing_in_work_is_prompt_and_with_work_it_waits_until_that_ends_or_the_time_is_up() {
    for (work, grace, expected, left) in
        [(Duration::ZERO, 30, 0..1, 0), (5 * SECOND, 30, 4..6, 0), (1000 * SECOND, 10, 10..11, 1)]
    {
        let stage = Stage::new(1, 1);
        stage.play(async {
            stage.send(0..1).await;
            let client = stage.client().await;
            let (book, machine) = (Book::default(), Arc::clone(&stage.machine));
            let noted = book.clone();
            let consumer = member(&client).concurrently(move |message| {
                noted.note(0, &message);
                let machine = Arc::clone(&machine);
                async move {
                    machine.sleep(work).await;
                    Ok::<_, ReconsumeLater>(())
                }
            });
            let consumer = consumer.start().await.unwrap();
            stage.until(3 * SECOND, "the message", || book.len() == 1).await;
            stage.sleep(Duration::from_millis(10)).await;
            let begin = stage.world.now().mono;
            let unfinished = consumer.close_within(grace * SECOND).await;
            let took = stage.world.now().mono.since(begin).as_secs();
            assert!(expected.contains(&took), "{work:?}: {took} s");
            assert_eq!(unfinished.iter().map(|queue| queue.offsets.len()).sum::<usize>(), left);
            let committed = if left == 0 { 1 } else { 0 };
            assert_eq!(stage.committed(&MessageQueue::new(TOPIC, "broker-a", 0)).unwrap_or(0), committed);
        });
    }
}

#[test]
fn what_was_in_work_when_a_consumer_closed_is_delivered_to_the_next_one() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let consumer = member(&client).concurrently(move |message| async move {
            if message.body() == "1" {
                std::future::pending::<()>().await;
            }
            Ok::<_, ReconsumeLater>(())
        });
        let consumer = consumer.start().await.unwrap();
        stage.sleep(3 * SECOND).await;
        let unfinished = consumer.close_within(SECOND).await;
        assert_eq!((unfinished.len(), &*unfinished[0].offsets), (1, &[1][..]));
        let other = stage.client().await;
        let messages = member(&other).stream().start().await.unwrap();
        assert_eq!(messages.next().await.unwrap().body(), "1");
    });
}

#[test]
fn several_may_wait_for_the_next_message_of_one_stream_and_each_is_served() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let client = stage.client().await;
        let messages = Arc::new(member(&client).stream().start().await.unwrap());
        let served = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let (messages, served) = (Arc::clone(&messages), Arc::clone(&served));
            stage.world.spawn(async move {
                let is_message = messages.next().await.map(Delivered::ack).is_some();
                served.fetch_add(if is_message { 1 } else { 100 }, Relaxed);
            });
        }
        // One that gives up waiting takes nobody's turn.
        let mut given_up = Box::pin(messages.next());
        std::future::poll_fn(|context| Poll::Ready(given_up.as_mut().poll(context).is_ready())).await;
        drop(given_up);
        stage.sleep(10 * SECOND).await;
        stage.send(0..2).await;
        stage.until(5 * SECOND, "two of them are served", || served.load(Relaxed) == 2).await;
        messages.consumer().close().await;
        stage.until(SECOND, "the last one hears of the end", || served.load(Relaxed) == 102).await;
    });
}

#[test]
fn a_client_closes_also_while_nobody_asks_its_stream() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        stage.send(0..3).await;
        let client = stage.client().await;
        let messages = member(&client).stream().start().await.unwrap();
        let held = messages.next().await.unwrap();
        let begin = stage.world.now().mono;
        client.close().await;
        let took = stage.world.now().mono.since(begin);
        assert!(took < 10 * SECOND, "{took:?}: the message that is held may be settled for 5 s");
        assert!(!held.ack(), "too late");
        assert!(messages.next().await.is_none());
    });
    stage.world.run_for(SECOND);
    assert_eq!((stage.world.tasks(), stage.world.network().links()), (0, 0), "and nothing is left");
}

#[test]
fn a_client_that_closes_just_after_a_start_closes_at_once() {
    for micros in (0..3000).step_by(50) {
        let stage = Stage::new(1, 2);
        stage.play(async {
            let first = stage.client().await;
            let earlier = member(&first).concurrently(|_| async { Ok(()) }).start().await.unwrap();
            earlier.close().await;
            stage.send(0..5).await;
            let client = stage.client().await;
            let consumer = member(&client).concurrently(|_| async { Ok(()) }).start().await.unwrap();
            stage.sleep(Duration::from_micros(micros)).await;
            let begin = stage.world.now().mono;
            client.close().await;
            let took = stage.world.now().mono.since(begin);
            assert!(took < SECOND, "{micros} {took:?}\n{}", stage.world.journal());
            drop(consumer);
        });
    }
}
