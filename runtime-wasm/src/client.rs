//! A client: how it is set up, and its parts.

use std::sync::Arc;
use std::time::Duration;

use js_sys::Object;
use stgclient::{Client, ClientBuilder, ClientEvent, ClientState, Credentials, Dialect, HeaderCodec};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::admin::WasmAdmin;
use crate::calls;
use crate::consumer::ConsumerSetup;
use crate::failure;
use crate::host::JavaScript;
use crate::metrics;
use crate::producer::ProducerSetup;
use crate::pull::WasmPullConsumer;
use crate::rotation;
use crate::values::{object, set};

pub(crate) fn milliseconds(number: f64) -> Duration {
    Duration::from_micros((number * 1000.0) as u64)
}

/// A client that is being set up.
#[wasm_bindgen]
pub struct ClientSetup(Option<ClientBuilder>);

impl ClientSetup {
    fn change(&mut self, change: impl FnOnce(ClientBuilder) -> ClientBuilder) {
        self.0 = self.0.take().map(change);
    }
}

#[wasm_bindgen]
impl ClientSetup {
    /// A client of the cluster of these name servers, by this transport; offsets are in memory, if there is no store.
    #[wasm_bindgen(constructor)]
    pub fn new(
        addresses: &str,
        transport: JsValue,
        ip: &str,
        process_id: u32,
        offsets: JsValue,
        log: JsValue,
        severities: u32,
    ) -> Self {
        let ip = ip.parse().unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
        let host = Arc::new(JavaScript::new(transport, ip, process_id, offsets, log, severities));
        Self(Some(ClientBuilder::on(host, addresses)))
    }

    /// Sets an option that is a number, which JavaScript has looked at: a time in milliseconds, or bytes.
    pub fn set(&mut self, option: &str, value: f64) {
        let time = milliseconds(value);
        self.change(|builder| match option {
            "requestTimeout" => builder.request_timeout(time),
            "connectTimeout" => builder.connect_timeout(time),
            "closeTimeout" => builder.close_timeout(time),
            "waitForServers" => builder.wait_for_servers(time),
            "maxFrameLength" => builder.max_frame_length(value as usize),
            "maxBodyLength" => builder.max_body_length(value as usize),
            option => builder.configure(|config| match option {
                "routeInterval" => config.route_interval = time,
                "heartbeatInterval" => config.heartbeat_interval = time,
                _ => unreachable!("{option}"),
            }),
        });
    }

    pub fn instance(&mut self, name: &str) {
        self.change(|builder| builder.instance(name));
    }

    pub fn binary(&mut self) {
        self.change(|builder| builder.header_codec(HeaderCodec::Binary));
    }

    pub fn smartgo(&mut self) {
        self.change(|builder| builder.dialect(Dialect::Smartgo));
    }

    pub fn credentials(&mut self, access_key: &str, secret_key: &str, token: Option<String>) {
        let credentials = read_credentials(access_key, secret_key, token);
        self.change(|builder| builder.credentials(credentials));
    }

    /// With what a function gives, which has said `first` by now.
    #[wasm_bindgen(js_name = rotatingCredentials)]
    pub fn rotating_credentials(&mut self, first: &JsValue, ask: JsValue) {
        self.change(|builder| rotation::rotate(builder, first, ask));
    }

    pub fn connect(&mut self, call: u32) {
        let builder = self.0.take();
        calls::begin(call, async {
            let builder = builder.ok_or_else(|| failure::invalid("it is connected already"))?;
            Ok(WasmClient(builder.connect().await?).into())
        });
    }
}

pub(crate) fn read_credentials(access_key: &str, secret_key: &str, token: Option<String>) -> Credentials {
    let credentials = Credentials::new(access_key, secret_key);
    match token {
        Some(token) => credentials.security_token(token),
        None => credentials,
    }
}

/// A client.
#[wasm_bindgen]
pub struct WasmClient(Client);

#[wasm_bindgen]
impl WasmClient {
    #[wasm_bindgen(getter, js_name = clientId)]
    pub fn client_id(&self) -> String {
        self.0.client_id().to_owned()
    }

