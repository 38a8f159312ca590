//! LZ4 and zstd are read by a WebAssembly of their own, which JavaScript loads: few clusters have such messages.

use bytes::Bytes;
use js_sys::Uint8Array;
use stgclient_core::wire::compression::{self, CompressionError, Format};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::js;

/// Before anything else is called.
#[wasm_bindgen(start)]
pub fn start() {
    compression::set_decoder(read);
}

fn read(format: Format, body: &[u8], limit: usize) -> Result<Bytes, CompressionError> {
    let made = js::decompress(format == Format::Zstd, Uint8Array::from(body), limit as f64);
    match made.dyn_ref::<Uint8Array>() {
        Some(bytes) => Ok(bytes.to_vec().into()),
        None if made.is_undefined() => Err(CompressionError::TooLarge { limit }),
        None => Err(CompressionError::Corrupt { format, reason: made.as_string().unwrap_or_default() }),
    }
}
