// Billing on a cluster in memory, well and unwell.

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

import { TRIES } from "../src/billing.js";
import { start } from "../src/service.js";

const order = (id, goods = "tea") => ({ id, customer: "ann", goods });
const bill = (id) => ({ order: id, customer: "ann", cents: 250 });

/** Billing of its own for a test: its servers, its service, a way to send orders, and the bills as a stream. */
async function open(t, { price } = {}) {
  const servers = cluster();
  for (const topic of ["orders", "bills"]) servers.createTopic(topic, { queues: 2 });
  const client = await connect(servers);
  const service = await start(client, { roles: ["billing"], within: 5000, price });
  t.after(() => service.stop());

  // Another member of the company, with a client of its own: the service's client is closed by the service.
  const outside = await connect(servers);
  t.after(() => outside.close());
  const producer = outside.producer("shop");
  const send = (body) => producer.send({ topic: "orders", tag: "placed", body });
  // A bill that never comes fails the test.
  const bills = outside.consumer("accounts", { topic: "bills", from: "first", signal: AbortSignal.timeout(20_000) });
  const nextBill = async () => {
    const { value } = await bills.next();
    value.ack();
    return value;
  };
  return { servers, service, nextBill, place: (order) => send(JSON.stringify(order)), send };
}

test("an order is billed, and its bill is found by its id", async (t) => {
  const { place, nextBill } = await open(t);
  await place(order("7"));
  const message = await nextBill();
  assert.deepEqual([message.json(), message.keys], [bill("7"), ["7"]]);
});

test("an order that fails is tried again, and holds up no other", async (t) => {
  let tries = 0;
  const price = ({ id }) => {
    if (id === "7" && ++tries === 1) throw new Error("the list of prices is away");
    return 250;
  };
  const { place, nextBill } = await open(t, { price });
  await place(order("7"));
  await place(order("8"));
  assert.deepEqual((await nextBill()).json(), bill("8"));
  assert.deepEqual((await nextBill()).json(), bill("7"));
  assert.equal(tries, 2);
});

test("what is no order is a dead letter at once", async (t) => {
  const { servers, place, send, nextBill } = await open(t);
  await send("no JSON");
  await place(order("7"));
  assert.deepEqual((await nextBill()).json(), bill("7"));
  await until(() => servers.queues("%DLQ%billing").some((queue) => queue.maxOffset === 1n));
});

test("a bill that is refused is sent when the order comes again", async (t) => {
  const { servers, place, nextBill } = await open(t);
  servers.force("refuse", { code: 13, topic: "bills", times: 1 });
  await place(order("7"));
  assert.deepEqual((await nextBill()).json(), bill("7"));
});

test("stopping finishes what is in hand, and the next start begins behind it", async (t) => {
  let asked;
  const price = () => new Promise((resolve) => (asked = resolve));
  const { servers, service, place, nextBill } = await open(t, { price });
  await place(order("7"));
  await until(() => asked);
  const stopped = service.stop();
  asked(250);
  assert.deepEqual(await stopped, []);
  assert.deepEqual((await nextBill()).json(), bill("7"));
  assert.equal(servers.queues("orders", "billing").reduce((sum, { committed }) => sum + (committed ?? 0n), 0n), 1n);
});

test("what takes too long when stopping is told, and is billed by the next one", async (t) => {
  const { servers, service, place } = await open(t, { price: () => new Promise(() => {}) });
  await place(order("7"));
  await until(() => service.consumer.status.inWork === 1);
  const unfinished = await service.consumer.close({ within: 50 });
  assert.deepEqual(unfinished.map(({ offsets }) => offsets), [[0n]]);
  const next = await connect(servers);
  t.after(() => next.close());
  const { stop } = await start(next, { roles: ["billing"], within: 5000 });
  await until(() => servers.queues("bills").some((queue) => queue.maxOffset === 1n));
  await stop();
});

/** Waits until something holds; fails after 20 s. */
async function until(holds) {
  const end = Date.now() + 20_000;
  while (!holds()) {
    assert.ok(Date.now() < end, `never: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
