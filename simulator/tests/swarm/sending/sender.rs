//! Someone who sends in every form, one message or several at once, and starts anew now and then.

use std::sync::Arc;

use stgclient::Producer;
use stgclient_core::producer::{Message, QueueChoice, SendOptions};

use super::ledger::{Body, Ledger};
use super::{BROKERS, RECOVERY, SECOND, Seat, TOPIC};

pub(super) async fn run(mut seat: Seat) {
    let ledger = Arc::clone(&seat.ledger);
    ledger.begins();
    let mut number = 0;
    let (client, producer) = loop {
        let client = seat.client().await;
        let tries = 1 + seat.random.below(4) as u32;
        let producer = client.producer("senders").max_tries(tries).start().await.expect("a producer");
        let rounds = 5 + seat.random.below(60);
        for _ in 0..rounds {
            if seat.is_over() {
                break;
            }
            send(&mut seat, &producer, &mut number).await;
            let most = if seat.random.below(8) == 0 { 4 * SECOND } else { SECOND / 2 };
            seat.pause(most).await;
        }
        if seat.is_over() {
            break (client, producer);
        }
        if seat.random.below(2) == 0 {
            seat.close(client).await;
        }
    };
    // All has been well for a while, so the client that saw the trouble is well too.
    seat.machine.sleep_to(seat.end + RECOVERY - 5 * SECOND).await;
    for _ in 0..2 * BROKERS {
        let (body, message) = next(&seat, &mut number);
        let options = SendOptions::new().timeout(SECOND);
        producer
            .send_to(message, options)
            .await
            .unwrap_or_else(|error| panic!("[all-is-well-again] {body}: {error:?}"));
    }
    seat.close(client).await;
    ledger.ends();
}

fn next(seat: &Seat, number: &mut u32) -> (Body, Message) {
    *number += 1;
    let body = format!("{}-{number}", seat.number);
    seat.ledger.sent(&body);
    let message = Message::new(TOPIC, body.clone()).tag(if number.is_multiple_of(3) { "third" } else { "other" });
    (body, message)
}

fn choice(seat: &mut Seat) -> SendOptions {
    let key = seat.random.below(5);
    SendOptions::from(match seat.random.below(4) {
        0 => QueueChoice::Hash(format!("key {key}")),
        1 => QueueChoice::Random,
        _ => QueueChoice::RoundRobin,
    })
}

/// One message, or several at once, in one form.
async fn send(seat: &mut Seat, producer: &Producer, number: &mut u32) {
    let begin = seat.machine.clock().mono;
    match seat.random.below(8) {
        0 => {
            let (_, message) = next(seat, number);
            let options = choice(seat);
            if let Err(error) = producer.send_oneway_to(message, options).await {
                seat.ledger.failed("oneway", &error);
            }
            seat.ledger.took("oneway", seat.machine.clock().mono.since(begin), 3 * SECOND);
        }
        1 => {
            let (body, message) = next(seat, number);
            let (ledger, machine): (Arc<Ledger>, _) = (Arc::clone(&seat.ledger), Arc::clone(&seat.machine));
            let told = move |result| {
                ledger.took("callback", machine.clock().mono.since(begin), 3 * SECOND);
                ledger.answered("callback", &body, result);
            };
            producer.send_with(message, choice(seat), told).expect("there is room");
        }
        2 => {
            let (_, message) = next(seat, number);
            let sending = producer.send_to(message, choice(seat));
            seat.pause(SECOND / 50).await;
            drop(sending);
        }
        form => {
            let count = if form == 3 { 30 } else { 1 + seat.random.below(4) };
            let mut sends = Vec::new();
            for _ in 0..count {
                let (body, message) = next(seat, number);
                sends.push((body, producer.send_to(message, choice(seat))));
            }
            for (body, sending) in sends {
                let result = sending.await;
                seat.ledger.took("send", seat.machine.clock().mono.since(begin), 3 * SECOND);
                seat.ledger.answered("send", &body, result);
            }
        }
    }
}
