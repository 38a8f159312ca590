// Pulls: their outcomes and bounds, tags and SQL, offsets, waiting and aborting.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ClosedError, InvalidArgumentError, RefusedError, TimeoutError } from "stgclient";

import { bench, eventually, fails, isSettled, PATIENCE, unique } from "./support/bench.js";
import { rewriting } from "./support/transports.js";
import { apacheTest } from "./support/way.js";

/** A queue with so many messages, numbered. */
async function filled(t, count) {
  const on = await bench(t, 1);
  const queue = await on.queue(0);
  await on.fill(0, count, (number) => ({ tag: number % 2 ? "odd" : "even", properties: { number: String(number) } }));
  await on.awaitMessages(queue, count);
  return { on, queue, pulls: on.pulls };
}

const bodies = ({ messages }) => messages.map((message) => message.text());

test("found messages come in their order with the queue's bounds", async (t) => {
  const { queue, pulls } = await filled(t, 5);
  const batch = await pulls.pull(queue, 1n);
  assert.deepEqual(bodies(batch), ["1", "2", "3", "4"]);
  const { status, nextOffset, minOffset, maxOffset, refused } = batch;
  assert.deepEqual([status, nextOffset, minOffset, maxOffset, refused], ["FOUND", 5n, 0n, 5n, []]);
  assert.deepEqual(batch.messages[0].queue, queue);
});

apacheTest("at the end there is nothing new, beyond it the offset is illegal, of other tags nothing matches", async (t) => {
  const { queue, pulls } = await filled(t, 3);
  const outcome = async (offset, options) => {
    const { status, nextOffset, messages } = await pulls.pull(queue, offset, options);
    return [status, nextOffset, messages.length];
  };
  assert.deepEqual(await outcome(3), ["NO_NEW_MESSAGE", 3n, 0]);
  assert.deepEqual(await outcome(2n ** 63n - 1n), ["OFFSET_ILLEGAL", 3n, 0]);
  assert.deepEqual(await outcome(0, { tags: "neither" }), ["NO_MATCHED_MESSAGE", 3n, 0]);
});

test("tags choose, one or several", async (t) => {
  const { queue, pulls } = await filled(t, 6);
  const of = async (tags) => bodies(await pulls.pull(queue, 0, { tags }));
  assert.deepEqual(await of("odd"), ["1", "3", "5"]);
  assert.deepEqual(await of("even || none"), ["0", "2", "4"]);
  for (const all of ["*", ["odd", "even"], undefined]) assert.equal((await of(all)).length, 6);
});

apacheTest("SQL chooses by properties", async (t) => {
  const { queue, pulls } = await filled(t, 6);
  assert.deepEqual(bodies(await pulls.pull(queue, 0, { sql: "number > 3 AND TAGS = 'even'" })), ["4"]);
  assert.deepEqual(bodies(await pulls.pull(queue, 0, { sql: "number > 9" })), []);
});

test("no more come than were asked for", async (t) => {
  const { queue, pulls } = await filled(t, 40);
  for (const [maxMessages, came] of [[1, 1], [10, 10], [32, 32]]) {
    assert.equal((await pulls.pull(queue, 0, { maxMessages })).messages.length, came);
  }
  await fails(pulls.pull(queue, 0, { maxMessages: 5000 }), InvalidArgumentError, "INVALID_ARGUMENT");
});

test("a pull that waits ends as soon as a message comes, while others are served", async (t) => {
  const { queue, pulls, on } = await filled(t, 0);
  const waiting = pulls.pull(queue, 0, { wait: PATIENCE, timeout: 2 * PATIENCE });
  for (let number = 0; number < 5; number++) assert.equal(await pulls.maxOffset(queue), 0n);
  assert.equal(await isSettled(waiting), false);
  await on.send("awaited");
  assert.deepEqual(bodies(await waiting), ["awaited"]);
});

test("a pull that waits ends with nothing when its time is up", async (t) => {
  const { queue, pulls } = await filled(t, 0);
  const started = performance.now();
  assert.equal((await pulls.pull(queue, 0, { wait: 1000 })).status, "NO_NEW_MESSAGE");
  assert.ok(performance.now() - started >= 990);
});

test("a pull whose answer does not come fails in its time", async (t) => {
  const on = await bench(t, 1, { transport: rewriting({ 11: () => false }) });
  await fails(on.pulls.pull(await on.queue(0), 0, { timeout: 200 }), TimeoutError, "TIMEOUT");
});

