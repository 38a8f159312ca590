// Sends that wait for their producer's start, and queues that functions choose.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

/** A cluster with a topic, and a client of it that is closed at the end. */
async function setting(t, queues = 4) {
  const servers = cluster();
  servers.createTopic("orders", { queues });
  const client = await connect(servers);
  t.after(() => client.close());
  return { servers, client };
}

const outcomes = async (sends) => (await Promise.allSettled(sends)).map(({ value, reason }) => value?.status ?? reason.code);

/** How long it takes until so many sends, all made in one turn, have their receipts; the heap, in MiB, right behind that turn. */
async function burst(producer, count) {
  const [began, heap] = [performance.now(), process.memoryUsage().heapUsed];
  const sends = Array.from({ length: count }, () => producer.send({ topic: "orders", body: "x" }, { timeout: 120_000 }));
  const grown = (process.memoryUsage().heapUsed - heap) / 2 ** 20;
  await Promise.all(sends);
  return { took: performance.now() - began, grown };
}

test("a flush ends when all that was sent before has its answer, also what waits for room before the producer has started", async (t) => {
  const { client } = await setting(t);
  const producer = client.producer("shop", { maxWaitingMessages: 1 });
  let answered = 0;
  const sends = ["a", "b", "c"].map((body) => producer.send({ topic: "orders", body }).then(() => answered++));
  await producer.flush();
  assert.equal(answered, 3);
  await Promise.all(sends);
});

test("closing a producer waits for all that was sent before, also for what waits for room before it has started", async (t) => {
  const { client } = await setting(t);
  const producer = client.producer("shop", { maxWaitingMessages: 1 });
  const sends = outcomes(["a", "b", "c"].map((body) => producer.send({ topic: "orders", body })));
  await producer.close();
  assert.deepEqual(await sends, ["SEND_OK", "SEND_OK", "SEND_OK"]);
});

test("closing a client waits for all that was sent before, also for what waits for room before its producer has started", async (t) => {
  const { servers } = await setting(t);
  const client = await connect(servers);
  const producer = client.producer("shop", { maxWaitingMessages: 1 });
  const sends = outcomes(["a", "b", "c"].map((body) => producer.send({ topic: "orders", body })));
  await client.close();
  assert.deepEqual(await sends, ["SEND_OK", "SEND_OK", "SEND_OK"]);
});

test("no send made later goes before one that waits for room since before the producer has started", async (t) => {
  const { servers, client } = await setting(t, 1);
  const [{ topic, brokerName, queueId }] = servers.queues("orders");
  const queue = { topic, brokerName, queueId };
  const producer = client.producer("shop", { maxWaitingMessages: 4 });
  const sends = [];
  const send = () => sends.push(producer.send({ topic, body: "x" }, { queue, timeout: 20_000 }));
  for (let count = 0; count < 20; count++) send();
  // As an application that goes on as soon as the producer has started.
  await producer.start();
  for (let count = 0; count < 40; count++) {
    await undefined;
    send();
  }
  const offsets = (await Promise.all(sends)).map(({ queueOffset }) => queueOffset);
  assert.deepEqual(offsets, offsets.toSorted((one, other) => Number(one - other)));
});

test("many sends before the producer has started take no longer than after it, and no more memory", { timeout: 200_000 }, async (t) => {
  const { client } = await setting(t);
  const started = client.producer("warm");
  await burst(started, 6000);
  const after = await burst(started, 6000);
  const before = await burst(client.producer("cold"), 6000);
  t.diagnostic(JSON.stringify({ before, after }));
  assert.ok(before.took < 8 * after.took + 1000, `${before.took.toFixed()} ms, where started ones take ${after.took.toFixed()} ms`);
  assert.ok(before.grown < 4 * Math.max(after.grown, 0) + 60, `the heap grows by ${before.grown.toFixed()} MiB`);
});

test("a function that puts the queues that it is given in another order chooses the queue that it gives", async (t) => {
  const { client } = await setting(t);
  const producer = client.producer("shop");
  const last = (queues) => queues.sort((one, other) => other.queueId - one.queueId)[0];
  const { queue } = await producer.send({ topic: "orders", body: "x" }, { queue: last });
  assert.equal(queue.queueId, 3);
});

test("a send that is aborted while its queue is chosen is not sent: it is not written yet", async (t) => {
  const { servers, client } = await setting(t);
  const producer = await client.producer("shop").start();
  await producer.send({ topic: "orders", body: "x" });
  const aborting = new AbortController();
  const queue = () => {
    aborting.abort(new Error("enough"));
    return 0;
  };
  await assert.rejects(producer.send({ topic: "orders", body: "y" }, { queue, signal: aborting.signal }), /enough/);
  // What is sent behind it has come behind it.
  await producer.send({ topic: "orders", body: "z" });
  assert.equal(servers.queues("orders").reduce((sum, { maxOffset }) => sum + Number(maxOffset), 0), 2);
});

test("a text comes back as it was, also one that begins with a mark of its order of bytes", async (t) => {
  const { client } = await setting(t);
  const { queue, queueOffset } = await client.producer("shop").send({ topic: "orders", body: "\uFEFFid;price" });
  const { messages } = await (await client.pullConsumer("audit")).pull(queue, queueOffset);
  assert.equal(messages[0].text(), "\uFEFFid;price");
});
