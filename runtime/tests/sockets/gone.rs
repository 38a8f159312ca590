//! Runtimes that are gone, that stand still, or that were never fit: nobody waits for ever, everybody hears why.

// Tests of another process have folders of their own.
#![allow(clippy::disallowed_methods)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use stgclient::embedded::EmbeddedCluster;
use stgclient::{
    Client, ErrorKind, MemoryOffsets, Message, MessageModel, MessageQueue, PullOptions, PushConsumer, SendOptions,
    allocation,
};
use tokio::runtime::{Builder, Runtime};

use crate::SOON;

/// Does something on a thread of its own. What it gives comes out of the channel, if it ever does.
fn apart<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = channel();
    let thread = std::thread::Builder::new().spawn(move || done.send(act()));
    drop(thread.expect("a thread"));
    result
}

fn soon<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    apart(act).recv_timeout(SOON).unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

/// A cluster that lives on a runtime of its own.
fn cluster() -> (Runtime, EmbeddedCluster) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = runtime.block_on(EmbeddedCluster::builder().start()).expect("a free port");
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().create_topic("T", 1).unwrap());
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().create_topic("empty", 1).unwrap());
    (runtime, cluster)
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn push_consumer(client: &Client, group: &str) -> PushConsumer {
    let consumer = client.push_consumer(group).subscribe("T", "*");
    let consumer = consumer.message_model(MessageModel::Broadcasting).offset_store(MemoryOffsets::default());
    consumer.concurrently(|_| async { Ok(()) }).start().await.unwrap()
}

#[test]
fn a_client_whose_runtime_is_gone_says_closed_at_once_to_whoever_waits_or_asks() {
    let (_servers, cluster) = cluster();
    let address = cluster.name_server_address().to_owned();
    for multi_thread in [false, true] {
        let address = address.clone();
        soon("everything of a client whose runtime is gone ends", move || {
            let gone = if multi_thread { Runtime::new().unwrap() } else { current_thread() };
            let (client, producer, puller, pusher, queue) = gone.block_on(async {
                let client = Client::connect(&address).await.unwrap();
                let producer = client.producer("producer").start().await.unwrap();
                let queue = producer.send(Message::new("T", "body")).await.unwrap().queue;
                let puller = client.pull_consumer("puller").start().await.unwrap();
                let pusher = push_consumer(&client, "pusher").await;
                (client, producer, puller, pusher, queue)
            });
            // Under way while the runtime goes.
            let send = producer.send(Message::new("T", "body"));
            let (other, empty) = (puller.clone(), MessageQueue { topic: "empty".into(), ..queue.clone() });
            let (begun, waits) = channel();
            let pull = apart(move || {
                current_thread().block_on(async {
                    let options = PullOptions::new().wait(3 * SOON);
                    let mut pull = Box::pin(other.pull_with(&empty, "*", 0, options));
                    assert!(tokio::time::timeout(Duration::from_millis(1), &mut pull).await.is_err());
                    begun.send(()).unwrap();
                    pull.await
                })
            });
            waits.recv().unwrap();
            drop(gone);
            assert_eq!(pull.recv_timeout(SOON).unwrap().unwrap_err().kind(), ErrorKind::Closed);
            current_thread().block_on(async {
                if let Err(error) = send.await {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                }
                let errors = [
                    producer.send(Message::new("T", "body")).await.unwrap_err(),
                    producer.try_send(Message::new("T", "body"), SendOptions::default()).map(drop).unwrap_err().error,
                    producer.send_oneway(Message::new("T", "body")).await.unwrap_err(),
                    puller.pull(&queue, "*", 0, 1).await.unwrap_err(),
                    puller.max_offset(&queue).await.unwrap_err(),
                    client.admin().topic_list().await.unwrap_err(),
                    client.producer("late").start().await.map(drop).unwrap_err(),
                    pusher.subscribe("U", "*").unwrap_err(),
                ];
                for error in errors {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                }
                pusher.close().await;
                client.close().await;
            });
        });
    }
    drop(cluster);
}

#[test]
fn a_runtime_without_drivers_is_refused_with_the_reason() {
    let (_servers, cluster) = cluster();
    type Enable = fn(&mut Builder) -> &mut Builder;
    let builders =
        [("none", (|builder| builder) as Enable), ("time", Builder::enable_time), ("io", Builder::enable_io)];
    for (what, enable) in builders {
        let address = cluster.name_server_address().to_owned();
        let error = soon(what, move || {
            let runtime = enable(&mut Builder::new_current_thread()).build().unwrap();
            runtime.block_on(Client::connect(&address)).unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{what}");
        assert!(error.to_string().contains("enable_all"), "{what}: {error}");
    }
    let error = soon("in process", || {
        Builder::new_current_thread().build().unwrap().block_on(Client::embedded()).map(drop).unwrap_err()
    });
    assert!(error.to_string().contains("enable_all"), "{error}");
}

#[test]
fn without_any_runtime_a_client_does_not_connect_and_says_why() {
    let error = soon("connect", || {
        let mut connect = pin!(Client::connect("127.0.0.1:1"));
        match connect.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(connected) => connected.unwrap_err(),
            Poll::Pending => panic!("nobody will ever wake it"),
        }
    });
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("Tokio"), "{error}");
}

