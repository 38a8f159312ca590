//! Deliveries: bounds, turns, and what closing waits for.

use bytes::Bytes;

use super::super::asked;
use super::super::wish::Wish;
use super::super::{ConsumeOutcome, Delivery, MessageModel, PushConfig, PushEvent, RetryDelay};
use super::scene::{ME, SECOND, Scene, TOPIC, answer, failed, found, found_batch, queue};
use crate::consumer::PullStatus;
use crate::sorted::SortedSet;
use crate::time::Duration;

/// A consumer with one locked queue from offset 0, and messages there.
fn locked(change: impl FnOnce(&mut PushConfig)) -> Scene {
    let mut scene = Scene::orderly(change);
    scene.rebalance(1, &[ME]);
    let Wish::Lock { asked: asked::Lock { ticket, queues, at }, .. } = scene.wish() else {
        panic!("the lock comes first")
    };
    scene.consumer.take_locked(scene.now, ticket, (&queues, at), Ok(SortedSet::from([queue(0)])));
    scene.begin_at(0);
    scene.fill(0..5);
    scene
}

fn offsets(delivery: &Delivery) -> Vec<i64> {
    delivery.messages.iter().map(|(message, _)| message.fields.queue_offset).collect()
}

fn pulls(scene: &mut Scene) -> usize {
    scene.wishes().iter().filter(|ask| matches!(ask, Wish::Pull { .. })).count()
}

#[test]
fn a_queue_is_not_fetched_from_beyond_its_bounds_and_again_when_there_is_room() {
    for change in [
        |config: &mut PushConfig| config.max_cached_messages = 10,
        |config: &mut PushConfig| config.max_cached_bytes = 1020,
        |config: &mut PushConfig| config.max_span = 8,
        |config: &mut PushConfig| config.max_cached_messages_of_topic = Some(20),
        |config: &mut PushConfig| config.max_cached_bytes_of_topic = Some(2040),
    ] {
        let mut scene = Scene::new(change);
        scene.begin(2);
        scene.fill(0..10);
        assert_eq!(pulls(&mut scene), 0, "10 messages of 102 bytes are cached, of each queue");
        while let Some(delivery) = scene.deliver(4) {
            scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
        }
        assert_eq!(pulls(&mut scene), 2, "one for each queue");
    }
}

#[test]
fn each_pull_after_which_a_queue_has_no_room_for_more_is_counted_as_flow_controlled_however_the_room_went() {
    let mut scene = Scene::new(|config| config.max_cached_messages_of_topic = Some(20));
    scene.begin(1);
    scene.fill(0..12);
    let flow_controlled = |scene: &Scene| scene.consumer.totals.metrics.flow_controlled;
    assert_eq!(flow_controlled(&scene), 0, "20 may be cached of an only queue");
    scene.share(&[queue(0), queue(1)]);
    let asks = scene.wishes();
    let pull = asks.iter().find_map(|ask| match ask {
        Wish::Pull { asked: asked::Pull(id, ticket), .. } => Some((*id, *ticket)),
        _ => None,
    });
    let (id, ticket) = pull.expect("there was room for more");
    let nothing_new = answer(queue(0), PullStatus::NoNewMessage, 12, Bytes::new());
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(nothing_new));
    assert_eq!(flow_controlled(&scene), 1, "10 may be of each of two");
    for is_batch in [false, true] {
        let mut scene = Scene::new(|config| config.max_cached_messages = 10);
        scene.begin(1);
        for offsets in [0..9, 9..12] {
            let Wish::Pull { asked: asked::Pull(id, ticket), queue, .. } = scene.wish() else {
                panic!("there is room")
            };
            let pulled = if is_batch { found_batch(queue, offsets, false) } else { found(queue, offsets) };
            assert_eq!(flow_controlled(&scene), 0);
            scene.consumer.take_pulled(scene.now, id, ticket, Ok(pulled));
            scene.allocate();
        }
        assert_eq!((flow_controlled(&scene), pulls(&mut scene)), (1, 0), "as batches: {is_batch}");
    }
}

