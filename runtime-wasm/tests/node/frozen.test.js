// What a page says when it is frozen, as its listeners have it, on a cluster in memory.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

import { eventually, internal } from "./support/bench.js";

const { giveUpQueues } = await internal("client.js");
const { cutStreams } = await internal("bridge.js");

const pause = (ms) => new Promise((later) => setTimeout(later, ms));

function freeze() {
  giveUpQueues();
  cutStreams("the page was frozen or left");
}

/** A cluster that is as far away as most are: its answers take a while. */
function distant(servers, ms) {
  const transport = {
    open: (place, events) =>
      servers.transport.open(place, {
        ...events,
        received: (bytes) => void setTimeout(() => events.received(bytes), ms),
      }),
  };
  return { addresses: servers.addresses, transport };
}

async function bench(t, queues, count) {
  const servers = cluster();
  servers.createTopic("orders", { queues });
  const client = await connect(distant(servers, 20));
  t.after(() => client.close());
  const producer = client.producer("shop");
  for (let number = 0; number < count; number++) await producer.send({ topic: "orders", body: String(number) });
  return { servers, client, producer };
}

/** A transport that notes the codes of requests in the turn that they are written, as long as they are read as text. */
function spied(target) {
  const codes = [];
  const isFull = { now: false };
  const transport = {
    open: (place, events) => {
      const stream = target.transport.open(place, events);
      return {
        write: (bytes) => {
          for (const [, code] of Buffer.from(bytes).toString("latin1").matchAll(/"code":(\d+)/g)) codes.push(Number(code));
          return isFull.now ? (stream.write(bytes), false) : stream.write(bytes);
        },
        close: () => stream.close(),
      };
    },
  };
  return { target: { addresses: target.addresses, transport }, codes, isFull };
}

const [LOCK, UNLOCK, COMMIT] = [41, 42, 15];

describe("a page that is frozen", () => {
  test("gives a lock back that its consumer, which closes, has not given back yet", async (t) => {
    const { servers, client, producer } = await bench(t, 1, 3);
    const seen = [];
    const options = { topic: "orders", from: "first", orderly: true, commitInterval: 600_000 };
    const consumer = await client.consumer("billing", options, (message) => void seen.push(message.text()));
    await eventually("it has consumed", () => seen.length === 3);
    consumer.close().catch(() => {});
    // It has begun to: the last offset is on its way.
    await pause(5);
    freeze();
    const other = await connect(servers, { instance: "another" });
    t.after(() => other.close());
    await producer.send({ topic: "orders", body: "3" });
    const began = performance.now();
    const others = [];
    await other.consumer("billing", options, (message) => void others.push(message.text()));
    await eventually("another page gets the queue", () => others.length > 0);
    const took = Math.round(performance.now() - began);
    assert.ok(took < 10_000, `after ${took} ms`);
  });

  test("has consumers that are ready once they have their queues again, and not before", async (t) => {
    const { client } = await bench(t, 4, 8);
    const seen = [];
    const consumer = await client.consumer("billing", { topic: "orders", from: "first" }, (message) => void seen.push(message.text()));
    await consumer.ready();
    await eventually("it has consumed", () => seen.length === 8);
    assert.ok(consumer.status.queues.length >= 4);
    freeze();
    await consumer.ready();
    assert.ok(consumer.status.queues.length >= 4, `it says that it is ready, and has ${consumer.status.queues.length} queues`);
  });

  test("gives the locks of a consumer back that is being started", async (t) => {
    const servers = cluster();
    servers.createTopic("orders", { queues: 1 });
    const { target, codes } = spied(distant(servers, 20));
    const client = await connect(target);
    t.after(() => client.close());
    let isStarted = false;
    const starting = client.consumer("billing", { topic: "orders", from: "last", orderly: true }, () => {});
    starting.then(() => (isStarted = true)).catch(() => {});
    await eventually("it asks for its lock", () => codes.includes(LOCK));
    await pause(1);
    const wasStarted = isStarted;
    freeze();
    assert.ok(codes.includes(UNLOCK), `nobody has said that the lock is free (it had ${wasStarted ? "" : "not "}started)`);
  });

  test("says its offsets and locks also where a stream is full for the moment", async (t) => {
    const servers = cluster();
    servers.createTopic("orders", { queues: 1 });
    const { target, codes, isFull } = spied(servers);
    const client = await connect(target);
    t.after(() => client.close());
    const producer = client.producer("shop");
    await producer.send({ topic: "orders", body: "0" });
    const seen = [];
    const options = { topic: "orders", from: "first", orderly: true, commitInterval: 600_000 };
    await client.consumer("billing", options, (message) => void seen.push(message.text()));
    await eventually("it has consumed", () => seen.length === 1);
    await pause(50);
    codes.length = 0;
    // Somebody uploads something at this moment.
    isFull.now = true;
    producer.send({ topic: "orders", body: new Uint8Array(300_000) }).catch(() => {});
    await pause(5);
    isFull.now = false;
    freeze();
    assert.deepEqual(codes.filter((code) => code === COMMIT || code === UNLOCK), [COMMIT, UNLOCK]);
  });
});
