// Messages that are asked for one by one: for await, and next() by hand.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConsumerStream, InvalidArgumentError } from "stgclient";

import { bench, DEADLINE, eventually, fails, internal, isSettled, PATIENCE, promised, unique } from "./support/bench.js";

/** A topic with so many messages, and a group's stream of them. */
async function stream(t, count, options = {}) {
  const on = await bench(t, 1);
  await on.fill(0, count);
  const group = unique("stream");
  const open = () => on.client.consumer(group, on.all(options));
  const committed = async () => on.admin.groupOffset(group, await on.queue(0));
  return { on, group, open, committed, messages: open() };
}

describe("messages that are asked for", { concurrency: 6, timeout: DEADLINE }, () => {
  test("come in a loop; what is acknowledged is committed, and another loop goes on there", async (t) => {
    const { on, open, committed, messages } = await stream(t, 3);
    assert.ok(messages instanceof ConsumerStream);
    const texts = [];
    for await (const message of messages) {
      texts.push(message.text());
      assert.equal(message.ack(), true);
      assert.equal(message.ack(), false);
      if (texts.length === 3) break;
    }
    assert.equal(await committed(), 3n);
    await on.send("3");
    for await (const message of open()) {
      texts.push(message.text());
      message.ack();
      break;
    }
    assert.deepEqual(texts, ["0", "1", "2", "3"]);
    assert.deepEqual(await messages.next(), { done: true, value: undefined });
  });

  test("come again after reconsumeLater()", async (t) => {
    const { messages } = await stream(t, 2);
    const seen = [];
    for await (const message of messages) {
      seen.push(`${message.text()}/${message.reconsumeTimes}`);
      if (message.text() === "1" && message.reconsumeTimes === 0) assert.equal(message.reconsumeLater(1), true);
      else message.ack();
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ["0/0", "1/0", "1/1"]);
  });

  test("come in order, if they are to: what fails comes again before the rest", async (t) => {
    const { messages } = await stream(t, 4, { orderly: true });
    const seen = [];
    for await (const message of messages) {
      seen.push(message.text());
      if (seen.length === 2) assert.equal(message.suspend(), true);
      else message.ack();
      if (seen.length === 5) break;
    }
    assert.deepEqual(seen, ["0", "1", "1", "2", "3"]);
  });

  test("come in order after their queue has rested for as long as is said", async (t) => {
    const { messages } = await stream(t, 2, { orderly: true });
    const seen = [];
    for await (const message of messages) {
      seen.push([message.text(), message.reconsumeTimes, performance.now()]);
      if (seen.length === 1) assert.equal(message.suspend(2500), true);
      else message.ack();
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen.map(([text, times]) => [text, times]), [["0", 0], ["0", 1], ["1", 0]]);
    assert.ok(seen[1][2] - seen[0][2] >= 2490);
  });

  test("are given back in the way of their kind alone: by a level without order, by milliseconds in order", async (t) => {
    const { messages } = await stream(t, 1);
    const { messages: orderly } = await stream(t, 1, { orderly: true });
    const [{ value }, { value: inOrder }] = await Promise.all([messages.next(), orderly.next()]);
    const invalid = (words) => (error) => error instanceof InvalidArgumentError && words.test(error.message);
    assert.throws(() => value.suspend(100), invalid(/reconsumeLater\(level\)/));
    for (const level of [0, 19, 1.5, "soon", null]) assert.throws(() => value.reconsumeLater(level), InvalidArgumentError);
    for (const level of [undefined, 1, "never"]) assert.throws(() => inOrder.reconsumeLater(level), invalid(/suspend\(ms\)/));
    for (const ms of [0, -1, NaN, "1s", null]) assert.throws(() => inOrder.suspend(ms), InvalidArgumentError);
    // Nothing of that has settled them.
    assert.deepEqual([value.ack(), inOrder.ack()], [true, true]);
    await Promise.all([messages.return(), orderly.return()]);
  });

  test("that are not settled do not hold up who leaves the loop, and come to the next at once", async (t) => {
    const { on, open, messages } = await stream(t, 2, { maxInWork: 2 });
    const held = [];
    const started = performance.now();
    for await (const message of messages) if (held.push(message) === 2) break;
    assert.ok(performance.now() - started < 2000, "it waits for what nobody will settle: that takes closeTimeout, 2000 ms");
    assert.deepEqual(held.map((message) => message.ack()), [false, false]);
    const again = open();
    const texts = [(await again.next()).value.text(), (await again.next()).value.text()];
    assert.deepEqual(texts.sort(), ["0", "1"]);
    await again.return();
    await on.client.close();
  });

  test("are given back when the loop is left by an error, and come to the next", async (t) => {
    const { open, messages } = await stream(t, 1);
    const own = new Error("own");
    const loop = async () => {
      for await (const message of messages) throw Object.assign(own, { text: message.text() });
    };
    await assert.rejects(loop(), (error) => error === own);
    const again = open();
    const { value } = await again.next();
    assert.equal(value.text(), "0");
    value.ack();
    await again.return();
  });

  test("go to whoever asked first, when several ask at once", async (t) => {
    const { on, messages } = await stream(t, 0);
    const asked = Array.from({ length: 5 }, () => messages.next());
    await on.fill(0, 5);
    const texts = (await Promise.all(asked)).map(({ value }) => value.text());
    assert.deepEqual(texts, ["0", "1", "2", "3", "4"]);
    await messages.close({ within: 0 });
  });

  test("come no more after a close, which ends all that wait", async (t) => {
    const { messages } = await stream(t, 0);
    const asked = Array.from({ length: 3 }, () => messages.next());
    await messages.start();
    assert.equal(await isSettled(asked[0]), false);
    await messages.close();
    assert.deepEqual(await Promise.all(asked), Array(3).fill({ done: true, value: undefined }));
    assert.deepEqual(await messages.next(), { done: true, value: undefined });
    await messages.close();
  });

  test("never come, when the stream is closed before it starts", async (t) => {
    const { messages } = await stream(t, 1);
    assert.deepEqual(await messages.return("given"), { done: true, value: "given" });
    assert.deepEqual(await messages.next(), { done: true, value: undefined });
    await assert.rejects(messages.start(), { code: "CLOSED" });
  });

  test("come no more when the client closes", async (t) => {
    const { on, messages } = await stream(t, 0);
    const asked = messages.next();
    await messages.start();
    await on.client.close();
    assert.deepEqual(await asked, { done: true, value: undefined });
  });

  test("come no more after an abort: the loop ends with its reason, and the consumer has left", async (t) => {
    const abort = new AbortController();
    const { on, group, messages } = await stream(t, 1, { signal: abort.signal });
    const reason = new Error("enough");
    const first = promised();
    const loop = (async () => {
      for await (const message of messages) {
        message.ack();
        first.resolve();
      }
    })();
    loop.catch(() => {});
    await first;
    abort.abort(reason);
    await assert.rejects(loop, (error) => error === reason);
    assert.deepEqual(await messages.next(), { done: true, value: undefined });
    // It leaves in its own time, which the next of the group waits for.
    await on.send("next");
    const next = on.client.consumer(group, on.all());
    const { value } = await next.next();
    assert.equal(value.text(), "next");
    value.ack();
    await next.return();
  });

  test("come to a new consumer of the group, which waits while another closes, and no longer than its signal", async (t) => {
    const { on, group, messages } = await stream(t, 1);
    const { value } = await messages.next();
    const closing = messages.close({ within: 60_000 });
    const abort = new AbortController();
    const aborted = on.client.consumer(group, on.all({ signal: abort.signal }), () => {});
    aborted.catch(() => {});
    const seen = [];
    const next = on.client.consumer(group, on.all(), (message) => void seen.push(message.text()));
    next.catch(() => {});
    await on.send("1");
    assert.deepEqual([await isSettled(aborted), await isSettled(next), await isSettled(closing)], [false, false, false]);
    abort.abort("enough");
    await assert.rejects(aborted, (reason) => reason === "enough");
    assert.equal(value.ack(), true);
    assert.deepEqual(await closing, []);
    await next;
    await eventually("the next one", () => seen.includes("1"));
    assert.deepEqual(seen, ["1"]);
  });

  test("do not count any more, when they are settled after a close", async (t) => {
    const { messages } = await stream(t, 1);
    const { value } = await messages.next();
    await messages.close({ within: 0 });
    assert.equal(value.ack(), false);
    assert.equal(value.reconsumeLater(), false);
  });

  test("are nobody's any more after a close: the client has no room for those that were never settled", async (t) => {
    const on = await bench(t, 1);
    const producer = on.client.producer(unique("p"), { compressionThreshold: Infinity, sendTimeout: PATIENCE });
    const body = "x".repeat(100_000);
    for (let count = 0; count < 40; count++) await producer.send({ topic: on.topic, body });
    const { memory } = (await internal("stgclient.js")).initSync();
    const kept = [];
    const sizes = [];
    for (let round = 0; round < 6; round++) {
      const messages = on.client.consumer(unique("stream"), on.all());
      for (let count = 0; count < 40; count++) kept.push((await messages.next()).value);
      await messages.close({ within: 0 });
      sizes.push(memory.buffer.byteLength);
    }
    assert.ok(sizes[5] - sizes[1] < 4 * 40 * 100_000, `it grows with each of them: ${sizes}`);
    assert.equal(kept.length, 240);
  });

  test("can be steered and looked at by their consumer", async (t) => {
    const { messages, on } = await stream(t, 0);
    const consumer = await messages.start();
    assert.equal(await messages.start(), consumer);
    await consumer.ready();
    assert.equal(consumer.status.isReady, true);
    consumer.pause();
    await on.send("0");
    const asked = messages.next();
    consumer.resume();
    const { value } = await asked;
    assert.equal(value.ack(), true);
    await eventually("it counts", () => consumer.status.consumed === 1);
    await messages.close();
  });

  test("never come, when the group or its options are not right", async (t) => {
    const on = await bench(t, 1);
    const bad = on.client.consumer("no group!", { topic: on.topic });
    await fails(bad.next(), InvalidArgumentError, "INVALID_ARGUMENT");
    assert.deepEqual(await bad.next(), { done: true, value: undefined });
    await bad.close();
    assert.throws(() => on.client.consumer("g", on.all({ batchSize: 2 })), InvalidArgumentError);
    assert.throws(() => on.client.consumer("g", {}), InvalidArgumentError);
  });
});