test("a pull can be aborted before and while it waits, and the queue is as good as before", async (t) => {
  const { queue, pulls, on } = await filled(t, 0);
  const reason = new Error("never mind");
  const wait = { wait: PATIENCE, timeout: 2 * PATIENCE };
  const before = pulls.pull(queue, 0, { ...wait, signal: AbortSignal.abort(reason) });
  await assert.rejects(before, (error) => error === reason);
  const abort = new AbortController();
  const waiting = pulls.pull(queue, 0, { ...wait, signal: abort.signal });
  waiting.catch(() => {});
  await pulls.maxOffset(queue);
  abort.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await on.send("later");
  await on.awaitMessages(queue, 1);
  assert.deepEqual(bodies(await pulls.pull(queue, 0)), ["later"]);
});

test("several pulls of one queue at once each get their own answer", async (t) => {
  const { queue, pulls } = await filled(t, 20);
  const all = await Promise.all(Array.from({ length: 20 }, (_, at) => pulls.pull(queue, at, { maxMessages: 1 })));
  assert.deepEqual(all.map((batch) => bodies(batch)[0]), Array.from({ length: 20 }, (_, at) => String(at)));
});

test("the first and the last offset follow the messages", async (t) => {
  const { queue, pulls } = await filled(t, 4);
  assert.deepEqual([await pulls.minOffset(queue), await pulls.maxOffset(queue)], [0n, 4n]);
});

apacheTest("the offset of a moment is that of the first message since", async (t) => {
  const { queue, pulls, on } = await filled(t, 1);
  const clock = unique("clock");
  await on.createTopic(clock, 1);
  const [{ storedAt }] = (await pulls.pull(queue, 0)).messages;
  await eventually("the broker's clock goes on", async () => {
    const receipt = await on.producer.send({ topic: clock, body: "tick" });
    return (await on.pullSent(receipt)).storedAt - storedAt > 20;
  });
  const later = await on.sendAndPull("later");
  assert.equal(await pulls.offsetAt(queue, storedAt), 0n);
  assert.equal(await pulls.offsetAt(queue, later.storedAt), 1n);
  assert.equal(await pulls.offsetAt(queue, later.storedAt.getTime()), 1n);
  assert.equal(await pulls.offsetAt(queue, new Date(0)), 0n);
  assert.equal(await pulls.offsetAt(queue, new Date(later.storedAt.getTime() + 3_600_000)), 2n);
});

test("a committed offset is read by whoever asks for the group, and there is none before", async (t) => {
  const { queue, pulls, on } = await filled(t, 1);
  assert.equal(await pulls.committedOffset(queue), undefined);
  for (const offset of [0, 7n, 2n ** 63n - 1n, 3]) {
    assert.equal(await pulls.commitOffset(queue, offset), undefined);
    assert.equal(await pulls.committedOffset(queue), BigInt(offset));
    assert.equal(await on.admin.groupOffset(on.group, queue), BigInt(offset));
  }
});

apacheTest("a body that would expand beyond the limit is refused and the others come", async (t) => {
  const on = await bench(t, 1, { maxBodyLength: 1999 });
  const producer = on.client.producer(unique("p"), { compressionThreshold: 1000 });
  for (const body of ["small", "x".repeat(2000), "small too"]) await producer.send({ topic: on.topic, body });
  const queue = await on.queue(0);
  await on.awaitMessages(queue, 3);
  const batch = await on.pulls.pull(queue, 0);
  assert.deepEqual(bodies(batch), ["small", "small too"]);
  assert.equal(batch.refused.length, 1);
  assert.equal(batch.refused[0].queueOffset, 1n);
  assert.match(batch.refused[0].reason, /1999/);
});

test("a queue that the broker does not have is refused with its words", async (t) => {
  const { queue, pulls } = await filled(t, 0);
  const error = await fails(pulls.pull({ ...queue, queueId: 77 }, 0), RefusedError, "REFUSED");
  assert.match(error.remark, /77/);
  assert.equal(error.broker, queue.brokerName);
});

test("a closed consumer pulls no more, and closing again is harmless", async (t) => {
  const { queue, pulls } = await filled(t, 0);
  await pulls.close();
  await pulls.close();
  await fails(pulls.pull(queue, 0), ClosedError, "CLOSED");
});
