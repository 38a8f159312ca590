//! What the application gave, as it is dropped: that may take locks, and may panic, and harms nothing but itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration as RealDuration;

use stgclient::{Producer, ReconsumeLater, holds_lock};
use stgclient_core::consumer::allocation::{Allocation, AllocationRequest};
use stgclient_core::consumer::push::ConsumeFrom;
use stgclient_core::error::ErrorKind;
use stgclient_core::producer::Message;
use stgclient_core::queue::MessageQueue;

use super::stage::{SECOND, Stage, producer};

/// Long enough that a slow machine does not matter, short enough that "never" shows.
const SOON: RealDuration = RealDuration::from_secs(20);

/// Does something on a thread of its own, and fails the test if that never ends.
fn soon<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    let thread = std::thread::Builder::new().spawn(move || done.send(act()));
    drop(thread.expect("a thread"));
    result.recv_timeout(SOON).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A strategy that looks when it is dropped.
struct Looks(Arc<Mutex<Vec<bool>>>);

impl Allocation for Looks {
    fn name(&self) -> &str {
        "LOOKS"
    }

    fn allocate(&self, _: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        Vec::new()
    }
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Looks")
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(holds_lock());
    }
}

#[test]
fn the_strategy_of_a_consumer_that_does_not_start_is_dropped_where_it_may_do_anything() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    let dropped = Arc::<Mutex<Vec<bool>>>::default();
    stage.world.block_on(async {
        let client = stage.client().await;
        let start = |group: &str, pulled: u32| {
            let consumer = client.push_consumer(group).subscribe("t", "*").allocation(Looks(Arc::clone(&dropped)));
            consumer.configure(move |config| config.pull_batch_size = pulled).concurrently(|_| async { Ok(()) }).start()
        };
        // A number out of its range, a group that has a consumer here, a client that is closed.
        start("g", 0).await.unwrap_err();
        let consumer = client.push_consumer("g").subscribe("t", "*").concurrently(|_| async { Ok(()) });
        let _consumer = consumer.start().await.unwrap();
        start("g", 32).await.unwrap_err();
        client.close().await;
        start("g", 32).await.unwrap_err();
    });
    assert_eq!(*dropped.lock().unwrap(), [false; 3], "under the client's lock");
}

/// A strategy that reports what it does through a producer of its own.
struct Reports(#[expect(dead_code, reason = "it is dropped with it")] Producer);

impl Allocation for Reports {
    fn name(&self) -> &str {
        "REPORTS"
    }

    fn allocate(&self, _: &AllocationRequest<'_>) -> Vec<MessageQueue> {
        Vec::new()
    }
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reports")
    }
}

#[test]
fn a_start_that_fails_may_drop_the_last_clone_of_a_producer_with_its_strategy() {
    soon("the start has failed", || {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let reports = Reports(producer(&client).await);
            let consumer = client.push_consumer("g").subscribe("t", "*").allocation(reports);
            let consumer = consumer.configure(|config| config.pull_batch_size = 0).concurrently(|_| async { Ok(()) });
            assert_eq!(consumer.start().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        });
    });
}

/// A task of an executor whose wakers keep their tasks alive, as simple ones do: with the last of them goes what it has.
struct OnDrop<F: FnOnce() + Send>(Mutex<Option<F>>);

impl<F: FnOnce() + Send> Wake for OnDrop<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: FnOnce() + Send> Drop for OnDrop<F> {
    fn drop(&mut self) {
        let act = self.0.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }
}

#[test]
fn a_waker_that_is_replaced_may_drop_what_waits_at_the_same_place() {
    soon("both wait, or have given up", || {
        let stage = Stage::new(1, 1).with_topic("t", 1);
        stage.world.block_on(async {
            let client = stage.client().await;
            let consumer = client.push_consumer("g").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
            let deliveries = Arc::new(consumer.stream().start().await.unwrap());
            let (ours, theirs) = (Arc::clone(&deliveries), Arc::clone(&deliveries));
            // The first task waits for a message, and has another future that does.
            let mut other: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(async move { drop(theirs.next().await) });
            assert!(other.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            let mut next = Box::pin(async move { drop(ours.next().await) });
            let first = Waker::from(Arc::new(OnDrop(Mutex::new(Some(move || drop(other))))));
            assert!(next.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
            // Nobody but its seat knows the first task any more. Another one polls the future in its place.
            drop(first);
            assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        });
    });
}

/// A future that is ready at once, and panics when it is dropped.
struct Unpleasant(bool);

impl Future for Unpleasant {
    type Output = Result<(), ReconsumeLater>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Unpleasant {
    fn drop(&mut self) {
        assert!(!self.0, "as it is dropped");
    }
}

#[test]
fn a_handler_whose_future_panics_as_it_is_dropped_fails_its_message_and_nothing_else() {
    let stage = Stage::new(1, 1).with_topic("t", 1);
    stage.world.catch_panics();
    stage.world.block_on(async {
        let client = stage.client().await;
        let producer = producer(&client).await;
        for number in 0..10_u8 {
            producer.send(Message::new("t", vec![number])).await.unwrap();
        }
        let times = Arc::<Mutex<BTreeMap<u8, usize>>>::default();
        let counted = Arc::clone(&times);
        let consumer = client.push_consumer("g").subscribe("t", "*").consume_from(ConsumeFrom::FirstOffset);
        let consumer = consumer.max_in_work(16).concurrently(move |message| {
            let mut times = counted.lock().unwrap();
            let times = times.entry(message.body()[0]).or_default();
            *times += 1;
            Unpleasant(message.body()[0] == 3 && *times == 1)
        });
        let consumer = consumer.start().await.unwrap();
        stage.sleep(120 * SECOND).await;
        let seen: Vec<u8> = times.lock().unwrap().keys().copied().collect();
        assert_eq!(seen, (0..10).collect::<Vec<u8>>(), "what came with it is consumed");
        assert_eq!(consumer.close().await, [], "nothing is in work for ever");
        assert_eq!(stage.world.panics(), Vec::<String>::new(), "no task of the client's dies of it");
    });
}
