//! Where a client runs.

use std::sync::mpsc;
use std::thread;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, ErrorKind, Message};
use tokio::runtime::{Builder, Runtime};

use crate::{SOON, block_on};

/// Done on a thread of its own, so that what hangs fails.
fn soon<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(act()));
    done.recv_timeout(SOON).expect("it hangs or panics")
}

fn whole() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn where_no_client_can_run_the_error_says_what_is_missing() {
    let (error, embedded) =
        soon(|| (block_on(Client::connect("127.0.0.1:1")).unwrap_err(), block_on(Client::embedded()).unwrap_err()));
    for error in [error, embedded] {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("Tokio"), "{error}");
    }
    for (runtime, words) in [
        (Builder::new_current_thread().enable_io().build().unwrap(), "no timers; build it with `enable_all()`"),
        (Builder::new_current_thread().enable_time().build().unwrap(), "no I/O; build it with `enable_all()`"),
    ] {
        let error = soon(move || runtime.block_on(Client::connect("127.0.0.1:1")).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_client_whose_runtime_is_dropped_is_closed() {
    let error = soon(|| {
        let runtime = whole();
        let (client, producer) = runtime.block_on(async {
            let client = Client::embedded().await.unwrap();
            let producer = client.producer("P").start().await.unwrap();
            (client, producer)
        });
        drop(runtime);
        block_on(producer.flush());
        let error = block_on(producer.send(Message::new("T", "body"))).unwrap_err();
        block_on(client.close());
        error
    });
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}

#[test]
fn another_runtime_or_none_may_wait_for_a_client_of_a_multi_threaded_one() {
    soon(|| {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cluster = runtime.block_on(EmbeddedCluster::builder().start()).unwrap();
        let client = runtime.block_on(Client::connect(cluster.name_server_address())).unwrap();
        let producer = whole().block_on(async { client.producer("P").start().await }).unwrap();
        block_on(producer.send(Message::new("T", "body"))).unwrap();
        whole().block_on(producer.send(Message::new("T", "body"))).unwrap();
        block_on(client.close());
    });
}
