// What a client counts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bench, eventually } from "./support/bench.js";

const SENDS = ["sendOk", "flushDiskTimeout", "flushSlaveTimeout", "slaveNotAvailable", "oneway", "failed", "cancelled", "tries", "total"];
const CONSUMER = ["pulled", "consumed", "failed", "sentBack", "passedOver", "flowControlled", "assigned", "revoked", "queues", "inWork", "lag"];
const ALL = [
  "sends", "otherSends", "allSends", "sendLatency", "messagesInFlight", "bytesInFlight", "messagesInLine", "connections", "connects",
  "reconnects", "bytesSent", "bytesReceived", "consumers",
];

test("metrics have their names, and count sends by broker, connections, bytes, and what consumers have done", async (t) => {
  const on = await bench(t, 1);
  const none = on.client.metrics();
  assert.deepEqual(Object.keys(none), ALL);
  assert.deepEqual(Object.keys(none.allSends), SENDS);
  assert.ok(Object.values(none.allSends).every((count) => count === 0));
  assert.deepEqual([none.consumers, none.sendLatency.count], [{}, 0]);

  await on.fill(0, 3);
  await on.producer.sendOneway({ topic: on.topic, body: "3" });
  await assert.rejects(on.send(""));
  const { brokerName } = await on.queue(0);
  const { sends, allSends, sendLatency, ...rest } = on.client.metrics();
  assert.deepEqual(Object.keys(sends), [brokerName]);
  const { sendOk, oneway, tries, total } = sends[brokerName];
  assert.deepEqual({ sendOk, oneway, tries, total }, { sendOk: 3, oneway: 1, tries: 4, total: 4 });
  assert.equal(allSends.total, allSends.failed + 4);
  assert.deepEqual([sendLatency.count, sendLatency.buckets.length], [3, 20]);
  assert.deepEqual(sendLatency.buckets.map(({ upTo }) => upTo).slice(0, 4), [0.1, 0.2, 0.5, 1]);
  assert.deepEqual([sendLatency.buckets.at(-2).upTo, sendLatency.buckets.at(-1).upTo], [100_000, undefined]);
  assert.equal(sendLatency.buckets.reduce((sum, { count }) => sum + count, 0), 3);
  assert.ok(sendLatency.sum > 0 && sendLatency.sum < 3 * 60_000);
  assert.deepEqual([rest.messagesInFlight, rest.bytesInFlight, rest.messagesInLine], [0, 0, 0]);
  assert.ok(rest.connections === 2 && rest.connects >= 2 && rest.bytesSent > 100 && rest.bytesReceived > 100);

  const consumer = await on.client.consumer(on.group, on.all(), (message) => {
    if (message.text() === "0" && message.reconsumeTimes === 0) throw new Error("once");
  });
  await eventually("all but one are consumed", () => on.client.metrics().consumers[on.group].consumed === 3);
  await eventually("that one is sent back", () => on.client.metrics().consumers[on.group].sentBack === 1);
  const counted = on.client.metrics().consumers[on.group];
  assert.deepEqual(Object.keys(counted), CONSUMER);
  assert.deepEqual([counted.failed, counted.passedOver, counted.inWork], [1, 0, 0]);
  assert.ok(counted.queues >= 1 && counted.assigned >= 1);
  await eventually("there is a lag", () => typeof on.client.metrics().consumers[on.group].lag === "bigint");
  await consumer.close();
  await on.client.close();
  const last = on.client.metrics();
  assert.equal(last.connections, 0);
  assert.deepEqual([last.consumers[on.group].queues, last.consumers[on.group].lag], [0, undefined]);
});
