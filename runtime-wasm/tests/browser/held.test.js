// What an adversary has tried, and what held, where no other test has it.

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
import { door, tunnelUrl } from "./support/tunnel.js";

/** At once, on a loaded machine: brokers keep what nobody gives them back for a minute or two. */
const AT_ONCE = 20_000;

/** In the page: joins the group, and tells of each message. `more` are options of the consumer; `revokedMs` is how long a listener takes. */
async function join([gateway, nameServers, topic, group, more, revokedMs, connecting]) {
  globalThis.client = await stgclient.connect(gateway, { nameServers, requestTimeout: 2000, ...connecting });
  const options = { topic, from: "first", commitInterval: 600_000, ...more };
  if (revokedMs) options.rebalanceListener = { revoked: () => new Promise((done) => setTimeout(done, revokedMs)) };
  globalThis.consumer = await client.consumer(group, options, (message) => tell(JSON.stringify(message.text())));
  await consumer.ready();
}

const countQueues = (tab) => tab.evaluate(() => consumer.status.queues.filter(({ queue }) => !queue.topic.startsWith("%")).length);

/** A topic and a group of tabs. */
async function scene(t, queues, { more = {}, revokedMs = 0, url: gatewayUrl, connecting = {} } = {}) {
  const on = await bench(t, queues);
  const { url } = await site(t);
  const first = await browser(t);
  const group = unique("tabs");
  gatewayUrl ??= await tunnelUrl();
  const tabs = [];
  let sent = 0;
  return {
    on,
    url,
    group,
    tabs,
    browser: first,
    async join() {
      const tab = await first.tab(url);
      await tab.evaluate(join, [gatewayUrl, nameServers, on.topic, group, more, revokedMs, connecting]);
      tabs.push(tab);
      return tab;
    },
    send: (count) => Promise.all(Array.from({ length: count }, () => on.send(String(sent++)))),
    async all(patience) {
      const told = () => tabs.flatMap((tab) => tab.told);
      await eventually(`${sent} are consumed`, () => new Set(told()).size === sent, patience);
      return told().length - sent;
    },
    share: (wanted, among = tabs) =>
      eventually(`they have ${wanted} queues`, async () => (await Promise.all(among.map(countQueues))).sort().join() === wanted.join()),
  };
}

describe("the life of a page", { concurrency: 2, timeout: 120_000 }, () => {
  const frozen = async (tab) => {
    await tab.evaluate(() => document.addEventListener("freeze", () => (globalThis.wasFrozen = true)));
    await tab.freeze();
    await eventually("it is frozen", () => tab.evaluate(() => globalThis.wasFrozen));
  };

  test("that is closed, and whose listener is to be waited for: it has committed", async (t) => {
    const { join, send, all, share } = await scene(t, 4, { revokedMs: 100 });
    const first = await join();
    const second = await join();
    await share([2, 2]);
    await send(40);
    await all();
    await first.close();
    await share([4], [second]);
    await send(40);
    assert.equal(await all(), 0, "some came again");
  });

  test("that is frozen: none stands", async (t) => {
    const through = await relay(t);
    const { join, share } = await scene(t, 2, { url: through.url });
    const tab = await join();
    await share([2]);
    assert.ok(through.tunnels.size >= 2);
    await frozen(tab);
    await new Promise((later) => setTimeout(later, 3000));
    assert.equal(through.tunnels.size, 0);
  });
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
  test("are left to others by a tab that stood in line and is closed", async (t) => {
    const on = await bench(t, 1);
    const { url } = await site(t);
    const within = await context(t);
    const given = [await tunnelUrl(), nameServers, on.topic, "g"];
    const [first, second] = [await plain(t, { at: url, within }), await plain(t, { at: url, within })];
    const locks = () => first.evaluate(async () => {
      const { held, pending } = await navigator.locks.query();
      return [held.length, pending.length];
    });
    await first.evaluate(broadcast, given);
    await second.evaluate(broadcast, given);
    assert.deepEqual(await locks(), [1, 1]);
    await second.evaluate(() => client.close());
    await eventually("nobody stands in line", async () => (await locks()).join() === "1,0");
  });

  for (const [how, act] of [
    ["could not be read", async () => {
      await new Promise((done) => {
        const asked = indexedDB.open("stgclient", 1);
        asked.onupgradeneeded = () => asked.result.createObjectStore("offsets");
        asked.onsuccess = () => {
          asked.result.transaction("offsets", "readwrite").objectStore("offsets").put("{", "DEFAULT/g").onsuccess = () => (asked.result.close(), done());
        };
      });
      const failed = await start().catch(({ code }) => code);
      if (failed !== "OFFSET_STORE") throw new Error(`it is ${failed}`);
    }],
    ["was given up", async () => {
      const aborting = new AbortController();
      const starting = start(aborting.signal).catch(({ name }) => name);
      await new Promise((later) => setTimeout(later, 5));
      aborting.abort();
      await starting;
    }],
    ["is closed with its client", async () => {
      await start();
      await client.close();
    }],
    ["is closed, and another one is started and closed", async () => {
      const one = await start();
      await one.close();
      await (await start()).close();
    }],
    ["is closed and another one is started at once", async () => {
      const one = await start();
      const closing = one.close();
      const other = await start();
      await closing;
      await new Promise((later) => setTimeout(later, 300));
      if ((await navigator.locks.query()).held.length !== 1) throw new Error("it has no lock");
      await other.close();
    }],
  ]) {
    test(`are given back to other tabs when their consumer ${how}`, async (t) => {
      const on = await bench(t, 1);
      await on.fill(0, 5);
      const one = await plain(t);
      const left = await one.evaluate(`(async () => {
        const [url, nameServers, topic] = ${JSON.stringify([await tunnelUrl(), nameServers, on.topic])};
        globalThis.client = await stgclient.connect(url, { nameServers });
        const start = (signal) => client.consumer("g", { topic, from: "first", model: "broadcasting", commitInterval: 50, ...(signal && { signal }) }, () => {});
        await (${act})();
        await new Promise((later) => setTimeout(later, 500));
        const { held, pending } = await navigator.locks.query();
        return [...held, ...pending].map(({ name }) => name);
      })()`);
      assert.deepEqual(left, []);
    });
  }
});

