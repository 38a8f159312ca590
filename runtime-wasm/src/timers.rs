//! Waiting for a moment. A timer is JavaScript's; what it is worth is decided by the clock on waking.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use stgclient_core::time::Instant;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::host::JavaScript;
use crate::js;
use crate::slots::Slots;

/// What JavaScript's timers can wait at the most: longer ones are over at once.
const MOST_MS: f64 = 2_147_483_647.0;

thread_local! {
    /// Who waits, by the number of the timer.
    static WAITING: RefCell<Slots<Waker>> = const { RefCell::new(Slots::NONE) };
}

/// A timer that is set as long as this is there, so that it holds nobody's process.
struct Timer(u32);

impl Timer {
    fn set(milliseconds: f64, waker: Waker) -> Self {
        let number = WAITING.with_borrow_mut(|waiting| waiting.insert_with(|_| waker));
        js::set_timer(number, milliseconds);
        Self(number)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        js::clear_timer(self.0);
        let waker = WAITING.with_borrow_mut(|waiting| waiting.remove(self.0));
        drop(waker);
    }
}

/// A timer is over.
#[wasm_bindgen(js_name = timerDue)]
pub fn timer_due(timer: u32) {
    let waker = WAITING.with_borrow_mut(|waiting| waiting.get_mut(timer).cloned());
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Ends when the clock says `at`.
pub(crate) struct Sleep {
    at: Instant,
    timer: Option<Timer>,
}

impl Sleep {
    pub(crate) const fn until(at: Instant) -> Self {
        Self { at, timer: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.timer = None;
        let left = self.at.as_micros().saturating_sub(JavaScript::now_here().mono.as_micros());
        if left == 0 {
            return Poll::Ready(());
        }
        // Rounded up: a timer that is over too early is set once more, and again.
        let milliseconds = left.div_ceil(1000) as f64;
        self.timer = Some(Timer::set(milliseconds.min(MOST_MS), context.waker().clone()));
        Poll::Pending
    }
}
