//! Sends of several threads: what is handed in is taken in, every future ends, the order of a thread's calls stays.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::{Message, QueueChoice, SendOptions};
use stgclient_core::queue::MessageQueue;
use stgclient_core::time::Duration;
use stgclient_servers::{Force, Forced};

use super::explore;

#[test]
fn every_send_of_several_threads_ends_and_each_keeps_its_order() {
    explore(async |threads| {
        let client = threads.client().await;
        // One at a time is under way: the others stand in line, or are handed in.
        let producer = client.producer("p").max_waiting(1, 1 << 20).start().await.unwrap();
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let producer = producer.clone();
                thread::spawn(move || {
                    let sends = [(); 2].map(|()| producer.send(Message::new("t", "body")));
                    // It fails at once, and its place may be another's next.
                    let wrong = MessageQueue::new("u", "broker-a", 0);
                    let wrong = producer.send_to(Message::new("t", "wrong"), wrong);
                    let offsets = sends.map(|send| block_on(send).expect("all is well").queue_offset);
                    assert!(offsets.is_sorted(), "{offsets:?}");
                    assert_eq!(block_on(wrong).unwrap_err().kind(), ErrorKind::InvalidArgument);
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        client.close().await;
    });
}

#[test]
fn what_is_handed_in_while_somebody_has_the_lock_is_taken_in_by_whoever_has_it() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").start().await.unwrap();
        producer.send(Message::new("t", "first")).await.expect("all is well");
        let other = producer.clone();
        // Nobody else comes by later.
        let looks = thread::spawn(move || other.backlog());
        producer.send(Message::new("t", "handed in")).await.expect("it is not forgotten");
        looks.join().unwrap();
        client.close().await;
    });
}

#[test]
fn a_future_that_is_dropped_while_its_answer_comes_disturbs_no_other() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").max_waiting(1, 1 << 20).start().await.unwrap();
        let (dropped, kept) = (producer.send(Message::new("t", "dropped")), producer.send(Message::new("t", "kept")));
        let dropper = thread::spawn(move || drop(dropped));
        kept.await.expect("all is well");
        dropper.join().unwrap();
        assert_eq!(producer.backlog().messages, 0);
        client.close().await;
    });
}

#[test]
fn a_selector_is_asked_by_whoever_has_taken_its_send_in() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").start().await.unwrap();
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let producer = producer.clone();
                thread::spawn(move || {
                    let last = |queues: &[MessageQueue], _: &Message| {
                        assert!(!stgclient::holds_lock());
                        queues.len() - 1
                    };
                    let chosen = SendOptions::from(QueueChoice::Selector(Arc::new(last)));
                    let sends =
                        [producer.send_to(Message::new("t", "1"), chosen), producer.send(Message::new("t", "2"))];
                    let offsets = sends.map(|send| block_on(send).expect("all is well").queue_offset);
                    assert!(offsets.is_sorted(), "{offsets:?}");
                })
            })
            .collect();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        client.close().await;
    });
}

#[test]
fn a_client_that_closes_beside_its_senders_leaves_none_of_them_waiting() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").max_waiting(1, 1 << 20).start().await.unwrap();
        let sender = thread::spawn(move || {
            for _ in 0..2 {
                if let Err(error) = block_on(producer.send(Message::new("t", "body"))) {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                }
            }
        });
        let other = client.clone();
        let closer = thread::spawn(move || block_on(other.close()));
        client.close().await;
        closer.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn a_deadline_that_comes_while_the_timers_fall_asleep_is_kept() {
    explore(async |threads| {
        let client = threads.client().await;
        let producer = client.producer("p").max_tries(1).start().await.unwrap();
        producer.send(Message::new("t", "first")).await.expect("all is well");
        threads.cluster(|cluster| cluster.brokers().for_each(|broker| broker.force(Force::sends(Forced::Lost))));
        let send = producer.send(Message::new("t", "lost"));
        // Its time runs from when it was taken in, of which whoever looks here is sure.
        assert_eq!(producer.backlog().messages, 1);
        let clock = Arc::clone(&threads);
        let clock = thread::spawn(move || clock.pass(Duration::from_secs(4)));
        let error = send.await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Timeout | ErrorKind::ConnectFailed | ErrorKind::ConnectionClosed),
            "{error}"
        );
        clock.join().unwrap();
        threads.pass_until(client.close()).await;
    });
}
