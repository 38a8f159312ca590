//! What the servers of a cluster keep besides messages, in bytes: who keeps something holds a charge for it, and with what is kept the
//! charge goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::refusal::Refusal;

/// What an entry of a table takes, its key's place and the table's own share included, in bytes.
pub(super) const ENTRY: usize = 128;

/// What the first entry of a map takes besides, in bytes for each byte of an entry: there is room for eleven.
pub(super) const FIRST: usize = 12;

/// How many bytes may be kept, and how many are. One for all servers of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// What was kept when the cluster was made, which is not counted.
    own: AtomicUsize,
}

/// Bytes that are kept for as long as this lives.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// As many as there are, until [`Budget::begin`].
    pub(super) fn new() -> Self {
        let [limit, used, own] = [usize::MAX, 0, 0].map(AtomicUsize::new);
        Self(Arc::new(Inner { limit, used, own }))
    }

    /// Of what is kept besides what is kept by now there may be so many bytes.
    pub(super) fn begin(&self, limit: usize) {
        let own = self.0.used.load(Ordering::Relaxed);
        self.0.own.store(own, Ordering::Relaxed);
        self.0.limit.store(limit.saturating_add(own), Ordering::Relaxed);
    }

    /// How many bytes are kept.
    pub(super) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed).saturating_sub(self.0.own.load(Ordering::Relaxed))
    }

    fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed) - self.0.own.load(Ordering::Relaxed)
    }

    /// Whether more than half of them are kept.
    pub(super) fn is_scarce(&self) -> bool {
        self.used() > self.limit() / 2
    }

    /// Room for so many bytes.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn charge(&self, bytes: usize) -> Result<Charge, Refusal> {
        let mut charge = self.free();
        charge.resize(bytes)?;
        Ok(charge)
    }

    /// A charge of nothing, for what is there from the start.
    pub(super) fn free(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0 }
    }
}

impl Charge {
    /// How many bytes are charged.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes less are kept.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What is kept has become longer or shorter.
    ///
    /// # Errors
    /// There is no room for it; nothing changes.
    pub(super) fn resize(&mut self, bytes: usize) -> Result<(), Refusal> {
        // A cluster is used by one at a time, so nobody else counts meanwhile.
        let inner = &*self.budget.0;
        let used = inner.used.load(Ordering::Relaxed) - self.bytes + bytes;
        if bytes > self.bytes && used > inner.limit.load(Ordering::Relaxed) {
            return Err(Refusal::full("bytes besides messages", self.budget.limit()));
        }
        inner.used.store(used, Ordering::Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
