// The cluster in memory: what a user's unit tests do with it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

/** A cluster with a topic, and a client of it that is closed at the end. */
async function setting(t, options) {
  const servers = cluster(options);
  servers.createTopic("orders", { queues: 2 });
  const client = await connect(servers);
  t.after(() => client.close());
  return { servers, client };
}

test("what is sent is consumed, with no server", async (t) => {
  const { servers, client } = await setting(t);
  const producer = client.producer("shop");
  const receipt = await producer.send({ topic: "orders", tag: "paid", keys: ["42"], body: "hello" });
  assert.equal(receipt.status, "SEND_OK");
  for await (const message of client.consumer("billing", { topic: "orders", from: "first" })) {
    assert.deepEqual([message.text(), message.tag, message.keys], ["hello", "paid", ["42"]]);
    assert.deepEqual(servers.members("billing"), [client.clientId]);
    message.ack();
    break;
  }
  const committed = servers.queues("orders", "billing").map((queue) => queue.committed);
  assert.ok(committed.includes(1n), String(committed));
});

test("a status that is forced is in the receipt, as often as was asked for", async (t) => {
  const { servers, client } = await setting(t);
  const producer = client.producer("shop");
  for (const status of ["FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"]) {
    servers.force(status, { times: 1 });
    assert.equal((await producer.send({ topic: "orders", body: "x" })).status, status);
    assert.equal((await producer.send({ topic: "orders", body: "x" })).status, "SEND_OK");
  }
});

test("a refusal that is forced is an error with the broker's words, until it is taken back", async (t) => {
  const { servers, client } = await setting(t);
  const producer = client.producer("shop");
  servers.force("refuse", { topic: "orders", code: 16, remark: "not you" });
  await assert.rejects(producer.send({ topic: "orders", body: "x" }), (error) => {
    assert.deepEqual([error.name, error.code, error.remark], ["RefusedError", "REFUSED", "not you"]);
    return true;
  });
  servers.restore();
  await producer.send({ topic: "orders", body: "x" });
});

test("a broker that crashes and comes back has what it had, or nothing", async (t) => {
  const { servers, client } = await setting(t);
  const producer = client.producer("shop");
  const stored = () => servers.queues("orders").reduce((sum, queue) => sum + queue.maxOffset, 0n);
  await producer.send({ topic: "orders", body: "x" });
  const [broker] = servers.brokers;
  servers.stop(broker);
  const during = producer.send({ topic: "orders", body: "y" }, { timeout: 20_000 });
  servers.start(broker);
  await during;
  assert.equal(stored(), 2n);
  servers.stop(broker);
  servers.start(broker, { keeps: false });
  assert.equal(stored(), 0n);
});

test("two clients share the queues of a group in order", async (t) => {
  const { servers, client } = await setting(t);
  const other = await connect(servers);
  t.after(() => other.close());
  const options = { topic: "orders", from: "first", orderly: true };
  const members = await Promise.all([client, other].map((one) => one.consumer("billing", options, () => {})));
  await Promise.all(members.map((member) => member.ready()));
  const owners = servers.queues("orders").map((queue) => servers.lockOwner("billing", queue));
  assert.deepEqual(owners.sort(), servers.members("billing"));
});

test("smartgo's dialect is spoken when both sides want it", async (t) => {
  const servers = cluster({ dialect: "smartgo" });
  const client = await connect(servers, { dialect: "smartgo" });
  t.after(() => client.close());
  servers.createTopic("orders");
  assert.equal((await client.producer("shop").send({ topic: "orders", body: "x" })).status, "SEND_OK");
  await assert.rejects(connect(servers), { name: "ProtocolError" });
});

test("what is wrong is said", () => {
  assert.throws(() => cluster({ broker: 2 }), { code: "INVALID_ARGUMENT" });
  assert.throws(() => cluster({ brokers: 27 }), { code: "INVALID_ARGUMENT" });
  const servers = cluster();
  assert.throws(() => servers.stop("nobody"), { code: "INVALID_ARGUMENT" });
  assert.throws(() => servers.force("tired"), { code: "INVALID_ARGUMENT" });
  assert.throws(() => servers.createTopic("a topic"), { code: "INVALID_ARGUMENT" });
});

test("a send goes behind those that wait for the producer's start, and the client's close waits for all", async (t) => {
  const { servers, client } = await setting(t);
  const queue = servers.queues("orders").map(({ topic, brokerName, queueId }) => ({ topic, brokerName, queueId }))[0];
  const producer = client.producer("shop");
  const first = producer.send({ topic: "orders", body: "first" }, { queue });
  await producer.start();
  const second = producer.send({ topic: "orders", body: "second" }, { queue });
  const third = producer.send({ topic: "orders", body: "third" }, { queue: () => 0 });
  const other = client.producer("other").send({ topic: "orders", body: "fourth" }, { queue });
  await client.close();
  const receipts = await Promise.all([first, second, third, other]);
  assert.deepEqual(receipts.map(({ status }) => status), Array(4).fill("SEND_OK"));
  assert.ok(receipts[0].queueOffset < receipts[1].queueOffset);
});

test("sends that wait for their producer's start, or for their queue to be chosen, are bounded", async (t) => {
  const { client } = await setting(t);
  for (const [isStarted, more, last] of [
    [true, { maxWaitingMessages: 2 }, "x"],
    [false, { maxWaitingMessages: 2 }, "x"],
    [false, { maxWaitingBytes: 10 }, "x"],
  ]) {
    const producer = client.producer("shop", more);
    if (isStarted) await producer.start();
    const sends = ["12345", "67890", last].map((body) => producer.trySend({ topic: "orders", body }, { queue: () => 0 }));
    // Those that are awaited stand in line.
    const waiting = [1, 2, 3].map(() => producer.send({ topic: "orders", body: "y" }, { queue: () => 0 }));
    const ended = await Promise.allSettled(sends);
    assert.deepEqual(ended.map(({ reason }) => reason?.code), [undefined, undefined, "FULL"], `${isStarted} ${JSON.stringify(more)}`);
    if (!isStarted) assert.match(ended[2].reason.message, /too many sends wait for their producer to start/);
    assert.equal((await Promise.all(waiting)).length, 3);
  }
});

test("options that are mistyped are refused, and what they are about is looked at", (t) => {
  const servers = cluster();
  const invalid = (call) => assert.throws(call, { name: "InvalidArgumentError", code: "INVALID_ARGUMENT" }, String(call));
  for (const options of [null, 7, "broker-a", [], { time: 1 }, { times: 0 }, { broker: 1 }, { topic: 1 }, { group: null }, { codes: 10 }, { codes: ["10"] }, { remark: 1 }, { code: "1" }, { delay: "1s" }]) {
    invalid(() => servers.force("busy", options));
  }
  invalid(() => servers.force("delay"));
  invalid(() => servers.force("refuse", { remark: "no" }));
  for (const options of [null, 7, { keep: false }, { keeps: 1 }]) invalid(() => servers.start("name server", options));
  for (const options of [null, 7, { queue: 3 }, { queues: 0 }, { queues: "2" }]) invalid(() => servers.createTopic("topic", options));
  for (const name of [undefined, null, 7]) {
    invalid(() => servers.stop(name));
    invalid(() => servers.start(name));
  }
  servers.force("busy", { topic: "topic", codes: [10], times: 1 });
  servers.createTopic("topic");
});
