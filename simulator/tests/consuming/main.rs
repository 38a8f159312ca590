//! Push consumers on the cluster in memory, in virtual time.

mod beginning;
mod by_allocation;
mod by_sql;
mod closing;
mod concurrent;
mod following;
mod handing_over;
mod new_groups;
mod newer_queues;
mod orderly;
mod resets;
mod sharing;
mod stage;
mod standing;
mod starting;
mod stores;
mod warnings;
