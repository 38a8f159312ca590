//! What is counted, for Prometheus. The recorder is a gateway's own: it is none of the process's.

use metrics::{Counter, Gauge, Key, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::inspection::Counts;

/// The counts of a gateway.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    pub(crate) tunnels: Gauge,
    pub(crate) connections: Counter,
    pub(crate) bytes_up: Counter,
    pub(crate) bytes_down: Counter,
    passed: Counter,
    refused: Counter,
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let describe =
            |name: &'static str, words: &'static str| (SharedString::const_str(name), SharedString::const_str(words));
        let counter = |name, labels: Vec<Label>| recorder.register_counter(&Key::from_parts(name, labels), &METADATA);
        let direction = |towards| vec![Label::from_static_parts("towards", towards)];
        let outcome = |outcome| vec![Label::from_static_parts("outcome", outcome)];
        for (name, words) in [
            describe("stgclient_gateway_connections_total", "Connections that came in"),
            describe("stgclient_gateway_ends_total", "Tunnels that have ended or were refused, by why"),
            describe("stgclient_gateway_bytes_total", "Bytes that went through tunnels"),
            describe("stgclient_gateway_requests_total", "Requests of visitors, passed on and refused"),
            describe("stgclient_gateway_dropped_total", "Connections that were dropped before a word, by why"),
        ] {
            recorder.describe_counter(name.into(), None::<Unit>, words);
        }
        recorder.describe_gauge(
            "stgclient_gateway_tunnels".into(),
            None,
            SharedString::const_str("Tunnels that stand"),
        );
        Self {
            handle: recorder.handle(),
            tunnels: recorder.register_gauge(&Key::from_name("stgclient_gateway_tunnels"), &METADATA),
            connections: counter("stgclient_gateway_connections_total", Vec::new()),
            bytes_up: counter("stgclient_gateway_bytes_total", direction("cluster")),
            bytes_down: counter("stgclient_gateway_bytes_total", direction("visitor")),
            passed: counter("stgclient_gateway_requests_total", outcome("passed")),
            refused: counter("stgclient_gateway_requests_total", outcome("refused")),
            recorder,
        }
    }

    /// So many requests have passed, and were refused.
    pub(crate) fn counted(&self, counts: Counts) {
        self.passed.increment(counts.passed);
        self.refused.increment(counts.refused);
    }

    /// A tunnel has ended, or has not begun, for this reason.
    pub(crate) fn ended(&self, why: &'static str) {
        self.why("stgclient_gateway_ends_total", why);
    }

    /// A connection was dropped before anything was known of it.
    pub(crate) fn dropped(&self, why: &'static str) {
        self.why("stgclient_gateway_dropped_total", why);
    }

    fn why(&self, name: &'static str, why: &'static str) {
        let key = Key::from_parts(name, vec![Label::from_static_parts("why", why)]);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// All of it, as Prometheus reads it.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }
}
