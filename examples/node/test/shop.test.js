// The shop on a cluster in memory: no server, no port.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

import { answer } from "../src/shop.js";

const tea = { id: "7", customer: "ann", goods: "tea" };
const quiet = { log() {}, warn() {}, error() {} };

/** A shop of its own for a test: its servers, its client, and what it answers to an order. */
async function open(t, options) {
  const servers = cluster();
  servers.createTopic("orders", { queues: 4 });
  const client = await connect(servers);
  t.after(() => client.close());
  const producer = client.producer("shop", options);
  const post = (order) => answer(client, producer, { method: "POST", path: "/orders", body: JSON.stringify(order) }, quiet);
  return { servers, client, post };
}

test("an order is sent with its tag and its id as key", async (t) => {
  const { client, post } = await open(t);
  const { status, body } = await post(tea);
  assert.deepEqual([status, body.status], [202, "SEND_OK"]);
  const [message] = await client.admin().messagesByKey("orders", "7");
  assert.deepEqual([message.tag, message.json()], ["placed", tea]);
});

test("orders of a customer go to one queue", async (t) => {
  const { servers, post } = await open(t);
  for (let id = 0; id < 10; id++) await post({ ...tea, id: `${id}` });
  const filled = servers.queues("orders").filter((queue) => queue.maxOffset > 0n);
  assert.deepEqual(filled.map((queue) => queue.maxOffset), [10n]);
});

test("an order that the broker has not written to its disk yet is placed, once", async (t) => {
  const { servers, post } = await open(t);
  servers.force("FLUSH_DISK_TIMEOUT", { topic: "orders" });
  const { status, body } = await post(tea);
  assert.deepEqual([status, body.status], [202, "FLUSH_DISK_TIMEOUT"]);
  assert.equal(placed(servers), 1n);
});

test("what is no order is refused, and nothing is sent", async (t) => {
  const { servers, post } = await open(t);
  for (const order of [null, {}, { ...tea, id: "" }, { ...tea, id: "7 8" }]) assert.equal((await post(order)).status, 400);
  assert.equal(placed(servers), 0n);
});

test("an order that the broker refuses for good is a 502 with the reason", async (t) => {
  const { servers, post } = await open(t);
  servers.force("refuse", { code: 13, remark: "the message is illegal", topic: "orders" });
  const { status, body } = await post(tea);
  assert.deepEqual([status, body.code], [502, "REFUSED"]);
  assert.match(body.error, /the message is illegal/);
});

test("an order that may succeed later is a 503 that says when", async (t) => {
  const { servers, post } = await open(t, { sendTimeout: 1000 });
  servers.force("busy", { topic: "orders" });
  const { status, headers } = await post(tea);
  assert.deepEqual([status, headers], [503, { "retry-after": "1" }]);
  servers.restore();
  assert.equal((await post(tea)).status, 202);
});

test("when too many orders wait the next is told to come back at once", async (t) => {
  const { servers, post } = await open(t, { maxWaitingMessages: 1 });
  servers.force("delay", { delay: 300, topic: "orders" });
  const [first, second] = await Promise.all([post(tea), post({ ...tea, id: "8" })]);
  assert.deepEqual([first.status, second.status, second.body.code], [202, 503, "FULL"]);
});

const placed = (servers) => servers.queues("orders").reduce((sum, queue) => sum + queue.maxOffset, 0n);
