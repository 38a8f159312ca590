//! What a broker says of an expression: nothing is fetched before one takes it.

use super::scene::{SECOND, Scene, TOPIC, failed, play};
use crate::consumer::MessageSelector;
use crate::error::Error;
use crate::queue::MessageQueue;
use crate::wire::code::ResponseCode;

fn sql() -> MessageSelector {
    MessageSelector::by_sql("a > 1").unwrap()
}

#[test]
fn a_broker_that_is_away_does_not_keep_an_sql_consumer_from_the_queues_of_another() {
    let mut scene = Scene::new(|_| {});
    scene.consumer.subscribe(scene.now, TOPIC, sql()).unwrap();
    let queues = [MessageQueue::new(TOPIC, "a", 0), MessageQueue::new(TOPIC, "b", 0)];
    let mut pulled = Vec::new();
    for _ in 0..120 {
        scene.pass(SECOND);
        pulled.extend(play(
            &mut scene,
            &queues,
            |queue| if &*queue.broker_name == "a" { Err(failed()) } else { Ok(()) },
        ));
    }
    assert!(pulled.iter().any(|queue| &*queue.broker_name == "b"), "two minutes, and nothing of the healthy broker");
}

#[test]
fn a_broker_that_is_busy_for_a_moment_does_not_refuse_an_expression() {
    let mut scene = Scene::new(|_| {});
    scene.consumer.subscribe(scene.now, TOPIC, sql()).unwrap();
    let queues = [MessageQueue::new(TOPIC, "a", 0)];
    scene.pass(SECOND);
    play(&mut scene, &queues, |_| Err(Error::refused(ResponseCode::SYSTEM_BUSY, Some("[TIMEOUT_CLEAN_QUEUE]"))));
    let notices: Vec<String> =
        std::iter::from_fn(|| scene.consumer.poll_notice()).map(|notice| format!("{notice:?}")).collect();
    let untrue: Vec<_> = notices.iter().filter(|notice| notice.contains("does not take an expression")).collect();
    let mut pulled = Vec::new();
    let mut seconds = 0;
    while pulled.is_empty() && seconds < 60 {
        scene.pass(SECOND);
        seconds += 1;
        pulled = play(&mut scene, &queues, |_| Ok(()));
    }
    assert!(seconds < 5 && untrue.is_empty(), "fetched after {seconds} s; {untrue:?}");
}
