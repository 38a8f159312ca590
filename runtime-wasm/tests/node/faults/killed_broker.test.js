// Apache's brokers that are killed under load and come back: what was acknowledged is there, and is consumed, in order where it is to be.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Bench, client, eventually, unique } from "../support/bench.js";
import { servers } from "../support/servers.js";

const SENDERS = 8;
/** How many messages of a broker each group has consumed before the next thing happens. */
const ENOUGH = 300;
/** Between two messages of a sender, in ms. */
const PACE = 4;
/** A broker that was killed looks through its log before it starts. */
const PATIENCE = 90_000;

/** What a group was given, in the order in which it was. */
class Book {
  given = [];

  note = ({ queue, queueOffset }, body) => this.given.push({ broker: queue.brokerName, queueId: queue.queueId, queueOffset, body });

  bodies() {
    return new Set(this.given.map(({ body }) => body));
  }

  /** Waits for enough messages of a broker, from those on that it has had. */
  async awaitEnough(broker) {
    const from = this.given.length;
    const has = () => this.given.slice(from).filter((one) => one.broker === broker).length >= ENOUGH;
    await eventually(`messages of ${broker} are consumed`, has, PATIENCE);
  }

  /** Each queue's messages came one after the other; it went back where a commit was lost, but never on. */
  assertInOrder() {
    const ends = new Map();
    for (const { broker, queueId, queueOffset } of this.given) {
      const queue = `${broker}/${queueId}`;
      const next = ends.get(queue) ?? 0n;
      assert.ok(queueOffset <= next, `${queue} skipped from ${next} to ${queueOffset}`);
      ends.set(queue, queueOffset + 1n);
    }
  }
}

async function consuming(on, options) {
  const book = new Book();
  const handler = (message) => void book.note(message, message.text());
  await on.client.consumer(unique("killed"), on.all(options), handler);
  return book;
}

/** Sends until it is told to stop; gives what was acknowledged: receipts and bodies. A send may fail while no broker is there. */
async function sendOn(on, sender, state) {
  const acknowledged = [];
  for (let number = 0; !state.isOver; number++) {
    const body = `${sender}:${number}`;
    const receipt = await on.send(body, {}, { timeout: 5000 }).catch((error) => void state.failed.push(error));
    if (receipt) acknowledged.push({ receipt, body });
    await new Promise((later) => setTimeout(later, PACE));
  }
  return acknowledged;
}

/** All messages of a queue by their offsets. */
async function pullAll(on, queue) {
  const found = new Map();
  const end = await eventually("the broker is back", () => on.pulls.maxOffset(queue).catch(() => undefined), PATIENCE);
  for (let offset = 0n; offset < end; ) {
    const { messages, nextOffset } = await on.pulls.pull(queue, offset);
    messages.forEach((message) => found.set(message.queueOffset, message.text()));
    offset = nextOffset;
  }
  return found;
}

async function nothingIsLost(t, brokers, version) {
  const { nameServer, order } = await servers(t, version);
  for (const name of brokers.slice(1)) await order(`start other brokerName=${name}`);
  const on = new Bench(await client(t, {}, nameServer));
  on.pulls = await on.client.pullConsumer(on.group);
  await on.admin.createTopic(on.topic, { queues: 3 });
  await eventually("the route is there", async () => (await on.queues().catch(() => [])).length === 3 * brokers.length);
  const books = [await consuming(on, {}), await consuming(on, { orderly: true })];
  const both = (what) => Promise.all(books.map(what));
  const state = { isOver: false, failed: [] };
  const sending = Array.from({ length: SENDERS }, (_, sender) => sendOn(on, sender, state));

  await both((book) => book.awaitEnough("broker-a"));
  await order("stop broker");
  const alive = brokers.at(-1);
  if (alive !== "broker-a") await both((book) => book.awaitEnough(alive));
  else await eventually("sends notice it", () => state.failed.length > 0);
  await order("start broker");
  await both((book) => book.awaitEnough("broker-a"));
  state.isOver = true;
  const acknowledged = (await Promise.all(sending)).flat();

  await eventually("all that was acknowledged is consumed, by both groups", () => {
    const consumed = books.map((book) => book.bodies());
    return acknowledged.every(({ body }) => consumed.every((bodies) => bodies.has(body)));
  }, PATIENCE);
  books[1].assertInOrder();
  const there = new Map();
  for (const queue of await on.queues()) there.set(`${queue.brokerName}/${queue.queueId}`, await pullAll(on, queue));
  for (const { receipt: { queue, queueOffset }, body } of acknowledged) {
    assert.equal(there.get(`${queue.brokerName}/${queue.queueId}`)?.get(queueOffset), body, "it was acknowledged and is lost");
  }
  if (brokers.length > 1) assert.deepEqual(state.failed.map(String), [], "there is another broker");
  t.diagnostic(`${acknowledged.length} acknowledged, ${state.failed.length} failed`);
}

const subject = "under load, when a broker is killed and comes back, nothing is lost and order holds";

describe(subject, { concurrency: 2, timeout: 300_000 }, () => {
  test("with another beside it, which takes all sends meanwhile", (t) => nothingIsLost(t, ["broker-a", "broker-b"]));

  test("with none beside it", (t) => nothingIsLost(t, ["broker-a"]));

  if (process.env.STGCLIENT_LONG) {
    test("of a version before 5", (t) => nothingIsLost(t, ["broker-a", "broker-b"], "4.9.7"));
  }
});
