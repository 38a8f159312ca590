//! A client's metrics for the recorder of the `metrics` facade.

use std::sync::Arc;

use metrics::{counter, gauge};
use stgclient_core::metrics::{ConsumerMetrics, Histogram, Metrics, SendCounters};

/// What every name and label is told with.
struct Exporter {
    client: Arc<str>,
}

/// Gives all that a client has counted to the recorder that the process has installed.
pub(crate) fn export(client_id: &str, metrics: &Metrics) {
    let exporter = Exporter { client: client_id.into() };
    for (broker, sends) in &metrics.sends {
        exporter.sends(broker, sends);
    }
    exporter.sends("", &metrics.other_sends);
    exporter.latency(&metrics.send_latency);
    exporter.gauge("stgclient_messages_in_flight", metrics.messages_in_flight as f64);
    exporter.gauge("stgclient_bytes_in_flight", metrics.bytes_in_flight as f64);
    exporter.gauge("stgclient_messages_in_line", metrics.messages_in_line as f64);
    exporter.gauge("stgclient_connections", metrics.connections as f64);
    exporter.counter("stgclient_connects_total", metrics.connects);
    exporter.counter("stgclient_reconnects_total", metrics.reconnects);
    exporter.counter("stgclient_sent_bytes_total", metrics.bytes_sent);
    exporter.counter("stgclient_received_bytes_total", metrics.bytes_received);
    for (group, consumer) in &metrics.consumers {
        exporter.consumer(group, consumer);
    }
}

impl Exporter {
    fn client(&self) -> String {
        self.client.to_string()
    }

    fn counter(&self, name: &'static str, value: u64) {
        counter!(name, "client" => self.client()).absolute(value);
    }

    fn gauge(&self, name: &'static str, value: f64) {
        gauge!(name, "client" => self.client()).set(value);
    }

    fn sends(&self, broker: &str, sends: &SendCounters) {
        let outcomes = [
            ("SEND_OK", sends.send_ok),
            ("FLUSH_DISK_TIMEOUT", sends.flush_disk_timeout),
            ("FLUSH_SLAVE_TIMEOUT", sends.flush_slave_timeout),
            ("SLAVE_NOT_AVAILABLE", sends.slave_not_available),
            ("oneway", sends.oneway),
            ("failed", sends.failed),
            ("cancelled", sends.cancelled),
        ];
        for (outcome, count) in outcomes {
            let name = "stgclient_sends_total";
            counter!(name, "client" => self.client(), "broker" => broker.to_owned(), "outcome" => outcome)
                .absolute(count);
        }
        counter!("stgclient_send_tries_total", "client" => self.client(), "broker" => broker.to_owned())
            .absolute(sends.tries);
    }

    /// The facade takes single durations only; these are counted already, so they go as what scrapers make of a histogram.
    fn latency(&self, latency: &Histogram) {
        let mut below = 0;
        for (bound, count) in latency.buckets() {
            below += count;
            let le = bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            counter!("stgclient_send_seconds_bucket", "client" => self.client(), "le" => le).absolute(below);
        }
        self.counter("stgclient_send_seconds_count", below);
        // A counter has whole numbers only.
        self.gauge("stgclient_send_seconds_sum", latency.sum().as_secs_f64());
    }

    fn consumer(&self, group: &str, consumer: &ConsumerMetrics) {
        let counters = [
            ("stgclient_pulled_messages_total", consumer.pulled),
            ("stgclient_consumed_messages_total", consumer.consumed),
            ("stgclient_failed_messages_total", consumer.failed),
            ("stgclient_sent_back_messages_total", consumer.sent_back),
            ("stgclient_passed_over_messages_total", consumer.passed_over),
            ("stgclient_flow_controlled_total", consumer.flow_controlled),
            ("stgclient_assigned_queues_total", consumer.assigned),
            ("stgclient_revoked_queues_total", consumer.revoked),
        ];
        for (name, count) in counters {
            counter!(name, "client" => self.client(), "group" => group.to_owned()).absolute(count);
        }
        let gauges = [
            ("stgclient_queues", consumer.queues as f64),
            ("stgclient_messages_in_work", consumer.in_work as f64),
            // What is not known is not a number: the last one would be taken for the one of now.
            ("stgclient_lag_messages", consumer.lag.map_or(f64::NAN, |lag| lag as f64)),
        ];
        for (name, value) in gauges {
            gauge!(name, "client" => self.client(), "group" => group.to_owned()).set(value);
        }
    }
}
