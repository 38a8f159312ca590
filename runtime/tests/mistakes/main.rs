//! What newcomers do wrong, and what comes of it: a typed error with words that say what to do instead, in time; and nothing is lost.
// What hangs is found by a real clock, from threads of its own.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod addresses;
mod closing;
mod consuming;
mod messages;
mod names;
mod options;
mod runtimes;
#[path = "../waiting/mod.rs"]
mod waiting;

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};

use stgclient::{Client, Error, ErrorKind};
use waiting::{SOON, eventually};

/// Mistakes, and which of them were not answered as they should be.
#[derive(Default)]
struct Mistakes {
    count: usize,
    wrong: Vec<String>,
}

impl Mistakes {
    /// Has to fail soon, with an error of this kind that has these words.
    async fn fails<T: Debug>(
        &mut self,
        what: &str,
        kind: ErrorKind,
        words: &str,
        act: impl Future<Output = Result<T, Error>>,
    ) {
        self.count += 1;
        let wrong = match tokio::time::timeout(SOON, act).await {
            Err(_) => "hangs".to_owned(),
            Ok(Ok(value)) => format!("is taken: {value:?}"),
            Ok(Err(error)) if error.kind() != kind || !error.to_string().contains(words) => format!("{error:?}"),
            Ok(Err(_)) => return,
        };
        self.wrong.push(format!("{what}: {wrong}, not {kind:?} with {words:?}"));
    }

    /// As [`Self::fails`] with [`ErrorKind::InvalidArgument`].
    async fn refuses<T: Debug>(&mut self, what: &str, words: &str, act: impl Future<Output = Result<T, Error>>) {
        self.fails(what, ErrorKind::InvalidArgument, words, act).await;
    }

    fn assert(self) {
        assert!(self.wrong.is_empty(), "{} of {} mistakes:\n{}", self.wrong.len(), self.count, self.wrong.join("\n"));
    }
}

/// A client of a cluster of its own, with the topic `T`.
async fn client() -> Client {
    let client = Client::embedded().await.expect("a runtime");
    client.admin().create_topic("T").queues(2).await.expect("a broker");
    client
}

/// What has to end soon.
async fn soon<T>(what: &str, act: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, act).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Waits on this thread, as people do who have no runtime there.
fn block_on<T>(act: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (mut act, waker) = (pin!(act), Arc::new(Unpark(thread::current())).into());
    loop {
        if let Poll::Ready(value) = act.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park();
    }
}
