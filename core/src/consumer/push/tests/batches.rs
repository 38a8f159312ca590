//! Inner batches of a pull: opened outside, and taken in only where they are still awaited.

use super::super::asked;
use super::super::wish::Wish;
use super::super::{ConsumeOutcome, Opened, PushEvent};
use super::scene::{ME, Scene, found, found_batch};
use crate::consumer::Pulled;

/// A consumer of one queue gets this pulled; gives what it wants opened.
fn pulled(scene: &mut Scene, change: impl FnOnce(Pulled) -> Pulled) -> Opened {
    let Wish::Pull { asked: asked::Pull(id, ticket), queue, offset, .. } = scene.wish() else { panic!() };
    let pulled = change(found_batch(queue, offset..offset + 5, false));
    scene.consumer.take_pulled(scene.now, id, ticket, Ok(pulled));
    let mut unopened = None;
    while let Some(event) = scene.consumer.poll_event() {
        if let PushEvent::Open(found) = event {
            unopened = Some(found);
        }
    }
    unopened.expect("there is a batch").open()
}

fn offsets(scene: &mut Scene) -> Vec<i64> {
    let deliveries = std::iter::from_fn(|| scene.deliver(9));
    deliveries.flat_map(|delivery| delivery.messages).map(|(message, _)| message.fields.queue_offset).collect()
}

#[test]
fn the_messages_of_a_batch_come_in_their_order_between_those_before_and_behind_it() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let opened = pulled(&mut scene, |batch| {
        let (before, behind) = (found(batch.queue.clone(), 0..2), found(batch.queue.clone(), 7..9));
        let batch = found_batch(batch.queue, 2..7, false);
        let body = [before.body, batch.body, behind.body.clone()].concat().into();
        Pulled { body, ..behind }
    });
    assert!(scene.wishes().is_empty(), "nothing is fetched before it is open");
    scene.consumer.check_reasons(scene.now.mono);
    scene.consumer.take_opened(scene.now, opened);
    assert_eq!(offsets(&mut scene), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(matches!(&*scene.wishes(), [Wish::Pull { offset: 9, .. }]));
}

#[test]
fn a_batch_that_does_not_fit_beside_those_before_it_is_fetched_again() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let opened = pulled(&mut scene, |batch| {
        let [first, second] =
            [0..100_000, 100_000..200_000].map(|offsets| found_batch(batch.queue.clone(), offsets, false));
        Pulled { body: [first.body, second.body.clone()].concat().into(), ..second }
    });
    scene.consumer.take_opened(scene.now, opened);
    assert_eq!(scene.consumer.status(scene.now).queues[0].fetch_offset, 100_000);
}

#[test]
fn a_record_of_a_batch_that_cannot_be_read_is_passed_over_alone_and_told() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let opened = pulled(&mut scene, |batch| found_batch(batch.queue, 0..5, true));
    scene.consumer.take_opened(scene.now, opened);
    assert_eq!(offsets(&mut scene), [0, 1, 2, 3]);
    let status = scene.consumer.status(scene.now);
    assert_eq!((status.queues[0].passed_over, status.queues[0].last_passed_over), (1, Some(4)));
    assert_eq!(status.queues[0].fetch_offset, 5);
}

#[test]
fn a_batch_that_is_open_only_after_its_queue_goes_on_elsewhere_is_nothing() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let opened = pulled(&mut scene, |batch| batch);
    let reset = [(super::scene::queue(0), 30)].into();
    scene.consumer.reset_offsets(scene.now, super::scene::TOPIC, &reset);
    scene.consumer.take_opened(scene.now, opened.clone());
    assert_eq!(offsets(&mut scene), [] as [i64; 0]);
    scene.share(&[]);
    scene.consumer.take_opened(scene.now, opened);
    scene.consumer.check_reasons(scene.now.mono);
}

#[test]
fn closing_does_not_wait_for_a_batch_that_nobody_opens() {
    let mut scene = Scene::new(|_| {});
    scene.rebalance(1, &[ME]);
    scene.begin_at(0);
    let _never = pulled(&mut scene, |batch| batch);
    scene.consumer.close(scene.now, super::scene::SECOND);
    scene.commits();
    assert!(matches!(&*scene.events(), [PushEvent::Closed(left)] if left.is_empty()));
}

#[test]
fn what_is_settled_of_a_batch_is_committed_up_to_its_first_unfinished_message() {
    let mut scene = Scene::new(|_| {});
    scene.begin(1);
    let opened = pulled(&mut scene, |batch| batch);
    scene.consumer.take_opened(scene.now, opened);
    let (first, _second) = (scene.deliver(3).unwrap(), scene.deliver(1).unwrap());
    scene.consumer.settle(scene.now, first.settlement, ConsumeOutcome::Success);
    scene.commit_all();
    assert_eq!(scene.commits(), [3]);
}
