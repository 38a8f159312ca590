//! What a server is forced to now: what tests have asked for, and what is drawn.

use stgclient_core::wire::command::Command;

use super::force::{Force, Forced};
use super::request_faults::{DrawnFaults, RequestFaults};

/// What a server is forced to. Of several that fit a request the first one given counts.
/// Without one, faults may be drawn.
#[derive(Debug, Default)]
pub(super) struct Forces {
    asked_for: Vec<Force>,
    drawn: Option<DrawnFaults>,
}

impl Forces {
    pub(super) fn add(&mut self, force: Force) {
        if force.left != Some(0) {
            self.asked_for.push(force);
        }
    }

    /// Adds one in place of those for the same requests.
    pub(super) fn replace(&mut self, force: Force) {
        self.asked_for.retain(|known| known.codes != force.codes);
        self.add(force);
    }

    pub(super) fn clear(&mut self) {
        self.asked_for.clear();
        self.drawn = None;
    }

    /// From now on faults are drawn, from this seed.
    pub(super) fn draw(&mut self, faults: &RequestFaults, seed: u64) {
        self.drawn = Some(DrawnFaults::new(faults.clone(), seed));
    }

    /// How `request` is to be treated; counts it.
    pub(super) fn take(&mut self, request: &Command) -> Option<Forced> {
        let Some(index) = self.asked_for.iter().position(|force| force.is_for(request)) else {
            return self.drawn.as_mut()?.draw(request);
        };
        let Some(left) = &mut self.asked_for[index].left else {
            return Some(self.asked_for[index].forced.clone());
        };
        *left -= 1;
        if *left > 0 {
            return Some(self.asked_for[index].forced.clone());
        }
        Some(self.asked_for.remove(index).forced)
    }
}
