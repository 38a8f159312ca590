//! What keeps a client open.

use std::fmt;
use std::sync::Arc;

use crate::shared::Shared;

/// What keeps a client open: the last one that is dropped closes it.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.shared.settings.client_id).finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Handlers may end, and callbacks may hear what became of their messages.
        self.shared.with(|state, now| state.core.close(now, self.shared.settings.close_timeout));
    }
}
