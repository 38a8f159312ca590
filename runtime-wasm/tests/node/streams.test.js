// Messages that are asked for one by one: for await, and next() by hand.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ConsumerStream, InvalidArgumentError } from "stgclient";

import { bench, DEADLINE, eventually, fails, isSettled, promised, unique } from "./support/bench.js";

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
      if (seen.length === 2) assert.equal(message.reconsumeLater(), true);
      else message.ack();
      if (seen.length === 5) break;
    }
    assert.deepEqual(seen, ["0", "1", "1", "2", "3"]);
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
    // It leaves in its own time, which a close waits for.
    await messages.close();
    await on.send("next");
    const { value } = await on.client.consumer(group, on.all()).next();
    assert.equal(value.text(), "next");
    value.ack();
  });

  test("do not count any more, when they are settled after a close", async (t) => {
    const { messages } = await stream(t, 1);
    const { value } = await messages.next();
    await messages.close({ within: 0 });
    assert.equal(value.ack(), false);
    assert.equal(value.reconsumeLater(), false);
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
