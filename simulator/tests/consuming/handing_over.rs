//! Queues that are handed over while the application is at them.

use std::sync::{Arc, Mutex};

use stgclient::{Rebalanced, ReconsumeLater};
use stgclient_core::consumer::allocation::{Allocation, AllocationRequest};
use stgclient_core::queue::MessageQueue;
use stgclient_core::wire::code::RequestCode;
use stgclient_servers::{Force, Forced};

use super::stage::{Book, SECOND, Stage, TOPIC, member, shares};

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
