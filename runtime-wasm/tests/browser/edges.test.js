// Where a page comes to its edges: what it has let go is gone, what it waits for can be given up, what it may not keep is said; and
// examples/web on small screens, with long words and hasty users.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { describe, test } from "node:test";

import { chromium } from "playwright-core";

import { serve } from "../../../examples/web/serve.mjs";
import { bench, eventually, nameServers, unique } from "../node/support/bench.js";
import { gateway as relay } from "../node/support/gateway.js";
import { context, FLAGS, page, plain, PROGRAM } from "./support/chromium.js";
import { atFreePort } from "./support/ports.js";
import { installed, site } from "./support/site.js";
import { browser } from "./support/tabs.js";
import { tunnelUrl } from "./support/tunnel.js";

/** In the page: how many objects of a kind there are, all garbage collected. */
async function countOf(page, tools, expression) {
  await tools.send("HeapProfiler.collectGarbage");
  await tools.send("HeapProfiler.collectGarbage");
  const { result } = await tools.send("Runtime.evaluate", { expression });
  const { objects } = await tools.send("Runtime.queryObjects", { prototypeObjectId: result.objectId });
  const { result: length } = await tools.send("Runtime.callFunctionOn", { objectId: objects.objectId, functionDeclaration: "function () { return this.length; }", returnByValue: true });
  await tools.send("Runtime.releaseObject", { objectId: objects.objectId });
  return length.value;
}

describe("a page's clients", { concurrency: 2, timeout: 120_000 }, () => {
  for (const [kind, model, prototype] of [
    ["connection to IndexedDB", "broadcasting", "IDBDatabase.prototype"],
    ["WebSocket", "clustering", "WebSocket.prototype"],
    ["AbortController", "broadcasting", "AbortController.prototype"],
  ]) {
    test(`leave no ${kind} once they are closed`, async (t) => {
      const { topic } = await bench(t, 2);
      const on = await plain(t);
      const tools = await on.context().newCDPSession(on);
      await on.evaluate(async ([url, nameServers, topic, group, model]) => {
        for (let n = 0; n < 10; n++) {
          const client = await stgclient.connect(url, { nameServers });
          const consumer = await client.consumer(`${group}-${n}`, { topic, from: "first", model }, () => {});
          await consumer.ready();
          await client.producer("p").send({ topic, body: "x" });
          await consumer.close();
          await client.close();
        }
      }, [await tunnelUrl(), nameServers, topic, unique("g"), model]);
      await eventually("none is left", async () => (await countOf(on, tools, prototype)) === 0);
    });
  }

  test("leave no cluster in memory that nobody has any more", async (t) => {
    const on = await plain(t);
    const tools = await on.context().newCDPSession(on);
    await on.evaluate(async () => {
      const { cluster, Cluster } = await import("stgclient/embedded");
      globalThis.Cluster = Cluster;
      for (let n = 0; n < 10; n++) {
        const client = await stgclient.connect(cluster());
        await client.admin().createTopic("t", { queues: 1 });
        await client.producer("p").send({ topic: "t", body: "x" });
        await client.close();
      }
    });
    await eventually("none is left", async () => (await countOf(on, tools, "Cluster.prototype")) === 0);
  });

  for (const token of ["of the user", "dXNlcg==/"]) {
    test(`say that a token that cannot be a subprotocol is wrong: ${token}`, async (t) => {
      const on = await plain(t);
      const told = await on.evaluate(async ([url, nameServers, token]) => {
        const client = await stgclient.connect(url, { nameServers, webSocket: { token } }).catch((error) => error);
        return [client.code, client.message];
      }, [await tunnelUrl(), nameServers, token]);
      t.diagnostic(String(told));
      assert.equal(told[0], "INVALID_ARGUMENT", told[1]);
    });
  }
});

