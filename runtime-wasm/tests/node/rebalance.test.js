// Who follows a consumer's queues: told before they begin and after they end, and waited for.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, client, DEADLINE, eventually, isSettled, promised, unique } from "./support/bench.js";

/** A member of a group that notes what it hears and gets, in order. */
async function following(on, group, { options = {}, of = on.client, assigned = () => {}, revoked = () => {} } = {}) {
  const book = [];
  const note = (what, act) => (queues) => {
    const ours = queues.filter(({ topic }) => topic === on.topic).map(({ queueId }) => queueId).sort();
    if (ours.length > 0) book.push(`${what} ${ours}`);
    return act(queues);
  };
  const rebalanceListener = { assigned: note("assigned", assigned), revoked: note("revoked", revoked) };
  const consumer = await of.consumer(group, on.all({ rebalanceInterval: 300, rebalanceListener, ...options }), (message) => {
    book.push(message.text());
  });
  return { book, consumer };
}

describe("a rebalance listener", { concurrency: 6, timeout: DEADLINE }, () => {
  test("hears of queues before their first message, which waits for its promise, and after the last", async (t) => {
    const on = await bench(t, 2);
    await on.send("0");
    const go = promised();
    const { book, consumer } = await following(on, unique("g"), { assigned: () => go });
    await eventually("it is told", () => book.length === 1);
    const ready = consumer.ready();
    // Who follows nothing begins later, and has the message first.
    const { book: other } = await following(on, unique("g"));
    await eventually("another group's", () => other.includes("0"));
    assert.equal(await isSettled(ready), false);
    assert.deepEqual([book, consumer.status.inWork], [["assigned 0,1"], 0]);
    go.resolve();
    await eventually("the message", () => book.length === 2);
    await ready;
    await consumer.close();
    assert.deepEqual(book, ["assigned 0,1", "0", "revoked 0,1"]);
  });

  test("hears of queues that go to another member, who has one in order when its promise has ended", async (t) => {
    const on = await bench(t, 2);
    const group = unique("g");
    const go = promised();
    const leaving = promised();
    const revoked = () => (leaving.resolve(), go);
    const first = await following(on, group, { options: { orderly: true }, revoked });
    await first.consumer.ready();
    const second = await following(on, group, { options: { orderly: true }, of: await client(t) });
    await leaving;
    const [queue] = (await on.queues()).filter(({ queueId }) => first.book.at(-1) === `revoked ${queueId}`);
    await on.send("of the second", {}, { queue });
    assert.deepEqual(second.book.filter((line) => line.startsWith("of")), []);
    assert.equal(second.consumer.status.queues.some((one) => one.queue.topic === on.topic && one.isConsuming), false);
    go.resolve();
    await eventually("it goes over", () => second.book.includes("of the second"));
    assert.deepEqual(second.book, [`assigned ${queue.queueId}`, "of the second"]);
    assert.deepEqual(first.book, ["assigned 0,1", `revoked ${queue.queueId}`]);
  });

  for (const [what, fail] of [["throws", () => { throw new Error("not now"); }], ["rejects", async () => { throw new Error("not now"); }]]) {
    test(`that ${what} is a warning, and its queues go on`, async (t) => {
      const on = await bench(t, 1);
      const warnings = [];
      on.client.events.addEventListener("warning", ({ message }) => warnings.push(message));
      await on.send("0");
      const { book, consumer } = await following(on, unique("g"), { assigned: fail, revoked: fail });
      await eventually("the message", () => book.includes("0"));
      await consumer.close();
      assert.ok(warnings.length >= 2 && warnings.every((warning) => /the rebalance listener failed: Error: not now/.test(warning)));
    });
  }

  test("may follow one of both alone, and is called as its methods; a stream has one, too", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 1);
    class Listener {
      heard = [];
      assigned(queues) {
        this.heard.push(...queues.filter(({ topic }) => topic === on.topic));
      }
    }
    const listener = new Listener();
    const messages = on.client.consumer(unique("g"), on.all({ rebalanceListener: listener }));
    (await messages.next()).value.ack();
    await messages.return();
    assert.deepEqual(listener.heard, [await on.queue(0)]);
    const consumer = await on.client.consumer(unique("g"), on.all({ rebalanceListener: { revoked: () => {} } }), () => {});
    await consumer.ready();
    await consumer.close();
  });

  test("is not needed to hear of queues: a client's events tell of those of all consumers that start after it is followed", async (t) => {
    const on = await bench(t, 2);
    await on.client.consumer(unique("g"), on.all(), () => {});
    const [group, heard] = [unique("g"), []];
    for (const type of ["assigned", "revoked"]) {
      on.client.events.addEventListener(type, ({ type, group, queues }) => {
        const ours = queues.filter(({ topic }) => topic === on.topic).map(({ queueId }) => queueId);
        if (ours.length > 0) heard.push([type, group, ours.sort()]);
      });
    }
    const { book, consumer } = await following(on, group);
    await consumer.ready();
    const stream = on.client.consumer(`${group}-2`, on.all());
    await (await stream.start()).ready();
    await stream.close();
    await consumer.close();
    assert.deepEqual(heard, [
      ["assigned", group, [0, 1]],
      ["assigned", `${group}-2`, [0, 1]],
      ["revoked", `${group}-2`, [0, 1]],
      ["revoked", group, [0, 1]],
    ]);
    assert.deepEqual(book, ["assigned 0,1", "revoked 0,1"]);
  });
});
