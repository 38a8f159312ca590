//! What is used after it was closed, closed twice, or dropped in an odd order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stgclient::{ClientState, ConsumeFrom, ErrorKind, Message, QueueChoice};

use crate::names::nothing;
use crate::{Mistakes, client, eventually, soon};

#[tokio::test]
async fn what_is_closed_says_so_and_may_be_closed_again() {
    let client = client().await;
    let admin = client.admin();
    let mut events = client.events();
    let producer = client.producer("P").start().await.unwrap();
    let puller = client.pull_consumer("C").start().await.unwrap();
    let pusher = client.push_consumer("G").subscribe("T", "*").concurrently(nothing).start().await.unwrap();
    let stream = client.push_consumer("S").subscribe("T", "*").stream().start().await.unwrap();
    let queue = producer.send(Message::new("T", "body")).await.unwrap().queue;
    let message = || Message::new("T", "body");
    let mut mistakes = Mistakes::default();
    let closed = ErrorKind::Closed;

    // Parts first: the client goes on.
    for _ in 0..2 {
        soon("closing", async { (producer.close().await, puller.close().await, pusher.close().await) }).await;
    }
    mistakes.fails("send", closed, "producer", producer.send(message())).await;
    mistakes.fails("pull", closed, "consumer", puller.pull(&queue, "*", 0, 1)).await;
    mistakes.fails("ready", closed, "consumer", pusher.ready()).await;
    mistakes.fails("subscribe", closed, "consumer", async { pusher.subscribe("T", "a") }).await;
    assert!(!pusher.seek(&queue, 0) && !pusher.pause_queue(&queue) && !pusher.resume_queue(&queue));
    soon("a flush", producer.flush()).await;

    for _ in 0..2 {
        soon("closing", client.close()).await;
    }
    assert_eq!(client.state(), ClientState::Closed);
    soon("events end", async { while events.next().await.is_some() {} }).await;
    assert!(soon("a stream ends", stream.next()).await.is_none());
    soon("a flush", producer.flush()).await;
    mistakes.fails("send", closed, "closed", producer.send(message())).await;
    mistakes.fails("oneway", closed, "closed", producer.send_oneway(message())).await;
    let tried = async { producer.try_send(message(), QueueChoice::RoundRobin).map_err(|refused| refused.error) };
    mistakes.fails("try_send", closed, "closed", tried).await;
    let called =
        async { producer.send_with(message(), QueueChoice::RoundRobin, drop).map_err(|refused| refused.error) };
    mistakes.fails("send_with", closed, "closed", called).await;
    mistakes.fails("pull", closed, "closed", puller.pull(&queue, "*", 0, 1)).await;
    mistakes.fails("commit", closed, "closed", puller.commit_offset(&queue, 1)).await;
    mistakes.fails("ready", closed, "closed", pusher.ready()).await;
    mistakes.fails("stream ready", closed, "closed", stream.consumer().ready()).await;
    mistakes.fails("topic_list", closed, "closed", admin.topic_list()).await;
    mistakes.fails("create", closed, "closed", async { admin.create_topic("U").await }).await;
    mistakes.fails("lag", closed, "closed", admin.lag("G")).await;
    mistakes.fails("message", closed, "closed", async { admin.messages_by_key("T", "k").await }).await;
    mistakes.fails("new producer", closed, "closed", client.producer("Q").start()).await;
    mistakes.fails("new puller", closed, "closed", client.pull_consumer("Q").start()).await;
    let late = client.push_consumer("Q").subscribe("T", "*").concurrently(nothing).start();
    mistakes.fails("new pusher", closed, "closed", late).await;
    mistakes.fails("name servers", closed, "closed", async { client.set_name_servers("127.0.0.1:1") }).await;
    mistakes.assert();
}

#[tokio::test]
async fn what_is_left_works_when_the_client_is_dropped_first() {
    let first = client().await;
    let producer = first.producer("P").start().await.unwrap();
    drop(first);
    producer.send(Message::new("T", "body")).await.unwrap();
}

#[tokio::test]
async fn a_send_that_is_never_polled_is_sent_and_one_under_way_ends_when_its_producer_is_dropped() {
    let client = client().await;
    let producer = client.producer("P").start().await.unwrap();
    let unpolled = producer.send(Message::new("T", "body"));
    let sent = || client.metrics().all_sends().send_ok;
    eventually("it is sent", async || (sent() == 1).then_some(())).await;
    drop(unpolled);
    let under_way: Vec<_> = (0..100).map(|_| producer.send(Message::new("T", "body"))).collect();
    drop(producer);
    for sending in under_way {
        soon("a send", sending).await.unwrap();
    }
    client.close().await;
}

#[tokio::test]
async fn a_consumer_may_be_dropped_or_closed_within_its_own_handler() {
    for closes in [false, true] {
        let client = client().await;
        let (sender, receiver) = std::sync::mpsc::channel::<stgclient::PushConsumer>();
        let receiver = std::sync::Mutex::new(receiver);
        let handled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&handled);
        let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |_| {
            let own = receiver.lock().unwrap().recv().ok();
            let count = Arc::clone(&count);
            async move {
                if let Some(own) = own.filter(|_| closes) {
                    own.close_within(std::time::Duration::from_millis(50)).await;
                }
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        sender.send(consumer.clone()).unwrap();
        drop((consumer, sender));
        client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
        eventually("the handler ends", async || (handled.load(Ordering::SeqCst) == 1).then_some(())).await;
        soon("the client ends", client.close()).await;
    }
}

#[tokio::test]
async fn a_client_may_be_closed_within_a_handler() {
    let client = client().await;
    let (inner, handled) = (client.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&handled);
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.concurrently(move |_| {
        let (client, count) = (inner.clone(), Arc::clone(&count));
        async move {
            client.close().await;
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let _consumer = consumer.start().await.unwrap();
    client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
    eventually("the client is closed", async || (client.state() == ClientState::Closed).then_some(())).await;
    soon("the close returns", client.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_within_a_callback_hangs_nobody() {
    let client = client().await;
    let producer = client.producer("P").start().await.unwrap();
    let own = producer.clone();
    let called = move |_| crate::block_on(own.flush());
    producer.send_with(Message::new("T", "body"), QueueChoice::RoundRobin, called).unwrap();
    soon("the flush", producer.flush()).await;
    soon("a send", producer.send(Message::new("T", "body"))).await.unwrap();
    soon("the close", client.close()).await;
}
