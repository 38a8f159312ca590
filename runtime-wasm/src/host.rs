//! The host: JavaScript's clock, tasks and chance, and connections by a transport.

use std::net::IpAddr;

use stgclient_core::client::Identity;
use stgclient_core::time::{Instant, Now};
use stgclient_host::{BoxFuture, Host, Link};
use wasm_bindgen::JsValue;

use crate::connections;
use crate::js;
use crate::tasks;
use crate::timers::Sleep;

/// Where a client runs.
pub(crate) struct JavaScript {
    transport: JsValue,
    ip: IpAddr,
    process_id: u32,
}

impl JavaScript {
    pub(crate) const fn new(transport: JsValue, ip: IpAddr, process_id: u32) -> Self {
        Self { transport, ip, process_id }
    }

    pub(crate) fn now_here() -> Now {
        Now { mono: Instant::from_micros((js::monotonic_ms() * 1000.0) as u64), unix_ms: js::unix_ms() as u64 }
    }
}

impl Host for JavaScript {
    fn now(&self) -> Now {
        Self::now_here()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        tasks::spawn_boxed(task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        Box::pin(Sleep::until(at))
    }

    fn connect(&self, link: Box<dyn Link>) {
        connections::drive(link, &self.transport);
    }

    fn identity(&self) -> Identity {
        let mut identity = Identity::default();
        (identity.ip, identity.process_id) = (self.ip, self.process_id);
        identity
    }

    fn seed(&self) -> u64 {
        u64::from(js::random()) << 32 | u64::from(js::random())
    }
}
