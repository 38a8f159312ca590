// How a page comes to have the package, with no build step: an import map, an address, a Worker; what it may be forbidden, and what is
// told when a file is missing.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { eventually, nameServers, unique } from "../node/support/bench.js";
import { page, plain } from "./support/chromium.js";
import { tunnelUrl } from "./support/tunnel.js";

const ROUND = readFileSync(new URL("support/round.js", import.meta.url), "utf8");
const DONE = "SEND_OK round";

/** What a page or a Worker does by itself: a round on a cluster in memory, and one through the gateway, if there is one. `tell` is code. */
const rounds = (tell, gateway) => `
  import * as stgclient from "/stgclient/dist/browser.js";
  import { cluster } from "/stgclient/dist/embedded-browser.js";
  import { round } from "/round.js";
  const said = [await round(stgclient, cluster())];
  ${gateway ? `said.push(await round(stgclient, ${JSON.stringify(gateway)}, ${JSON.stringify({ nameServers })}, "${unique("topic")}"));` : ""}
  (${tell})(said);`;

const HERE = "(said) => (document.title = JSON.stringify(said))";
const titled = (script) => `<!doctype html><meta charset="utf-8"><link rel="icon" href="/icon.png"><title>empty</title>${script}`;
const MODULE = titled('<script type="module" src="/alone.js"></script>');
const files = (of) => ({ "/": MODULE, "/round.js": ROUND, "/icon.png": "", ...of });

const said = (of) => eventually("the page has done its rounds", async () => JSON.parse((await of.title()).replace("empty", "null")));

