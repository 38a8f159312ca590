// Queues that sends choose: one that is given, by a key, at random, by a function, in turn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { InvalidArgumentError, NotFoundError } from "stgclient";

import { bench, client, fails, unique } from "./support/bench.js";
import { rewriting } from "./support/transports.js";

const ids = (receipts) => receipts.map(({ queue }) => queue.queueId);

test("without a choice queues take turns", async (t) => {
  const on = await bench(t, 4);
  const receipts = [];
  for (let number = 0; number < 8; number++) receipts.push(await on.send("x"));
  assert.deepEqual(ids(receipts).sort(), [0, 0, 1, 1, 2, 2, 3, 3]);
});

test("a queue that is given gets the message", async (t) => {
  const on = await bench(t, 4);
  for (const queue of await on.queues()) assert.deepEqual((await on.send("x", {}, { queue })).queue, queue);
});

test("one key goes to one queue, and many keys to all queues", async (t) => {
  const on = await bench(t, 4);
  const first = ids(await Promise.all(Array.from({ length: 30 }, (_, n) => on.send("x", {}, { orderKey: `k${n}` }))));
  const again = ids(await Promise.all(Array.from({ length: 30 }, (_, n) => on.send("x", {}, { orderKey: `k${n}` }))));
  assert.deepEqual(again, first);
  assert.equal(new Set(first).size, 4);
});

test("at random every queue has its share", async (t) => {
  const on = await bench(t, 2);
  const found = ids(await Promise.all(Array.from({ length: 60 }, () => on.send("x", {}, { queue: "random" }))));
  assert.deepEqual([...new Set(found)].sort(), [0, 1]);
});

test("a function chooses by number or by queue, and sees the message", async (t) => {
  const on = await bench(t, 4);
  const seen = [];
  const byNumber = (queues, message) => {
    seen.push([queues.length, message.body]);
    return 2;
  };
  assert.equal((await on.send("body", {}, { queue: byNumber })).queue.queueId, 2);
  assert.deepEqual(seen, [[4, "body"]]);
  const byQueue = (queues) => queues.find(({ queueId }) => queueId === 3);
  assert.equal((await on.send("x", {}, { queue: byQueue })).queue.queueId, 3);
  assert.equal((await on.producer.trySend({ topic: on.topic, body: "x" }, { queue: () => 1 })).queue.queueId, 1);
});

test("a function that chooses none, or throws, has its send fail with what it said", async (t) => {
  const on = await bench(t, 2);
  for (const chosen of [2, -1, 0.5, undefined, null, {}, "0", Promise.resolve(0), Symbol("s"), Object.create(null)]) {
    await fails(on.send("x", {}, { queue: () => chosen }), InvalidArgumentError, "INVALID_ARGUMENT", /chose no queue/);
  }
  const own = new Error("own");
  const throwing = () => {
    throw own;
  };
  await assert.rejects(on.send("x", {}, { queue: throwing }), (error) => error === own);
  await on.pullAll(0);
});

test("a queue that is not the topic's is refused", async (t) => {
  const on = await bench(t, 2);
  const queue = await on.queue(0);
  await fails(on.send("x", {}, { queue: { ...queue, queueId: 2 } }), NotFoundError, "NO_QUEUE_AVAILABLE");
  await fails(on.send("x", {}, { queue: { ...queue, topic: "Other" } }), InvalidArgumentError, "INVALID_ARGUMENT");
  await fails(on.send("x", {}, { queue, orderKey: "k" }), InvalidArgumentError, "INVALID_ARGUMENT", /not both/);
  await on.pullAll(0);
});

test("a topic that nobody has is the same to a function as to all sends: created, if brokers do that, or not found", async (t) => {
  const on = await bench(t, 0);
  const outcome = (queue) => {
    const sending = on.producer.send({ topic: unique("new"), body: "x" }, { queue, timeout: 10_000 });
    return sending.then(({ status }) => status, ({ code }) => code);
  };
  assert.equal(await outcome((queues) => queues.length - 1), await outcome());
});

test("a function is asked once for each send, within it when the queues are known, and asks no server for them", async (t) => {
  const on = await bench(t, 4);
  const asked = [];
  const transport = rewriting({}, ({ header }) => asked.push(header.code));
  const other = await client(t, { transport });
  const producer = other.producer(unique("p"));
  let calls = 0;
  const queue = (queues) => calls++ % queues.length;
  await producer.send({ topic: on.topic, body: "x" }, { queue });
  asked.length = 0;
  const sends = Array.from({ length: 7 }, () => producer.send({ topic: on.topic, body: "x" }, { queue }));
  assert.equal(calls, 8);
  assert.deepEqual(ids(await Promise.all(sends)), [1, 2, 3, 0, 1, 2, 3]);
  // GET_ROUTEINFO_BY_TOPIC.
  assert.deepEqual([calls, asked.includes(105)], [8, false]);
});

test("a function may use the client", async (t) => {
  const on = await bench(t, 1);
  const within = [];
  const queue = () => {
    within.push(on.send("within"));
    return 0;
  };
  const receipts = await Promise.all([on.send("first", {}, { queue }), on.send("second")]);
  assert.deepEqual(receipts.map(({ status }) => status), ["SEND_OK", "SEND_OK"]);
  assert.equal((await Promise.all(within)).length, 1);
  await on.pullAll(3);
});
