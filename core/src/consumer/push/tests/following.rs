//! What an application follows and steers of its queues: readiness, and seeking before a queue has begun.

use super::super::asked;
use super::super::wish::Wish;
use super::super::{ConsumeOutcome, PushEvent};
use super::scene::{ME, SECOND, Scene, TOPIC, queue};
use crate::consumer::push::MessageModel;
use crate::error::{Error, ErrorKind};
use crate::sorted::SortedSet;
use crate::time::Duration;

/// Answers a question for locks: all, or none.
fn grant(scene: &mut Scene, is_granted: bool) {
    for ask in scene.wishes() {
        if let Wish::Lock { asked: asked::Lock { ticket, queues: ids, at }, queues } = ask {
            let granted: SortedSet<_> = queues.into_iter().filter(|_| is_granted).collect();
            scene.consumer.take_locked(scene.now, ticket, (&ids, at), Ok(granted));
        }
    }
}

#[test]
fn a_seek_in_a_queue_that_waits_for_its_lock_counts_however_long_the_lock_takes() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME, "other"]);
    assert!(scene.consumer.seek(scene.now, &queue(0), 7), "it is ours");
    // The member that had it before hands it over; it knows nothing of a seek here.
    for _ in 0..4 {
        grant(&mut scene, false);
        scene.pass(Duration::from_millis(500));
    }
    grant(&mut scene, true);
    scene.begin_at(3);
    let status = scene.consumer.status(scene.now);
    assert_eq!(status.queues[0].fetch_offset, 7, "the next message that is delivered of it is the one at `offset`");
}

#[test]
fn a_consumer_is_not_ready_while_a_queue_of_its_share_still_has_to_come_back() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    grant(&mut scene, true);
    scene.begin_at(0);
    scene.fill(0..3);
    // It is in hand, and so holds the queue up.
    assert!(scene.deliver(1).is_some());
    scene.share(&[]);
    scene.share(&[queue(0)]);
    let status = scene.consumer.status(scene.now);
    assert_eq!((status.queues.len(), status.queues[0].is_consuming), (1, false), "its share is not consumed");
    scene.consumer.await_ready(scene.now);
    let is_ready = scene.events().iter().any(|event| matches!(event, PushEvent::Ready));
    assert_eq!((is_ready, status.lag()), (false, None), "three messages are left, and the queue has not begun");
}

#[test]
fn a_seek_is_committed_also_when_the_queue_leaves_before_it_begins() {
    let mut scene = Scene::new(|config| config.follows_queues = true);
    scene.rebalance(1, &[ME]);
    assert!(scene.consumer.seek(scene.now, &queue(0), 7), "it is ours");
    scene.pass(5 * SECOND);
    let mut commits = scene.commits();
    scene.share(&[]);
    commits.extend(scene.commits());
    for _ in 0..3 {
        scene.pass(10 * SECOND);
        commits.extend(scene.commits());
    }
    assert_eq!(scene.consumer.queues.len(), 0, "it has left");
    assert_eq!(commits, [7], "the offset is committed at once");
}

#[test]
fn a_consumer_is_not_ready_when_a_topic_has_appeared_and_nobody_says_yet_whose_its_queues_are() {
    let mut scene = Scene::new(|_| {});
    scene.pass(Duration::ZERO);
    scene.answer_queues(Err(Error::new(ErrorKind::TopicNotFound, "")));
    scene.consumer.await_ready(scene.now);
    let is_ready = |scene: &mut Scene| scene.events().iter().any(|event| matches!(event, PushEvent::Ready));
    assert!(is_ready(&mut scene), "the topic does not exist yet");
    scene.pass(SECOND);
    scene.answer_queues(Ok(vec![queue(0)]));
    // The broker that is to say who the members are is away.
    scene.answer_members(Err(super::scene::failed()));
    scene.consumer.await_ready(scene.now);
    assert!(!is_ready(&mut scene), "the topic exists, its queue is our share, and we have not begun with it");
}

