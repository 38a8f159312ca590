//! What is not permitted: nothing comes, and that is said, once.

use super::super::asked;
use super::super::wish::Wish;
use super::scene::{SECOND, Scene, queue};
use crate::error::Error;
use crate::notice::Severity;
use crate::time::Duration;
use crate::wire::code::ResponseCode;

fn refused() -> Error {
    Error::refused(ResponseCode::NO_PERMISSION, Some("you may not"))
}

/// What a log has of warnings since this was asked for.
fn warnings(scene: &mut Scene) -> Vec<String> {
    let notices = core::iter::from_fn(|| scene.consumer.poll_notice());
    notices.filter(|notice| notice.severity == Severity::Warn).map(|notice| notice.to_string()).collect()
}

#[test]
fn a_topic_whose_pulls_are_not_permitted_is_warned_of_once_for_each_broker() {
    let mut scene = Scene::new(|_| {});
    scene.begin(2);
    let mut warned = Vec::new();
    let mut pulls = 0;
    for _ in 0..5 {
        for ask in scene.wishes() {
            if let Wish::Pull { asked: asked::Pull(id, ticket), .. } = ask {
                pulls += 1;
                scene.consumer.take_pulled(scene.now, id, ticket, Err(refused()));
            }
        }
        warned.extend(warnings(&mut scene));
        scene.pass(30 * SECOND);
    }
    assert!(pulls > 4, "{pulls} pulls");
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("a broker refuses it") && warned[0].contains("you may not"), "{warned:?}");
}

#[test]
fn a_topic_whose_route_is_not_permitted_is_warned_of_once_and_asked_for_again() {
    let mut scene = Scene::new(|_| {});
    scene.pass(Duration::ZERO);
    let mut warned = Vec::new();
    for _ in 0..5 {
        scene.answer_queues(Err(refused()));
        warned.extend(warnings(&mut scene));
        scene.pass(30 * SECOND);
    }
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("its route is refused"), "{warned:?}");
    scene.answer_queues(Ok(vec![queue(0)]));
}