describe("the package", { concurrency: 2, timeout: 120_000 }, () => {
  test("is imported by its name, where an import map says where it is", async (t) => {
    const on = await plain(t, { files: { "/round.js": ROUND } });
    const done = await on.evaluate(async () => {
      const { round } = await import("/round.js");
      const { cluster } = await import("stgclient/embedded");
      return round(globalThis.stgclient, cluster());
    });
    assert.equal(done, DONE);
  });

  test("is imported by its address, and reaches a cluster through a gateway", async (t) => {
    const on = await page(t, { files: files({ "/alone.js": rounds(HERE, await tunnelUrl()) }) });
    assert.deepEqual(await said(on), [DONE, DONE]);
  });

  test("works in a Worker that is a module", async (t) => {
    const boss = `new Worker("/worker.js", { type: "module" }).onmessage = ({ data }) => (${HERE})(data);`;
    const worker = rounds("(said) => postMessage(said)", await tunnelUrl());
    const on = await page(t, { files: files({ "/alone.js": boss, "/worker.js": worker }) });
    assert.deepEqual(await said(on), [DONE, DONE]);
  });

  test("works in a SharedWorker that is a module", async (t) => {
    const boss = `const { port } = new SharedWorker("/worker.js", { type: "module" }); port.onmessage = ({ data }) => (${HERE})(data);`;
    // A module of its own, so that it hears of the page before anything is loaded.
    const ports = "export const ports = []; globalThis.onconnect = (event) => ports.push(...event.ports);";
    const worker = `import { ports } from "/ports.js"; ${rounds("(said) => ports.forEach((port) => port.postMessage(said))")}`;
    const on = await page(t, { files: files({ "/alone.js": boss, "/worker.js": worker, "/ports.js": ports }) });
    assert.deepEqual(await said(on), [DONE]);
  });

  describe("in a page with a Content-Security-Policy", () => {
    const policy = (script, gateway) => {
      const parts = ["default-src 'none'", `script-src ${script}`, `connect-src 'self' ${gateway}`, "worker-src 'self'", "img-src 'self'"];
      return () => ({ "content-security-policy": parts.join("; ") });
    };

    test("needs 'wasm-unsafe-eval' and its gateway, and nothing more, also in a Worker", async (t) => {
      const gateway = await tunnelUrl();
      const headers = policy("'self' 'wasm-unsafe-eval'", new URL(gateway).origin);
      const boss = rounds(`(said) =>
        (new Worker("/worker.js", { type: "module" }).onmessage = ({ data }) => (${HERE})([...said, ...data]))`, gateway);
      const on = await page(t, { headers, files: files({ "/alone.js": boss, "/worker.js": rounds("(said) => postMessage(said)", gateway) }) });
      assert.deepEqual(await said(on), [DONE, DONE, DONE, DONE]);
    });

    test("that does not permit it is told so by `connect`", async (t) => {
      const gateway = "ws://127.0.0.1:1/";
      const program = `
        import { connect, StgError } from "/stgclient/dist/browser.js";
        const error = await connect("${gateway}", { nameServers: "${nameServers}" }).catch((error) => error);
        document.title = JSON.stringify([error instanceof StgError, error.code, error.retryable, error.message]);`;
      const mayComplain = /Content.Security.Policy|wasm/i;
      const on = await page(t, { headers: policy("'self'", gateway), files: files({ "/alone.js": program }), mayComplain });
      const [isOurs, code, , message] = await said(on);
      assert.deepEqual([isOurs, code], [true, "CONNECT_FAILED"]);
      assert.match(message, /^the WebAssembly could not be loaded: .*Content Security Policy/);
    });
  });

  for (const [what, headers] of [
    ["isolated from other origins (COOP, COEP)", { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }],
    ["not isolated, as pages are by default", {}],
  ]) {
    test(`works in a page that is ${what}`, async (t) => {
      const on = await page(t, { headers: () => headers, files: files({ "/alone.js": rounds(HERE, await tunnelUrl()) }) });
      assert.deepEqual(await said(on), [DONE, DONE]);
      assert.equal(await on.evaluate(() => globalThis.crossOriginIsolated), "cross-origin-opener-policy" in headers);
    });
  }

  test("is compiled while it loads, once for all that connect, and what it does not need is not loaded", async (t) => {
    const on = await plain(t);
    const loaded = await on.evaluate(async () => {
      const [fetched, streamed] = [[], []];
      const { fetch } = globalThis;
      globalThis.fetch = (url) => (fetched.push(new URL(url).pathname), fetch(url));
      const { instantiateStreaming } = WebAssembly;
      WebAssembly.instantiateStreaming = (...of) => (streamed.push(1), instantiateStreaming.apply(WebAssembly, of));
      const transport = { open: (_, { closed }) => (queueMicrotask(closed), { write() {}, close() {} }) };
      const one = () => stgclient.connect({ addresses: "a:1", transport }).catch(({ code }) => code);
      await Promise.all([one(), one(), stgclient.init()]);
      return [...fetched, streamed.length];
    });
    assert.deepEqual(loaded, ["/stgclient/dist/stgclient_bg.wasm", 1]);
  });

  test("takes its WebAssembly from where `init` is told, as an address, a response or bytes", async (t) => {
    const file = readFileSync(new URL("stgclient_bg.wasm", import.meta.resolve("stgclient")));
    const address = "'/elsewhere.wasm'";
    const sources = [address, `new URL(${address}, location)`, `fetch(${address})`, `await (await fetch(${address})).arrayBuffer()`];
    for (const source of sources) {
      const asked = [];
      const on = await plain(t, { files: { "/elsewhere.wasm": file, "/round.js": ROUND }, answer: (path) => void asked.push(path) });
      const done = await on.evaluate(`(async () => {
        await stgclient.init(${source});
        const { cluster } = await import("stgclient/embedded");
        return (await import("/round.js")).round(stgclient, cluster());
      })()`);
      assert.equal(done, DONE);
      assert.ok(!asked.includes("/stgclient/dist/stgclient_bg.wasm"), source);
    }
  });

  for (const [what, file, act] of [
    ["the WebAssembly", "stgclient_bg.wasm", () => stgclient.init()],
    ["what reads LZ4 and zstd", "stgclient_compression_bg.wasm", async () => {
      const { cluster } = await import("stgclient/embedded");
      globalThis.servers ??= cluster();
      const client = await stgclient.connect(globalThis.servers);
      await client.pullConsumer("g").finally(() => client.close());
    }],
  ]) {
    test(`says that ${what} is missing, and tries again`, async (t) => {
      let isMissing = true;
      const answer = (path, response) => path.endsWith(`/${file}`) && isMissing && response.writeHead(404).end();
      const on = await plain(t, { answer, mayComplain: /404/ });
      const told = "({ name, code, message, retryable }) => ({ name, code, message, retryable })";
      const attempt = (act) => on.evaluate(`(${act})().then(() => "done", ${told})`);
      const { name, code, message, retryable } = await attempt(act);
      assert.deepEqual([name, code, retryable], ["ConnectionError", "CONNECT_FAILED", true]);
      assert.match(message, new RegExp(`^${what} could not be loaded: .*404`));
      isMissing = false;
      assert.equal(await attempt(act), "done");
    });
  }
});
