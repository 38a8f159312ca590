// The log of a client.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, client, DEADLINE, eventually, nameServers, promised, unique } from "./support/bench.js";
import { child } from "./support/children.js";

/** Consumes three messages with a client that logs so. The first of them fails. */
async function work(t, on, log) {
  const of = await client(t, { log });
  const done = promised();
  let count = 0;
  await of.consumer(unique("g"), on.all(), () => {
    if (++count === 3) done.resolve();
    if (count === 1) throw new Error("on purpose");
  });
  await done;
  await of.close();
  // Lines come a little later.
  await new Promise((turn) => setImmediate(turn));
  return of;
}

async function filled(t) {
  const on = await bench(t, 1);
  await on.fill(0, 3);
  return on;
}

const levels = (lines) => [...new Set(lines.map(({ level }) => level))].sort().join();

describe("the log", { concurrency: 4, timeout: DEADLINE }, () => {
  for (const [level, wanted, connected] of [
    ["off", "", false],
    ["error", "", false],
    ["warn", "warn", false],
    ["info", "info,warn", true],
    ["debug", "debug,info,warn", true],
  ]) {
    test(`of the level "${level}" has lines up to that, with words and fields`, async (t) => {
      const lines = [];
      const of = await work(t, await filled(t), { level, sink: (line) => lines.push(line) });
      assert.equal(levels(lines), wanted);
      const found = lines.find(({ message }) => message === "connected");
      if (connected) assert.deepEqual(found, { level: "info", message: "connected", fields: { client_id: of.clientId, address: nameServers } });
      else assert.equal(found, undefined);
    });
  }

  test("is of each client its own, in the order in which things happen", async (t) => {
    const on = await filled(t);
    const books = [[], []];
    const made = await Promise.all(
      books.map((book, at) => work(t, on, { level: at === 0 ? "debug" : "info", sink: (line) => book.push(line) })),
    );
    books.forEach((book, at) => {
      const ids = new Set(book.map(({ fields }) => fields.client_id).filter(Boolean));
      assert.deepEqual([...ids], [made[at].clientId]);
    });
    assert.deepEqual(books.map(levels), ["debug,info,warn", "info,warn"]);
    const [first, second] = books[0].map(({ message }) => message);
    assert.deepEqual([first, second], ["connecting", "connected"]);
    const failed = books[1].find(({ level }) => level === "warn");
    assert.equal(failed.message, "a message was not consumed");
    assert.match(failed.fields.error, /^Error: on purpose/);
    assert.equal(failed.fields.tries, "1");
  });

  test("is not held up by a function that throws, rejects, or uses a client", async (t) => {
    const on = await filled(t);
    let count = 0;
    const sends = [];
    const sink = ({ message }) => {
      count++;
      if (count % 3 === 0) throw new Error("the sink");
      if (count % 3 === 1) return Promise.reject(new Error("the sink"));
      on.client.metrics();
      sends.push(on.producer.send({ topic: on.topic, body: message }));
    };
    await work(t, on, { level: "debug", sink });
    assert.ok(count > 5);
    await Promise.all(sends);
  });

  test("has what the JavaScript itself warns of", async (t) => {
    const on = await bench(t, 1);
    const lines = [];
    const of = await client(t, { log: { level: "warn", sink: (line) => lines.push(line) } });
    const assigned = () => { throw new Error("not mine"); };
    const consumer = await of.consumer(unique("g"), on.all({ rebalanceListener: { assigned } }), () => {});
    await consumer.ready();
    await eventually("the line", () => lines.some(({ message }) => /the rebalance listener failed: Error: not mine/.test(message)));
    assert.equal(levels(lines), "warn");
  });

  test("goes to the console, if a level is all that is said; without one nothing is said", async (t) => {
    const { topic, group } = await filled(t);
    const program = `
      for (const log of [undefined, "off", level]) {
        const c = await connect(nameServers, { log });
        let count = 0;
        await new Promise((resolve) => {
          c.consumer(group + log, { topic, from: "first" }, () => {
            if (++count === 3) resolve();
            if (count === 1) throw new Error("on purpose");
          });
        });
        await c.close();
      }`;
    const { code, printed, complained } = await child(t, program, { topic, group, level: "info" }).ended;
    assert.equal(code, 0, complained);
    assert.match(printed, /^stgclient: connected \{/);
    assert.equal(printed.match(/stgclient: connected \{/g).length, 2, "of the last client alone: to the name server and to the broker");
    assert.match(complained, /^stgclient: a message was not consumed \{/);
    assert.match(complained, /error: 'Error: on purpose/);
  });
});
