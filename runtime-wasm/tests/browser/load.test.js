// Many messages in a page: it stays at its user's service, and needs no more memory than before.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, nameServers, unique } from "../node/support/bench.js";
import { plain } from "./support/chromium.js";
import { tunnelUrl } from "./support/tunnel.js";

/** What counts as a long task for browsers. */
const LONG_MS = 50;

/** In the page: sends and consumes so many messages, as an application would that has 64 under way. */
async function flow([count]) {
  const { client, topic } = on;
  const producer = (on.producer ??= client.producer("load"));
  on.heard ??= 0;
  on.consumer ??= await client.consumer(on.group, { topic, from: "first" }, (message) => void (on.heard += message.bytes().length > 0));
  const wanted = on.heard + count;
  let left = count;
  const send = async () => {
    while (left-- > 0) await producer.send({ topic, body: "x".repeat(128), keys: String(left), properties: { size: "128" } });
  };
  await Promise.all(Array.from({ length: 64 }, send));
  while (on.heard < wanted) await new Promise((later) => setTimeout(later, 5));
}

/** In the page: which tasks of its main thread took too long, since the last time. */
function watch() {
  globalThis.long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  globalThis.longTasks = async () => {
    // They are told of a little later.
    await new Promise((later) => setTimeout(later, 200));
    return long.splice(0);
  };
}

describe("a page that sends and consumes", { concurrency: 1, timeout: 160_000 }, () => {
  for (const [where, open] of [
    ["through a gateway", async (t, page) => {
      const { topic } = await bench(t, 4);
      await page.evaluate(async ([url, nameServers, topic, group]) => {
        globalThis.on = { client: await stgclient.connect(url, { nameServers }), topic, group };
      }, [await tunnelUrl(t), nameServers, topic, unique("load")]);
    }],
    ["with the cluster in its own memory", async (_, page) => {
      await page.evaluate(async () => {
        const { cluster } = await import("stgclient/embedded");
        const client = await stgclient.connect(cluster());
        await client.admin().createTopic("t", { queues: 4 });
        globalThis.on = { client, topic: "t", group: "load" };
      });
    }],
  ]) {
    test(`10,000 messages ${where} has no task of more than ${LONG_MS} ms`, async (t) => {
      const page = await plain(t);
      await open(t, page);
      await page.evaluate(flow, [500]);
      await page.evaluate(watch);
      // A machine that has more to do makes any task long now and then, but not each time.
      let long;
      const took = [];
      for (let round = 0; round < 4; round++) {
        const began = Date.now();
        await page.evaluate(flow, [10_000]);
        took.push(Date.now() - began);
        long = await page.evaluate(() => longTasks());
        if (long.length === 0) break;
      }
      t.diagnostic(`${took} ms, long: ${long}`);
      assert.deepEqual(long, []);
      // What is seen of a task that is one.
      await page.evaluate((ms) => new Promise((done) => setTimeout(() => {
        for (const end = performance.now() + 2 * ms; performance.now() < end; );
        done();
      })), LONG_MS);
      assert.equal((await page.evaluate(() => longTasks())).length, 1, "long tasks are not seen");
    });
  }

  test("60,000 messages needs the memory that it needed after 20,000", async (t) => {
    const page = await plain(t);
    await page.evaluate(async () => {
      const { cluster } = await import("stgclient/embedded");
      // What servers keep is bounded, too.
      const client = await stgclient.connect(cluster({ messageBytes: 4 << 20 }));
      await client.admin().createTopic("t", { queues: 4 });
      globalThis.on = { client, topic: "t", group: "load" };
    });
    const tools = await page.context().newCDPSession(page);
    const use = async () => {
      await tools.send("HeapProfiler.collectGarbage");
      await tools.send("HeapProfiler.collectGarbage");
      const { usedSize } = await tools.send("Runtime.getHeapUsage");
      const wasm = await page.evaluate(async () => {
        const modules = await Promise.all(["stgclient", "stgclient_embedded"].map((name) => import(`/stgclient/dist/${name}.js`)));
        return modules.map(({ initSync }) => initSync({}).memory.buffer.byteLength).reduce((sum, bytes) => sum + bytes);
      });
      return { heap: usedSize, wasm };
    };
    await page.evaluate(flow, [20_000]);
    const before = await use();
    await page.evaluate(flow, [40_000]);
    const after = await use();
    t.diagnostic(JSON.stringify({ before, after }));
    for (const [name, most] of [["heap", 1], ["wasm", 1.5]]) {
      assert.ok(after[name] - before[name] <= most * 2 ** 20, `${name}: ${JSON.stringify({ before, after })}`);
    }
  });
});
