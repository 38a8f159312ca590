//! `lenient.jsonl`: bodies as others may write them, and what Java makes of them. We make the same of each, and what Java
//! refuses is known for that, though nothing else in the body is lost.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use core::fmt::Debug;

use line::{Line, same};
use stgclient_core::wire::body::{
    BrokerData, ConsumeStats, HeartbeatData, QueueData, QueueLockRequest, ResetOffsets, SubscriptionData,
    SubscriptionGroupConfig, TopicStatsTable, from_slice, read,
};
use stgclient_core::wire::json::Readable;
use stgclient_core::wire::odd::Odd;

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "HeartbeatData" => of_type::<HeartbeatData>(line),
        "SubscriptionData" => of_type::<SubscriptionData>(line),
        "ConsumeStats" => of_type::<ConsumeStats>(line),
        "BrokerData" => of_type::<BrokerData>(line),
        "TopicStatsTable" => of_type::<TopicStatsTable>(line),
        "QueueData" => of_type::<QueueData>(line),
        "SubscriptionGroupConfig" => of_type::<SubscriptionGroupConfig>(line),
        "ResetOffsetBody" => of_type::<ResetOffsets>(line),
        "LockBatchRequestBody" => of_type::<QueueLockRequest>(line),
        other => Err(format!("the kind {other} is new")),
    })
}

fn of_type<T: Readable + Debug + PartialEq>(line: &Line) -> Result<(), String> {
    let text = line.text("text")?;
    let odd = Odd::default();
    let ours = read::<T>(text.as_bytes(), &odd);
    match line.text("read") {
        Ok(javas) => {
            same(
                text,
                ours.map_err(|error| error.to_string()),
                from_slice(javas.as_bytes()).map_err(|error| error.to_string()),
            )?;
            same(text, odd.refused().map(ToString::to_string), None)
        }
        Err(_) if ours.is_err() || odd.refused().is_some() => Ok(()),
        Err(_) => Err(format!("Java refuses {text}, of which we make {ours:?}")),
    }
}
