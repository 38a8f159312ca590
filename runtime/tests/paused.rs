//! A runtime whose clock is paused, as tests have it (`#[tokio::test(start_paused = true)]`): time passes when nobody has
//! anything to do.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stgclient::{Client, ConsumeFrom, Message, ReconsumeLater, RetryDelay};
use tokio::runtime::Builder;

/// Long enough that a slow machine does not matter, short enough that "never" shows.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_client_has_nothing_to_do_while_the_clock_of_its_runtime_is_paused() {
    let (done, ended) = channel();
    let thread = std::thread::Builder::new().spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let client = Client::embedded().await.unwrap();
            let producer = client.producer("P").start().await.unwrap();
            producer.send(Message::new("T", "body")).await.unwrap();
            // An hour of the paused clock passes at once, if the runtime is ever idle.
            tokio::time::sleep(Duration::from_secs(3600)).await;
            producer.send(Message::new("T", "body")).await.expect("heartbeats and time-outs follow the same clock");
            client.close().await;
        });
        done.send(()).unwrap();
    });
    drop(thread.unwrap());
    ended.recv_timeout(SOON).expect("the client spins: its timers sleep by one clock and look at another");
}

#[tokio::test(start_paused = true)]
async fn what_comes_later_comes_by_the_paused_clock() {
    let client = Client::embedded().await.unwrap();
    let times = Arc::<Mutex<Vec<tokio::time::Instant>>>::default();
    let noted = Arc::clone(&times);
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.concurrently(move |message| {
        noted.lock().unwrap().push(tokio::time::Instant::now());
        async move {
            match message.reconsume_times() {
                // A minute.
                0 => Err(ReconsumeLater::after(RetryDelay::Level(5))),
                _ => Ok(()),
            }
        }
    });
    let consumer = consumer.start().await.unwrap();
    client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let took = times.lock().unwrap().windows(2).map(|two| two[1] - two[0]).collect::<Vec<_>>();
    assert!(matches!(&*took, [took] if (60..70).contains(&took.as_secs())), "{took:?}");
    consumer.close().await;
    client.close().await;
}
