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

test("sends whose queue is still to be chosen are bounded", async (t) => {
  const { client } = await setting(t);
  const producer = await client.producer("shop", { maxWaitingMessages: 2 }).start();
  const sends = [1, 2, 3].map(() => producer.trySend({ topic: "orders", body: "x" }, { queue: () => 0 }));
  const ended = await Promise.allSettled(sends);
  assert.deepEqual(ended.map(({ reason }) => reason?.code), [undefined, undefined, "FULL"]);
});