#[test]
fn an_application_may_commit_more_at_a_time_than_a_queue_caches() {
    let mut scene = locked(|config| (config.auto_commit, config.max_cached_messages) = (false, 5));
    for offset in 0..20 {
        let delivery = scene.deliver(1).unwrap();
        assert_eq!(offsets(&delivery), [offset]);
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
        if offset % 5 == 4 {
            let next = offset as u64 + 1;
            scene.fill(next..next + 5);
        }
    }
    assert_eq!(scene.consumer.status(scene.now).queues[0].cached_messages, 25);
}

#[test]
fn what_is_consumed_and_not_committed_comes_again_once_it_has_all_the_room_there_is() {
    let mut scene = locked(|config| (config.auto_commit, config.max_cached_bytes) = (false, 1000));
    scene.fill(5..10);
    for offset in 0..10 {
        let delivery = scene.deliver(1).unwrap();
        assert_eq!(offsets(&delivery), [offset]);
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    assert_eq!((pulls(&mut scene), scene.deliver(1).is_none()), (0, true));
    scene.pass(SECOND);
    for offset in 0..10 {
        let delivery = scene.deliver(1).unwrap();
        assert_eq!(offsets(&delivery), [offset]);
        let outcome = if offset == 9 { ConsumeOutcome::Commit } else { ConsumeOutcome::Success };
        scene.consumer.settle(scene.now, delivery.settlement, outcome);
    }
    assert_eq!(pulls(&mut scene), 1);
}

#[test]
fn no_more_is_in_work_than_may_be_and_queues_take_turns() {
    let mut scene = Scene::new(|config| config.max_in_work = 5);
    scene.begin(2);
    scene.fill(0..10);
    let deliveries: Vec<_> = std::iter::from_fn(|| scene.deliver(2)).collect();
    let queues: Vec<u32> = deliveries.iter().map(|delivery| delivery.queue.queue_id).collect();
    assert_eq!(queues, [0, 1, 0]);
    assert_eq!(deliveries.iter().map(|delivery| delivery.messages.len()).sum::<usize>(), 5);
    scene.consumer.settle(scene.now, deliveries[0].settlement, ConsumeOutcome::Success);
    assert_eq!(scene.deliver(9).unwrap().messages.len(), 2);
}

#[test]
fn the_application_is_told_once_until_it_finds_nothing() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    scene.fill(0..2);
    assert_eq!(scene.events().len(), 1);
    while scene.deliver(9).is_some() {}
    scene.fill(2..4);
    assert_eq!(scene.events().len(), 1);
}

#[test]
fn a_message_that_failed_is_sent_back_and_stays_until_the_broker_has_it() {
    let mut scene = Scene::new(|config| config.max_reconsume_times = Some(3));
    scene.begin(1);
    scene.fill(0..1);
    let delivery = scene.deliver(1).unwrap();
    scene.wishes();
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::ReconsumeLater(RetryDelay::Level(5)));
    let Wish::SendBack { asked: asked::SendBack(id, begun, offset), message } = scene.wish() else { panic!() };
    assert_eq!((message.delay_level, message.max_reconsume_times, message.physical_offset), (5, 3, 0));
    scene.consumer.take_sent_back(scene.now, id, begun, offset, Err(failed()));
    scene.commit_all();
    assert_eq!(scene.commits(), [] as [u64; 0]);
    scene.pass(5 * SECOND);
    let again = scene.deliver(1).expect("it is tried again here");
    assert_eq!(again.messages[0].1, 1, "and says that it has failed");
}

