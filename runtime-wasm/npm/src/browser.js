// The package in a page: `await init()` first, once.

import { attach } from "./bridge.js";
import { platform } from "./platform.js";
import { place } from "./target.js";
import * as wasm from "./wasm.js";

let loading;

/** Loads the WebAssembly: from beside this file, or what is given (a URL, a Response, bytes). */
export function init(source = new URL("./stgclient_bg.wasm", import.meta.url)) {
  loading ??= wasm.default({ module_or_path: source }).then(() => attach(wasm));
  return loading;
}

platform.place = async (target, options) => {
  await init();
  return place(target, options);
};

export * from "./index.js";
