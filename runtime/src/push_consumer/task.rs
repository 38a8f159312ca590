//! The tasks of a consumer, which are tasks of its client too.

use std::sync::Arc;

use crate::shared::Shared;
use crate::tasks::{TaskGuard, Tasks};

/// A consumer's task counts as one of its own and as one of its client's.
pub(super) struct ConsumerTask {
    _own: TaskGuard,
    _clients: TaskGuard,
}

impl ConsumerTask {
    pub(super) fn new(shared: &Shared, own: &Arc<Tasks>) -> Self {
        Self { _own: own.guard(), _clients: shared.tasks.guard() }
    }
}