#[test]
fn a_broadcasting_consumers_queue_that_comes_back_goes_on_where_it_was_and_not_at_an_old_seek() {
    let mut scene = Scene::new(|config| {
        config.message_model = MessageModel::Broadcasting;
        config.follows_queues = true;
    });
    let done = |scene: &mut Scene| {
        for event in scene.events() {
            if let PushEvent::Assigned(told) = event {
                scene.consumer.rebalanced(scene.now, &told);
            }
        }
    };
    scene.pass(Duration::ZERO);
    scene.answer_queues(Ok(vec![queue(0)]));
    done(&mut scene);
    for ask in scene.wishes() {
        if let Wish::MinOffset { asked: asked::FirstOffset(id, ticket), .. } = ask {
            scene.consumer.take_first_offset(scene.now, id, ticket, Ok(Some(0)));
        }
    }
    assert!(scene.consumer.seek(scene.now, &queue(0), 1));
    scene.fill(1..9);
    while let Some(delivery) = scene.deliver(8) {
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.pass(30 * SECOND);
    scene.consumer.offsets_stored(scene.now, true);
    assert_eq!(scene.consumer.status(scene.now).queues[0].offset, 9);
    // Its broker is left out of a route, and is in the next one.
    scene.consumer.share(scene.now, TOPIC, None, &[]);
    scene.consumer.share(scene.now, TOPIC, None, &[queue(0)]);
    scene.consumer.attend(scene.now);
    scene.pass(20 * SECOND);
    done(&mut scene);
    scene.pass(20 * SECOND);
    assert_eq!(scene.consumer.status(scene.now).queues[0].fetch_offset, 9, "what is consumed comes no more");
}

#[test]
fn whatever_ends_brokers_say_that_queues_have_the_lag_is_a_number() {
    let mut scene = Scene::new(|_| {});
    scene.begin(3);
    for ask in scene.wishes() {
        if let Wish::Pull { asked: asked::Pull(id, ticket), queue, .. } = ask {
            let mut pulled = super::scene::found(queue, 0..1);
            pulled.max_offset = i64::MAX as u64;
            scene.consumer.take_pulled(scene.now, id, ticket, Ok(pulled));
        }
    }
    // As `Client::metrics` asks under the lock, and `ConsumerStatus::lag` the application.
    assert!(scene.consumer.metrics().lag.is_some());
    assert!(scene.consumer.status(scene.now).lag().is_some());
}

#[test]
fn a_listener_hears_that_a_queue_was_somebody_elses_before_it_goes_on() {
    let mut scene = Scene::orderly(|config| config.follows_queues = true);
    scene.rebalance(1, &[ME, "other"]);
    for event in scene.events() {
        if let PushEvent::Assigned(told) = event {
            scene.consumer.rebalanced(scene.now, &told);
        }
    }
    grant(&mut scene, true);
    scene.begin_at(0);
    scene.fill(0..3);
    while let Some(delivery) = scene.deliver(1) {
        scene.consumer.settle(scene.now, delivery.settlement, ConsumeOutcome::Success);
    }
    scene.commit_all();
    assert_eq!(scene.commits(), [3]);
    // We are cut off; the other member gets the lock, consumes up to 50, and gives it back once we are there again.
    scene.consumer.handle_disconnected(scene.now, "a");
    for _ in 0..40 {
        grant(&mut scene, false);
        scene.pass(SECOND / 2);
    }
    let is_revoked = |event: &PushEvent| matches!(event, PushEvent::Revoked(_));
    assert!(scene.events().iter().any(is_revoked), "what the application keeps of the queue is of before");
    grant(&mut scene, true);
    assert!(scene.wishes().is_empty(), "the application is to take it over again first");
    for event in scene.events() {
        if let PushEvent::Assigned(told) = event {
            scene.consumer.rebalanced(scene.now, &told);
        }
    }
    scene.begin_at(50);
    assert_eq!(scene.consumer.status(scene.now).queues[0].fetch_offset, 50, "the other has consumed it");
}

#[test]
fn a_seek_in_a_queue_that_leaves_is_refused_and_changes_nothing() {
    let mut scene = Scene::orderly(|_| {});
    scene.rebalance(1, &[ME]);
    grant(&mut scene, true);
    scene.begin_at(3);
    scene.fill(3..6);
    assert!(scene.deliver(1).is_some(), "it is in hand, and so holds the queue up");
    scene.share(&[]);
    assert!(!scene.consumer.seek(scene.now, &queue(0), 0), "it is another member's now");
    assert_eq!(scene.consumer.status(scene.now).queues[0].offset, 3);
}