describe("a signal", { concurrency: 2, timeout: 60_000 }, () => {
  // The site is gone before the page is, which says so.
  const hangs = (file) => ({ answer: (path) => path.endsWith(`/${file}`), mayComplain: /Failed to load resource/ });
  /** What became of a call within so many ms. */
  const attempt = (on, act, given) => on.evaluate(`Promise.race([(${act})(${JSON.stringify(given)}).then(() => "done", ({ name }) => name), new Promise((r) => setTimeout(r, 5000, "it waits"))])`);

  test("gives up `connect` while the WebAssembly is loaded", async (t) => {
    const on = await plain(t, hangs("stgclient_bg.wasm"));
    const how = await attempt(on, ([url, nameServers]) => stgclient.connect(url, { nameServers, signal: AbortSignal.timeout(200) }), [await tunnelUrl(), nameServers]);
    assert.equal(how, "TimeoutError");
  });

  test("says nothing on the page's console when it gives `connect` up while a tunnel is opened", async (t) => {
    const on = await plain(t);
    const [name, states] = await on.evaluate(async ([url, nameServers]) => {
      const [given, sockets] = [new AbortController(), []];
      class Socket extends WebSocket {
        constructor(...of) {
          super(...of);
          sockets.push(this);
          // In a turn of its own, before the tunnel stands.
          queueMicrotask(() => given.abort());
        }
      }
      const how = await stgclient.connect(url, { nameServers, signal: given.signal, webSocket: { WebSocket: Socket } }).catch(({ name }) => name);
      while (sockets.some(({ readyState }) => readyState !== WebSocket.CLOSED)) await new Promise((later) => setTimeout(later, 20));
      return [how, sockets.length];
    }, [await tunnelUrl(), nameServers]);
    assert.deepEqual([name, states], ["AbortError", 1]);
  });

  for (const [what, begin] of [
    ["a consumer with a handler", (client, options) => client.consumer("g", options, () => {})],
    ["a stream", (client, options) => client.consumer("g", options).next()],
    ["a pull consumer", (client, { signal }) => client.pullConsumer("g", { signal })],
  ]) {
    test(`gives up starting ${what} while what it needs is loaded`, async (t) => {
      const on = await plain(t, hangs("stgclient_compression_bg.wasm"));
      const act = `async ([url, nameServers, topic]) => {
        const client = await stgclient.connect(url, { nameServers });
        await (${begin})(client, { topic, signal: AbortSignal.timeout(500) });
      }`;
      assert.equal(await attempt(on, act, [await tunnelUrl(), nameServers, unique("t")]), "TimeoutError");
    });
  }
});

/** In the page: joins as one who gets every message. */
async function broadcast([gateway, nameServers, topic, group]) {
  globalThis.client = await stgclient.connect(gateway, { nameServers });
  globalThis.heard = [];
  globalThis.warnings = [];
  client.events.addEventListener("warning", ({ message }) => warnings.push(message));
  const options = { topic, from: "first", model: "broadcasting", commitInterval: 50 };
  globalThis.consumer = await client.consumer(group, options, (message) => void heard.push(message.text()));
  await consumer.ready();
}

describe("the offsets of a page's broadcasting consumer", { concurrency: 2, timeout: 120_000 }, () => {
  test("go on where the page was after a reload, also when another tab, which kept them, is frozen", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    const { url } = await site(t);
    const made = await browser(t);
    const given = [await tunnelUrl(), nameServers, on.topic, unique("tabs")];
    const begin = async () => {
      const tab = await made.tab(url);
      await tab.evaluate(broadcast, given);
      return tab;
    };
    const hears = (tab, wanted) => eventually(`it hears ${wanted}`, async () => (await tab.evaluate(() => heard)).join() === wanted);
    const first = await begin();
    await hears(first, "0,1,2,3,4");
    await new Promise((later) => setTimeout(later, 1000));
    const second = await begin();
    await first.freeze();
    await on.fill(5, 10);
    await hears(second, "5,6,7,8,9");
    await new Promise((later) => setTimeout(later, 1000));
    await second.send("Page.reload");
    await new Promise((later) => setTimeout(later, 500));
    await eventually("it is there again", () => second.evaluate(() => typeof stgclient === "object" && !globalThis.client));
    await second.evaluate(broadcast, given);
    await on.fill(10, 11);
    await eventually("it hears the last", async () => (await second.evaluate(() => heard)).includes("10"));
    assert.deepEqual(await second.evaluate(() => heard), ["10"]);
  });

  test("that nothing can be kept of, since the user has forbidden the site to keep anything, are told by warnings", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    const { url } = await site(t);
    const profile = mkdtempSync(path(tmpdir(), "stgclient-forbidden-"));
    mkdirSync(path(profile, "Default"));
    // As by the browser's settings: "sites are not allowed to save data on this device".
    writeFileSync(path(profile, "Default", "Preferences"), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }));
    const within = await chromium.launchPersistentContext(profile, { executablePath: PROGRAM, args: FLAGS });
    t.after(async () => {
      await within.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    const one = await plain(t, { at: url, within });
    const asked = await one.evaluate(() => new Promise((resolve) => {
      try {
        const asked = indexedDB.open("x");
        asked.onerror = () => resolve(asked.error.name);
        asked.onsuccess = () => resolve("opened");
      } catch (error) {
        resolve(`thrown: ${error.name}`);
      }
    }));
    t.diagnostic(`IndexedDB says: ${asked}`);
    assert.notEqual(asked, "opened");
    await one.evaluate(broadcast, [await tunnelUrl(), nameServers, on.topic, unique("tabs")]);
    await eventually("it hears all", async () => (await one.evaluate(() => heard)).join() === "0,1,2,3,4");
    await eventually("it is told", () => one.evaluate(() => warnings.some((text) => /cannot save/.test(text))));
  });
});