describe("what a site keeps", { concurrency: 2, timeout: 120_000 }, () => {
  for (const [how, remove] of [
    ["deleted by the page", (on) => on.evaluate(() => new Promise((done) => (indexedDB.deleteDatabase("stgclient").onsuccess = () => done())))],
    ["cleared by the user", async (on) => {
      const tools = await on.context().newCDPSession(on);
      await tools.send("Storage.clearDataForOrigin", { origin: new URL(on.url()).origin, storageTypes: "indexeddb" });
    }],
  ]) {
    test(`is ${how} while it is used: offsets are kept again`, async (t) => {
      const at = await bench(t, 1);
      await at.fill(0, 5);
      const on = await plain(t);
      await on.evaluate(broadcast, [await tunnelUrl(), nameServers, at.topic, "g"]);
      const kept = () => on.evaluate(() => new Promise((done) => {
        const asked = indexedDB.open("stgclient");
        asked.onerror = () => done(asked.error.name);
        asked.onsuccess = () => {
          const { result } = asked;
          const read = result.transaction("offsets").objectStore("offsets").get("DEFAULT/g");
          read.onsuccess = () => (result.close(), done(read.result));
        };
      }));
      await new Promise((later) => setTimeout(later, 1000));
      assert.match(await kept(), /:5/);
      await remove(on);
      await new Promise((later) => setTimeout(later, 500));
      await at.fill(5, 7);
      await new Promise((later) => setTimeout(later, 1500));
      assert.match(await kept(), /:7/);
      assert.deepEqual(await on.evaluate(() => warnings), []);
    });
  }
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
  test("is as wide as its screen at 320 px, connected", async (t) => {
    const on = await example(t, { options: { viewport: { width: 320, height: 700 } } });
    await on.click("#connect");
    await state(on, "Connected");
    await on.click("text=Send 20");
    await new Promise((later) => setTimeout(later, 1000));
    assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), 320);
  });

  test("is disconnected while members are joining: no tunnel is left, and nothing is told as a failure", async (t) => {
    const gateway = await relay(t, { verifyClient: (_, done) => setTimeout(() => done(true), 300) });
    const on = await example(t, { mayComplain: /before the connection is established/ });
    await through(on, gateway.url);
    await on.click("#connect");
    await state(on, "Connected");
    await on.click("#disconnect");
    await state(on, "Not connected");
    await new Promise((later) => setTimeout(later, 10_000));
    assert.deepEqual([gateway.tunnels.size, await text(on, "#failure")], [0, ""]);
  });

  test("is disconnected while its gateway is away, and connects again when it is back", async (t) => {
    const gateway = await door(t);
    const on = await example(t, { mayComplain: /WebSocket|ERR_CONNECTION_(REFUSED|RESET)/ });
    await through(on, gateway.url);
    await on.click("#connect");
    await state(on, "Connected");
    await on.click("text=Send 20");
    await gateway.end("SIGKILL");
    await state(on, "Disconnected");
    await on.click("text=Send 20");
    await on.dblclick("#disconnect");
    await state(on, "Not connected", 15_000);
    await on.click("#connect");
    await eventually("it says why", async () => (await text(on, "#failure")) !== "");
    await gateway.start();
    await on.dblclick("#connect");
    await state(on, "Connected");
    assert.equal(await text(on, "#failure"), "");
  });

  for (const [what, url, servers, topic] of [
    ["a port that is none", undefined, "127.0.0.1:99999", "orders"],
    ["a name server without a port", undefined, "nonsense", "orders"],
    ["no WebSocket", "http://127.0.0.1:1/", undefined, "orders"],
    ["a topic of the servers' own", undefined, undefined, "TBW102"],
    ["a topic that is too long", undefined, undefined, "t".repeat(300)],
    ["a topic of retries", undefined, undefined, "%RETRY%billing"],
  ]) {
    test(`says what is wrong with ${what}, and connects once it is mended`, async (t) => {
      const on = await example(t, { mayComplain: /WebSocket|ERR_CONNECTION_(REFUSED|RESET)/ });
      await through(on, url ?? (await tunnelUrl()), servers, topic);
      await on.click("#connect");
      await eventually("it says why, or is connected", async () => (await text(on, "#failure")) !== "" || (await text(on, "#state")).includes("Connected"), 20_000);
      t.diagnostic(`${await text(on, "#failure")} / ${await text(on, "#state")}`);
      if ((await text(on, "#state")).includes("Connected")) return;
      await through(on, await tunnelUrl());
      await on.click("#connect");
      await state(on, "Connected");
      assert.equal(await text(on, "#failure"), "");
    });
  }
});
