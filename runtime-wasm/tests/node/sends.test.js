// Sends: the ways to send, what a receipt says, and that nothing is lost or doubled.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ClosedError, Receipt, TimeoutError } from "stgclient";

import { bench, client, fails, PATIENCE, promised, unique } from "./support/bench.js";
import { rewriting } from "./support/transports.js";

test("a message lies where its receipt says and has its ids", async (t) => {
  const on = await bench(t, 4);
  for (let number = 0; number < 8; number++) {
    const receipt = await on.send(`message ${number}`);
    assert.ok(receipt instanceof Receipt);
    assert.equal(receipt.status, "SEND_OK");
    assert.equal(receipt.queue.topic, on.topic);
    assert.equal(typeof receipt.queueOffset, "bigint");
    assert.match(receipt.messageId, /^[0-9A-F]{32}$/);
    const message = await on.pullSent(receipt);
    assert.equal(message.text(), `message ${number}`);
    assert.deepEqual(message.queue, receipt.queue);
    assert.equal(message.queueOffset, receipt.queueOffset);
    assert.equal(message.messageId, receipt.messageId);
    assert.equal((await on.admin.messageById(receipt.offsetMessageId)).messageId, receipt.messageId);
  }
});

for (const [code, status] of [
  [0, "SEND_OK"],
  [10, "FLUSH_DISK_TIMEOUT"],
  [11, "SLAVE_NOT_AVAILABLE"],
  [12, "FLUSH_SLAVE_TIMEOUT"],
]) {
  test(`a receipt says ${status} where the broker does, and the message is not sent again`, async (t) => {
    const on = await bench(t);
    // Brokers say so when a disk or a slave is slow; here they are made to.
    const transport = rewriting({ 310: (header) => (header.code = code), 10: (header) => (header.code = code) });
    const other = await client(t, { transport });
    const receipt = await other.producer(unique("p")).send({ topic: on.topic, body: "once" });
    assert.equal(receipt.status, status);
    await on.pullAll(1);
  });
}

test("a callback is called with null and the receipt, or with the error", async (t) => {
  const on = await bench(t);
  for (const options of [[], [{ orderKey: "a" }], [undefined]]) {
    const done = promised();
    const callback = (error, receipt) => done.resolve([error, receipt]);
    assert.equal(on.producer.sendWithCallback({ topic: on.topic, body: "x" }, ...options, callback), undefined);
    const [error, receipt] = await done;
    assert.equal(error, null);
    assert.equal((await on.pullSent(receipt)).text(), "x");
  }
  const failed = promised();
  on.producer.sendWithCallback({ topic: on.topic, body: "" }, (error, receipt) => failed.resolve([error, receipt]));
  const [error, receipt] = await failed;
  assert.equal(error.code, "INVALID_ARGUMENT");
  assert.equal(receipt, undefined);
  assert.throws(() => on.producer.sendWithCallback({ topic: on.topic, body: "x" }, {}), { code: "INVALID_ARGUMENT" });
});

test("oneway messages arrive", async (t) => {
  const on = await bench(t, 2);
  for (let number = 0; number < 20; number++) {
    const message = { topic: on.topic, body: `oneway ${number}` };
    assert.equal(await on.producer.sendOneway(message), undefined);
  }
  const bodies = new Set((await on.pullAll(20)).map((message) => message.text()));
  assert.equal(bodies.size, 20);
});

/** The bodies that are sent to brokers, in the order in which they are written: a broker stores what comes at once as it likes. */
const noting = (bodies) =>
  rewriting({}, ({ header, body }) => [10, 310].includes(header.code) && bodies.push(body.toString()));

test("many sends at once to one queue are written in their order, also those before the producer has started", async (t) => {
  const bodies = [];
  const on = await bench(t, 2, { transport: noting(bodies) });
  const queue = await on.queue(1);
  const numbers = Array.from({ length: 300 }, (_, number) => String(number));
  await Promise.all(numbers.map((body) => on.send(body, {}, { queue })));
  assert.deepEqual(bodies, numbers);
  assert.deepEqual((await on.pullAll(300)).map((message) => message.text()).sort(), numbers.sort());
});

