//! What keeps a client open.

use std::sync::Arc;

use crate::shared::Shared;

/// What keeps a client open: the last one that is dropped closes it.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Handlers may end, and callbacks may hear what became of their messages.
        self.shared.with(|state, now| state.core.close(now, self.shared.settings.close_timeout));
    }
}
