//! A disk that is slow to write offsets.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use stgclient::{ConsumeFrom, FileOffsets, Message, MessageModel, OffsetStore};

use crate::{SOON, cluster};

/// A pipe in place of the file that offsets are written to: writing takes until somebody reads.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_other_consumer_gets_the_offsets_while_the_one_before_still_writes_them() {
    // Tests of another process have folders of their own.
    #[allow(clippy::disallowed_methods)]
    let folder = std::env::temp_dir().join(format!("stgclient-slow-{}", std::process::id()));
    let (cluster, client) = cluster("T", 1).await;
    let producer = client.producer("P").start().await.unwrap();
    producer.send(Message::new("T", "body")).await.unwrap();
    let store = FileOffsets::new(&folder, "DEFAULT", "G");
    let slow = store.path().with_extension("json.new");
    std::fs::create_dir_all(slow.parent().unwrap()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let consumer = client.push_consumer("G").subscribe("T", "*").consume_from(ConsumeFrom::FirstOffset);
    let consumer = consumer.message_model(MessageModel::Broadcasting).offset_store(store.clone());
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let consumer = consumer.concurrently(move |_| {
        begun.send(()).unwrap();
        async { Ok(()) }
    });
    let consumer = consumer.start().await.unwrap();
    // Where it begins is stored at once, and the disk is slow.
    begins.recv_timeout(SOON).expect("it has begun");
    let closed = tokio::time::timeout(SOON, consumer.close_within(Duration::from_millis(100))).await;
    closed.expect("closing takes no longer than it may");
    // What is written now would be replaced by what is older, as soon as the disk is quick again.
    let next = FileOffsets::new(&folder, "DEFAULT", "G").load().await;
    // Whoever writes comes to an end.
    let read = tokio::task::spawn_blocking(move || std::fs::read(slow));
    client.close().await;
    cluster.close().await;
    drop(read.await);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(next.is_err(), "its lock is given back, and it goes on writing");
}
