//! Whatever becomes of sends, each is counted once, what is in flight adds up, and every flush ends.
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use stgclient::SendOptions;
use stgclient_core::time::Duration;
use stgclient_servers::{Force, Forced};

use super::stage::{BROKER_A, SECOND, Stage, begun, message, queue};

type Running = Pin<Box<dyn Future<Output = ()>>>;

async fn is_over(future: &mut Running) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[test]
fn every_send_is_counted_once_and_every_flush_ends() {
    for seed in 0..150_u64 {
        let mut chance = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut draw = move |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % below
        };
        let stage = Stage::new(1, 2).with_topic("t", 2);
        stage.world.block_on(async {
            let client = stage.client().await;
            let sender = client.producer("producers").max_waiting(2, 1 << 20).start().await.expect("a producer");
            let (mut accepted, mut running, mut flushes): (u64, Vec<Running>, Vec<Running>) = (0, vec![], vec![]);
            for _ in 0..60 {
                match draw(12) {
                    0..3 => {
                        accepted += 1;
                        let send = begun(sender.send(message("t"))).await;
                        running.push(Box::pin(async { _ = send.await }));
                    }
                    3 => {
                        if let Ok(send) = sender.try_send(message("t"), SendOptions::new()) {
                            accepted += 1;
                            let send = begun(send).await;
                            running.push(Box::pin(async { _ = send.await }));
                        }
                    }
                    4 => {
                        accepted += 1;
                        let send = begun(sender.send_oneway(message("t"))).await;
                        running.push(Box::pin(async { _ = send.await }));
                    }
                    5 => {
                        accepted += 1;
                        let send = begun(sender.send_to(message("t"), queue("broker-a", 9))).await;
                        running.push(Box::pin(async { _ = send.await }));
                    }
                    6 => {
                        let flushing = sender.clone();
                        let flush: Running = Box::pin(async move { flushing.flush().await });
                        let mut flush = flush;
                        if !is_over(&mut flush).await {
                            flushes.push(flush);
                        }
                    }
                    7 if !running.is_empty() => drop(running.swap_remove(draw(running.len() as u64) as usize)),
                    8 if !flushes.is_empty() => drop(flushes.swap_remove(draw(flushes.len() as u64) as usize)),
                    9 => stage.sleep(Duration::from_millis(draw(700))).await,
                    10 => stage.world.network().delay(BROKER_A, Duration::from_millis(draw(5) * 400)),
                    11 => {
                        let forced = [Forced::busy(), Forced::Lost, Forced::Unanswered, Forced::Twice];
                        let forced = forced[draw(4) as usize].clone();
                        stage.on_broker_a(|broker| broker.force(Force::sends(forced).times(2)));
                        if draw(4) == 0 {
                            stage.world.network().reset(BROKER_A);
                        }
                    }
                    _ => {}
                }
                let metrics = client.metrics();
                let open = (metrics.messages_in_flight + metrics.messages_in_line) as u64;
                assert_eq!(metrics.all_sends().total() + open, accepted, "seed {seed}: {metrics:?}");
            }
            if seed % 2 == 0 {
                let closing = sender.clone();
                let mut close: Running = Box::pin(async move { closing.close().await });
                if !is_over(&mut close).await {
                    flushes.push(close);
                }
            }
            if seed % 3 == 0 {
                client.close().await;
            } else {
                stage.sleep(20 * SECOND).await;
            }
            for flush in &mut flushes {
                assert!(is_over(flush).await, "seed {seed}: a flush does not end");
            }
            let metrics = client.metrics();
            assert_eq!((metrics.messages_in_flight, metrics.messages_in_line, metrics.bytes_in_flight), (0, 0, 0));
            assert_eq!(metrics.all_sends().total(), accepted, "seed {seed}: {metrics:?}");
        });
    }
}
