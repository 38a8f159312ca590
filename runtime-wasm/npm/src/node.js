// The package in Node.

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

import { attach } from "./bridge.js";
import { Files } from "./files.js";
import { platform } from "./platform.js";
import * as compression from "./stgclient_compression.js";
import { place } from "./target.js";
import { tcp } from "./tcp.js";
import * as wasm from "./wasm.js";

const load = (glue, file) => glue.initSync({ module: readFileSync(new URL(file, import.meta.url)) });

load(wasm, "./stgclient_bg.wasm");
attach(wasm);

platform.decompress = (...what) => {
  load(compression, "./stgclient_compression_bg.wasm");
  platform.decompress = compression.decompress;
  return platform.decompress(...what);
};

platform.place = (target, options) => place(target, options, tcp);

platform.soon = setImmediate;

platform.identity = () => {
  const all = Object.values(networkInterfaces()).flat();
  const ours = all.find(({ family, internal }) => family === "IPv4" && !internal);
  return { ip: ours?.address ?? "127.0.0.1", processId: process.pid };
};

platform.offsets = () => new Files();

platform.offsetsIn = (folder) => new Files(folder);

// Here, so that who bundles a page needs no `ws`.
platform.webSocket = () => import("ws").then(({ WebSocket }) => WebSocket);

/** In a page this loads the WebAssembly. Here it is there, and a program may run in both. */
export async function init() {}

// One timer that counts or does not, instead of one for each call.
const alive = setInterval(() => {}, 2_147_483_647).unref();
let holders = 0;

platform.hold = () => {
  if (holders++ === 0) alive.ref();
  let isHeld = true;
  return () => {
    if (isHeld && --holders === 0) alive.unref();
    isHeld = false;
  };
};

export * from "./index.js";
