//! Messages in any order of settlement: what may be committed, what is delivered again, and what is counted.

use core::net::SocketAddr;

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::wire::dialect::Dialect;
use crate::wire::message::StoredFields;

fn message(offset: u64) -> StoredMessage {
    let host = SocketAddr::from(([127, 0, 0, 1], 10_911));
    let fields = StoredFields {
        body_crc: 0,
        queue_id: 0,
        flag: 0,
        queue_offset: offset as i64,
        physical_offset: offset as i64 * 100,
        sys_flag: 0,
        born_timestamp: 0,
        born_host: host,
        store_timestamp: 0,
        store_host: host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
    };
    let mut out = BytesMut::new();
    fields.encode(&mut out, Dialect::Apache, "T", "", b"body").unwrap();
    StoredMessage::decode(out.freeze(), Dialect::Apache).unwrap()
}

fn filled(offsets: impl IntoIterator<Item = u64>) -> ProcessQueue {
    let mut queue = ProcessQueue::new(0);
    offsets.into_iter().for_each(|offset| queue.push(message(offset)));
    queue
}

const fn at(seconds: u64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn offsets(taken: &Taken) -> Vec<i64> {
    taken.messages.iter().map(|(message, _)| message.fields.queue_offset).collect()
}

#[test]
fn nothing_is_committed_past_an_unfinished_message_in_whatever_order_they_end() {
    let mut queue = filled(0..3);
    assert_eq!(queue.committable(), 0);
    for (delivery, offset) in (0..3).zip(0..3) {
        assert_eq!(queue.take(at(0), delivery, 1).unwrap().first, offset);
    }
    assert_eq!(queue.consumed(2, 2, 2, true), 1);
    assert_eq!(queue.consumed(1, 1, 1, true), 1);
    assert_eq!(queue.committable(), 0);
    assert_eq!(queue.consumed(0, 0, 0, true), 1);
    assert_eq!(queue.committable(), 3);
}

#[test]
fn offsets_that_the_filter_left_out_are_passed_over() {
    let mut queue = filled([3, 7]);
    queue.advance(12);
    assert_eq!((queue.committable(), queue.fetch_offset()), (3, 12));
    let taken = queue.take(at(0), 1, 32).unwrap();
    assert_eq!((offsets(&taken), taken.first, taken.last), (vec![3, 7], 3, 7));
    queue.consumed(1, 3, 7, true);
    assert_eq!((queue.committable(), queue.len(), queue.bytes()), (12, 0, 0));
}

#[test]
fn what_was_fetched_before_is_not_taken_in_again() {
    let mut queue = filled([0, 1, 1, 0, 2]);
    assert_eq!(queue.len(), 3);
    assert_eq!(offsets(&queue.take(at(0), 1, 32).unwrap()), [0, 1, 2]);
}

#[test]
fn a_settlement_counts_once_and_for_its_own_delivery_only() {
    let mut queue = filled(0..2);
    queue.take(at(0), 1, 2).unwrap();
    assert_eq!(queue.consumed(9, 0, 1, true), 0);
    assert_eq!(queue.consumed(1, 0, 0, true), 1);
    assert_eq!(queue.consumed(1, 0, 1, true), 1);
    assert_eq!(queue.consumed(1, 0, 1, true), 0);
    assert_eq!(queue.committable(), 2);
}

#[test]
fn a_deferred_message_comes_again_in_its_time_and_says_how_often_it_failed() {
    let mut queue = filled(0..3);
    queue.take(at(0), 1, 3).unwrap();
    assert_eq!(queue.defer(1, 1, 1, Some(at(5))), 1);
    queue.consumed(1, 0, 0, true);
    queue.consumed(1, 2, 2, true);
    assert_eq!((queue.committable(), queue.next_deferred()), (1, Some(at(5))));
    queue.wake_deferred(at(4));
    assert!(queue.take(at(4), 2, 3).is_none());
    queue.wake_deferred(at(5));
    let again = queue.take(at(5), 2, 3).unwrap();
    assert_eq!((offsets(&again), again.messages[0].1), (vec![1], 1));
    queue.consumed(2, 1, 1, true);
    assert_eq!(queue.committable(), 3);
}

#[test]
fn a_message_that_is_being_sent_back_is_not_finished_until_the_broker_has_it() {
    let mut queue = filled(0..2);
    queue.take(at(0), 1, 2).unwrap();
    assert_eq!(queue.send_back(1, 0, 0).len(), 1);
    queue.consumed(1, 1, 1, true);
    assert_eq!(queue.committable(), 0);
    queue.sent_back(0, Some(at(5)));
    assert_eq!((queue.committable(), queue.next_deferred()), (0, Some(at(5))));
    queue.wake_deferred(at(5));
    queue.take(at(5), 2, 1).unwrap();
    queue.send_back(2, 0, 0);
    queue.sent_back(0, None);
    assert_eq!((queue.committable(), queue.len()), (2, 0));
}

#[test]
fn what_the_application_has_for_too_long_is_taken_from_it() {
    let mut queue = filled(0..2);
    queue.take(at(0), 1, 1).unwrap();
    queue.take(at(10), 2, 1).unwrap();
    let late = queue.expire(at(5));
    assert_eq!(late.len(), 1);
    assert_eq!(queue.consumed(1, 0, 0, true), 0, "its end comes too late");
    assert_eq!(queue.in_work(), 1);
}

#[test]
fn what_is_not_committed_by_the_application_is_not_committable_and_can_be_rolled_back() {
    let mut queue = filled(0..3);
    queue.take(at(0), 1, 2).unwrap();
    queue.consumed(1, 0, 1, false);
    assert_eq!(queue.committable(), 0);
    queue.roll_back();
    assert_eq!(offsets(&queue.take(at(0), 2, 3).unwrap()), [0, 1, 2]);
    queue.consumed(2, 0, 2, false);
    queue.commit();
    assert_eq!((queue.committable(), queue.len()), (3, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Fetch(u8),
    Take(u8),
    Settle(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u8..5).prop_map(Step::Fetch),
        (1_u8..5).prop_map(Step::Take),
        (any::<u8>(), 0_u8..4).prop_map(|(which, how)| Step::Settle(which, how)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_nothing_unfinished_is_passed_and_everything_is_counted(
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut queue = ProcessQueue::new(0);
        let mut deliveries: Vec<(u64, u64, u64)> = Vec::new();
        let mut unfinished = SortedSet::new();
        let (mut committed, mut number) = (0, 0);
        for step in steps {
            match step {
                Step::Fetch(count) => for _ in 0..count {
                    let offset = queue.fetch_offset() + u64::from(count % 2);
                    queue.push(message(offset));
                    unfinished.insert(offset);
                },
                Step::Take(most) => {
                    number += 1;
                    if let Some(taken) = queue.take(at(0), number, usize::from(most)) {
                        deliveries.push((number, taken.first, taken.last));
                    }
                }
                Step::Settle(which, how) if !deliveries.is_empty() => {
                    let (delivery, first, last) = deliveries.swap_remove(usize::from(which) % deliveries.len());
                    match how {
                        0 => { queue.defer(delivery, first, last, None); }
                        1 => for (message, _) in queue.send_back(delivery, first, last) {
                            let offset = message.fields.queue_offset as u64;
                            queue.sent_back(offset, None);
                            unfinished.remove(&offset);
                        },
                        _ => {
                            queue.consumed(delivery, first, last, true);
                            unfinished.retain(|offset| !(first..=last).contains(offset));
                        }
                    }
                }
                Step::Settle(..) => {}
            }
            prop_assert_eq!(queue.committable(), unfinished.first().copied().unwrap_or(queue.fetch_offset()));
            prop_assert!(queue.committable() >= committed);
            committed = queue.committable();
            prop_assert_eq!(queue.len(), unfinished.len());
            prop_assert_eq!(queue.waiting() + queue.in_work(), unfinished.len());
            prop_assert_eq!(queue.bytes(), unfinished.len() * message(0).stored_length());
        }
        while let Some(taken) = queue.take(at(0), u64::MAX, 2) {
            for offset in taken.first..=taken.last {
                prop_assert!(unfinished.contains(&offset) || !offsets(&taken).contains(&(offset as i64)));
            }
        }
        prop_assert_eq!(queue.waiting(), 0);
    }
}
