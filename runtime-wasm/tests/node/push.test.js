// Push consumers with a handler: what a group gets, in which order, and from where on.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Consumer, RefusedError } from "stgclient";

import { bench, client, DEADLINE, eventually, fails, unique } from "./support/bench.js";
import { apacheTest } from "./support/way.js";

/** A member that notes what it gets. */
async function noting(t, on, options = {}, of = on.client) {
  const seen = [];
  const group = options.group ?? unique("push");
  const { group: _, ...rest } = options;
  const consumer = await of.consumer(group, on.all(rest), (message) => {
    seen.push(message);
  });
  const texts = () => seen.map((message) => message.text()).sort((one, other) => one - other);
  return { consumer, seen, texts, group };
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => String(from + at));

describe("a consumer with a handler", { concurrency: 4, timeout: DEADLINE }, () => {
  test("gets every message once, and its group goes on where it was", async (t) => {
    const on = await bench(t, 4);
    await on.fill(0, 20);
    const first = await noting(t, on);
    assert.ok(first.consumer instanceof Consumer);
    await eventually("20 messages", () => first.seen.length === 20);
    assert.deepEqual(await first.consumer.close(), []);
    await on.fill(20, 30);
    const again = await noting(t, on, { group: first.group });
    await eventually("10 more", () => again.seen.length === 10);
    assert.deepEqual([first.texts(), again.texts()], [numbers(0, 20), numbers(20, 30)]);
  });

  test("works at several messages at once, at as many as it may", async (t) => {
    const on = await bench(t, 2);
    await on.fill(0, 20);
    const under = new Set();
    let most = 0;
    let open;
    const opened = new Promise((resolve) => (open = resolve));
    const handler = async (message) => {
      under.add(message.messageId);
      most = Math.max(most, under.size);
      await opened;
      under.delete(message.messageId);
    };
    const consumer = await on.client.consumer(unique("push"), on.all({ maxInWork: 5 }), handler);
    await eventually("five at once", () => under.size === 5);
    assert.equal(consumer.status.inWork, 5);
    open();
    await eventually("all", () => consumer.status.consumed === 20);
    assert.equal(most, 5);
  });

  test("gets batches, if it says so", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 20);
    await on.awaitMessages(await on.queue(0), 20);
    const batches = [];
    const handler = (messages) => void batches.push(messages.map((message) => message.text()));
    await on.client.consumer(unique("push"), on.all({ batchSize: 8 }), handler);
    await eventually("all", () => batches.flat().length === 20);
    assert.deepEqual(batches.flat().sort((one, other) => one - other), numbers(0, 20));
    assert.ok(batches.every(({ length }) => length <= 8) && batches.some(({ length }) => length > 1));
  });

  test("gets each queue in its order, one by one, if it says so", async (t) => {
    const on = await bench(t, 2);
    const queues = await on.queues();
    for (let number = 0; number < 20; number++) await on.send(String(number), {}, { queue: queues[number % 2] });
    const seen = [];
    const under = new Map();
    const handler = async (message) => {
      const { queueId } = message.queue;
      assert.ok(!under.get(queueId), "two of a queue at once");
      under.set(queueId, true);
      await new Promise((turn) => setImmediate(turn));
      under.set(queueId, false);
      seen.push(message);
    };
    const consumer = await on.client.consumer(unique("push"), on.all({ orderly: true }), handler);
    await eventually("all", () => seen.length === 20);
    for (const id of [0, 1]) {
      const offsets = seen.filter(({ queue }) => queue.queueId === id).map(({ queueOffset }) => Number(queueOffset));
      assert.deepEqual(offsets, [...Array(10).keys()]);
    }
    const { queues: held } = consumer.status;
    assert.ok(held.every(({ queue, isLocked }) => isLocked || queue.topic !== on.topic));
  });

  test("gets wanted tags alone, and what is left out is passed over", async (t) => {
    const on = await bench(t, 1);
    const { consumer, texts } = await noting(t, on, { tags: ["odd", "none"] });
    await on.fill(0, 10, (number) => ({ tag: number % 2 ? "odd" : "even" }));
    await eventually("five", () => texts().length === 5);
    assert.deepEqual(texts(), ["1", "3", "5", "7", "9"]);
    await eventually("no lag", () => consumer.status.lag === 0n);
  });

  apacheTest("gets what SQL selects, and what is none is refused at the start", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 10, (number) => ({ properties: { amount: String(number) } }));
    const starting = on.client.consumer(unique("push"), on.all({ sql: "amount >" }), () => {});
    assert.equal((await fails(starting, RefusedError, "REFUSED")).responseCode, 23);
    const { texts } = await noting(t, on, { sql: "amount > 6" });
    await eventually("three", () => texts().length === 3);
    assert.deepEqual(texts(), ["7", "8", "9"]);
  });

  test("begins as a new group with what comes from then on, unless it says otherwise", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    await on.awaitMessages(await on.queue(0), 5);
    const { consumer, texts } = await noting(t, on, { from: undefined });
    const last = await noting(t, on, { from: "last" });
    await Promise.all([consumer.ready(), last.consumer.ready()]);
    await on.fill(5, 8);
    await eventually("what came since", () => texts().length >= 3 && last.texts().length >= 3);
    assert.deepEqual([texts(), last.texts()], [numbers(5, 8), numbers(5, 8)]);
  });

  test("begins as a new group with what was stored at a moment or later", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 5);
    const queue = await on.queue(0);
    await on.awaitMessages(queue, 5);
    const [{ storedAt }] = (await on.pulls.pull(queue, 3)).messages;
    const expected = Number(await on.pulls.offsetAt(queue, storedAt));
    const { texts } = await noting(t, on, { from: storedAt });
    await eventually("what came since", () => texts().length >= 5 - expected);
    assert.deepEqual(texts(), numbers(expected, 5));
  });

  test("shares queues with other members, who take over when it leaves", async (t) => {
    const on = await bench(t, 4);
    const other = await client(t);
    const one = await noting(t, on);
    const two = await noting(t, on, { group: one.group }, other);
    const owned = ({ consumer }) =>
      consumer.status.queues.filter(({ queue, isConsuming }) => queue.topic === on.topic && isConsuming).length;
    await eventually("a half each", () => owned(one) === 2 && owned(two) === 2);
    await on.fill(0, 20);
    await eventually("all", () => new Set([...one.texts(), ...two.texts()]).size === 20);
    assert.ok(one.seen.length > 0 && two.seen.length > 0);
    await one.consumer.close();
    await eventually("all queues", () => owned(two) === 4);
  });

  test("may want several topics, and more or fewer while it runs", async (t) => {
    const on = await bench(t, 1);
    const [second, third] = [unique("second"), unique("third")];
    await on.createTopic(second, 1);
    await on.createTopic(third, 1);
    const seen = [];
    const subscriptions = [{ topic: on.topic, tags: "a" }, { topic: second }];
    const options = { subscriptions, from: "first" };
    const consumer = await on.client.consumer(unique("push"), options, (message) => void seen.push(message.text()));
    await consumer.subscribe(third, { tags: "c" });
    for (const [topic, tag] of [[on.topic, "a"], [on.topic, "b"], [second, "b"], [third, "c"], [third, "d"]]) {
      await on.producer.send({ topic, body: `${topic}/${tag}`, tag });
    }
    const wanted = [`${on.topic}/a`, `${second}/b`, `${third}/c`];
    await eventually("three", () => seen.length === 3);
    assert.deepEqual(seen.sort(), wanted.sort());
    consumer.unsubscribe(second);
    const has = () => consumer.status.queues.some(({ queue }) => queue.topic === second);
    await eventually("the topic is not consumed any more", () => !has());
  });
});
