// A site of static files, as any server gives them, with the headers that a test wants.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { atFreePort, listenAt } from "./ports.js";

/** The package as it is installed. */
export const installed = dirname(dirname(fileURLToPath(import.meta.resolve("stgclient"))));

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

const IMPORTS = { stgclient: "/stgclient/dist/browser.js", "stgclient/embedded": "/stgclient/dist/embedded-browser.js" };

/** A page with no build step that has the package as `stgclient`, and its cluster in memory as `embedded` once `imported()` has it. */
export const PLAIN = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>plain</title>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module" src="/main.js"></script>`;

const MAIN = `import * as stgclient from "stgclient";
globalThis.stgclient = stgclient;`;

/** A site until the end of the test. `files` are texts by path, `folders` those of the disk by the path before them; `headers(path)` are
 * given with each, and `answer(path, response)` may answer in its place, if it gives true. */
export async function site(t, { files = {}, folders = {}, headers = () => ({}), answer = () => false } = {}) {
  const texts = { "/": PLAIN, "/main.js": MAIN, ...files };
  const places = Object.entries({ "/stgclient/": installed, ...folders });
  const asked = [];
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://site").pathname));
    asked.push(path);
    if (answer(path, response)) return;
    try {
      const [before, folder] = places.find(([before]) => path.startsWith(before)) ?? [];
      const name = path.endsWith("/") ? "index.html" : path;
      const bytes = texts[path] ?? (await readFile(join(folder, path.slice(before.length), path.endsWith("/") ? name : "")));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "text/html", ...headers(path) }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  const port = await atFreePort(listenAt(server));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}/`, asked };
}