test("sends that can be aborted and sends that cannot keep their order, also where they wait for room", async (t) => {
  const bodies = [];
  const on = await bench(t, 1, { transport: noting(bodies) });
  const producer = on.client.producer(unique("p"), { maxWaitingMessages: 5, sendTimeout: PATIENCE });
  const { signal } = new AbortController();
  const numbers = Array.from({ length: 120 }, (_, number) => String(number));
  const options = (number) => (number % 3 === 0 ? { signal } : undefined);
  await Promise.all(numbers.map((body) => producer.send({ topic: on.topic, body }, options(Number(body)))));
  assert.deepEqual(bodies, numbers);
});

test("what is awaited one by one lies in a queue in its order", async (t) => {
  const on = await bench(t);
  for (let number = 0; number < 40; number++) assert.equal((await on.send(String(number))).queueOffset, BigInt(number));
});

test("one signal for many sends at once is no leak to warn of", async (t) => {
  const on = await bench(t);
  const warned = [];
  const warn = (warning) => warned.push(warning.name);
  process.on("warning", warn);
  t.after(() => process.off("warning", warn));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 50 }, () => on.send("x", {}, { signal })));
  assert.deepEqual(warned, []);
});

test("sixteen senders at once lose and double nothing", async (t) => {
  const on = await bench(t, 4);
  const sender = async (_, name) => {
    const ids = [];
    for (let number = 0; number < 25; number++) ids.push((await on.send(`${name}/${number}`)).messageId);
    return ids;
  };
  const sent = (await Promise.all(Array.from({ length: 16 }, sender))).flat();
  const pulled = (await on.pullAll(400)).map(({ messageId }) => messageId);
  assert.equal(new Set(sent).size, 400);
  assert.deepEqual(pulled.sort(), sent.sort());
});

test("a message may be changed as soon as it is given", async (t) => {
  const on = await bench(t);
  const message = { topic: on.topic, body: Buffer.from("before"), properties: { a: "before" }, keys: ["before"] };
  const sends = [on.producer.send(message), on.producer.sendOneway(message), on.producer.trySend(message)];
  message.body.write("after!");
  message.properties.a = "after";
  message.keys[0] = "after";
  await Promise.all(sends);
  for (const found of await on.pullAll(3)) {
    assert.deepEqual([found.text(), found.properties.a, found.keys[0]], ["before", "before", "before"]);
  }
});

test("a flush waits for all that was sent before, also before the producer has started and while a queue is chosen", async (t) => {
  const on = await bench(t);
  const ended = [];
  const sends = [undefined, { queue: () => 0 }, { orderKey: "a" }].map((options, number) =>
    on.send("x", {}, options).then(() => ended.push(number)),
  );
  await on.producer.flush();
  assert.deepEqual(ended.sort(), [0, 1, 2]);
  await Promise.all(sends);
});

test("closing waits for all that was sent before, also while a queue is chosen", async (t) => {
  const on = await bench(t);
  const sends = [undefined, { queue: () => 0 }, undefined].map((options) => on.send("x", {}, options));
  await on.producer.close();
  await Promise.all(sends);
  await on.pullAll(3);
});

test("a closed producer sends nothing more and the others go on", async (t) => {
  const on = await bench(t);
  const producer = on.client.producer(unique("p"));
  await producer.send({ topic: on.topic, body: "before" });
  await producer.close();
  await producer.close();
  for (const how of ["send", "trySend", "sendOneway"]) {
    await fails(producer[how]({ topic: on.topic, body: "after" }), ClosedError, "CLOSED");
  }
  await on.send("other");
  await on.pullAll(2);
});

test("a send whose time is up fails, says so, and may be tried again", async (t) => {
  const on = await bench(t);
  const silent = rewriting({ 310: () => false, 10: () => false });
  const other = await client(t, { transport: silent, closeTimeout: 100 });
  const producer = other.producer(unique("p"));
  for (const options of [{ timeout: 300 }, { timeout: 300, queue: () => 0 }]) {
    const started = performance.now();
    const error = await fails(producer.send({ topic: on.topic, body: "x" }, options), TimeoutError, "TIMEOUT");
    assert.ok(performance.now() - started >= 290);
    assert.equal(error.retryable, true);
  }
});
