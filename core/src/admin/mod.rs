//! Administration: topics, their statistics, and where they are; how far groups are behind.

mod lag;
mod statistics;
mod topic;

pub use lag::{GroupLag, QueueLag};
pub use statistics::{QueueStatistics, TopicStatistics};
pub use topic::{Placement, TopicSettings};
