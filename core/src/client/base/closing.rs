//! How far closing is.

use crate::time::Instant;

/// How far closing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Operations under way may end until then.
    Draining { until: Instant },
    /// Brokers have been told; connections close then, or when all have answered.
    Leaving { until: Instant },
    /// Nothing is left.
    Closed,
}
