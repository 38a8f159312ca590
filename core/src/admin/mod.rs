//! Administration: topics, their statistics, clusters. What has to be known first, whom to ask what, and what the
//! answers add up to.

mod statistics;
mod task;
mod topic;

pub use statistics::{QueueStatistics, TopicStatistics};
pub(crate) use task::{Needs, Target, Task};
pub use topic::{Placement, TopicSettings};
