// The cluster in memory, in a page.

import "./browser.js";
import init from "./stgclient_embedded.js";

await init({ module_or_path: new URL("./stgclient_embedded_bg.wasm", import.meta.url) });

export { Cluster, cluster } from "./embedded.js";
