//! What a client counts, as an object.

use std::time::Duration;

use js_sys::{Array, Object};
use stgclient::{Histogram, Metrics, SendCounters};
use wasm_bindgen::JsValue;

use crate::values::{object, optional, set};

pub(crate) fn read(metrics: &Metrics) -> JsValue {
    let (sends, consumers) = (Object::new(), Object::new());
    for (broker, counters) in &metrics.sends {
        set(&sends, broker, &of_sends(counters));
    }
    for (group, counters) in &metrics.consumers {
        let told = counts(counters.counts());
        set(&told, "queues", &number(counters.queues as u64));
        set(&told, "inWork", &number(counters.in_work as u64));
        set(&told, "lag", &optional(counters.lag));
        set(&consumers, group, &told);
    }
    object([
        ("sends", sends.into()),
        ("otherSends", of_sends(&metrics.other_sends)),
        ("allSends", of_sends(&metrics.all_sends())),
        ("sendLatency", of_durations(&metrics.send_latency)),
        ("messagesInFlight", number(metrics.messages_in_flight as u64)),
        ("bytesInFlight", number(metrics.bytes_in_flight as u64)),
        ("messagesInLine", number(metrics.messages_in_line as u64)),
        ("connections", number(metrics.connections as u64)),
        ("connects", number(metrics.connects)),
        ("reconnects", number(metrics.reconnects)),
        ("bytesSent", number(metrics.bytes_sent)),
        ("bytesReceived", number(metrics.bytes_received)),
        ("consumers", consumers.into()),
    ])
}

fn of_sends(counters: &SendCounters) -> JsValue {
    let told = counts(counters.counts());
    set(&told, "total", &number(counters.total()));
    told.into()
}

fn of_durations(histogram: &Histogram) -> JsValue {
    let buckets = histogram
        .buckets()
        .map(|(bound, count)| object([("upTo", optional(bound.map(milliseconds))), ("count", number(count))]));
    object([
        ("count", number(histogram.count())),
        ("sum", milliseconds(histogram.sum()).into()),
        ("buckets", buckets.collect::<Array>().into()),
    ])
}

fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Object {
    let told = Object::new();
    for (name, count) in counts {
        set(&told, &camel_case(name), &number(count));
    }
    told
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut made = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        made.push_str(&first.to_ascii_uppercase());
        made.push_str(rest);
    }
    made
}

fn number(count: u64) -> JsValue {
    (count as f64).into()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
