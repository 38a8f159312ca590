//! Handlers, groups, subscriptions and queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stgclient::{ConsumeFrom, ErrorKind, Message, MessageQueue, MessageSelector, ReconsumeLater, SuspendCurrentQueue};

use crate::names::nothing;
use crate::{Mistakes, client, eventually, soon};

#[tokio::test]
async fn expressions_that_are_wrong_are_refused_where_they_are_given() {
    let client = client().await;
    let mut mistakes = Mistakes::default();
    for (sql, kind, words) in [
        ("", ErrorKind::InvalidArgument, "empty"),
        ("amount >", ErrorKind::Refused, "character 9"),
        ("amount === 1", ErrorKind::Refused, "character 10"),
    ] {
        let start = async {
            let selector = MessageSelector::by_sql(sql)?;
            client.push_consumer("G").subscribe("T", selector).concurrently(nothing).start().await
        };
        mistakes.fails(sql, kind, words, start).await;
    }
    for tags in ["||", " || "] {
        let start = client.push_consumer("G").subscribe("T", tags).concurrently(nothing).start();
        mistakes.refuses(tags, "`*` means every message", start).await;
    }
    mistakes.assert();
    client.close().await;
}

#[tokio::test]
async fn a_group_consumes_once_in_a_client() {
    let client = client().await;
    let start = |group: &str| client.push_consumer(group).subscribe("T", "*").concurrently(nothing).start();
    let first = start("G").await.unwrap();
    let mut mistakes = Mistakes::default();
    mistakes.refuses("the group twice", "G", start("G")).await;
    soon("the first goes on", first.ready()).await.unwrap();
    first.close().await;
    start("G").await.unwrap();
    mistakes.assert();
    client.close().await;
}

#[tokio::test]
async fn queues_of_others_are_left_alone() {
    let client = client().await;
    let consumer = client.push_consumer("G").subscribe("T", "*").concurrently(nothing).start().await.unwrap();
    consumer.ready().await.unwrap();
    for queue in [MessageQueue::new("T", "broker-a", 99), MessageQueue::new("other", "broker-a", 0)] {
        assert!(
            !consumer.seek(&queue, 7) && !consumer.pause_queue(&queue) && !consumer.resume_queue(&queue),
            "{queue}"
        );
        assert_ne!(client.admin().group_offset("G", &queue).await.ok().flatten(), Some(7));
    }
    client.close().await;
}

/// How a handler goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Handler {
    Panics,
    PanicsWhenPolled,
    NeverReturns,
    BlocksItsThread,
    BlocksOnAFuture,
    BlocksOnTokio,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_goes_wrong_loses_nothing_and_holds_up_nobody() {
    for wrong in [
        Handler::Panics,
        Handler::PanicsWhenPolled,
        Handler::NeverReturns,
        Handler::BlocksItsThread,
        Handler::BlocksOnAFuture,
        Handler::BlocksOnTokio,
    ] {
        let client = client().await;
        let producer = client.producer("P").start().await.unwrap();
        let (bad, good) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (bads, goods, sender) = (Arc::clone(&bad), Arc::clone(&good), producer.clone());
        let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.concurrently(move |message| {
            let is_bad = message.body() == "bad" && bads.fetch_add(1, Ordering::SeqCst) == 0;
            assert!(!is_bad || wrong != Handler::Panics, "on purpose");
            if !is_bad {
                goods.fetch_add(1, Ordering::SeqCst);
            }
            let sender = sender.clone();
            async move {
                match wrong {
                    _ if !is_bad => {}
                    Handler::Panics => unreachable!(),
                    Handler::PanicsWhenPolled => panic!("on purpose"),
                    Handler::NeverReturns => std::future::pending().await,
                    Handler::BlocksItsThread => std::thread::sleep(Duration::from_millis(300)),
                    // Which tokio forbids, and panics.
                    Handler::BlocksOnTokio => {
                        let send = sender.send(Message::new("T", "from the handler"));
                        tokio::runtime::Handle::current().block_on(send).map(drop)?;
                    }
                    Handler::BlocksOnAFuture => {
                        crate::block_on(sender.send(Message::new("T", "from the handler"))).map(drop)?;
                    }
                }
                Ok::<_, ReconsumeLater>(())
            }
        });
        let consumer = consumer.start().await.unwrap();
        for body in ["bad", "good", "good", "good", "good"] {
            // Whoever blocks a thread may block what reads connections, which tokio had there next: then sends fail in their time.
            while let Err(error) = soon("a send", producer.send(Message::new("T", body))).await {
                assert!(wrong == Handler::BlocksOnAFuture && error.is_retryable(), "{wrong:?}: {error}");
            }
        }
        eventually(&format!("{wrong:?}: others are consumed"), async || {
            (good.load(Ordering::SeqCst) >= 4).then_some(())
        })
        .await;
        if matches!(wrong, Handler::Panics | Handler::PanicsWhenPolled | Handler::BlocksOnTokio) {
            // It comes again later.
            eventually(&format!("{wrong:?}: it is sent back"), async || {
                (client.metrics().consumers["G"].sent_back == 1).then_some(())
            })
            .await;
        }
        let unfinished = soon("the close", consumer.close_within(Duration::from_millis(100))).await;
        assert!(wrong != Handler::NeverReturns || unfinished.len() == 1, "{unfinished:?}");
        soon("the close", client.close()).await;
    }
}

#[tokio::test]
async fn an_orderly_handler_that_panics_is_called_again_with_the_same_message() {
    let client = client().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.configure(|config| config.suspend_time = Duration::from_millis(10)).orderly(move |_| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!is_first, "on purpose");
            Ok::<_, SuspendCurrentQueue>(())
        }
    });
    let _consumer = consumer.start().await.unwrap();
    client.producer("P").start().await.unwrap().send(Message::new("T", "body")).await.unwrap();
    eventually("it comes again", async || (seen.load(Ordering::SeqCst) == 2).then_some(())).await;
    client.close().await;
}
