//! LZ4 and zstd for JavaScript: loaded only when messages have to be read that are compressed so.
#![cfg(target_family = "wasm")]

use js_sys::Uint8Array;
use stgclient_core::wire::compression::{self, CompressionError};
use stgclient_core::wire::message::sys_flag;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

/// The bytes of an LZ4 frame, or of a zstd frame; nothing if they would be more than so many, or what is wrong with it.
#[wasm_bindgen]
pub fn decompress(is_zstd: bool, body: &[u8], most: f64) -> JsValue {
    let format = if is_zstd { sys_flag::COMPRESSION_ZSTD } else { sys_flag::COMPRESSION_LZ4 };
    match compression::decompress(body, format, most as usize) {
        Ok(bytes) => Uint8Array::from(bytes.as_ref()).into(),
        Err(CompressionError::TooLarge { .. }) => JsValue::UNDEFINED,
        Err(CompressionError::Corrupt { reason, .. }) => reason.into(),
        Err(error) => error.to_string().into(),
    }
}
