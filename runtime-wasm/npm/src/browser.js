// The package in a page. `connect` loads the WebAssembly, or `init` before, from elsewhere.

import { attach } from "./bridge.js";
import { platform } from "./platform.js";
import { place } from "./target.js";
import { errorOf } from "./values.js";
import * as wasm from "./wasm.js";

let loading;

/** Loads the WebAssembly: from beside this file, or what is given (a URL, a Response, bytes). */
export function init(source = new URL("./stgclient_bg.wasm", import.meta.url)) {
  loading ??= wasm.default({ module_or_path: source }).then(
    () => attach(wasm),
    (error) => {
      // The next one tries again.
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

let loadingCompression;

platform.readable = () => {
  loadingCompression ??= loadCompression().catch((error) => {
    loadingCompression = undefined;
    throw errorOf("CONNECT_FAILED", `what reads LZ4 and zstd could not be loaded: ${error.message}`, true);
  });
  return loadingCompression;
};

async function loadCompression() {
  const compression = await import("./stgclient_compression.js");
  await compression.default({ module_or_path: new URL("./stgclient_compression_bg.wasm", import.meta.url) });
  platform.decompress = compression.decompress;
}

platform.place = async (target, options) => {
  await init();
  return place(target, options);
};

// Messages come before timers, whatever these wait for: so now and then a timer is waited for instead.
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