#[test]
fn a_message_counts_as_sent_back_once_the_broker_has_it_and_not_for_each_time_it_was_refused() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..1);
    for (answer, sent_back) in [(Err(failed()), 0), (Ok(()), 1)] {
        let delivery = scene.deliver(1).expect("it is there, or there again");
        scene.wishes();
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::ReconsumeLater(RetryDelay::Broker));
        let Wish::SendBack { asked: asked::SendBack(id, begun, offset), .. } = scene.wish() else { panic!() };
        scene.consumer.take_sent_back(scene.now, id, begun, offset, answer);
        assert_eq!(scene.consumer.totals.metrics.sent_back, sent_back);
        scene.pass(5 * SECOND);
    }
}

#[test]
fn a_pause_delivers_nothing_and_fetches_no_more_but_hears_what_a_held_pull_tells() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..5);
    let asks = scene.wishes();
    let Some(Wish::Pull { asked: asked::Pull(id, ticket), .. }) =
        asks.into_iter().find(|ask| matches!(ask, Wish::Pull { .. }))
    else {
        panic!("the next pull")
    };
    scene.consumer.pause(scene.now);
    assert!(scene.wishes().is_empty() && scene.deliver(1).is_none());
    // The broker tells of a reset of the offsets, which it does once.
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(answer(queue(0), PullStatus::OffsetIllegal, 2, Bytes::new())));
    assert!(!scene.wishes().iter().any(|ask| matches!(ask, Wish::Pull { .. })));
    assert_eq!(scene.consumer.offsets_of(TOPIC).get(&queue(0)), Some(&2));
    scene.consumer.resume(scene.now);
    scene.pass(SECOND);
    assert_eq!(pulls(&mut scene), 1);
}

#[test]
fn closing_waits_for_work_and_for_what_is_being_sent_back_then_for_the_last_commit() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    scene.fill(0..2);
    let (first, second) = (scene.deliver(1).unwrap(), scene.deliver(1).unwrap());
    scene.consumer.close(scene.now, 100 * SECOND);
    scene.wishes();
    scene.events();
    scene.consumer.settle(scene.now, first.settlement, ConsumeOutcome::Success);
    scene.consumer.settle(scene.now, second.settlement, ConsumeOutcome::ReconsumeLater(RetryDelay::Broker));
    let Wish::SendBack { asked: asked::SendBack(id, begun, offset), .. } = scene.wish() else { panic!() };
    assert!(scene.wishes().is_empty());
    scene.consumer.take_sent_back(scene.now, id, begun, offset, Ok(()));
    assert_eq!(scene.commits(), [2]);
    assert!(matches!(&*scene.events(), [PushEvent::Closed(left)] if left.is_empty()));
    assert!(scene.consumer.poll_timeout().is_none());
}

#[test]
fn closing_ends_at_its_time_and_says_what_was_in_work() {
    let mut scene = Scene::new(|config| config.commit_interval = 1000 * SECOND);
    scene.begin(1);
    scene.fill(0..3);
    let delivery = scene.deliver(1).unwrap();
    let _never_ends = scene.deliver(2).unwrap();
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.wishes();
    scene.events();
    scene.consumer.close(scene.now, 10 * SECOND);
    scene.pass(10 * SECOND - Duration::from_millis(1));
    assert!(scene.events().is_empty());
    scene.pass(Duration::from_millis(1));
    assert_eq!(scene.commits(), [1]);
    let events = scene.events();
    let [PushEvent::Closed(left)] = &*events else { panic!("{events:?}") };
    assert_eq!(left[0].offsets, [1, 2]);
}

#[test]
fn what_the_application_has_for_too_long_goes_back_and_frees_its_place_only_when_it_ends() {
    let mut scene = Scene::new(|config| {
        config.consume_timeout = 60 * SECOND;
        config.max_in_work = 1;
    });
    scene.begin(1);
    scene.fill(0..3);
    let delivery = scene.deliver(1).unwrap();
    scene.wishes();
    scene.pass(60 * SECOND);
    scene.wishes();
    scene.pass(60 * SECOND);
    let backs: Vec<_> = scene.wishes().into_iter().filter(|ask| matches!(ask, Wish::SendBack { .. })).collect();
    assert_eq!(backs.len(), 1);
    let notices = std::iter::from_fn(|| scene.consumer.poll_notice());
    let late: Vec<_> = notices.filter(|notice| notice.what.contains("longer than they may")).collect();
    let told = |name| late[0].get(name).unwrap_or_default();
    assert_eq!((late.len(), told("offset"), told("tries"), told("group").is_empty()), (1, "0", "1", false));
    assert!(scene.deliver(1).is_none(), "the handler still runs");
    assert!(!scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success));
    assert!(scene.deliver(1).is_some());
}

