// Where broadcasting consumers of pages keep their offsets: the browser's own store, by default.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, eventually, nameServers, unique } from "../node/support/bench.js";
import { gateway as relay } from "../node/support/gateway.js";
import { context, plain } from "./support/chromium.js";
import { site } from "./support/site.js";
import { tunnelUrl } from "./support/tunnel.js";

/** In the page: joins the group; `heard` are the messages it has got. `stuck` are messages whose handlers do not end until `free()`. */
async function join([gateway, nameServers, topic, group, stuck = [], commitInterval = 50]) {
  const client = await stgclient.connect(gateway, { nameServers, closeTimeout: 500 });
  globalThis.warnings = [];
  client.events.addEventListener("warning", ({ message }) => warnings.push(message));
  globalThis.heard = [];
  const options = { topic, from: "first", model: "broadcasting", commitInterval, maxInWork: 1 };
  globalThis.consumer = await client.consumer(group, options, async (message) => {
    heard.push(message.text());
    if (stuck.includes(message.text())) await new Promise((resolve) => (globalThis.free = resolve));
  });
  globalThis.client = client;
}

/** In the page: what is kept, by key. */
async function kept() {
  // Asked for before, it would be made, with nothing in it.
  if (!(await indexedDB.databases()).some(({ name }) => name === "stgclient")) return {};
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("stgclient");
    asked.onerror = () => reject(asked.error);
    asked.onsuccess = () => {
      const database = asked.result;
      const store = database.transaction("offsets").objectStore("offsets");
      const [keys, texts] = [store.getAllKeys(), store.getAll()];
      store.transaction.oncomplete = () => {
        database.close();
        resolve(Object.fromEntries(keys.result.map((key, at) => [key, texts.result[at]])));
      };
    };
  });
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => String(from + at));

/** A topic of one queue with five messages, and an origin with tabs that share what they keep. */
async function scene(t, { host = "127.0.0.1", through, ...options } = {}) {
  const on = await bench(t, 1);
  await on.fill(0, 5);
  const url = (await site(t, options)).url.replace("127.0.0.1", host);
  const within = await context(t);
  const group = unique("tabs");
  const gateway = through?.url ?? (await tunnelUrl());
  const begin = (tab, ...more) => tab.evaluate(join, [gateway, nameServers, on.topic, group, ...more]);
  return {
    on,
    group,
    url,
    gateway,
    within,
    begin,
    tab: async (stuck) => {
      const tab = await plain(t, { at: url, within, mayComplain: options.mayComplain });
      await begin(tab, stuck);
      return tab;
    },
    again: async (tab) => {
      await tab.reload();
      await tab.waitForFunction(() => globalThis.stgclient);
      await begin(tab);
    },
    hears: (tab, wanted) => eventually(`it hears ${wanted}`, async () => JSON.stringify(await tab.evaluate(() => heard)) === JSON.stringify(wanted)),
    keeps: (tab, offset) => eventually(`${offset} is kept`, async () => (await tab.evaluate(kept))[`DEFAULT/${group}`]?.includes(`}:${offset}`)),
  };
}