    #[wasm_bindgen(getter)]
    pub fn state(&self) -> String {
        match self.0.state() {
            ClientState::Connected => "connected",
            ClientState::Degraded => "degraded",
            ClientState::Disconnected => "disconnected",
            ClientState::Closing => "closing",
            ClientState::Closed => "closed",
            _ => "unknown",
        }
        .to_owned()
    }

    pub fn producer(&self, group: &str) -> ProducerSetup {
        ProducerSetup::new(self.0.producer(group))
    }

    pub fn consumer(&self, group: &str) -> ConsumerSetup {
        ConsumerSetup::new(self.0.push_consumer(group))
    }

    #[wasm_bindgen(js_name = pullConsumer)]
    pub fn pull_consumer(&self, call: u32, group: &str) {
        let builder = self.0.pull_consumer(group);
        calls::begin(call, async { Ok(WasmPullConsumer::new(builder.start().await?).into()) });
    }

    pub fn admin(&self) -> WasmAdmin {
        WasmAdmin::new(self.0.admin())
    }

    #[wasm_bindgen(js_name = giveUpQueues)]
    pub fn give_up_queues(&self) {
        self.0.give_up_queues();
    }

    pub fn metrics(&self) -> JsValue {
        metrics::read(&self.0.metrics())
    }

    #[wasm_bindgen(js_name = setCredentials)]
    pub fn set_credentials(&self, access_key: &str, secret_key: &str, token: Option<String>) {
        self.0.set_credentials(Some(read_credentials(access_key, secret_key, token)));
    }

    /// The call ends with the next event, and without one at the end.
    #[wasm_bindgen(js_name = events)]
    pub fn events(&self) -> WasmEvents {
        WasmEvents(std::rc::Rc::new(std::cell::RefCell::new(Some(self.0.events()))))
    }

    pub fn close(&self, call: u32) {
        let client = self.0.clone();
        calls::begin(call, async move {
            client.close().await;
            Ok(JsValue::UNDEFINED)
        });
    }
}

/// What happens to a client, one after the other.
#[wasm_bindgen]
pub struct WasmEvents(std::rc::Rc<std::cell::RefCell<Option<stgclient::Events>>>);

#[wasm_bindgen]
impl WasmEvents {
    pub fn next(&self, call: u32) {
        let place = std::rc::Rc::clone(&self.0);
        calls::begin(call, async move {
            let taken = place.borrow_mut().take();
            let Some(mut events) = taken else { return Ok(JsValue::UNDEFINED) };
            let event = events.next().await;
            *place.borrow_mut() = Some(events);
            Ok(event.map_or(JsValue::UNDEFINED, |event| read_event(&event)))
        });
    }
}

fn read_event(event: &ClientEvent) -> JsValue {
    let text = ("message", event.to_string().into());
    let of = |kind: &str, address: &dyn ToString| {
        [("type", kind.into()), ("address", address.to_string().into()), text.clone()]
    };
    match event {
        ClientEvent::Connected { address } => object(of("connected", address)),
        ClientEvent::Disconnected { address, reason } => {
            let told: Object = object(of("disconnected", address)).into();
            set(&told, "reason", &reason.into());
            told.into()
        }
        ClientEvent::Unreachable { address, error } => with_error(of("unreachable", address), error),
        ClientEvent::NameServerLost { address, error } => with_error(of("nameserverlost", address), error),
        ClientEvent::RouteChanged { topic } => {
            object([("type", "routechanged".into()), ("topic", (&**topic).into()), text.clone()])
        }
        ClientEvent::Missed(count) => {
            object([("type", "missed".into()), ("count", (*count as f64).into()), text.clone()])
        }
        _ => object([("type", "warning".into()), text.clone()]),
    }
}

fn with_error(fields: [(&str, JsValue); 3], error: &stgclient::Error) -> JsValue {
    let told: Object = object(fields).into();
    set(&told, "error", &failure::to_js(error));
    told.into()
}