#[test]
fn an_orderly_message_that_cannot_go_to_the_dead_letters_is_not_overtaken() {
    let mut scene = locked(|config| config.max_reconsume_times = Some(0));
    let mut consumed = Vec::new();
    for _ in 0..30 {
        while let Some(delivery) = scene.deliver(1) {
            let is_first = offsets(&delivery) == [0];
            consumed.extend(offsets(&delivery));
            let outcome = if is_first && consumed.len() == 1 {
                ConsumeOutcome::SuspendCurrentQueue(None)
            } else {
                ConsumeOutcome::Success
            };
            scene.consumer.settle(scene.now, delivery.settlement, outcome);
            // The broker does not take it.
            for ask in scene.wishes() {
                if let Wish::SendBack { asked: asked::SendBack(id, begun, offset), .. } = ask {
                    scene.consumer.take_sent_back(scene.now, id, begun, offset, Err(failed()));
                }
            }
        }
        scene.pass(SECOND / 4);
    }
    assert_eq!(consumed, [0, 0, 1, 2, 3, 4]);
}

#[test]
fn a_broadcasting_consumer_has_no_broker_bring_a_message_again_in_whatever_order_it_consumes() {
    let mut scene = Scene::orderly(|config| config.message_model = MessageModel::Broadcasting);
    scene.pass(SECOND);
    scene.answer_queues(Ok(vec![queue(0)]));
    for ask in scene.wishes() {
        if let Wish::MinOffset { asked: asked::FirstOffset(id, ticket), .. } = ask {
            scene.consumer.take_first_offset(scene.now, id, ticket, Ok(Some(0)));
        }
    }
    scene.fill(0..2);
    let delivery = scene.deliver(1).expect("a message");
    scene.wishes();
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::ReconsumeLater(RetryDelay::Broker));
    let asks = scene.wishes();
    // It would lie in a retry topic that no broadcasting consumer reads.
    assert!(!asks.iter().any(|ask| matches!(ask, Wish::SendBack { .. })), "{asks:?}");
}

#[test]
fn nothing_is_counted_of_a_topic_that_is_not_subscribed_to_any_more() {
    let mut scene = locked(|_| {});
    let delivery = scene.deliver(1).expect("a message");
    scene.consumer.unsubscribe(scene.now, TOPIC);
    scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    scene.pass(30 * SECOND);
    scene.wishes();
    let status = scene.consumer.status(scene.now);
    assert!(status.consumed.is_empty(), "{:?}", status.consumed);
}

#[test]
fn closing_tells_of_a_message_that_never_ended_though_the_lock_of_its_queue_was_lost_meanwhile() {
    let mut scene = locked(|_| {});
    let delivery = scene.deliver(1).expect("a message");
    scene.consumer.handle_disconnected(scene.now, "a");
    scene.consumer.close(scene.now, SECOND);
    assert!(scene.events().iter().all(|event| !matches!(event, PushEvent::Closed(_))), "it waits for the handler");
    scene.pass(SECOND);
    scene.pass(2 * SECOND);
    scene.pass(SECOND);
    let closed = scene.events().into_iter().find_map(|event| match event {
        PushEvent::Closed(unfinished) => Some(unfinished),
        _ => None,
    });
    let told: Vec<_> = closed.expect("it is closed").into_iter().map(|left| (left.queue, left.offsets)).collect();
    assert_eq!(told, [(queue(0), vec![0])], "it never ended, and is delivered again");
    assert!(!scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success));
}
