//! What a test asks of the cluster: answers on demand, servers that stop, and what is there.

use std::time::Duration;

use js_sys::{Array, BigInt64Array};
use stgclient_core::time::Instant;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_servers::{Force, Forced, Memory, ServerId};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{WasmCluster, now};

fn forced(kind: &str, ms: f64, code: Option<i32>, remark: Option<String>) -> Option<Forced> {
    Some(match kind {
        "FLUSH_DISK_TIMEOUT" => Forced::FlushDiskTimeout,
        "FLUSH_SLAVE_TIMEOUT" => Forced::FlushSlaveTimeout,
        "SLAVE_NOT_AVAILABLE" => Forced::SlaveNotAvailable,
        "busy" => Forced::busy(),
        "no permission" => Forced::no_permission(),
        "refuse" => Forced::Refuse(ResponseCode(code?), remark.unwrap_or_default()),
        "lost" => Forced::Lost,
        "unanswered" => Forced::Unanswered,
        "delay" => Forced::Delay(Duration::from_micros((ms * 1000.0) as u64)),
        _ => return None,
    })
}

#[wasm_bindgen]
impl WasmCluster {
    /// Has brokers answer otherwise: all, or one by its name; sends, or requests with these codes; of all topics and groups, or of one;
    /// until it is taken back, or so many times each. Whether there is such a kind and such a broker.
    #[allow(clippy::too_many_arguments)]
    pub fn force(
        &mut self,
        broker: Option<String>,
        codes: Vec<i32>,
        topic: Option<String>,
        group: Option<String>,
        times: Option<u32>,
        kind: &str,
        ms: f64,
        code: Option<i32>,
        remark: Option<String>,
    ) -> bool {
        let Some(forced) = forced(kind, ms, code, remark) else { return false };
        let mut force = match codes.is_empty() {
            true => Force::sends(forced),
            false => Force::requests(codes.into_iter().map(RequestCode), forced),
        };
        if let Some(topic) = topic {
            force = force.on_topic(topic);
        }
        if let Some(group) = group {
            force = force.of_group(group);
        }
        if let Some(times) = times {
            force = force.times(times);
        }
        self.serving.with(|cluster| {
            let wanted = cluster.brokers().filter(|known| broker.as_deref().is_none_or(|name| name == known.name()));
            wanted.map(|known| known.force(force.clone())).count() > 0
        })
    }

    /// All brokers answer as they do.
    #[wasm_bindgen(js_name = clearForces)]
    pub fn clear_forces(&mut self) {
        self.serving.with(|cluster| cluster.brokers().for_each(|broker| broker.clear_forces()));
    }

    fn server(&mut self, name: &str) -> Option<ServerId> {
        if name == "name server" {
            return Some(ServerId::NameServer(0));
        }
        self.serving.with(|cluster| cluster.brokers().position(|broker| broker.name() == name).map(ServerId::Broker))
    }

    /// Stops a broker by its name, or the "name server", as a crash does. Whether there is one.
    pub fn stop(&mut self, monotonic_ms: f64, unix_ms: f64, name: &str) -> bool {
        let Some(server) = self.server(name) else { return false };
        self.serving.stop_server(now(monotonic_ms, unix_ms), server);
        true
    }

    /// Starts one that was stopped, with what it had or without. Whether there is one.
    pub fn start(&mut self, monotonic_ms: f64, unix_ms: f64, name: &str, keeps: bool) -> bool {
        let Some(server) = self.server(name) else { return false };
        let memory = if keeps { Memory::Kept } else { Memory::Lost };
        self.serving.with(|cluster| cluster.start(now(monotonic_ms, unix_ms), server, memory));
        true
    }

    /// The names of all brokers.
    pub fn brokers(&mut self) -> Array {
        self.serving.with(|cluster| cluster.brokers().map(|broker| JsValue::from(broker.name())).collect())
    }

    /// Creates a topic at all brokers. Nothing, or why not.
    #[wasm_bindgen(js_name = createTopic)]
    pub fn create_topic(&mut self, topic: &str, queues: u32) -> Option<String> {
        self.serving.with(|cluster| cluster.brokers().find_map(|broker| broker.create_topic(topic, queues).err()))
    }

    #[wasm_bindgen(js_name = deleteTopic)]
    pub fn delete_topic(&mut self, topic: &str) {
        self.serving.with(|cluster| cluster.delete_topic(topic));
    }

    /// By queue of a topic at a broker: the lowest offset, the next one, and a group's, which is -1 if it has none.
    pub fn offsets(&mut self, broker: &str, topic: &str, group: &str) -> Option<BigInt64Array> {
        self.serving.with(|cluster| {
            let broker = cluster.broker(broker)?;
            let count = broker.queue_count(topic)?;
            let offsets: Vec<i64> = (0..count)
                .flat_map(|queue| {
                    let (min, max) = broker.offsets(topic, queue).unwrap_or_default();
                    [min, max, broker.committed(group, topic, queue).unwrap_or(-1)]
                })
                .collect();
            Some(BigInt64Array::from(offsets.as_slice()))
        })
    }

    /// The client ids of a group's members, as a broker knows them.
    pub fn members(&mut self, broker: &str, group: &str) -> Array {
        self.serving.with(|cluster| {
            let broker = cluster.broker(broker);
            broker.map(|broker| broker.members(group).into_iter().map(JsValue::from).collect()).unwrap_or_default()
        })
    }

    /// Which member has the lock on a queue.
    #[wasm_bindgen(js_name = lockOwner)]
    pub fn lock_owner(
        &mut self,
        monotonic_ms: f64,
        broker: &str,
        group: &str,
        topic: &str,
        queue: u32,
    ) -> Option<String> {
        let at = Instant::from_micros((monotonic_ms * 1000.0) as u64);
        self.serving.with(|cluster| cluster.broker(broker)?.lock_owner(at, group, topic, queue).map(str::to_owned))
    }
}
