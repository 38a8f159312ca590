//! Push consumers on the cluster in memory, in virtual time.

mod concurrent;
mod orderly;
mod sharing;
mod stage;
mod stores;
mod swarm;
