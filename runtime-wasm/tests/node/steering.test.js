// Consumers that are steered and looked at while they run: pause, resume, seek, status, ready, close.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ClosedError } from "stgclient";

import { bench, client, DEADLINE, eventually, fails, isSettled, promised, unique } from "./support/bench.js";

/** A topic of one queue with so many messages, and a member of a new group that notes what it gets, after `work`. */
async function member(t, count, { work = () => {}, ...options } = {}) {
  const on = await bench(t, 1);
  await on.fill(0, count);
  const group = unique("steered");
  const seen = [];
  const consumer = await on.client.consumer(group, on.all(options), (message) => {
    seen.push(message.text());
    return work(message);
  });
  return { on, group, seen, consumer, queue: await on.queue(0) };
}

describe("a consumer", { concurrency: 6, timeout: DEADLINE }, () => {
  test("that is paused gives nothing, and goes on when it is resumed", async (t) => {
    const { on, seen, consumer } = await member(t, 1);
    await eventually("the first", () => seen.length === 1);
    consumer.pause();
    await on.fill(1, 4);
    const { on: beside, seen: others } = await member(t, 0);
    await beside.fill(0, 3);
    await eventually("another consumer's", () => others.length === 3);
    assert.deepEqual(seen, ["0"]);
    consumer.resume();
    await eventually("the rest", () => seen.length === 4);
  });

  test("pauses one queue, if it has it", async (t) => {
    const { on, seen, consumer, queue } = await member(t, 1);
    await eventually("the first", () => seen.length === 1);
    assert.equal(consumer.pause({ ...queue, queueId: 7 }), false);
    assert.equal(consumer.pause(queue), true);
    const paused = () => consumer.status.queues.find(({ queue: { topic } }) => topic === on.topic).isPaused;
    assert.equal(paused(), true);
    await on.send("1");
    assert.equal(consumer.resume(queue), true);
    assert.equal(paused(), false);
    await eventually("the rest", () => seen.length === 2);
  });

  test("seeks back and forth, and its group goes on there", async (t) => {
    const { on, seen, group, consumer, queue } = await member(t, 10);
    await eventually("10 messages", () => seen.length === 10);
    assert.equal(consumer.seek({ ...queue, queueId: 7 }, 0), false);
    assert.equal(consumer.seek(queue, 6n), true);
    await eventually("4 more", () => seen.length === 14);
    consumer.pause();
    assert.equal(consumer.seek(queue, 3), true);
    await eventually("it is committed", async () => (await on.admin.groupOffset(group, queue)) === 3n);
  });

  test("is ready with its queues, and its status tells them with offsets and lag", async (t) => {
    const { on, consumer, seen, queue } = await member(t, 3);
    assert.equal(await consumer.ready(), undefined);
    await eventually("all", () => seen.length === 3 && consumer.status.lag === 0n);
    const { isReady, inWork, pulled, consumed, failed, queues } = consumer.status;
    assert.deepEqual([isReady, inWork, pulled, consumed, failed], [true, 0, 3, 3, 0]);
    const found = queues.find(({ queue: { topic } }) => topic === on.topic);
    assert.deepEqual(found.queue, queue);
    assert.deepEqual([found.isConsuming, found.offset, found.lag, found.isPaused], [true, 3n, 0n, false]);
    assert.deepEqual([found.cachedMessages, found.cachedBytes], [0, 0]);
  });

  test("can be waited for until it is ready no longer than a signal says", async (t) => {
    const { consumer } = await member(t, 0);
    const reason = new Error("never mind");
    const waiting = consumer.ready({ signal: AbortSignal.abort(reason) });
    await assert.rejects(waiting, (error) => error === reason);
    await consumer.ready({ signal: new AbortController().signal });
  });

  test("that closes waits for handlers under way and commits what they have done", async (t) => {
    const go = promised();
    const { on, group, seen, consumer, queue } = await member(t, 1, { work: () => go });
    await eventually("it is under way", () => seen.length === 1);
    const closing = consumer.close({ within: 60_000 });
    assert.equal(await isSettled(closing), false);
    go.resolve();
    assert.deepEqual(await closing, []);
    assert.equal(await on.admin.groupOffset(group, queue), 1n);
  });

  test("whose handler never ends closes in its time and says what was not finished", async (t) => {
    const { seen, consumer, queue } = await member(t, 2, { work: () => new Promise(() => {}) });
    await eventually("both are under way", () => seen.length === 2);
    const started = performance.now();
    const unfinished = [{ queue, offsets: [0n, 1n] }];
    assert.deepEqual(await consumer.close({ within: 200 }), unfinished);
    assert.ok(performance.now() - started >= 190);
    assert.deepEqual(await consumer.close(), unfinished);
  });

  test("whose handler never ends does not keep its client from closing in its time", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 1);
    const other = await client(t, { closeTimeout: 200 });
    const under = promised();
    await other.consumer(unique("steered"), on.all(), () => {
      under.resolve();
      return new Promise(() => {});
    });
    await under;
    await other.close();
    assert.equal(other.state, "closed");
  });

  test("may be closed by its own handler, more than once, and gives nothing more", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 3);
    await on.awaitMessages(await on.queue(0), 3);
    const seen = [];
    const closed = promised();
    const started = promised();
    const consumer = await on.client.consumer(unique("steered"), on.all({ maxInWork: 1 }), async (message) => {
      await started;
      seen.push(message.text());
      if (seen.length === 1) Promise.all([consumer.close(), consumer.close()]).then(closed.resolve, closed.reject);
    });
    started.resolve();
    await closed;
    assert.deepEqual(seen, ["0"]);
  });

  test("that is closed says so, or does nothing", async (t) => {
    const { on, consumer, queue } = await member(t, 0);
    await consumer.close();
    assert.deepEqual([consumer.pause(queue), consumer.seek(queue, 0), consumer.status.queues], [false, false, []]);
    consumer.pause();
    consumer.resume();
    consumer.unsubscribe(on.topic);
    await fails(consumer.ready(), ClosedError, "CLOSED");
    await fails(consumer.subscribe(on.topic), ClosedError, "CLOSED");
  });

  test("is a group of its own for each who broadcasts: each gets all", async (t) => {
    const on = await bench(t, 2, { offsets: false });
    const other = await client(t, { offsets: false });
    const group = unique("broadcast");
    const books = [[], []];
    const consumers = [];
    for (const [number, of] of [on.client, other].entries()) {
      const options = on.all({ model: "broadcasting" });
      consumers.push(await of.consumer(group, options, (message) => void books[number].push(message.text())));
    }
    await on.fill(0, 10);
    const all = Array.from({ length: 10 }, (_, number) => String(number));
    await eventually("all, twice", () => books.every(({ length }) => length >= 10));
    for (const book of books) assert.deepEqual(book.sort(), all);
    await consumers[1].close();
    await on.send("10");
    await eventually("one more", () => books[0].length === 11);
    assert.equal(books[1].length, 10);
  });
});
