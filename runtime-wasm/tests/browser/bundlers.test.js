// The package in what bundlers make of an application: each as it comes, told nothing more than where the application begins.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import * as vite from "vite";
import webpack from "webpack";

import { eventually, nameServers, unique } from "../node/support/bench.js";
import { page } from "./support/chromium.js";
import { atFreePort } from "./support/ports.js";
import { installed } from "./support/site.js";
import { tunnelUrl } from "./support/tunnel.js";

/** An application: its page does a round on a cluster in memory, a Worker of it one through a gateway. */
const application = (gateway) => ({
  "main.js": `
    import * as stgclient from "stgclient";
    import { cluster } from "stgclient/embedded";
    import { round } from "./round.js";
    const inPage = await round(stgclient, cluster());
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => (document.title = inPage + ", " + data);`,
  "worker.js": `
    import * as stgclient from "stgclient";
    import { round } from "./round.js";
    round(stgclient, ${JSON.stringify(gateway)}, ${JSON.stringify({ nameServers })}, "${unique("topic")}").then(postMessage);`,
  "round.js": readFileSync(new URL("support/round.js", import.meta.url), "utf8"),
});

const html = (script) =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title></title><script type="module" src="${script}"></script>`;

/** The application's folder, where npm would have put the package beside it. */
async function folderOf(t, name, script) {
  const folder = mkdtempSync(join(dirname(dirname(installed)), `${name}-`));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [file, text] of Object.entries(application(await tunnelUrl()))) writeFileSync(join(folder, file), text);
  writeFileSync(join(folder, "index.html"), html(script));
  mkdirSync(join(folder, "dist"));
  return folder;
}

async function works(t, { at, folder }) {
  const on = await page(t, { at, files: {}, folders: { "/built/": folder }, answer: folder && toIndex });
  // What is imported for what it does alone: how a page is closed.
  const knowsLife = (name) => readFileSync(join(folder, name), "utf8").includes("pagehide");
  if (folder) assert.ok(built(folder, ".js").some(knowsLife), "it knows nothing of a page's life");
  await eventually("the page and its Worker have done their rounds", async () => (await on.title()) === "SEND_OK round, SEND_OK round");
}

/** The site's first page is the application's. */
const toIndex = (path, response) => path === "/" && response.writeHead(302, { location: "/built/" }).end();

const built = (folder, ending) => readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(ending));

describe("the package", { concurrency: 1, timeout: 160_000 }, () => {
  test("is built into an application by Vite", async (t) => {
    const folder = await folderOf(t, "vite", "./main.js");
    await vite.build({ root: folder, base: "./", logLevel: "error" });
    await works(t, { folder: join(folder, "dist") });
    assert.ok(built(join(folder, "dist"), ".wasm").length >= 3);
  });

  test("is served by Vite's server for development", async (t) => {
    const folder = await folderOf(t, "vite-dev", "/main.js");
    let server;
    // Its page asks for the port that it was told.
    await atFreePort(async (port) => {
      const made = await vite.createServer({ root: folder, logLevel: "error", server: { port, strictPort: true, host: "127.0.0.1" } });
      t.after(() => made.close());
      await made.listen().catch((error) => Promise.reject(Object.assign(error, /already in use/.test(error.message) && { code: "EADDRINUSE" })));
      server = made;
    });
    await works(t, { at: server.resolvedUrls.local[0] });
  });

  test("is built into an application by webpack 5", async (t) => {
    const folder = await folderOf(t, "webpack", "./main.js");
    const output = join(folder, "dist");
    const stats = await promisify(webpack)({ mode: "production", context: folder, entry: "./main.js", output: { path: output, publicPath: "auto" } });
    assert.deepEqual(stats.toJson().errors, []);
    cpSync(join(folder, "index.html"), join(output, "index.html"));
    await works(t, { folder: output });
    assert.equal(built(output, ".wasm").length, 3);
  });

  test("is built into an application by esbuild, with its files of WebAssembly beside it", async (t) => {
    const folder = await folderOf(t, "esbuild", "./main.js");
    const output = join(folder, "dist");
    // It is what the package is built with, too.
    const { buildSync } = createRequire(fileURLToPath(new URL("../../tools/", `file://${dirname(installed)}/`)))("esbuild");
    buildSync({
      entryPoints: ["main.js", "worker.js"].map((name) => join(folder, name)),
      bundle: true,
      splitting: true,
      minify: true,
      format: "esm",
      target: "es2022",
      outdir: output,
    });
    for (const name of built(installed, ".wasm")) cpSync(join(installed, name), join(output, name.split("/").at(-1)));
    cpSync(join(folder, "index.html"), join(output, "index.html"));
    await works(t, { folder: output });
  });
});
