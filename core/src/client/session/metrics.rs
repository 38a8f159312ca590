//! What a client has counted, put together.

use crate::client::session::Session;
use crate::metrics::Metrics;

impl Session {
    pub(crate) fn metrics(&self) -> Metrics {
        let (sends, other_sends) = self.brokers.sends();
        let (backlog, messages_in_line) = self.groups.backlog();
        Metrics {
            sends,
            other_sends,
            send_latency: self.send_latency.clone(),
            messages_in_flight: backlog.messages,
            bytes_in_flight: backlog.bytes,
            messages_in_line,
            connections: self.network.standing().count(),
            connects: self.network.counters().connects,
            reconnects: self.network.reconnects,
            bytes_sent: self.network.bytes_sent,
            bytes_received: self.network.bytes_received,
            consumers: self.groups.consumer_metrics(),
        }
    }
}
