//! Code of the application is called here: its panics are caught, and become errors of what it was called for.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Poll, Waker};

use tracing::Span;
use tracing::span::Entered;

/// What the application's code panicked with.
pub(crate) struct Panic(String);

impl Panic {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        // What it panicked with may itself panic when it is dropped.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        Self(text.unwrap_or_else(|| "with no words".to_owned()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Calls code of the application.
pub(crate) fn call<R>(act: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(act)).map_err(Panic::of)
}

/// Writes to the application's log: its subscriber may panic, which is its own matter.
pub(crate) fn log(write: impl FnOnce()) {
    drop(call(write));
}

/// Enters a span, which the subscriber hears of, until this is dropped.
pub(crate) fn enter(span: &LogSpan) -> Inside<'_> {
    Inside(call(|| span.0.enter()).ok())
}

/// Inside of a span.
pub(crate) struct Inside<'s>(Option<Entered<'s>>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let entered = self.0.take();
        log(|| drop(entered));
    }
}

/// Wakes a task, which its executor hears of: that may be the application's.
pub(crate) fn wake(waker: Waker) {
    if let Err(panic) = call(|| waker.wake()) {
        log(|| tracing::error!(%panic, "a waker panicked"));
    }
}

/// Makes a span, or none.
pub(crate) fn span(make: impl FnOnce() -> Span) -> LogSpan {
    LogSpan(call(make).unwrap_or_else(|_| Span::none()))
}

/// A span of the application's log, whose subscriber hears of its end too.
pub(crate) struct LogSpan(Span);

impl Drop for LogSpan {
    fn drop(&mut self) {
        if !self.0.is_none() {
            let span = std::mem::replace(&mut self.0, Span::none());
            log(|| drop(span));
        }
    }
}

/// Drops what the application gave: its code may run then.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = call(|| drop(value)) {
        log(|| tracing::error!(%panic, "what the application gave panicked as it was dropped"));
    }
}

/// Calls code of the application that gives a future, waits for that, and drops it.
pub(crate) async fn poll<F: Future>(begin: impl FnOnce() -> F) -> Result<F::Output, Panic> {
    let mut future = pin!(Some(call(begin)?));
    let output = poll_fn(|context| {
        let poll = call(|| future.as_mut().as_pin_mut().map(|future| future.poll(context)));
        match poll {
            Ok(Some(poll)) => poll.map(Ok),
            Ok(None) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await;
    // What the future has may panic as it is dropped.
    let dropped = call(|| future.set(None));
    output.and_then(|output| dropped.map(|()| output))
}
