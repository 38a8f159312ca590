//! Waiting for what a server does in its own time.

use std::time::{Duration, Instant};

/// How long something may take that a healthy server does at once: loaded machines are slow.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again until there is something, and fails the test when there is nothing in time.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// As [`eventually`], for what a server takes longer for.
pub async fn within<T>(patience: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
