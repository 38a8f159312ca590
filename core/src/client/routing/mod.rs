//! Where things are, as name servers say.

pub(super) mod creations;
pub(super) mod look_ups;
pub(super) mod routes;
pub(super) mod topic_changes;
