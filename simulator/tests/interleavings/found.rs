//! What the checker can find: a mistake that was made here, played by a few lines. When it is not found any more, the checker is
//! not what it was.
//!
//! Put into the runtime itself, these were found by the tests beside this one, each in a few seconds:
//!
//! - `sync.rs`, `Seated::poll` looks, lets go of the lock, and sits down without looking again, as closing a consumer did with the
//!   flag of its keeper: `a_consumer_that_is_closed_beside_its_keeper_...`;
//! - `shared.rs`, `with_buffers` does not look at what was handed in once it has released the lock:
//!   `what_is_handed_in_while_somebody_has_the_lock_...`;
//! - `shared.rs`, `act_locked` takes in all that was handed in before it tells what ended: a place is used again before its first
//!   future has heard, as it was: `every_send_of_several_threads_ends_...`;
//! - `timers.rs`, `poll_rearmed` falls asleep without looking for an earlier deadline: `a_deadline_that_comes_...`.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};

use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, Ordering};
use shuttle::thread;

/// Whether some order of the threads ends in nobody ever going on.
fn hangs(test: impl Fn() + Send + Sync + 'static) -> bool {
    let found = catch_unwind(AssertUnwindSafe(|| shuttle::check_random(test, 1000)));
    found.is_err()
}

/// Somebody waits until a keeper is done, as closing a consumer did.
fn wait_for_keeper(is_flag_under_lock: bool) -> bool {
    hangs(move || {
        let (is_kept, closers) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::<Waker>::new())));
        let (flag, waiting) = (Arc::clone(&is_kept), Arc::clone(&closers));
        let keeper = thread::spawn(move || {
            let woken: Vec<Waker> = if is_flag_under_lock {
                let mut waiting = waiting.lock().unwrap();
                flag.store(false, Ordering::SeqCst);
                waiting.drain(..).collect()
            } else {
                flag.store(false, Ordering::SeqCst);
                waiting.lock().unwrap().drain(..).collect()
            };
            woken.into_iter().for_each(Waker::wake);
        });
        shuttle::future::block_on(poll_fn(|context| {
            let early = is_kept.load(Ordering::SeqCst);
            let mut waiting = closers.lock().unwrap();
            let kept = if is_flag_under_lock { is_kept.load(Ordering::SeqCst) } else { early };
            if kept {
                waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        }));
        keeper.join().unwrap();
    })
}

#[test]
fn a_flag_that_is_looked_at_outside_of_the_lock_of_those_who_wait_for_it_is_found() {
    assert!(wait_for_keeper(false));
    assert!(!wait_for_keeper(true));
}
