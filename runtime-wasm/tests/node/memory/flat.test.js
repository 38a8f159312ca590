// Memory does not grow with what was sent, received, opened and closed: each in a process of its own, in which nothing else runs.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, eventually, isSettled, unique } from "../support/bench.js";
import { child } from "../support/children.js";

const MIB = 1 << 20;

/** With STGCLIENT_LONG ten times as much. */
const TIMES = process.env.STGCLIENT_LONG ? 10 : 1;

/** What a process needs, after all that is garbage is collected: `wasm` is the WebAssembly's own memory, which never shrinks. */
const MEASURING = `
  const { setFlagsFromString, queryObjects } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  const net = await import("node:net");
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const inner = await import(new URL("./stgclient.js", import.meta.resolve("stgclient")));
  const { memory } = inner.initSync({});
  const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function use() {
    // Finalizers run in turns of their own, and a socket that was closed is kept for a second.
    for (let turn = 0; turn < 6; turn++) {
      gc();
      await later(200);
    }
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const [clients, sockets] = [stgclient.Client, net.Socket].map((kind) => queryObjects(kind));
    return { rss, heapUsed, external, arrayBuffers, wasm: memory.buffer.byteLength, clients, sockets };
  }
  const report = (...uses) => process.stdout.write(JSON.stringify(uses), () => process.exit());
`;

/** Runs a program that reports what it needs before and after. */
async function measured(t, program, values) {
  const state = child(t, MEASURING + program, values);
  await eventually("the program ends", () => isSettled(state.ended), 150_000);
  const { code, complained, printed } = await state.ended;
  assert.equal(code, 0, complained);
  const [before, after] = JSON.parse(printed);
  t.diagnostic(JSON.stringify({ before, after }));
  return [before, after];
}

/** Asserts that nothing has grown by more than this, in MiB. */
function assertFlat([before, after], most) {
  for (const [name, mebibytes] of Object.entries(most)) {
    const grown = after[name] - before[name];
    assert.ok(grown <= mebibytes * MIB, `${name} has grown by ${(grown / MIB).toFixed(2)} MiB: ${JSON.stringify({ before, after })}`);
  }
}

describe("memory is as it was", { concurrency: 2, timeout: 200_000 }, () => {
  test("after 100,000 messages, sent and received, where it was after 20,000", async (t) => {
    const on = await bench(t, 4);
    const program = `
      const client = await connect(nameServers);
      const producer = client.producer("p");
      let received = 0;
      await client.consumer(group, { topic, from: "first" }, (message) => void (received += message.properties.size.length));
      async function flow(to) {
        while (received < to) {
          const sends = Array.from({ length: 500 }, (_, at) =>
            producer.send({ topic, body: "x".repeat(200), keys: String(at), properties: { size: "x" } }));
          await Promise.all(sends);
          const sent = (received / 500 | 0) * 500 + 500;
          while (received < sent) await later(2);
        }
      }
      await flow(20_000);
      const before = await use();
      await flow(100_000 * times);
      report(before, await use());`;
    const uses = await measured(t, program, { topic: on.topic, group: unique("g"), times: TIMES });
    assertFlat(uses, { heapUsed: 1, external: 1.5, arrayBuffers: 0.5, wasm: 1.5, rss: 64 });
  });

  test("after 3000 pulls of 32 messages that nobody keeps, where it was after 500", async (t) => {
    const on = await bench(t, 1);
    await Promise.all(Array.from({ length: 64 }, () => on.send("x".repeat(2000))));
    await on.awaitMessages(await on.queue(0), 64);
    const program = `
      const client = await connect(nameServers);
      const pulls = await client.pullConsumer(group);
      const [queue] = await pulls.queues(topic);
      async function pull(times) {
        for (let time = 0; time < times; time++) {
          const { messages } = await pulls.pull(queue, time % 32);
          if (messages.length !== 32) throw new Error(messages.length + " messages");
          messages[0].bytes();
        }
      }
      await pull(500);
      const before = await use();
      await pull(2500 * times);
      report(before, await use());`;
    const uses = await measured(t, program, { topic: on.topic, group: unique("g"), times: TIMES });
    assertFlat(uses, { heapUsed: 1, external: 1, arrayBuffers: 0.5, wasm: 1, rss: 48 });
  });

  test("after 600 clients with all that clients have, opened and closed, where it was after 200", async (t) => {
    const on = await bench(t, 2);
    const program = `
      async function reopen(times) {
        for (let time = 0; time < times; time++) {
          const client = await connect(nameServers);
          const events = client.events;
          await client.producer("p").send({ topic, body: "x" });
          const consumer = await client.consumer(group, { topic }, () => {});
          await consumer.ready();
          const stream = client.consumer(group + "-2", { topic });
          await stream.start();
          const pulls = await client.pullConsumer(group);
          await pulls.queues(topic);
          if (time % 2) await Promise.all([stream.close(), consumer.close(), pulls.close()]);
          await client.close();
          // What a client that is closed leaves is small, and goes with the object that the application has of it.
          if (time % 20 === 0) gc();
        }
      }
      await reopen(200);
      const before = await use();
      await reopen(400 * times);
      report(before, await use());`;
    const uses = await measured(t, program, { topic: on.topic, group: unique("g"), times: TIMES });
    assertFlat(uses, { heapUsed: 1, external: 1, arrayBuffers: 0.5, wasm: 1, rss: 48 });
    const [before, after] = uses;
    assert.ok(after.clients <= before.clients && after.sockets <= before.sockets, JSON.stringify(uses));
  });

  test("after 12 threads with two clients each, where it was after 4", async (t) => {
    const on = await bench(t, 2);
    const program = `
      const { Worker } = await import("node:worker_threads");
      const text = \`
        const { workerData: { installed, nameServers, topic, group } } = require("node:worker_threads");
        const { connect } = require(installed);
        (async () => {
          const clients = await Promise.all([connect(nameServers), connect(nameServers)]);
          let received = 0;
          for (const client of clients) await client.consumer(group, { topic, from: "first" }, () => void received++);
          await Promise.all(Array.from({ length: 200 }, (_, at) => clients[at % 2].producer("p").send({ topic, body: "x" })));
          while (received < 200) await new Promise((resolve) => setTimeout(resolve, 5));
          await Promise.all(clients.map((client) => client.close()));
        })();\`;
      const installed = (await import("node:url")).fileURLToPath(import.meta.resolve("stgclient"));
      async function work(times) {
        for (let time = 0; time < times; time++) {
          const worker = new Worker(text, { eval: true, execArgv: [], workerData: { installed, nameServers, topic, group } });
          await new Promise((resolve, reject) => worker.on("error", reject).on("exit", resolve));
        }
      }
      await work(4);
      const before = await use();
      await work(8 * times);
      report(before, await use());`;
    const uses = await measured(t, program, { topic: on.topic, group: unique("g"), times: TIMES });
    // A thread's own memory is the system's to take back.
    assertFlat(uses, { heapUsed: 1, external: 1, arrayBuffers: 0.5, wasm: 0, rss: 48 });
  });
});
