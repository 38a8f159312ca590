//! A whole client by its public verbs, in virtual time, against scripted servers.

mod access;
mod administration;
mod brokers;
mod captured;
mod choosing;
mod closing;
mod connecting;
mod determinism;
mod dialects;
mod following;
mod giving_up;
mod groups;
mod heartbeats;
mod limits;
mod lines;
mod lost_brokers;
mod malformed;
mod messages;
mod offsets;
mod oneways;
mod pulls;
mod push_consumers;
mod resets;
mod retries;
mod riding_out;
mod routes;
mod scene;
mod sends;
mod servers;
mod standing_still;
mod tls;

use scene::Scene;

use super::{ClientConfig, Event, OperationId, Pending, ProducerId};
use crate::address::parse_list;
use crate::error::{Error, ErrorKind};
use crate::producer::{Message, ProducerConfig, Receipt, SendOptions};

/// The moment of a test, in milliseconds since it began.
fn millis(scene: &Scene) -> u64 {
    u64::try_from(scene.elapsed().as_millis()).expect("a short test")
}

fn scene_with(name_servers: &str) -> Scene {
    Scene::new(ClientConfig::new(parse_list(name_servers).expect("addresses")), 1)
}

/// One name server, and the topic `T` with two queues at each of these brokers.
fn scene_of(brokers: &[&str]) -> Scene {
    let mut scene = scene_with("ns:1");
    scene.server("ns:1");
    for name in brokers {
        scene.server(&format!("{name}:1"));
    }
    scene.book.route("T", brokers, 2);
    scene
}

fn start_producer(scene: &mut Scene, config: ProducerConfig) -> ProducerId {
    scene.client.start_producer(scene.now, "P", config).expect("a producer")
}

fn message() -> Message {
    Message::new("T", "hello")
}

fn send(scene: &mut Scene, producer: ProducerId, options: SendOptions) -> Pending<Receipt> {
    scene.client.send(scene.now, producer, message(), options).expect("a send that begins")
}

/// Sends a message and waits for what comes of it.
fn send_and_wait(scene: &mut Scene, producer: ProducerId) -> Result<Receipt, Error> {
    let operation = send(scene, producer, SendOptions::default());
    scene.wait(operation)
}

fn error<T: core::fmt::Debug>(outcome: Result<T, Error>) -> Error {
    outcome.expect_err("a failure")
}

fn kind<T: core::fmt::Debug>(outcome: Result<T, Error>) -> ErrorKind {
    error(outcome).kind()
}

/// Whether the scene's events hold this one, which is then picked up.
fn took(scene: &mut Scene, wanted: impl Fn(&Event) -> bool) -> bool {
    scene.settle();
    let at = scene.events.iter().position(wanted);
    at.map(|at| scene.events.remove(at)).is_some()
}
