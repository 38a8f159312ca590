//! Where threads meet, in every order that a checker thinks of: handing in and taking in, places and futures that are dropped,
//! closing, the keeper, timers.
//!
//! The client, its locks being the checker's, runs on threads of the checker against the cluster in memory. Each test is run many
//! times in random orders, and in orders with few changes of threads, which find most of what there is to find (PCT). A task
//! that nobody wakes is a deadlock, which the checker reports with the order that led to it.
//!
//! Run by `tests/stages/interleavings`: `RUSTFLAGS="--cfg interleavings" cargo test -p stgclient-simulator --test interleavings`.
#![cfg(interleavings)]

mod consumers;
mod found;
mod host;
mod sends;

use std::future::Future;

use host::Threads;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Runs a test in many orders.
fn explore<F: Future<Output = ()> + Send + 'static>(
    test: impl Fn(std::sync::Arc<Threads>) -> F + Send + Sync + Clone + 'static,
) {
    let run = {
        let test = test.clone();
        move || shuttle::future::block_on(test(Threads::new()))
    };
    Runner::new(RandomScheduler::new(ORDERS), config()).run(run.clone());
    Runner::new(PctScheduler::new(3, ORDERS), config()).run(run);
}

/// How many orders of each kind are tried.
const ORDERS: usize = 300;

fn config() -> Config {
    let mut config = Config::new();
    // A whole client runs there.
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    config
}