describe("the offsets of a page's broadcasting consumer", { concurrency: 3, timeout: 120_000 }, () => {
  test("are kept over a reload", async (t) => {
    const { on, tab, again, hears, keeps } = await scene(t);
    const one = await tab();
    await hears(one, numbers(0, 5));
    await keeps(one, 5);
    await on.fill(5, 8);
    await keeps(one, 8);
    await again(one);
    await on.fill(8, 10);
    await hears(one, numbers(8, 10));
    assert.deepEqual(await one.evaluate(() => warnings), []);
  });

  for (const [how, leave] of [["reloaded", (tab) => tab.reload()], ["closed", (tab) => tab.close()]]) {
    test(`are kept when it is ${how}, of all that it has consumed by then`, async (t) => {
      const { on, begin, hears, keeps, url, within } = await scene(t);
      const other = await plain(t, { at: url, within });
      const one = await plain(t, { at: url, within });
      await begin(one, [], 600_000);
      await hears(one, numbers(0, 5));
      await keeps(other, 0);
      await leave(one);
      await keeps(other, 5);
    });
  }

  test("are kept by one of several tabs, though each hears all, and by the next one when it is closed", async (t) => {
    const { on, tab, hears, keeps } = await scene(t);
    const first = await tab();
    await keeps(first, 5);
    const second = await tab(["5", "6"]);
    await on.fill(5, 10);
    await hears(first, numbers(0, 10));
    await keeps(first, 10);
    await second.evaluate(() => free());
    await hears(second, numbers(5, 7));
    // It is behind, which is not what is kept.
    await eventually("the second tab has offered its offset", () => second.evaluate(() => consumer.status.queues[0].committed === 6n));
    await keeps(first, 10);
    await first.close();
    await keeps(second, 6);
    await second.evaluate(() => free());
    await keeps(second, 10);
  });

  test("are kept in pages that are not secure, which have no locks", async (t) => {
    const { tab, keeps, again, on, hears } = await scene(t, { host: "insecure.test" });
    const one = await tab();
    assert.equal(await one.evaluate(() => isSecureContext || "locks" in navigator), false);
    await keeps(one, 5);
    await again(one);
    await on.fill(5, 6);
    await hears(one, ["5"]);
  });

  test("are kept in a Worker, as in a page", async (t) => {
    const worker = `
      import * as stgclient from "/stgclient/dist/browser.js";
      globalThis.stgclient = stgclient;
      const join = ${join};
      onmessage = async ({ data }) => {
        await join(data);
        setInterval(() => postMessage(heard), 20);
      };`;
    const { on, group, keeps, url, gateway } = await scene(t, { files: { "/worker.js": worker } });
    const one = await plain(t, { at: url, within: await context(t) });
    const start = () => one.evaluate((given) => {
      globalThis.worker?.terminate();
      globalThis.heard = [];
      globalThis.worker = new Worker("/worker.js", { type: "module" });
      worker.onmessage = ({ data }) => (globalThis.heard = data);
      worker.postMessage(given);
    }, [gateway, nameServers, on.topic, group]);
    await start();
    await keeps(one, 5);
    await on.fill(5, 7);
    await keeps(one, 7);
    await start();
    await on.fill(7, 8);
    await eventually("the next Worker goes on", async () => JSON.stringify(await one.evaluate(() => heard)) === '["7"]');
  });

  test("that nothing can be kept of, where the user forbids it, are told by warnings, and each start is a new group's", async (t) => {
    const headers = () => ({ "content-security-policy": "sandbox allow-scripts", "access-control-allow-origin": "*" });
    // Of no origin, such a page gets into no gateway of ours.
    const { tab, hears } = await scene(t, { headers, through: await relay(t), mayComplain: /^WebSocket connection to/ });
    const one = await tab();
    await hears(one, numbers(0, 5));
    await eventually("it is told", () => one.evaluate(() => warnings.some((text) => /cannot save .*denied/.test(text))));
  });

  test("that the browser has no room for are told by a warning, and kept once it has", async (t) => {
    const { on, begin, keeps, hears, url } = await scene(t);
    const one = await plain(t, { at: url, within: await context(t) });
    const session = await one.context().newCDPSession(one);
    // Before anything is kept: the browser asks itself once, and then for a while no more.
    await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: 1 << 20 });
    await begin(one);
    await keeps(one, 5);
    // Some bytes the browser always has room for: here they are many.
    await one.evaluate(() => {
      const { prototype } = IDBObjectStore;
      const put = prototype.put;
      prototype.put = function (text, key) {
        return put.call(this, text + " ".repeat(8 << 20), key);
      };
      globalThis.restore = () => (prototype.put = put);
    });
    await on.fill(5, 6);
    await eventually("it is told", () => one.evaluate(() => warnings.some((text) => /cannot save .*quota/i.test(text))));
    await one.evaluate(() => restore());
    await on.fill(6, 7);
    await keeps(one, 7);
    await hears(one, numbers(0, 7));
  });

  test("that are damaged keep the consumer from starting", async (t) => {
    const { tab, keeps, begin } = await scene(t);
    const one = await tab();
    await keeps(one, 5);
    await one.evaluate(() => client.close());
    await one.evaluate(() => new Promise((resolve) => {
      indexedDB.open("stgclient").onsuccess = ({ target: { result } }) => {
        const store = result.transaction("offsets", "readwrite").objectStore("offsets");
        store.getAllKeys().onsuccess = ({ target }) => (store.put("{", target.result[0]).onsuccess = resolve);
      };
    }));
    const failed = await begin(one).catch((error) => error);
    assert.match(failed.message, /cannot read DEFAULT\//);
  });
});
