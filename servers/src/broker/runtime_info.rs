//! What a broker says of itself, as `mqadmin clusterList` prints it (`AdminBrokerProcessor.prepareRuntimeInfo`).

use stgclient_core::time::Now;
use stgclient_core::wire::body::{self, KeyValueTable};

use super::Broker;

/// What a broker has done since it was started, and what it did within the last whole seconds.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Messages in the log, those included that come again or late.
    stored: u64,
    /// Messages that clients have sent.
    put: u64,
    got: u64,
    got_bytes: u64,
}

impl Counters {
    pub(super) const fn count_stored(&mut self) {
        self.stored += 1;
    }

    pub(super) const fn count_put(&mut self, messages: usize) {
        self.put += messages as u64;
    }

    pub(super) const fn count_get(&mut self, messages: usize, bytes: usize) {
        self.got += messages as u64;
        self.got_bytes += bytes as u64;
    }
}

impl Broker {
    pub(super) fn runtime_info(&self, now: Now) -> Vec<u8> {
        let uptime = now.mono.since(self.started.mono);
        let seconds = uptime.as_secs();
        let per_second = |count: u64| format!("{}.0", count / seconds.max(1));
        let oldest = self.log.oldest().map_or(-1, |record| record.store_timestamp as i64);
        let is_new = self.log.next_physical_offset() == 0;
        let min_offset = if is_new { "-1".to_owned() } else { self.log.min_physical_offset().to_string() };
        let table = [
            ("bootTimestamp", self.started.unix_ms.to_string()),
            ("brokerActive", "true".into()),
            ("brokerVersionDesc", "V5_4_0".into()),
            (
                "commitLogDirCapacity",
                format!("Total : {} B, Free : {} B.", self.config.limits.message_bytes, self.free()),
            ),
            ("commitLogDiskRatio", self.ratio()),
            ("commitLogMaxOffset", self.log.next_physical_offset().to_string()),
            ("commitLogMinOffset", min_offset),
            ("consumeQueueDiskRatio", self.ratio()),
            ("dispatchBehindBytes", "0".into()),
            ("earliestMessageTimeStamp", oldest.to_string()),
            ("getTransferredTps", per_second(self.counters.got)),
            ("msgGetTotalTodayMorning", "0".into()),
            ("msgGetTotalTodayNow", self.counters.got.to_string()),
            ("msgGetTotalYesterdayMorning", "0".into()),
            ("msgPutTotalTodayMorning", "0".into()),
            ("msgPutTotalTodayNow", self.counters.put.to_string()),
            ("msgPutTotalYesterdayMorning", "0".into()),
            ("pageCacheLockTimeMills", "0".into()),
            ("putMessageSizeTotal", self.log.next_physical_offset().to_string()),
            ("putMessageTimesTotal", self.counters.stored.to_string()),
            ("putTps", per_second(self.counters.stored)),
            ("remainHowManyDataToFlush", "0 B".into()),
            (
                "runtime",
                format!(
                    "[ {} days, {} hours, {} minutes, {} seconds ]",
                    seconds / 86_400,
                    seconds / 3600 % 24,
                    seconds / 60 % 60,
                    seconds % 60
                ),
            ),
            ("startAcceptSendRequestTimeStamp", "0".into()),
            ("timerCongestNum", "0".into()),
            ("timerDequeueTps", "0.0".into()),
            ("timerEnqueueTps", "0.0".into()),
            ("timerOffsetBehind", "0".into()),
            ("timerReadBehind", "0".into()),
        ];
        let pools = ["send", "pull", "litePull", "query", "ack"].into_iter().flat_map(|pool| {
            [
                (format!("{pool}ThreadPoolQueueSize"), "0".to_owned()),
                (format!("{pool}ThreadPoolQueueCapacity"), "0".to_owned()),
                (format!("{pool}ThreadPoolQueueHeadWaitTimeMills"), "0".to_owned()),
            ]
        });
        let held_back = self.held_back().map(|(level, next, end)| {
            // Where delivery is, and where the level ends (`ScheduleMessageService.buildRunningStats`).
            (format!("scheduleMessageOffset_{level}"), format!("{next},{end}"))
        });
        let table = table.map(|(name, value)| (name.to_owned(), value)).into_iter();
        let table = table.chain(pools).chain(held_back).collect();
        body::to_vec(&KeyValueTable { table })
    }

    fn free(&self) -> usize {
        self.config.limits.message_bytes.saturating_sub(self.log.kept())
    }

    /// How full the broker is, from 0.00 to 1.00.
    fn ratio(&self) -> String {
        let percent = (self.log.kept() as u128 * 100 / self.config.limits.message_bytes.max(1) as u128).min(100);
        format!("{}.{:02}", percent / 100, percent % 100)
    }
}
