//! Someone who pulls from all queues, commits, and starts anew now and then from what was committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use stgclient::PullConsumer;
use stgclient_core::consumer::{PullOptions, PullStatus, ReceivedMessage};
use stgclient_core::error::Error;
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;

use super::{BROKERS, QUEUES, RECOVERY, SECOND, Seat, TOPIC};

/// Where to go on in each queue.
type Offsets = BTreeMap<MessageQueue, u64>;

pub(super) async fn run(mut seat: Seat) {
    let ledger = Arc::clone(&seat.ledger);
    ledger.begins();
    let group = format!("readers-{}", seat.number);
    let (client, consumer) = loop {
        let client = seat.client().await;
        let consumer = client.pull_consumer(&group).start().await.expect("a consumer");
        let mut offsets = Offsets::new();
        let rounds = 1 + seat.random.below(20);
        for _ in 0..rounds {
            if seat.is_over() {
                break;
            }
            round(&mut seat, &consumer, &group, &mut offsets).await;
            seat.pause(SECOND).await;
        }
        if seat.is_over() {
            break (client, consumer);
        }
        if seat.random.below(2) == 0 {
            seat.close(client).await;
        }
    };
    // All has been well for a while, so the client that saw the trouble is well too.
    seat.machine.sleep_to(seat.end + RECOVERY - 5 * SECOND).await;
    for queue in consumer.queues(TOPIC).await.expect("[all-is-well-again]") {
        if let Some(offset) = consumer.committed_offset(&queue).await.expect("[all-is-well-again]") {
            assert!(
                ledger.has_committed(&group, &queue, offset),
                "[only-what-was-committed-is-committed] {group} {queue}: {offset}"
            );
        }
    }
    seat.close(client).await;
    ledger.ends();
}

/// Looks at every queue that there is.
async fn round(seat: &mut Seat, consumer: &PullConsumer, group: &str, offsets: &mut Offsets) {
    let begin = seat.machine.clock().mono;
    let queues = consumer.queues(TOPIC).await;
    seat.ledger.took("queues", seat.machine.clock().mono.since(begin), 3 * SECOND);
    match queues {
        Err(error) => seat.ledger.failed("queues", &error),
        Ok(queues) => {
            for queue in queues {
                if let Err(error) = read(seat, consumer, group, &queue, offsets).await {
                    seat.ledger.failed("read", &error);
                }
                if seat.is_over() {
                    return;
                }
            }
        }
    }
}

async fn read(
    seat: &mut Seat,
    consumer: &PullConsumer,
    group: &str,
    queue: &MessageQueue,
    offsets: &mut Offsets,
) -> Result<(), Error> {
    let clock = Arc::clone(&seat.machine);
    let begin = clock.clock().mono;
    let offset = match offsets.get(queue) {
        Some(offset) => *offset,
        None => {
            let committed = consumer.committed_offset(queue).await;
            seat.ledger.took("committed offset", clock.clock().mono.since(begin), 3 * SECOND);
            committed?.unwrap_or(0)
        }
    };
    let wait = if seat.random.below(3) == 0 { SECOND } else { Duration::ZERO };
    let is_filtered = seat.random.below(4) == 0;
    let expression = if is_filtered { "third || unknown" } else { "*" };
    let begin = clock.clock().mono;
    let options = PullOptions::new().wait(wait);
    let pulled = consumer.pull_with(queue, expression, offset, options).await;
    seat.ledger.took("pull", clock.clock().mono.since(begin), wait + 10 * SECOND);
    let batch = pulled?;
    assert_ne!(batch.status, PullStatus::OffsetIllegal, "memory is kept");
    assert!(batch.refused.is_empty(), "{:?}", batch.refused);
    batch.messages.iter().for_each(|message| seat.ledger.read(message));
    if is_filtered {
        assert!(batch.messages.iter().all(|message| message.tag() == Some("third")));
    } else {
        let places = batch.messages.iter().map(ReceivedMessage::queue_offset);
        assert!(places.eq(offset..batch.next_offset), "[a-pull-brings-all-in-order]");
    }
    offsets.insert(queue.clone(), batch.next_offset);
    if batch.next_offset > offset && seat.random.below(2) == 0 {
        let begin = clock.clock().mono;
        seat.ledger.commits(group, queue, batch.next_offset);
        let committed = consumer.commit_offset(queue, batch.next_offset).await;
        seat.ledger.took("commit", clock.clock().mono.since(begin), 3 * SECOND);
        committed?;
    }
    Ok(())
}

/// Everything that is stored. All is well, so nothing fails.
pub(super) async fn everything(mut seat: Seat) -> Vec<ReceivedMessage> {
    let client = seat.client().await;
    let consumer = client.pull_consumer("auditor").start().await.expect("a consumer");
    let queues = consumer.queues(TOPIC).await.expect("[all-is-well-again]");
    assert_eq!(queues.len(), usize::from(BROKERS) * QUEUES as usize);
    let mut messages = Vec::new();
    for queue in queues {
        let mut offset = 0;
        loop {
            let batch = consumer.pull(&queue, "*", offset, 32).await.expect("[all-is-well-again]");
            if batch.status != PullStatus::Found {
                break;
            }
            offset = batch.next_offset;
            messages.extend(batch.messages);
        }
        assert_eq!(consumer.max_offset(&queue).await.expect("[all-is-well-again]"), offset);
    }
    seat.close(client).await;
    messages
}
