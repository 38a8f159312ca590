// What the package does in a page: the same on a cluster in memory and through a gateway. The rules in full have tests in ../node; these
// say that a page keeps them.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { nameServers, unique } from "../node/support/bench.js";
import { plain } from "./support/chromium.js";
import { tunnelUrl } from "./support/tunnel.js";

/** In the page: a client that `on` has, with a topic that is there, and what waits for something. */
async function prepare([gateway, nameServers, topic, queues]) {
  const target = gateway ?? (await import("stgclient/embedded")).cluster();
  globalThis.join = () => stgclient.connect(target, gateway ? { nameServers } : {});
  globalThis.eventually = async (look) => {
    for (const deadline = Date.now() + 60_000; ; ) {
      const found = await look();
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`not in time: ${look}`);
      await new Promise((again) => setTimeout(again, 10));
    }
  };
  const client = await globalThis.join();
  await client.admin().createTopic(topic, { queues });
  const pulls = await client.pullConsumer("pulls");
  await globalThis.eventually(async () => (await pulls.queues(topic).catch(() => [])).length === queues);
  globalThis.on = { client, topic, pulls, producer: client.producer("pages") };
}

for (const [where, gatewayOf] of [
  ["in memory", () => undefined],
  ["through a gateway", tunnelUrl],
]) {
  describe(`a page with a cluster ${where}`, { concurrency: 2, timeout: 120_000 }, () => {
    async function bench(t, queues = 2) {
      const page = await plain(t);
      await page.evaluate(prepare, [await gatewayOf(t), nameServers, unique("topic"), queues]);
      return page;
    }

    test("sends and waits, sends with a callback, sends and does not wait, and pulls all of it", async (t) => {
      const page = await bench(t, 1);
      const seen = await page.evaluate(async () => {
        const { producer, topic, pulls } = on;
        const message = (body) => ({ topic, body, tag: "t", keys: "k", properties: { 名: "值" } });
        const { status, queueOffset } = await producer.send(message("waited for"));
        const called = await new Promise((resolve) => producer.sendWithCallback(message("called back"), (...what) => resolve(what)));
        await producer.sendOneway(message(new TextEncoder().encode("not waited for")));
        const [queue] = await pulls.queues(topic);
        await eventually(async () => (await pulls.maxOffset(queue)) === 3n);
        const { messages } = await pulls.pull(queue, 0);
        return [status, queueOffset, called[0], called[1].status, messages.map((one) => [one.text(), one.tag, one.keys, one.properties.名])];
      });
      const as = (body) => [body, "t", ["k"], "值"];
      assert.deepEqual(seen, ["SEND_OK", 0n, null, "SEND_OK", ["waited for", "called back", "not waited for"].map(as)]);
    });

    test("consumes, and what a handler throws at comes again", async (t) => {
      const page = await bench(t);
      const seen = await page.evaluate(async () => {
        const { client, producer, topic } = on;
        const heard = [];
        const consumer = await client.consumer("concurrent", { topic, from: "first" }, async (message) => {
          heard.push([message.text(), message.reconsumeTimes]);
          if (message.text() === "7" && message.reconsumeTimes === 0) return stgclient.reconsumeLater(1);
        });
        await Promise.all(Array.from({ length: 100 }, (_, n) => producer.send({ topic, body: String(n) })));
        await eventually(() => heard.length === 101);
        const left = await consumer.close();
        return { left, again: heard.at(-1), all: new Set(heard.map(([text]) => text)).size };
      });
      assert.deepEqual(seen, { left: [], again: ["7", 1], all: 100 });
    });

    test("consumes in order, and a queue that is suspended keeps it", async (t) => {
      const page = await bench(t, 3);
      const seen = await page.evaluate(async () => {
        const { client, producer, topic } = on;
        const heard = {};
        let suspended = 0;
        await client.consumer("orderly", { topic, from: "first", orderly: true }, (message) => {
          const { key, number } = JSON.parse(message.text());
          if (number === 5 && suspended++ < 3) return stgclient.suspend(20);
          (heard[key] ??= []).push(number);
        });
        const keys = ["a", "b", "c", "d"];
        for (let number = 0; number < 20; number++) {
          await Promise.all(keys.map((key) => producer.send({ topic, body: JSON.stringify({ key, number }) }, { orderKey: key })));
        }
        await eventually(() => Object.values(heard).flat().length === 80);
        return { heard, suspended };
      });
      const numbers = Array.from({ length: 20 }, (_, number) => number);
      assert.deepEqual(seen.heard, { a: numbers, b: numbers, c: numbers, d: numbers });
      assert.ok(seen.suspended >= 4);
    });

    test("closes: what was sent is there, who waits is told, what a handler has in hand is finished, nothing is left", async (t) => {
      const page = await bench(t, 1);
      const seen = await page.evaluate(async () => {
        const { client, producer, topic } = on;
        let finish, finished = false;
        const taken = new Promise((resolve) => {
          client.consumer("closing", { topic, from: "first" }, async () => {
            resolve();
            await new Promise((later) => (finish = later));
            finished = true;
          });
        });
        const stream = client.consumer("stream", { topic: "%RETRY%nobody", from: "first" });
        const waiting = stream.next();
        await producer.send({ topic, body: "in hand" });
        await taken;
        const sends = Array.from({ length: 50 }, () => producer.send({ topic, body: "x" }).then(() => "sent", ({ code }) => code));
        const closing = client.close();
        setTimeout(() => finish(), 50);
        await closing;
        const other = await join();
        const [queue] = await (await other.pullConsumer("g")).queues(topic);
        const stored = Number(await other.admin().maxOffset(queue));
        const committed = Number(await other.admin().groupOffset("closing", queue));
        await other.close();
        const late = await producer.send({ topic, body: "late" }).catch(({ code }) => code);
        const sent = (await Promise.all(sends)).filter((how) => how === "sent").length;
        const { done } = await waiting;
        return { finished, sent, stored, hasCommitted: committed >= 1, late, state: client.state, done };
      });
      const wanted = { finished: true, sent: 50, stored: 51, hasCommitted: true, late: "CLOSED", state: "closed", done: true };
      assert.deepEqual(seen, wanted);
    });
  });
}
