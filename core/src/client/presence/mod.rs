//! What brokers know of us: groups, heartbeats, first commits.

pub(super) mod first_commits;
pub(super) mod greetings;
pub(super) mod groups;
