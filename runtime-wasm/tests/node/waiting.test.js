// Sends that wait: for room, for time, until they are aborted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FullError, TimeoutError } from "stgclient";

import { bench, client, DEAD, eventually, fails, isSettled, PATIENCE, unique } from "./support/bench.js";
import { rewriting } from "./support/transports.js";

/** SEND_MESSAGE and SEND_MESSAGE_V2. */
const SENDS = [10, 310];
/** GET_ROUTEINFO_BY_TOPIC. */
const ROUTE = 105;

/** A client whose sends have no answer until `open()`. */
async function stuck(t, on) {
  let isOpen = false;
  const later = () => isOpen || false;
  const asked = [];
  const changes = Object.fromEntries(SENDS.map((code) => [code, later]));
  const transport = rewriting(changes, ({ header }) => SENDS.includes(header.code) && asked.push(header));
  const other = await client(t, { transport, closeTimeout: 50 });
  return { client: other, asked, open: () => (isOpen = true), message: { topic: on.topic, body: "x" } };
}

test("trySend fails at once where there is no room, and the backlog tells how much waits", async (t) => {
  const on = await bench(t);
  const { client, message, asked } = await stuck(t, on);
  const producer = client.producer(unique("p"), { maxWaitingMessages: 3, sendTimeout: PATIENCE });
  assert.deepEqual(producer.backlog, { messages: 0, bytes: 0 });
  await producer.start();
  const { signal } = new AbortController();
  const sends = [producer.trySend(message), producer.send(message), producer.send(message, { signal })];
  sends.forEach((send) => send.catch(() => {}));
  await eventually("they are sent", () => asked.length === 3);
  assert.deepEqual(producer.backlog, { messages: 3, bytes: 3 });
  const error = await fails(producer.trySend(message), FullError, "FULL");
  assert.equal(error.retryable, true);
  const waiting = producer.send(message);
  waiting.catch(() => {});
  assert.equal(await isSettled(waiting), false);
});

test("bytes that wait have a bound of their own", async (t) => {
  const on = await bench(t);
  const { client, message } = await stuck(t, on);
  const producer = await client.producer(unique("p"), { maxWaitingBytes: 1000, sendTimeout: PATIENCE }).start();
  producer.trySend({ ...message, body: "x".repeat(900) }).catch(() => {});
  await fails(producer.trySend({ ...message, body: "x".repeat(200) }), FullError, "FULL");
  producer.trySend({ ...message, body: "x".repeat(50) }).catch(() => {});
  assert.equal(producer.backlog.messages, 2);
});

test("whoever waits for room is sent when there is some", async (t) => {
  const on = await bench(t);
  const producer = on.client.producer(unique("p"), { maxWaitingMessages: 2, sendTimeout: PATIENCE });
  await Promise.all(Array.from({ length: 50 }, (_, number) => producer.send({ topic: on.topic, body: String(number) })));
  assert.equal((await on.pullAll(50)).length, 50);
});

test("a send whose time is up fails, says so, and may be tried again", async (t) => {
  const on = await bench(t);
  const { client, message } = await stuck(t, on);
  const short = client.producer(unique("p"), { sendTimeout: 300 });
  const long = client.producer(unique("p"), { sendTimeout: PATIENCE });
  for (const send of [() => short.send(message), () => long.send(message, { timeout: 300 })]) {
    const started = performance.now();
    const error = await fails(send(), TimeoutError, "TIMEOUT");
    assert.ok(performance.now() - started >= 290);
    assert.equal(error.retryable, true);
  }
});

test("the time of a send is also its function's, which waits for a route", async (t) => {
  const on = await bench(t);
  let isSilent = false;
  const other = await client(t, { transport: rewriting({ [ROUTE]: () => !isSilent }), closeTimeout: 50 });
  isSilent = true;
  const producer = other.producer(unique("p"));
  const message = { topic: on.topic, body: "x" };
  await fails(producer.send(message, { queue: () => 0, timeout: 200 }), TimeoutError, "TIMEOUT");
  const { signal } = new AbortController();
  await fails(producer.send(message, { queue: () => 0, timeout: 200, signal }), TimeoutError, "TIMEOUT");
  const abort = new AbortController();
  const sending = producer.send(message, { queue: () => 0, signal: abort.signal });
  abort.abort("enough");
  await assert.rejects(sending, (reason) => reason === "enough");
});

test("a send with a signal that was aborted before fails with its reason, and nothing is sent", async (t) => {
  const on = await bench(t);
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  for (const how of ["send", "trySend", "sendOneway"]) {
    for (const queue of [undefined, () => 0]) {
      const sending = on.producer[how]({ topic: on.topic, body: "x" }, { signal, queue });
      await assert.rejects(sending, (error) => error === reason);
    }
  }
  await on.producer.flush();
  await on.pullAll(0);
});

test("a send that is aborted under way fails at once with the signal's reason", async (t) => {
  const on = await bench(t);
  const { client, message, asked } = await stuck(t, on);
  const producer = client.producer(unique("p"), { sendTimeout: PATIENCE });
  for (const how of ["send", "trySend"]) {
    const abort = new AbortController();
    const already = asked.length;
    const sending = producer[how](message, { signal: abort.signal });
    sending.catch(() => {});
    await eventually("it is sent", () => asked.length > already);
    abort.abort();
    await assert.rejects(sending, { name: "AbortError" });
  }
});

test("a send that is aborted while it stands in line is never sent", async (t) => {
  const on = await bench(t);
  const { client, message, asked, open } = await stuck(t, on);
  const producer = client.producer(unique("p"), { maxWaitingMessages: 1, sendTimeout: 2000, maxTries: 1 });
  const first = producer.send(message).catch((error) => error);
  await eventually("it is sent", () => asked.length === 1);
  const abort = new AbortController();
  const second = producer.send(message, { signal: abort.signal });
  abort.abort();
  await assert.rejects(second, { name: "AbortError" });
  assert.equal((await first).code, "TIMEOUT");
  open();
  await producer.send(message);
  assert.equal(asked.length, 2);
});

test("connecting can be aborted before and during, and ends when nobody answers", async (t) => {
  const silent = { open: () => ({ write: () => true, close: () => {} }) };
  const reason = new Error("never mind");
  const { connect } = await import("stgclient");
  const target = { addresses: DEAD, transport: silent };
  await assert.rejects(connect(target, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  const abort = new AbortController();
  const connecting = connect(target, { waitForServers: PATIENCE, connectTimeout: PATIENCE, signal: abort.signal });
  connecting.catch(() => {});
  assert.equal(await isSettled(connecting), false);
  abort.abort(reason);
  await assert.rejects(connecting, (error) => error === reason);
  await assert.rejects(connect(target, { connectTimeout: 200, waitForServers: 0 }), (error) => error.retryable === true);
});
