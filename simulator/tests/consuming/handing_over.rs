//! Queues that are handed over while the application is at them.

use std::sync::{Arc, Mutex};

use stgclient::{Rebalanced, ReconsumeLater};
use stgclient_core::consumer::allocation::{Allocation, AllocationRequest};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};

use super::stage::{Book, GROUP, SECOND, Stage, TOPIC, member, shares};

/// A member that has all queues, whoever else there is.
#[derive(Debug)]
struct All;

impl Allocation for All {
    fn name(&self) -> &str {
        "ALL"
    }

    fn allocate(&self, request: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        request.queues.to_vec()
    }
}

#[test]
fn a_concurrent_consumers_last_commit_does_not_come_long_after_its_queue_has_gone_on_elsewhere() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let clients = [stage.client().await, stage.client().await];
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        let machine = Arc::clone(&stage.machine);
        let slow = member(&clients[0]).allocation(All).rebalance_listener(move |change| {
            let machine = Arc::clone(&machine);
            async move {
                if matches!(change, Rebalanced::Revoked(_)) {
                    machine.sleep(15 * SECOND).await;
                }
            }
        });
        let consumed = Arc::new(Mutex::new(0));
        let count = Arc::clone(&consumed);
        let first = slow.concurrently(move |message| {
            *count.lock().unwrap() += 1;
            let fails = message.queue_offset() == 5;
            async move { if fails { Err(ReconsumeLater::new()) } else { Ok(()) } }
        });
        let first = first.start().await.unwrap();
        first.ready().await.unwrap();
        stage.sleep(6 * SECOND).await;
        let late = Force::requests([RequestCode::CONSUMER_SEND_MSG_BACK], Forced::Delay(2 * SECOND));
        stage.cluster.broker("broker-a", |broker| broker.force(late));
        stage.send(0..10).await;
        stage.until(SECOND, "ten messages", || *consumed.lock().unwrap() == 10).await;
        first.unsubscribe(TOPIC);
        let book = Book::default();
        let second = book.consume(member(&clients[1]).allocation(All)).await;
        stage.until(2 * SECOND, "it is the next owner", || shares(&[&second]) == [1]).await;
        stage.send(10..30).await;
        stage.until(7 * SECOND, "its commit", || stage.committed(&queue) == Some(30)).await;
        for _ in 0..200 {
            stage.sleep(SECOND / 10).await;
            assert_eq!(stage.committed(&queue), Some(30), "offsets do not move backwards");
        }
    });
}

#[test]
fn what_a_listener_that_hangs_is_to_be_told_has_a_bound() {
    let stage = Stage::new(1, 1);
    let topics: Vec<String> = (0..40).map(|number| format!("topic-{number}")).collect();
    stage.cluster.with(|cluster| {
        for topic in &topics {
            cluster.brokers().for_each(|broker| broker.create_topic(topic, 1).unwrap());
        }
    });
    stage.play(async {
        let (client, told) = (stage.client().await, Arc::new(Mutex::new(0)));
        let (count, is_free) = (Arc::clone(&told), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let (machine, free) = (Arc::clone(&stage.machine), Arc::clone(&is_free));
        let builder = member(&client).rebalance_listener(move |_| {
            *count.lock().unwrap() += 1;
            let (machine, free) = (Arc::clone(&machine), Arc::clone(&free));
            async move {
                while !free.load(std::sync::atomic::Ordering::SeqCst) {
                    machine.sleep(SECOND).await;
                }
            }
        });
        let consumer = builder.concurrently(|_| async { Ok(()) }).start().await.unwrap();
        for _ in 0..8 {
            for topic in &topics {
                consumer.subscribe(topic, "*").unwrap();
                stage.sleep(SECOND).await;
            }
            for topic in &topics {
                consumer.unsubscribe(topic);
                stage.sleep(SECOND).await;
            }
        }
        assert_eq!(*told.lock().unwrap(), 1, "it hangs");
        is_free.store(true, std::sync::atomic::Ordering::SeqCst);
        stage.sleep(60 * SECOND).await;
        assert!(*told.lock().unwrap() <= 256, "{} changes waited", *told.lock().unwrap());
    });
}

#[test]
fn what_is_finished_is_committed_while_the_listener_is_at_it_though_a_commit_was_lost_once() {
    let stage = Stage::new(1, 1);
    stage.play(async {
        let (client, book) = (stage.client().await, Book::default());
        let machine = Arc::clone(&stage.machine);
        let builder = member(&client).rebalance_listener(move |change| {
            let machine = Arc::clone(&machine);
            async move {
                if matches!(change, Rebalanced::Revoked(_)) {
                    machine.sleep(15 * SECOND).await;
                }
            }
        });
        let consumer = book.consume(builder).await;
        consumer.ready().await.unwrap();
        stage.sleep(6 * SECOND).await;
        stage.send(0..5).await;
        stage.until(SECOND, "five messages", || book.len() == 5).await;
        let queue = MessageQueue::new(TOPIC, "broker-a", 0);
        assert_ne!(stage.committed(&queue), Some(5), "the interval is not over");
        let lost = Force::requests([RequestCode::UPDATE_CONSUMER_OFFSET], Forced::Lost).of_group(GROUP).times(1);
        stage.cluster.broker("broker-a", |broker| broker.force(lost));
        consumer.unsubscribe(TOPIC);
        stage.until(10 * SECOND, "it is committed", || stage.committed(&queue) == Some(5)).await;
    });
}
