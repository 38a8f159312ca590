//! What an application follows of its client, in the order in which it happens.

use super::scene::ms;
use super::*;
use crate::client::Event;

#[test]
fn nothing_happens_to_a_client_that_is_closed() {
    let mut scene = scene_of(&["a"]);
    let _statistics = scene.client.topic_list(scene.now);
    scene.run_for(ms(100));
    let _drained: Vec<_> = std::iter::from_fn(|| scene.client.poll_event()).collect();
    scene.client.abort(scene.now);
    let told: Vec<_> = std::iter::from_fn(|| scene.client.poll_event()).collect();
    let told: Vec<_> = told.iter().filter(|event| matches!(event, Event::Closed | Event::Client(_))).collect();
    assert!(told.len() > 1 && matches!(told.last(), Some(Event::Closed)), "{told:?}");
}