const DESKTOP = { viewport: { width: 1200, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** examples/web in a page. */
async function example(t, { options = DESKTOP, mayComplain, query = "" } = {}) {
  let server;
  const port = await atFreePort(async (port) => (server = await serve(port, installed)));
  t.after(() => (server.closeAllConnections(), server.close()));
  return page(t, { at: `http://127.0.0.1:${port}/${query}`, within: await context(t, options), mayComplain });
}

const text = (on, selector) => on.locator(selector).innerText();
const state = (on, words, patience) => eventually(words, async () => (await text(on, "#state")).includes(words), patience);

async function through(on, url, servers = nameServers, topic = unique("page")) {
  await on.getByLabel("behind a gateway").check();
  await on.fill("[name=url]", url);
  await on.fill("[name=nameServers]", servers);
  await on.fill("[name=topic]", topic);
}

describe("examples/web", { concurrency: 2, timeout: 120_000 }, () => {
  for (const topic of ["t".repeat(100)]) {
    test(`is as wide as its screen on a phone, with a topic of ${topic.length} letters`, async (t) => {
      const on = await example(t, { options: PHONE });
      await on.fill("[name=topic]", topic);
      await on.click("#connect");
      await state(on, "Connected");
      assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), PHONE.viewport.width);
    });
  }

  test("is as wide as its screen on a phone, when it says what went wrong", async (t) => {
    const on = await example(t, { options: PHONE });
    await through(on, `https://${"gateway".repeat(9)}.example.org/tunnel`);
    await on.click("#connect");
    await eventually("it says why", async () => (await text(on, "#failure")) !== "");
    t.diagnostic(await text(on, "#failure"));
    assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), PHONE.viewport.width);
  });

  test("says how far a group is behind, also when it has no member", async (t) => {
    const on = await example(t);
    await on.click("#connect");
    await state(on, "Connected");
    const billing = on.locator('[data-group="0"].group');
    await eventually("it has members", async () => (await billing.locator("tbody tr").count()) === 4);
    await billing.getByText("Member leaves").click();
    await billing.getByText("Member leaves").click();
    await eventually("it has none", async () => (await billing.locator("tbody tr").count()) === 0);
    await on.click("text=Send 20");
    // Some twice, where a member of the other group is just joining.
    await eventually("the other has handled them", async () => /^20 sent, [2-9]\d handled/.test(await text(on, "#counts")));
    await eventually("the group is as far behind as that", async () => (await billing.locator(".lag").innerText()) === "20 behind");
  });

  test("connects again when one has disconnected while members were joining", async (t) => {
    const gateway = await relay(t, { verifyClient: (_, done) => setTimeout(() => done(true), 700) });
    const on = await example(t, { mayComplain: /^WebSocket connection to/ });
    await through(on, gateway.url);
    await on.click("#connect");
    await state(on, "Connected");
    await on.click("#disconnect");
    await state(on, "Not connected");
    // As users do, who do not wait for what says of itself only to those who cannot see that it is busy.
    await on.evaluate(() => document.querySelector("#connect").click());
    await state(on, "Connected", 30_000);
  });

  test("has no tunnel left once it is disconnected, also of members that could not start", async (t) => {
    const gateway = await relay(t);
    const on = await example(t, { mayComplain: /Failed to load resource/ });
    await on.route("**/stgclient_compression_bg.wasm", (route) => route.fulfill({ status: 404 }));
    await through(on, gateway.url);
    await on.click("#connect");
    await eventually("it says why", async () => (await text(on, "#failure")) !== "");
    await on.locator('[data-group="0"].group').getByText("Member joins").click();
    await new Promise((later) => setTimeout(later, 1000));
    await on.click("#disconnect");
    await state(on, "Not connected");
    await new Promise((later) => setTimeout(later, 3000));
    assert.equal(gateway.tunnels.size, 0);
  });
});

describe("a page", { concurrency: 2, timeout: 120_000 }, () => {
  test("whose client has failed by a fault of its own does not complain when it is frozen", async (t) => {
    const on = await plain(t);
    await on.evaluate(async () => {
      const { cluster } = await import("stgclient/embedded");
      const client = await stgclient.connect(cluster());
      await client.admin().createTopic("t", { queues: 1 });
      await client.consumer("g", { topic: "t" }, () => {});
      globalThis.client = client;
      const deep = () => {
        try {
          deep();
        } catch (error) {
          try { client.metrics(); } catch {}
          throw error;
        }
      };
      try { deep(); } catch {}
    });
    const failed = await on.evaluate(() => { try { return client.state; } catch ({ message }) { return message; } });
    assert.match(failed, /fault of its own/);
    on.complaints.length = 0;
    await on.evaluate(() => void document.dispatchEvent(new Event("freeze")));
    await new Promise((later) => setTimeout(later, 200));
    assert.deepEqual(on.complaints.splice(0), []);
  });
});
