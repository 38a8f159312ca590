//! Administration: topics, their statistics, and where they are; how far groups are behind; messages by
//! their ids and keys.

mod lag;
mod messages;
mod statistics;
mod topic;

pub use lag::{GroupLag, QueueLag};
pub use messages::{FoundMessages, MessageQuery};
pub use statistics::{QueueStatistics, TopicStatistics};
pub use topic::{Placement, TopicSettings};
