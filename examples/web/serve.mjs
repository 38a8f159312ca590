// Serves the page for trying it, as any server of static files would: this folder, and the installed package as /stgclient/.
//
//   node serve.mjs [PORT]

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const PAGE = dirname(fileURLToPath(import.meta.url));

// The last one matters most: it is compiled while it loads then.
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves until the server is closed, on this machine alone; port 0 is a free one. */
export async function serve(port, installed) {
  const server = createServer(async (request, response) => {
    // Normalized, no path leads out of its folder; and what is encoded is none of the files.
    const path = normalize(request.url.split("?", 1)[0]);
    const file = path.startsWith("/stgclient/") ? join(installed, path.slice("/stgclient".length)) : join(PAGE, path === "/" ? "index.html" : path);
    const type = TYPES[extname(file)];
    const found = type && (await stat(file).catch(() => undefined));
    if (!found?.isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": type, "content-length": found.size });
    createReadStream(file).pipe(response);
  });
  await new Promise((ready, failed) => server.on("error", failed).listen(port, "127.0.0.1", ready));
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const installed = dirname(dirname(fileURLToPath(import.meta.resolve("stgclient"))));
  const server = await serve(Number(process.argv[2] ?? 8000), installed);
  console.log(`http://localhost:${server.address().port}`);
}
