// Apache's broker is killed under a page and comes back: what was acknowledged is consumed, in order where it is to be.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { eventually, unique } from "../../node/support/bench.js";
import { servers } from "../../node/support/servers.js";
import { plain } from "../support/chromium.js";
import { door } from "../support/tunnel.js";

/** A broker that was killed looks through its log before it starts. */
const PATIENCE = 90_000;

/** In the page: sends all the time, and consumes it by a group of each kind. `heard` has each group's queue offsets, by queue. */
async function begin([url, nameServers, topic, group]) {
  const client = await stgclient.connect(url, { nameServers, requestTimeout: 3000 });
  await client.admin().createTopic(topic, { queues: 3 });
  const on = (globalThis.on = { client, acknowledged: [], failed: 0, consumed: [new Set(), new Set()], ends: {}, skipped: [] });
  client.events.addEventListener("disconnected", () => (on.wasCut = true));
  await client.consumer(`${group}-concurrent`, { topic, from: "first" }, (message) => void on.consumed[0].add(message.text()));
  await client.consumer(`${group}-orderly`, { topic, from: "first", orderly: true }, (message) => {
    const { queue: { queueId }, queueOffset } = message;
    const next = on.ends[queueId] ?? 0n;
    // It goes back to what was committed, but never on.
    if (queueOffset > next) on.skipped.push(`queue ${queueId}: from ${next} to ${queueOffset}`);
    on.ends[queueId] = queueOffset + 1n;
    on.consumed[1].add(message.text());
  });
  const producer = client.producer("page", { sendTimeout: 4000 });
  on.sending = Promise.all([0, 1, 2, 3].map(async (sender) => {
    for (let number = 0; !on.isOver; number++) {
      const body = `${sender}:${number}`;
      await producer.send({ topic, body }).then(() => on.acknowledged.push(body), () => on.failed++);
      await new Promise((later) => setTimeout(later, 5));
    }
  }));
}

describe("a page whose broker is killed and comes back", { timeout: 300_000 }, () => {
  test("loses nothing that was acknowledged, and keeps order", async (t) => {
    const { nameServer, order } = await servers(t);
    const through = await door(t, { servers: nameServer });
    const page = await plain(t);
    await page.evaluate(begin, [through.url, nameServer, unique("topic"), unique("group")]);
    const consumed = () => page.evaluate(() => Math.min(...on.consumed.map((bodies) => bodies.size)));
    const more = async (count) => {
      const from = await consumed();
      await eventually("messages are consumed", async () => (await consumed()) >= from + count, PATIENCE);
    };
    await more(300);
    await order("stop broker");
    await eventually("it notices", () => page.evaluate(() => on.wasCut && on.failed > 0));
    await order("start broker");
    await more(300);
    await page.evaluate(() => ((on.isOver = true), on.sending));
    const lost = () => page.evaluate(() => on.acknowledged.filter((body) => on.consumed.some((bodies) => !bodies.has(body))));
    await eventually("all that was acknowledged is consumed by both groups", async () => (await lost()).length === 0, PATIENCE);
    assert.deepEqual(await page.evaluate(() => on.skipped), []);
    t.diagnostic(JSON.stringify(await page.evaluate(() => ({ acknowledged: on.acknowledged.length, failed: on.failed }))));
  });
});
