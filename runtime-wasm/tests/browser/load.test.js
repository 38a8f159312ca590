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

/** The longest task of a page's main thread while something is done, in ms: how long it took, and how much of that it ran. On a machine
 * that has more to do, only the latter is the page's. */
async function longest(page, act) {
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ["toplevel"] });
  await act();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
  const isOfPage = ({ name, tid }) => name === "ThreadControllerImpl::RunTask" && threads.some((thread) => thread.tid === tid);
  const tasks = traceEvents.filter(isOfPage);
  const most = (what) => Math.round(tasks.reduce((most, task) => Math.max(most, task[what] ?? 0), 0) / 1000);
  assert.ok(tasks.length > 0, "no task is seen");
  return { took: most("dur"), ran: most("tdur") };
}

/** Where a page's cluster is: each has `on` made in the page. */
const PLACES = [
  ["through a gateway", async (t, page) => {
    const { topic } = await bench(t, 4);
    await page.evaluate(async ([url, nameServers, topic, group]) => {
      globalThis.on = { client: await stgclient.connect(url, { nameServers }), topic, group };
    }, [await tunnelUrl(), nameServers, topic, unique("load")]);
  }],
  ["with the cluster in its own memory", async (_, page) => {
    await page.evaluate(async () => {
      const { cluster } = await import("stgclient/embedded");
      // What servers keep is bounded, too.
      const client = await stgclient.connect(cluster({ messageBytes: 4 << 20 }));
      await client.admin().createTopic("t", { queues: 4 });
      globalThis.on = { client, topic: "t", group: "load" };
    });
  }],
];

/** What a page has in use, all garbage collected. WebAssembly's memory never shrinks. */
async function use(page, tools) {
  await tools.send("HeapProfiler.collectGarbage");
  await tools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await tools.send("Runtime.getHeapUsage");
  const wasm = await page.evaluate(async () => {
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => /stgclient(_embedded)?\.js$/.test(name));
    const modules = await Promise.all(loaded.map((name) => import(name)));
    return modules.map(({ initSync }) => initSync({}).memory.buffer.byteLength).reduce((sum, bytes) => sum + bytes);
  });
  return { heap: usedSize, wasm };
}

describe("a page that sends and consumes", { concurrency: 1, timeout: 160_000 }, () => {
  for (const [where, open] of PLACES) {
    test(`10,000 messages ${where} has no task of more than ${LONG_MS} ms`, async (t) => {
      const page = await plain(t);
      await open(t, page);
      await page.evaluate(flow, [500]);
      const began = Date.now();
      await page.evaluate(flow, [10_000]);
      const rate = Math.round(10_000_000 / (Date.now() - began));
      const { took, ran } = await longest(page, () => page.evaluate(flow, [10_000]));
      t.diagnostic(`${rate} messages/s sent and consumed; the longest task took ${took} ms, and ran ${ran} ms`);
      assert.ok(ran <= LONG_MS, `a task ran ${ran} ms`);
      // What is seen of a task that is one.
      const long = await longest(page, () => page.evaluate((ms) => new Promise((done) => setTimeout(() => {
        for (const end = performance.now() + 10 * ms; performance.now() < end; );
        done();
      })), LONG_MS));
      assert.ok(long.ran > LONG_MS, `a long task is not seen: ${JSON.stringify(long)}`);
    });

    test(`100,000 messages ${where} needs the memory that it needed after 20,000`, async (t) => {
      const page = await plain(t);
      await open(t, page);
      const tools = await page.context().newCDPSession(page);
      const began = Date.now();
      await page.evaluate(flow, [20_000]);
      const before = await use(page, tools);
      await page.evaluate(flow, [80_000]);
      const after = await use(page, tools);
      t.diagnostic(`${JSON.stringify({ before, after })} in ${Date.now() - began} ms`);
      for (const [name, most] of [["heap", 1], ["wasm", 1.5]]) {
        assert.ok(after[name] - before[name] <= most * 2 ** 20, `${name}: ${JSON.stringify({ before, after })}`);
      }
    });
  }

  test("has its first message acknowledged soon after it begins to load the package", async (t) => {
    const { topic } = await bench(t, 1);
    const page = await plain(t, { files: { "/main.js": "globalThis.stgclient = true;" } });
    const took = await page.evaluate(async ([url, nameServers, topic]) => {
      const began = performance.now();
      const { connect } = await import("stgclient");
      const imported = performance.now();
      const client = await connect(url, { nameServers });
      const { status } = await client.producer("first").send({ topic, body: "first" });
      const [module, first] = [imported - began, performance.now() - imported].map(Math.round);
      return { status, module, first };
    }, [await tunnelUrl(), nameServers, topic]);
    t.diagnostic(`the package's modules ${took.module} ms, from connect() to the first acknowledgement ${took.first} ms, WebAssembly included`);
    assert.equal(took.status, "SEND_OK");
  });
});
