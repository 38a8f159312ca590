//! What JavaScript gives: `npm/src/bridge.js`.

use js_sys::{Object, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(raw_module = "./bridge.js")]
extern "C" {
    /// Milliseconds of a clock that is never set.
    #[wasm_bindgen(js_name = monotonicMs)]
    pub(crate) fn monotonic_ms() -> f64;

    /// Milliseconds since 1970 UTC.
    #[wasm_bindgen(js_name = unixMs)]
    pub(crate) fn unix_ms() -> f64;

    /// Thirty-two bits of chance.
    pub(crate) fn random() -> u32;

    /// Calls `timer_due` with this number after so many milliseconds.
    #[wasm_bindgen(js_name = setTimer)]
    pub(crate) fn set_timer(timer: u32, milliseconds: f64);

    #[wasm_bindgen(js_name = clearTimer)]
    pub(crate) fn clear_timer(timer: u32);

    /// Opens a stream by the application's transport. What becomes of it is told to `opened`, `received`, `drained` and `closed`.
    pub(crate) fn open(connection: u32, transport: &JsValue, host: &str, port: u16);

    /// Writes bytes, which are JavaScript's from now on. Whether the stream takes more at once; if not, `drained` says when.
    pub(crate) fn write(connection: u32, bytes: Uint8Array) -> bool;

    /// Closes a stream, of which nothing is told any more.
    pub(crate) fn close(connection: u32);

    /// Calls `run_tasks` as soon as what runs has ended.
    #[wasm_bindgen(js_name = runTasksSoon)]
    pub(crate) fn run_tasks_soon();

    /// Decompresses an LZ4 frame, or a zstd frame: its bytes, nothing if it would be longer than so many, or what is wrong with it.
    pub(crate) fn decompress(is_zstd: bool, body: Uint8Array, most: f64) -> JsValue;

    /// A call has ended well.
    pub(crate) fn resolve(call: u32, value: &JsValue);

    /// A call has failed.
    pub(crate) fn reject(call: u32, error: &JsValue);

    /// An error of the class for its code, without what was tried.
    #[allow(clippy::too_many_arguments)]
    #[wasm_bindgen(js_name = failure)]
    pub(crate) fn failure(
        code: &str,
        text: &str,
        retryable: bool,
        number: Option<i32>,
        remark: Option<String>,
        broker: Option<String>,
        address: Option<String>,
    ) -> JsValue;

    /// One of the tries that an error is the end of.
    #[wasm_bindgen(js_name = addAttempt)]
    pub(crate) fn add_attempt(error: &JsValue, address: Option<String>, after_ms: f64, outcome: &str);

    /// A receipt; the texts are its message's id, its offset id if it has one, the queue's topic and its broker. Texts are made for
    /// JavaScript all at once, each ended by a character that none of them can have: each by itself would cost as much as all.
    pub(crate) fn receipt(status: u32, texts: &str, queue: u32, offset: u64) -> JsValue;

    /// A send has ended well, with this receipt.
    pub(crate) fn sent(call: u32, status: u32, texts: &str, queue: u32, offset: u64);

    /// A message; the texts are its topic, the topic of its queue, which is another when it comes again, the queue's broker, its id,
    /// where it was born, and the names and values of its properties in turn.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn message(
        texts: &str,
        queue: u32,
        offset: u64,
        body: Uint8Array,
        flag: i32,
        born_ms: f64,
        stored_ms: f64,
        reconsume_times: u32,
    ) -> JsValue;

    /// Has the application's handler handle messages. `undefined` when it has, else what it says of a failure; `null` when it has yet to
    /// say, and gives one of the two to the promise of this number.
    pub(crate) fn handle(handler: &JsValue, messages: &JsValue, promise: u32) -> JsValue;

    /// Settles the promise of this number as that one is.
    pub(crate) fn settle(promise: &JsValue, number: u32);

    /// Tells the application's listener of queues that come or go. A promise, if it does something about that.
    pub(crate) fn rebalanced(listener: &JsValue, is_assigned: bool, queues: &JsValue) -> JsValue;

    /// Asks the function of a send for the index of the queue that it chooses; one beyond them, if it fails.
    pub(crate) fn choose(call: u32, queues: &JsValue) -> u32;

    /// A text of a store of offsets, or nothing. Rejects with words.
    #[wasm_bindgen(js_name = loadOffsets)]
    pub(crate) fn load_offsets(store: &JsValue, key: &str) -> JsValue;

    /// Rejects with words.
    #[wasm_bindgen(js_name = saveOffsets)]
    pub(crate) fn save_offsets(store: &JsValue, key: &str, text: &str) -> JsValue;

    #[wasm_bindgen(js_name = closeOffsets)]
    pub(crate) fn close_offsets(store: &JsValue, key: &str);

    /// When credentials are to be asked for again, and, unless that has failed, the keys and perhaps a token. It never rejects.
    #[wasm_bindgen(js_name = askCredentials)]
    pub(crate) fn ask_credentials(ask: &JsValue) -> JsValue;

    /// A line for a client's log: of an error, a warning and so on to 3. It hears of it later.
    pub(crate) fn log(log: &JsValue, severity: u32, message: &str, fields: &Object);

    /// What the application says of a failure: a delay level, -1 for never or a pause in ms; and why.
    #[wasm_bindgen(js_name = verdictDelay)]
    pub(crate) fn verdict_delay(verdict: &JsValue) -> Option<f64>;

    #[wasm_bindgen(js_name = verdictReason)]
    pub(crate) fn verdict_reason(verdict: &JsValue) -> String;
}
