//! The tokio host, for tests that look on: when an operation is over, and what is logged.

use std::sync::{Arc, Mutex, PoisonError};

use stgclient::Notice;
use stgclient::host::{BoxFuture, Host, Link, Observation};
use stgclient_core::client::{Event, Identity};
use stgclient_core::time::{Instant, Now};
use stgclient_tokio::Tokio;

pub(crate) type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) tokio: Tokio,
    /// Called when the next operation is over, under the lock.
    pub(crate) completed: Arc<Mutex<Option<Hook>>>,
    /// Lines of the log, if they are to come here.
    pub(crate) lines: Option<Arc<Mutex<Vec<Notice>>>>,
}

impl Host for Watched {
    fn now(&self) -> Now {
        self.tokio.now()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tokio.spawn(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        self.tokio.sleep_until(at)
    }

    fn connect(&self, link: Box<dyn Link>) {
        self.tokio.connect(link);
    }

    fn identity(&self) -> Identity {
        self.tokio.identity()
    }

    fn seed(&self) -> u64 {
        self.tokio.seed()
    }

    fn log(&self, notice: &Notice) -> bool {
        assert!(!stgclient::holds_lock(), "who logs may use the client");
        let Some(lines) = &self.lines else { return false };
        lines.lock().unwrap().push(notice.clone());
        true
    }

    fn is_observing(&self) -> bool {
        true
    }

    fn observe(&self, observation: Observation<'_>) {
        if let Observation::Event(Event::Completed { .. }) = observation {
            let hook = self.completed.lock().unwrap_or_else(PoisonError::into_inner).take();
            hook.into_iter().for_each(|hook| hook());
        }
    }
}
