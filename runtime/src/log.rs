//! What is worth a line goes to the host's log, if it has one, or to the application's: outside of the lock, since a subscriber may do
//! anything. What the application's own code does wrong is written where it is called.

use stgclient_core::notice::{Notice, Severity};
use stgclient_host::Host;

use crate::guard;

/// Writes a line for a notice. Fields that it does not have are left out; a name that is not here is never written, so the test
/// `every_line_is_in_the_table` compares them with those that the core gives.
macro_rules! line {
    ($level:ident, $notice:expr) => {
        tracing::$level!(
            target: "stgclient_core",
            group = $notice.get("group"),
            topic = $notice.get("topic"),
            queue = $notice.get("queue"),
            offset = $notice.get("offset"),
            from = $notice.get("from"),
            message_id = $notice.get("message_id"),
            keys = $notice.get("keys"),
            tries = $notice.get("tries"),
            count = $notice.get("count"),
            max_in_work = $notice.get("max_in_work"),
            seconds = $notice.get("seconds"),
            broker = $notice.get("broker"),
            address = $notice.get("address"),
            client_id = $notice.get("client_id"),
            code = $notice.get("code"),
            opaque = $notice.get("opaque"),
            project = $notice.get("project"),
            question = $notice.get("question"),
            remark = $notice.get("remark"),
            reason = $notice.get("reason"),
            name_servers = $notice.get("name_servers"),
            access_key = $notice.get("access_key"),
            error = $notice.get("error"),
            "{}",
            $notice.what
        )
    };
}

pub(crate) fn write(host: &dyn Host, notice: &Notice) {
    guard::log(|| match notice.severity {
        _ if host.log(notice) => {}
        Severity::Error => line!(error, notice),
        Severity::Warn => line!(warn, notice),
        Severity::Info => line!(info, notice),
        Severity::Debug => line!(debug, notice),
    });
}
