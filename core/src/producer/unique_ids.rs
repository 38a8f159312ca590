//! Makes unique ids as Java does (`MessageClientIDSetter`): no two alike from one client within a month.

use core::net::IpAddr;

use crate::wire::message::UniqueId;

const DAY_MS: u64 = 86_400_000;

/// The maker of one client's ids.
#[derive(Debug)]
pub(crate) struct UniqueIds {
    ip: IpAddr,
    process_id: u16,
    client_hash: u32,
    /// The month that times are counted from, as milliseconds since 1970 UTC, and its end.
    month: core::ops::Range<u64>,
    counter: u16,
}

impl UniqueIds {
    /// Ids of the client at `ip`; `client_hash` tells clients of one process apart.
    pub(crate) const fn new(ip: IpAddr, process_id: u32, client_hash: u32) -> Self {
        Self { ip, process_id: process_id as u16, client_hash, month: 0..0, counter: 0 }
    }

    /// The next id.
    ///
    /// A clock that steps back within the month repeats times, but not the counter beside them; one that steps back
    /// before the month begins anew with its own month.
    pub(crate) fn next(&mut self, unix_ms: u64) -> UniqueId {
        if !self.month.contains(&unix_ms) {
            self.month = month_of(unix_ms);
        }
        let since = unix_ms - self.month.start;
        let id = UniqueId::new(self.ip, self.process_id, self.client_hash, since as u32, self.counter);
        self.counter = self.counter.wrapping_add(1);
        id
    }
}

/// The month around a moment, UTC, in milliseconds since 1970: the civil calendar, counted from March so that leap
/// days come last.
fn month_of(unix_ms: u64) -> core::ops::Range<u64> {
    let day = unix_ms / DAY_MS;
    // Day 0 of the 400-year cycle is the 1st of March 0000; 1970 began 719 468 days later.
    let shifted = day + 719_468;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5;
    let year = year_of_era + u64::from(month_from_march >= 10);
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    let days = match month_from_march {
        1 | 3 | 6 | 8 => 30,
        11 if leap => 29,
        11 => 28,
        _ => 31,
    };
    let start = (day - day_of_month) * DAY_MS;
    start..start + days * DAY_MS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        // (a moment, its month's first moment and the next one's), as `date -u +%s` counts.
        for (moment, start, end) in [
            (0, 0, 2_678_400),
            (951_782_400, 949_363_200, 951_868_800),       // 29 February 2000
            (1_709_164_800, 1_706_745_600, 1_709_251_200), // 29 February 2024
            (1_700_000_000, 1_698_796_800, 1_701_388_800), // 14 November 2023
            (1_735_689_599, 1_733_011_200, 1_735_689_600), // the last second of 2024
            (4_107_542_399, 4_105_123_200, 4_107_542_400), // the last second of February 2100, no leap year
        ] {
            assert_eq!(month_of(moment * 1000), start * 1000..end * 1000, "{moment}");
        }
    }

    #[test]
    fn ids_differ_and_have_the_shape_that_java_gives_them() {
        let mut ids = UniqueIds::new([10, 0, 0, 1].into(), 0x1_2A13, 0x9A5B_0123);
        let made: Vec<String> =
            (0..70_000).map(|step| ids.next(1_700_000_000_000 + step / 60_000).to_string()).collect();
        assert_eq!(made[0], "0A0000012A139A5B012347B760000000");
        assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len());
    }

    #[test]
    fn a_clock_that_steps_back_does_not_break_ids() {
        let mut ids = UniqueIds::new([10, 0, 0, 1].into(), 1, 2);
        assert_ne!(ids.next(1_700_000_000_000), ids.next(1_600_000_000_000));
        ids.next(0);
    }
}
