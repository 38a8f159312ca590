// The package in a page. `connect` loads the WebAssembly, or `init` before, from elsewhere.

import { attach } from "./bridge.js";
import { Database } from "./database.js";
import { gateOf } from "./gate.js";
import "./life.js";
import { platform } from "./platform.js";
// Not when it is needed: it is small, bundlers make a Worker of one file, and browsers do not try a module again that they could not load.
import * as compression from "./stgclient_compression.js";
import { place } from "./target.js";
import { errorOf } from "./values.js";
import * as wasm from "./wasm.js";

/** The glue loads once, and again after a failure, which is told as any other of the package's. */
async function loaded(what, loading) {
  try {
    await loading;
  } catch (error) {
    throw Object.assign(errorOf("CONNECT_FAILED", `${what} could not be loaded: ${error.message}`, true), { cause: error });
  }
}

/** Loads the WebAssembly: from beside this file, or what is given (a URL, a Response, bytes). */
export async function init(source = new URL("./stgclient_bg.wasm", import.meta.url)) {
  await loaded("the WebAssembly", wasm.default({ module_or_path: source }));
  attach(wasm);
}

platform.readable = async () => {
  const source = new URL("./stgclient_compression_bg.wasm", import.meta.url);
  await loaded("what reads LZ4 and zstd", compression.default({ module_or_path: source }));
  platform.decompress = compression.decompress;
};

platform.place = async (target, options) => {
  await init();
  return place(target, options);
};

platform.offsets = () => new Database();

platform.gateOf = gateOf;
platform.complains = true;

// Time in which others may be tried first is counted.
platform.connectTimeout = 10_000;

// Messages come before timers, whatever these wait for: so now and then a timer is waited for instead. One of no time comes at once in hidden
// pages, too.
const channel = new MessageChannel();
const line = [];
const TURN_MS = 4;
let lastTimer = 0;

const next = () => line.shift()?.();
channel.port1.onmessage = next;

platform.soon = (what) => {
  line.push(what);
  const now = performance.now();
  if (now - lastTimer < TURN_MS) return channel.port2.postMessage(0);
  lastTimer = now;
  setTimeout(next, 0);
};

export * from "./index.js";
