//! What keeps a client open.

use std::sync::Arc;

use stgclient_core::time::Duration;

use crate::shared::Shared;

/// What keeps a client open: the last one that is dropped closes it.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left who could wait for anything under way.
        self.shared.with(|state, now| state.core.close(now, Duration::ZERO));
    }
}
