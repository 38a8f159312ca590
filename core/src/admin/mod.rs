//! Administration: topics, their statistics, and where they are.

mod statistics;
mod topic;

pub use statistics::{QueueStatistics, TopicStatistics};
pub use topic::{Placement, TopicSettings};
