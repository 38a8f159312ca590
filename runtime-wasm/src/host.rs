//! The host: JavaScript's clock, tasks and chance, and connections by a transport.

use std::net::IpAddr;
use std::sync::Arc;

use js_sys::Object;
use stgclient::Error;
use stgclient_core::client::Identity;
use stgclient_core::notice::Notice;
use stgclient_core::time::{Instant, Now};
use stgclient_host::{BoxFuture, Host, Link, MemoryOffsets, OffsetStore};
use wasm_bindgen::JsValue;

use crate::connections;
use crate::js;
use crate::offsets::Offsets;
use crate::tasks;
use crate::timers::Sleep;
use crate::values::set;

/// Where a client runs.
pub(crate) struct JavaScript {
    transport: JsValue,
    ip: IpAddr,
    process_id: u32,
    /// Where offsets are kept; in memory, if it is undefined.
    offsets: JsValue,
    /// Where lines go, and of how many severities: of errors alone, if it is 1, and so on to 4.
    log: JsValue,
    severities: u32,
}

impl JavaScript {
    pub(crate) const fn new(
        transport: JsValue,
        ip: IpAddr,
        process_id: u32,
        offsets: JsValue,
        log: JsValue,
        severities: u32,
    ) -> Self {
        Self { transport, ip, process_id, offsets, log, severities }
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

    fn offset_store(&self, instance: &str, group: &str) -> BoxFuture<Result<Arc<dyn OffsetStore>, Error>> {
        let store: Arc<dyn OffsetStore> = if self.offsets.is_undefined() {
            Arc::new(MemoryOffsets::default())
        } else {
            Arc::new(Offsets::new(self.offsets.clone(), format!("{instance}/{group}")))
        };
        Box::pin(std::future::ready(Ok(store)))
    }

    fn log(&self, notice: &Notice) -> bool {
        let severity = notice.severity as u32;
        if severity < self.severities {
            let fields = Object::new();
            for (name, value) in &notice.about {
                set(&fields, name, &value.as_str().into());
            }
            js::log(&self.log, severity, notice.what, &fields);
        }
        true
    }

    fn seed(&self) -> u64 {
        u64::from(js::random()) << 32 | u64::from(js::random())
    }
}
