//! Where broadcasting consumers keep their offsets: a store of JavaScript's, which has texts by keys.

use std::collections::BTreeMap;

use stgclient::{BoxFuture, Error, ErrorKind, MessageQueue, OffsetStore};
use stgclient_host::{read_offsets, write_offsets};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::js;
use crate::promises;

/// The offsets of one consumer.
#[derive(Clone)]
pub(crate) struct Offsets {
    store: JsValue,
    key: String,
}

impl Offsets {
    pub(crate) const fn new(store: JsValue, key: String) -> Self {
        Self { store, key }
    }

    fn error(&self, what: &str, why: &str) -> Error {
        Error::new(ErrorKind::OffsetStore, format!("cannot {what} {}: {why}", self.key))
    }

    /// What the store says in the end.
    async fn said(&self, what: &str, asked: &JsValue) -> Result<JsValue, Error> {
        let said = promises::settle(asked).await;
        said.map_err(|why| self.error(what, &why.as_string().unwrap_or_default()))
    }
}

impl OffsetStore for Offsets {
    fn load(&self) -> BoxFuture<Result<BTreeMap<MessageQueue, u64>, Error>> {
        let (this, held) = (self.clone(), Held(Some(self.clone())));
        Box::pin(async move {
            let said = match this.said("load", &js::load_offsets(&this.store, &this.key)).await {
                Ok(said) => said,
                Err(error) => {
                    held.leave();
                    return Err(error);
                }
            };
            let text = said.as_string().unwrap_or_default();
            let offsets = read_offsets(text.as_bytes()).map_err(|error| this.error("read", &error.to_string()))?;
            held.leave();
            Ok(offsets.unwrap_or_default())
        })
    }

    fn store(&self, offsets: BTreeMap<MessageQueue, u64>) -> BoxFuture<Result<(), Error>> {
        let this = self.clone();
        Box::pin(async move {
            let text = String::from_utf8_lossy(&write_offsets(&offsets)).into_owned();
            this.said("save", &js::save_offsets(&this.store, &this.key, &text)).await.map(drop)
        })
    }

    fn close(&self) {
        js::close_offsets(&self.store, &self.key);
    }
}

/// A store that is being loaded. One that fails keeps nothing; it is given back when nobody waits for it any more, or can read it.
struct Held(Option<Offsets>);

impl Held {
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(offsets) = &self.0 {
            offsets.close();
        }
    }
}

/// Whether a text says offsets: an empty one says none.
#[wasm_bindgen(js_name = saysOffsets)]
pub fn says_offsets(text: &str) -> Option<bool> {
    read_offsets(text.as_bytes()).ok().map(|offsets| offsets.is_some())
}
