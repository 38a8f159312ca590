//! Where a group begins, in an application's words. The core has numbers only, so times of the system are taken here.
#![expect(clippy::disallowed_types, reason = "somebody else has looked at a clock")]

use std::time::SystemTime;

use stgclient_core::consumer::push::ConsumeFrom;

/// Where a group begins, as an application has it: a [`ConsumeFrom`], or a time.
pub trait Beginning {
    /// Where that is.
    fn consume_from(self) -> ConsumeFrom;
}

impl Beginning for ConsumeFrom {
    fn consume_from(self) -> ConsumeFrom {
        self
    }
}

/// With the first message stored at this time or later; one before 1970 is 1970.
impl Beginning for SystemTime {
    fn consume_from(self) -> ConsumeFrom {
        let since = self.duration_since(Self::UNIX_EPOCH).unwrap_or_default();
        ConsumeFrom::Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
