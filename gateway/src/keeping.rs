//! How much of what visitors send is kept at a time, because it is judged or signed as a whole: in all, and of one address. Nobody has
//! the gateway keep so much that nothing is left for others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The share of all that one address may have.
const SHARE: usize = 4;

/// What is kept of all visitors, in bytes.
#[derive(Debug)]
pub(crate) struct Keeping {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Keeping {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a visitor of this address may have kept.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    pub(crate) keeping: Arc<Keeping>,
    pub(crate) address: IpAddr,
}

impl Allowance {
    /// Nothing, yet.
    pub(crate) fn begin(&self) -> Held {
        Held { of: self.clone(), length: 0 }
    }
}

/// What is kept of one body, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    of: Allowance,
    length: usize,
}

impl Held {
    /// So many bytes more, if they may be.
    #[must_use]
    pub(crate) fn grow(&mut self, by: usize) -> bool {
        let Allowance { keeping, address } = &self.of;
        let mut kept = keeping.kept();
        let own = kept.by_address.get(address).copied().unwrap_or_default() + by;
        if kept.all + by > keeping.most || own > keeping.most / SHARE {
            return false;
        }
        kept.all += by;
        kept.by_address.insert(*address, own);
        self.length += by;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut kept = self.of.keeping.kept();
        kept.all -= self.length;
        let own = kept.by_address.remove(&self.of.address).unwrap_or_default() - self.length;
        if own > 0 {
            kept.by_address.insert(self.of.address, own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_more_than_its_share_and_all_have_no_more_than_there_is() {
        let keeping = Keeping::new(400);
        let of = |last: u8| Allowance { keeping: Arc::clone(&keeping), address: IpAddr::from([10, 0, 0, last]) };
        let (mut one, mut again) = (of(1).begin(), of(1).begin());
        assert!(one.grow(60) && again.grow(40) && !again.grow(1));
        let mut others: Vec<_> = (2..5).map(|last| of(last).begin()).collect();
        assert!(others.iter_mut().all(|held| held.grow(100)));
        let mut last = of(9).begin();
        assert!(!last.grow(1), "all is given");
        drop(one);
        assert!(last.grow(60) && !last.grow(1));
        drop((again, others, last));
        assert!(keeping.kept().all == 0 && keeping.kept().by_address.is_empty());
    }
}
