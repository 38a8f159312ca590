//! Quiet and storm in turn, so that both see the same machine.

use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How long each is.
pub(crate) const WINDOW: Duration = Duration::from_secs(7);
/// What attackers leave behind is cleared away in this time, which belongs to neither.
const CLEARING: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Quiet,
    Storm,
    Over,
}

/// When it was what.
pub(crate) struct Weather {
    phase: watch::Sender<Phase>,
    windows: Vec<(Phase, Instant, Instant)>,
}

impl Weather {
    pub(crate) fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Quiet), windows: Vec::new() }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// So many windows of each.
    pub(crate) async fn pass(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.window(Phase::Quiet).await;
            self.window(Phase::Storm).await;
            self.phase.send_replace(Phase::Quiet);
            tokio::time::sleep(CLEARING).await;
        }
        self.phase.send_replace(Phase::Over);
    }

    async fn window(&mut self, phase: Phase) {
        let from = Instant::now();
        self.phase.send_replace(phase);
        tokio::time::sleep(WINDOW).await;
        self.windows.push((phase, from, Instant::now()));
    }

    /// From when to when it was this.
    pub(crate) fn windows(&self, phase: Phase) -> impl Iterator<Item = Range<Instant>> {
        self.windows.iter().filter(move |(one, ..)| *one == phase).map(|(_, from, to)| *from..*to)
    }
}
