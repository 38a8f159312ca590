// The cluster in memory, in Node.

import { readFileSync } from "node:fs";

import "./node.js";
import { initSync } from "./stgclient_embedded.js";

initSync({ module: readFileSync(new URL("./stgclient_embedded_bg.wasm", import.meta.url)) });

export { Cluster, cluster } from "./embedded.js";
