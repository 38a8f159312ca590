//! What clients that consume count: the messages that a handler got, and how long messages were under way.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, timeout};

use crate::contract::{Outcome, Phase};

/// When nothing has come for so long, nothing will: messages that a client sends back return after 10 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a handler counts: when the first message came, and when as many had come as are wanted.
pub(crate) struct Consumption {
    wanted: usize,
    seen: AtomicUsize,
    first: OnceLock<Instant>,
    last: OnceLock<Instant>,
    /// The first message came, or the last that is wanted.
    changed: Notify,
}

impl Consumption {
    pub(crate) fn new(wanted: usize) -> Arc<Self> {
        Arc::new(Self {
            wanted,
            seen: AtomicUsize::new(0),
            first: OnceLock::new(),
            last: OnceLock::new(),
            changed: Notify::new(),
        })
    }

    /// For the handler: so many messages came.
    pub(crate) fn arrived(&self, messages: usize) {
        let before = self.seen.fetch_add(messages, Relaxed);
        if before == 0 {
            let _ = self.first.set(Instant::now());
            self.changed.notify_one();
        }
        if before < self.wanted && before + messages >= self.wanted {
            let _ = self.last.set(Instant::now());
            self.changed.notify_one();
        }
    }

    /// Waits for the first message.
    pub(crate) async fn await_first(&self) -> Result<(), String> {
        while self.first.get().is_none() {
            timeout(Duration::from_secs(60), self.changed.notified()).await.map_err(|_| "no message came")?;
        }
        Ok(())
    }

    /// Waits for as many as are wanted, for so long at the most, and no longer than something comes.
    pub(crate) async fn await_all(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let (mut before, mut since) = (0, Instant::now());
        while self.last.get().is_none() && Instant::now() < deadline && since.elapsed() < PATIENCE {
            let _ = timeout(Duration::from_secs(1), self.changed.notified()).await;
            let now = self.seen.load(Relaxed);
            if now != before {
                (before, since) = (now, Instant::now());
            }
        }
    }

    /// From the first message to the last.
    pub(crate) fn outcome(&self) -> Outcome {
        let seen = self.seen.load(Relaxed);
        let first = self.first.get().copied().unwrap_or_else(Instant::now);
        let last = self.last.get().copied();
        Outcome {
            succeeded: seen.min(self.wanted),
            failed: self.wanted.saturating_sub(seen),
            first_failure: last.is_none().then(|| "messages are missing".to_owned()),
            seconds: last.unwrap_or_else(Instant::now).duration_since(first).as_secs_f64(),
            p50_us: 0.0,
            p99_us: 0.0,
            total: seen,
        }
    }
}

/// The messages of a phase in which they are sent at a steady rate and consumed by the same process.
pub(crate) struct Journeys {
    pub(crate) phase: Phase,
    /// Tells this phase's messages from those of others and of earlier runs.
    mark: u64,
    sent_at: Vec<OnceLock<Instant>>,
    came: AtomicUsize,
}

impl Journeys {
    pub(crate) fn new(count: usize) -> Arc<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        Arc::new(Self {
            phase: Phase::new(count, Duration::from_secs(3600)),
            mark: now ^ u64::from(std::process::id()) << 40,
            sent_at: (0..count).map(|_| OnceLock::new()).collect(),
            came: AtomicUsize::new(0),
        })
    }

    /// The body of a message that is sent now.
    fn leaves(&self, ticket: usize, length: usize) -> Vec<u8> {
        let mut body = Vec::with_capacity(length);
        body.extend_from_slice(&self.mark.to_be_bytes());
        body.extend_from_slice(&(ticket as u32).to_be_bytes());
        body.resize(length.max(12), 0);
        let _ = self.sent_at[ticket].set(Instant::now());
        body
    }

    /// For the handler: a message with this body came.
    pub(crate) fn arrived(&self, body: &[u8]) {
        let Some((mark, rest)) = body.split_first_chunk() else { return };
        let Some((ticket, _)) = rest.split_first_chunk() else { return };
        let ticket = u32::from_be_bytes(*ticket) as usize;
        if u64::from_be_bytes(*mark) == self.mark
            && let Some(sent_at) = self.sent_at.get(ticket).and_then(OnceLock::get)
        {
            self.phase.succeeded(ticket, *sent_at);
            self.came.fetch_add(1, Relaxed);
        }
    }

    /// Sends all, each at its time or as soon as the one before is acknowledged, and waits until all have come, for
    /// `patience` at the most. Returns how many were sent.
    pub(crate) async fn travel<E: ToString>(
        &self,
        rate: usize,
        length: usize,
        patience: Duration,
        mut send: impl AsyncFnMut(Vec<u8>) -> Result<(), E>,
    ) -> usize {
        let started = tokio::time::Instant::now();
        let count = self.sent_at.len();
        let mut sent = 0;
        for ticket in 0..count {
            sleep_until(started + Duration::from_secs(1) * ticket as u32 / rate as u32).await;
            match send(self.leaves(ticket, length)).await {
                Ok(()) => sent += 1,
                Err(error) => self.phase.failed(&error),
            }
        }
        let deadline = Instant::now() + patience;
        while self.came.load(Relaxed) < count && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        for _ in self.phase.successes()..count {
            self.phase.failed(&"a message did not come");
        }
        sent
    }
}
