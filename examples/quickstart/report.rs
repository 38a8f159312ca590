//! What was sent and what came back, and how fast.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stgclient::{Receipt, SendStatus};

/// What was sent and what came back.
#[derive(Default)]
pub(crate) struct Report {
    /// How often each status came.
    statuses: BTreeMap<SendStatus, u64>,
    /// The ids that have to come back.
    expected: BTreeSet<String>,
    /// The keys of the oneway messages, which have no receipt.
    pub(crate) oneway: BTreeSet<String>,
    came: Vec<String>,
    burst: Option<(u32, Duration)>,
    pull_took: Duration,
}

impl Report {
    pub(crate) fn sent(&mut self, receipt: &Receipt) {
        self.burst(receipt, true);
    }

    /// Notes a receipt; whether the message is `wanted` back depends on its tag.
    pub(crate) fn burst(&mut self, receipt: &Receipt, wanted: bool) {
        *self.statuses.entry(receipt.status).or_default() += 1;
        if wanted {
            self.expected.insert(receipt.message_id.to_string());
        }
    }

    pub(crate) const fn burst_took(&mut self, count: u32, took: Duration) {
        self.burst = Some((count, took));
    }

    pub(crate) fn pulled(&mut self, came: Vec<String>, took: Duration) {
        self.came = came;
        self.pull_took = took;
    }

    /// Everything that has to come back: ids, and the keys of the oneway messages.
    pub(crate) fn wanted(&self) -> BTreeSet<String> {
        self.expected.union(&self.oneway).cloned().collect()
    }

    /// Prints the report.
    ///
    /// # Errors
    /// Messages are missing, or came that should not have.
    pub(crate) fn print(&self) -> Result<(), String> {
        let statuses: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        println!("  receipts  {}", statuses.join(", "));
        if let Some((count, took)) = self.burst {
            println!("  burst     {count} messages in {:.0?}: {:.0} messages/s", took, rate(count as usize, took));
        }
        let took = self.pull_took;
        println!(
            "  pulled    {} messages in {:.0?}: {:.0} messages/s",
            self.came.len(),
            took,
            rate(self.came.len(), took)
        );

        let came: BTreeSet<&String> = self.came.iter().collect();
        let wanted: BTreeSet<&String> = self.expected.iter().chain(&self.oneway).collect();
        let missing = wanted.difference(&came).count();
        let foreign = came.difference(&wanted).count();
        println!("  checked   {} wanted, {missing} missing, {foreign} not ours\n", wanted.len());
        if missing > 0 {
            return Err(format!("{missing} of {} messages are missing", wanted.len()));
        }
        println!("All messages came back.");
        Ok(())
    }
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-6)
}
