// Mistakes of applications, which are told of them.

import assert from "node:assert/strict";
import { mkdtempSync, existsSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

async function setting(t, options) {
  const servers = cluster();
  servers.createTopic("orders", { queues: 1 });
  const client = await connect(servers, options);
  t.after(() => client.close());
  return { servers, client };
}

test("a topic that is subscribed to twice, by other tags, gives what either chooses, or is refused", async (t) => {
  const { client } = await setting(t);
  const producer = client.producer("shop");
  for (const tag of ["paid", "refunded"]) await producer.send({ topic: "orders", body: tag, tag });
  const subscriptions = ["paid", "refunded"].map((tag) => ({ topic: "orders", tags: tag }));
  const got = [];
  const started = client.consumer("billing", { subscriptions, from: "first" }, (message) => void got.push(message.tag));
  const failed = await started.then(() => undefined, ({ code }) => code);
  if (failed) return assert.equal(failed, "INVALID_ARGUMENT");
  const end = Date.now() + 3000;
  while (got.length < 2 && Date.now() < end) await new Promise((again) => setTimeout(again, 10));
  assert.deepEqual(got, ["paid", "refunded"]);
});

for (const tags of ["", ["", ""]]) {
  test(`no tag, ${JSON.stringify(tags)}, is no wish for all messages`, async (t) => {
    const { client } = await setting(t);
    const started = client.consumer("billing", { topic: "orders", tags }, () => {});
    await assert.rejects(started, { code: "INVALID_ARGUMENT" });
  });
}

test("a backlog counts what waits, also before the producer has started", async (t) => {
  const { client } = await setting(t);
  const producer = client.producer("shop");
  const sends = ["a", "b", "c"].map((body) => producer.send({ topic: "orders", body }));
  assert.deepEqual(producer.backlog, { messages: 3, bytes: 3 });
  await Promise.all(sends);
});

test("a consumer that closes gives back its own lock alone, not one that another has taken since", async (t) => {
  const folder = mkdtempSync("/tmp/offsets-");
  t.after(() => rmSync(folder, { recursive: true }));
  const { servers, client } = await setting(t, { offsets: folder, instance: "prices" });
  const options = { topic: "orders", model: "broadcasting" };
  const stalled = await client.consumer("prices", options, () => {});
  // Its process stood still for as long as a lock holds.
  const lock = join(folder, "prices/prices/lock.node");
  utimesSync(lock, 1, 1);
  const [second, third] = await Promise.all([1, 2].map(() => connect(servers, { offsets: folder, instance: "prices" })));
  t.after(() => Promise.all([second.close(), third.close()]));
  await second.consumer("prices", options, () => {});
  await stalled.close();
  assert.ok(existsSync(lock), "the lock of who consumes is gone");
  await assert.rejects(third.consumer("prices", options, () => {}), { code: "OFFSET_STORE" });
});
