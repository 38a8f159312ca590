//! Waiting for what happens on real clocks and threads, for all test programs here.

use std::time::{Duration, Instant};

/// Long enough that a slow machine does not matter, short enough that "never" shows.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Looks again until there is something, and fails the test when there is nothing soon.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
