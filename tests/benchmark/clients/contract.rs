//! What every client says on standard output, and what it waits for: `first`, `ready`, `done`, and the result.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::Serialize;

/// Says how far we are.
pub(crate) fn say(word: &str) {
    println!("{word}");
    io::stdout().flush().expect("the driver reads");
}

/// Says how far we are, and waits until the driver has measured.
pub(crate) fn say_and_wait(word: &str) {
    say(word);
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("the driver answers");
}

/// What came of a phase of `count` messages, filled by all tasks at once.
pub(crate) struct Phase {
    tickets: AtomicUsize,
    deadline: Instant,
    /// Nanoseconds by ticket; 0 is none.
    latencies: Vec<AtomicU32>,
    failures: Mutex<Vec<String>>,
}

/// The last line.
#[derive(Serialize)]
pub(crate) struct Outcome {
    /// How many messages of the measured phase succeeded.
    pub(crate) succeeded: usize,
    /// How many did not.
    pub(crate) failed: usize,
    /// What the first failure said.
    pub(crate) first_failure: Option<String>,
    /// How long the phase took.
    pub(crate) seconds: f64,
    /// Half of the messages took no longer, in microseconds.
    pub(crate) p50_us: f64,
    /// 99 of 100 messages took no longer, in microseconds.
    pub(crate) p99_us: f64,
    /// How many messages succeeded since the process began.
    pub(crate) total: usize,
}

impl Phase {
    pub(crate) fn new(count: usize, limit: Duration) -> Self {
        let latencies = (0..count).map(|_| AtomicU32::new(0)).collect();
        let deadline = Instant::now() + limit;
        Self { tickets: AtomicUsize::new(0), deadline, latencies, failures: Mutex::default() }
    }

    /// The number of the next message, until there are enough.
    pub(crate) fn next(&self) -> Option<usize> {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        // Looking at the clock now and then is enough for a warm-up.
        let is_late = ticket.is_multiple_of(64) && Instant::now() > self.deadline;
        if is_late {
            self.tickets.fetch_add(self.latencies.len(), Relaxed);
        }
        (ticket < self.latencies.len() && !is_late).then_some(ticket)
    }

    pub(crate) fn succeeded(&self, ticket: usize, since: Instant) {
        let nanoseconds = since.elapsed().as_nanos().clamp(1, u128::from(u32::MAX));
        self.latencies[ticket].store(nanoseconds as u32, Relaxed);
    }

    pub(crate) fn failed(&self, error: &impl ToString) {
        self.failures.lock().expect("no task panics").push(error.to_string());
    }

    pub(crate) fn successes(&self) -> usize {
        self.latencies.iter().filter(|latency| latency.load(Relaxed) > 0).count()
    }

    pub(crate) fn outcome(&self, seconds: f64, before: usize) -> Outcome {
        let mut sorted: Vec<_> =
            self.latencies.iter().map(|latency| latency.load(Relaxed)).filter(|ns| *ns > 0).collect();
        sorted.sort_unstable();
        let percentile = |percent| sorted.get(sorted.len() * percent / 100).map_or(0.0, |ns| f64::from(*ns) / 1000.0);
        let failures = self.failures.lock().expect("no task panics");
        Outcome {
            succeeded: sorted.len(),
            failed: failures.len(),
            first_failure: failures.first().cloned(),
            seconds,
            p50_us: percentile(50),
            p99_us: percentile(99),
            total: before + sorted.len(),
        }
    }
}

impl Outcome {
    pub(crate) fn print(&self) {
        say(&serde_json::to_string(self).expect("plain numbers"));
    }
}
