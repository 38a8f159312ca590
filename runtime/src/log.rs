//! What the core finds worth a line goes to the application's log: outside of the lock, since a subscriber may do anything.

use stgclient_core::notice::{Notice, Severity};

use crate::guard;

/// Writes a line for a notice. Fields that it does not have are left out.
macro_rules! line {
    ($level:ident, $notice:expr) => {
        tracing::$level!(
            target: "stgclient_core",
            group = $notice.get("group"),
            topic = $notice.get("topic"),
            queue = $notice.get("queue"),
            offset = $notice.get("offset"),
            message_id = $notice.get("message_id"),
            keys = $notice.get("keys"),
            tries = $notice.get("tries"),
            count = $notice.get("count"),
            address = $notice.get("address"),
            client_id = $notice.get("client_id"),
            code = $notice.get("code"),
            opaque = $notice.get("opaque"),
            project = $notice.get("project"),
            remark = $notice.get("remark"),
            error = $notice.get("error"),
            "{}",
            $notice.what
        )
    };
}

pub(crate) fn write(notice: &Notice) {
    guard::log(|| match notice.severity {
        Severity::Error => line!(error, notice),
        Severity::Warn => line!(warn, notice),
        Severity::Info => line!(info, notice),
        Severity::Debug => line!(debug, notice),
    });
}
