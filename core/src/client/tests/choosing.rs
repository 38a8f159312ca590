//! Selectors of the application: asked outside, and the order of the calls stays.

use std::sync::Arc;

use super::scene::ms;
use super::*;
use crate::producer::{Choice, QueueChoice, Spent, SpentOther};
use crate::queue::MessageQueue;
use crate::time::Duration;
use crate::wire::code::RequestCode;

const SEND: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn last() -> SendOptions {
    QueueChoice::Selector(Arc::new(|queues: &[MessageQueue], _: &Message| queues.len() - 1)).into()
}

fn begin(scene: &mut Scene, producer: ProducerId, number: u8, options: SendOptions) -> Pending<Receipt> {
    let message = Message::new("T", vec![number]).key("k");
    let operation = scene.client.send_in_turn(scene.now, producer, message, options).expect("a line takes all");
    scene.settle();
    operation
}

/// The choices that the application is asked to make.
fn asked(scene: &mut Scene) -> Vec<(OperationId, Choice)> {
    let mut asked = Vec::new();
    scene.events.retain(|event| {
        if let Event::Choose { operation, choice } = event {
            asked.push((*operation, Choice::clone(choice)));
        }
        !matches!(event, Event::Choose { .. })
    });
    asked
}

fn sent_to(scene: &Scene) -> Vec<(u8, String)> {
    scene.asked_of("a:1", SEND).iter().map(|asked| (asked.command.body[0], asked.field("e"))).collect()
}

#[test]
fn later_sends_of_a_producer_wait_for_an_earlier_choice_and_others_do_not() {
    for is_known in [true, false] {
        let mut scene = scene_of(&["a"]);
        scene.answers_choices = false;
        let (producer, other) = (
            start_producer(&mut scene, ProducerConfig::default()),
            start_producer(&mut scene, ProducerConfig::default()),
        );
        if is_known {
            send_and_wait(&mut scene, other).unwrap();
        }
        let queue = || SendOptions::from(MessageQueue::new("T", "a", 1));
        let sends = [
            begin(&mut scene, producer, 0, last()),
            begin(&mut scene, producer, 1, queue()),
            begin(&mut scene, producer, 2, last()),
            begin(&mut scene, producer, 3, queue()),
        ];
        let full = scene.client.send(scene.now, producer, message(), SendOptions::default()).unwrap_err();
        assert_eq!(full.error.kind(), ErrorKind::Full);
        send_and_wait(&mut scene, other).unwrap();
        let before = sent_to(&scene).len();
        for first in [0, 2] {
            let choices = asked(&mut scene);
            let [(operation, choice)] = &choices[..] else { panic!("{choices:?}") };
            assert_eq!(*operation, sends[first].id());
            assert_eq!((choice.queues.len(), &choice.message.body()[..]), (2, &[first as u8][..]));
            assert_eq!(choice.message.properties().get("KEYS"), Some("k"));
            let queue = choice.ask();
            assert!(scene.client.chosen(scene.now, *operation, choice.message.clone(), queue).is_none());
            scene.settle();
        }
        for operation in sends {
            scene.wait(operation).unwrap();
        }
        let sent: Vec<_> = sent_to(&scene).split_off(before);
        let expected: Vec<_> = (0..4).map(|number| (number, "1".to_owned())).collect();
        assert_eq!(sent, expected, "the route was known: {is_known}");
    }
}

#[test]
fn a_choice_that_is_never_made_ends_its_send_in_time_and_then_the_others_go_on() {
    let mut scene = scene_of(&["a"]);
    scene.answers_choices = false;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    let hangs = begin(&mut scene, producer, 1, last());
    let patient = SendOptions { timeout: Some(Duration::from_secs(10)), ..SendOptions::default() };
    let waits = begin(&mut scene, producer, 2, patient);
    let failed = error(scene.wait(hangs));
    assert_eq!((failed.kind(), millis(&scene)), (ErrorKind::Timeout, 3000));
    assert!(failed.to_string().contains("topic T") && failed.to_string().contains("selector"), "{failed}");
    scene.wait(waits).unwrap();
    let (operation, choice) = asked(&mut scene).remove(0);
    let queue = choice.ask();
    let back = scene.client.chosen(scene.now, operation, choice.message, queue);
    assert_eq!(&back.expect("nobody waits for it any more").body()[..], [1]);
    assert_eq!(scene.client.backlog(producer).unwrap().messages, 0);
}

#[test]
fn a_send_that_is_cancelled_while_its_queue_is_chosen_is_not_sent() {
    let mut scene = scene_of(&["a"]);
    scene.answers_choices = false;
    let producer = start_producer(&mut scene, ProducerConfig::default());
    send_and_wait(&mut scene, producer).unwrap();
    let operation = begin(&mut scene, producer, 1, last());
    let next = begin(&mut scene, producer, 2, SendOptions::default());
    scene.client.cancel(scene.now, operation);
    scene.wait(next).unwrap();
    let (operation, choice) = asked(&mut scene).remove(0);
    let queue = choice.ask();
    assert!(scene.client.chosen(scene.now, operation, choice.message, queue).is_some());
    scene.run_for(ms(100));
    assert_eq!(sent_to(&scene).len(), 2);
}

#[test]
fn what_a_send_had_of_the_application_is_given_back_when_it_is_over_if_that_is_wanted() {
    let mut scene = scene_of(&["a"]);
    scene.client.keep_spent();
    let producer = start_producer(&mut scene, ProducerConfig { max_waiting_messages: 1, ..ProducerConfig::default() });
    let mut spent = Spent::default();
    // One that succeeds, one that is cancelled, one that is cancelled in line, with its selector.
    send_and_wait(&mut scene, producer).unwrap();
    scene.client.take_spent(&mut spent);
    assert_eq!(spent.bodies, ["hello"]);
    scene.on("a:1", SEND, |_| None);
    let first = begin(&mut scene, producer, 1, SendOptions::default());
    let in_line = begin(&mut scene, producer, 2, last());
    for operation in [in_line, first] {
        scene.client.cancel(scene.now, operation);
    }
    spent.drain(|drop_it| drop_it());
    scene.client.take_spent(&mut spent);
    assert_eq!(spent.bodies, [vec![2], vec![1]]);
    assert!(matches!(spent.others.as_deref().map(Vec::as_slice), Some([SpentOther::Selector(_)])), "{spent:?}");
    // A long body lies in its connection where it is, also when nobody wants it any more.
    scene.set_reading("a:1", false);
    let long = Message::new("T", vec![7; 1 << 16]);
    let operation = scene.client.send_in_turn(scene.now, producer, long, SendOptions::default()).unwrap();
    scene.client.cancel(scene.now, operation);
    scene.cut("a:1", "gone");
    spent.drain(|drop_it| drop_it());
    scene.client.take_spent(&mut spent);
    let mut others = spent.others.iter().flat_map(|others| others.iter());
    let is_long = |other: &SpentOther| matches!(other, SpentOther::Unwritten(outbox) if outbox.len() >= 1 << 16);
    assert!(others.any(is_long), "{spent:?}");
}
