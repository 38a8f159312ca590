//! What a test asks of the network for one address.

use stgclient_core::time::Duration;

use super::link::Direction;

/// After how many bytes of which direction a link breaks.
pub(crate) type Break = (Direction, usize);

/// How the links to one address are treated, beside the faults that are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Attempts to connect are refused.
    pub(crate) refuses: bool,
    /// Nothing gets through: attempts to connect are not decided, and a reset is lost.
    pub(crate) is_cut_off: bool,
    /// What arrives is held up, by direction.
    holds: [bool; 2],
    /// Every piece takes so much longer.
    pub(crate) delay: Duration,
    /// The first link that carries so many bytes more in this direction breaks then.
    pub(crate) breaks_after: Option<Break>,
}

impl Rule {
    pub(super) const fn holds(&self, direction: Direction) -> bool {
        self.holds[direction.index()]
    }

    pub(crate) const fn hold(&mut self, direction: Direction, holds: bool) {
        self.holds[direction.index()] = holds;
    }
}
