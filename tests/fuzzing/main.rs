//! One program for all targets, since most of a target is the fuzzer and what it tries; FUZZ_TARGET names the one that runs.
#![no_main]

#[path = "targets/batch_records.rs"]
mod batch_records;
#[path = "targets/binary_headers.rs"]
mod binary_headers;
#[path = "targets/body_cluster.rs"]
mod body_cluster;
#[path = "targets/body_consumers.rs"]
mod body_consumers;
#[path = "targets/body_heartbeat.rs"]
mod body_heartbeat;
#[path = "targets/body_route.rs"]
mod body_route;
#[path = "targets/body_table.rs"]
mod body_table;
#[path = "targets/body_topic_statistics.rs"]
mod body_topic_statistics;
#[path = "targets/body_topics.rs"]
mod body_topics;
#[path = "targets/client.rs"]
mod client;
#[path = "targets/cluster.rs"]
mod cluster;
#[path = "targets/compressed_bodies.rs"]
mod compressed_bodies;
#[path = "targets/frames.rs"]
mod frames;
#[path = "targets/gateway.rs"]
mod gateway;
#[path = "targets/json_headers.rs"]
mod json_headers;
#[path = "targets/stored_messages.rs"]
mod stored_messages;
#[path = "targets/texts.rs"]
mod texts;

use std::sync::OnceLock;

type Run = fn(&[u8]);

const TARGETS: [(&str, Run); 17] = [
    ("batch_records", batch_records::run),
    ("binary_headers", binary_headers::run),
    ("body_cluster", body_cluster::run),
    ("body_consumers", body_consumers::run),
    ("body_heartbeat", body_heartbeat::run),
    ("body_route", body_route::run),
    ("body_table", body_table::run),
    ("body_topic_statistics", body_topic_statistics::run),
    ("body_topics", body_topics::run),
    ("client", client::run),
    ("cluster", cluster::run),
    ("compressed_bodies", compressed_bodies::run),
    ("frames", frames::run),
    ("gateway", gateway::run),
    ("json_headers", json_headers::run),
    ("stored_messages", stored_messages::run),
    ("texts", texts::run),
];

static CHOSEN: OnceLock<Run> = OnceLock::new();

fn chosen() -> Run {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET={name} is none of the targets")).1
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| CHOSEN.get_or_init(chosen)(input));