#[test]
fn a_send_on_a_runtime_that_stands_still_ends_in_its_time_once_it_is_polled() {
    let (_servers, cluster) = cluster();
    let address = cluster.name_server_address().to_owned();
    soon("the send", move || {
        // Nobody drives it outside of `block_on`.
        let still = current_thread();
        let producer = still.block_on(async {
            let client = Client::connect(&address).await.unwrap();
            let producer = client.producer("producer").send_timeout(Duration::from_millis(300)).start().await.unwrap();
            producer.send(Message::new("T", "body")).await.unwrap();
            producer
        });
        current_thread().block_on(async {
            let begin = Instant::now();
            let mut send = producer.send(Message::new("T", "body"));
            while begin.elapsed() < SOON {
                if let Ok(sent) = tokio::time::timeout(Duration::from_millis(50), &mut send).await {
                    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Timeout);
                    assert!(begin.elapsed() >= Duration::from_millis(300), "before its time");
                    return;
                }
            }
            panic!("its time-out is ignored");
        });
        drop(still);
    });
}

#[test]
fn a_consumer_whose_start_fails_leaves_nothing_and_a_second_try_works() {
    let (_servers, cluster) = cluster();
    let address = cluster.name_server_address().to_owned();
    let folder = std::env::temp_dir().join(format!("stgclient-start-{}", std::process::id()));
    let offsets = stgclient::FileOffsets::new(&folder, "DEFAULT", "G");
    soon("the client closes", move || {
        current_thread().block_on(async {
            let client = Client::connect(&address).await.unwrap();
            for round in 0..2 {
                let consumer = || {
                    let consumer = client.push_consumer("G").message_model(MessageModel::Broadcasting);
                    consumer.offset_store(offsets.clone())
                };
                // A topic without a name; numbers out of their range; a topic twice, once wrongly.
                let starts = [
                    consumer().subscribe("T", "*").subscribe("", "*"),
                    consumer().subscribe("T", "*").configure(|config| config.pull_batch_size = 0),
                    consumer().subscribe("T", "a ||").subscribe("", "*"),
                ];
                for (which, start) in starts.into_iter().enumerate() {
                    let error = start.concurrently(|_| async { Ok(()) }).start().await.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{round} {which}: {error}");
                }
                let consumer = consumer().subscribe("T", "*").allocation(allocation::Average);
                let consumer = consumer.concurrently(|_| async { Ok(()) }).start().await.expect("a second try works");
                let second = client.push_consumer("G").concurrently(|_| async { Ok(()) }).start().await.unwrap_err();
                assert!(second.to_string().contains("already"), "{second}");
                consumer.close().await;
            }
            client.close().await;
        });
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn a_start_that_is_given_up_while_offsets_are_loaded_gives_its_file_back() {
    let (_servers, cluster) = cluster();
    let address = cluster.name_server_address().to_owned();
    let folder = std::env::temp_dir().join(format!("stgclient-given-up-{}", std::process::id()));
    let offsets = stgclient::FileOffsets::new(&folder, "DEFAULT", "G");
    soon("the file is free again", move || {
        current_thread().block_on(async {
            let client = Client::connect(&address).await.unwrap();
            let start = || {
                let consumer = client.push_consumer("G").subscribe("T", "*").message_model(MessageModel::Broadcasting);
                consumer.offset_store(offsets.clone()).concurrently(|_| async { Ok(()) }).start()
            };
            for _ in 0..20 {
                let mut starting = Box::pin(start());
                // Files block, and are for another thread, which is seldom done at once.
                if let Poll::Ready(Ok(consumer)) = futures::poll!(&mut starting) {
                    consumer.close().await;
                }
            }
            // The file may still be in the hands of the last one given up, for a moment.
            let consumer = crate::eventually("the file is free", async || start().await.ok()).await;
            consumer.close().await;
            client.close().await;
        });
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn a_consumer_may_be_closed_from_several_places_at_once_and_again_later() {
    let (_servers, cluster) = cluster();
    let address = cluster.name_server_address().to_owned();
    soon("all of them end", move || {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
            let client = Arc::new(Client::connect(&address).await.unwrap());
            for round in 0..20 {
                let consumer = push_consumer(&client, &format!("group-{round}")).await;
                let closes: Vec<_> = (0..4)
                    .map(|_| {
                        let consumer = consumer.clone();
                        tokio::spawn(async move { consumer.close().await })
                    })
                    .collect();
                // One that is given up does not matter to the others.
                let mut given_up = Box::pin(consumer.close());
                assert!(futures::poll!(&mut given_up).is_ready() || !closes.is_empty());
                drop(given_up);
                for close in closes {
                    assert_eq!(close.await.unwrap(), []);
                }
                assert_eq!(consumer.close().await, []);
            }
            client.close().await;
            client.close().await;
        });
    });
}
