//! What a test asks of the network for one address.

use stgclient_core::time::Duration;

use super::link::Direction;

/// After how many bytes of which direction a link breaks.
pub(in crate::world) type Break = (Direction, usize);

/// How the links to one address are treated, beside the faults that are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::world) struct Rule {
    /// Attempts to connect are refused.
    pub(in crate::world) refuses: bool,
    /// Nothing gets through: attempts to connect are not decided, and a reset is lost.
    pub(in crate::world) is_cut_off: bool,
    /// What arrives is held up, by direction.
    holds: [bool; 2],
    /// Every piece takes so much longer.
    pub(in crate::world) delay: Duration,
    /// The first link that carries so many bytes more in this direction breaks then.
    pub(in crate::world) breaks_after: Option<Break>,
}

impl Rule {
    pub(super) const fn holds(&self, direction: Direction) -> bool {
        self.holds[direction.index()]
    }

    pub(in crate::world) const fn hold(&mut self, direction: Direction, holds: bool) {
        self.holds[direction.index()] = holds;
    }
}
