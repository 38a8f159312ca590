// What administrators ask and change: topics, groups, routes, offsets, messages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { InvalidArgumentError, NotFoundError, RefusedError } from "stgclient";

import { bench, client, DEADLINE, eventually, fails, unique } from "./support/bench.js";
import { apacheTest } from "./support/way.js";

describe("an administrator", { concurrency: 6, timeout: DEADLINE }, () => {
  test("creates a topic, changes it and deletes it, everywhere, at a cluster or at a broker", async (t) => {
    const on = await bench(t, 0);
    const { brokers, clusters } = await on.admin.cluster();
    const [[broker, addresses]] = Object.entries(brokers);
    const [cluster] = Object.keys(clusters);
    assert.ok(clusters[cluster].includes(broker));
    for (const place of [{}, { cluster }, { broker }, { broker: addresses[0] }]) {
      const topic = unique("topic");
      await on.admin.createTopic(topic, { queues: 3, ...place });
      const queues = async () => (await on.admin.route(topic).catch(() => ({ queues: [] }))).queues[0];
      await eventually("it is there", async () => (await queues())?.readQueues === 3);
      assert.ok((await on.admin.topics()).includes(topic));
      await on.admin.createTopic(topic, { queues: 5, ...place });
      await eventually("it has changed", async () => (await queues())?.writeQueues === 5);
      // One that is deleted at a broker alone stays known to name servers for a while.
      await on.admin.deleteTopic(topic, place);
      await on.admin.deleteTopic(topic);
      await eventually("it is gone", async () => !(await queues()));
    }
    const both = on.admin.createTopic(unique("topic"), { cluster, broker });
    await fails(both, InvalidArgumentError, "INVALID_ARGUMENT", /not at both/);
  });

  test("sees of a route its brokers, their addresses and its queues", async (t) => {
    const on = await bench(t, 2);
    const { brokers, queues, writableQueues } = await on.admin.route(on.topic);
    const [{ name, cluster, addresses }] = brokers;
    assert.equal(typeof cluster, "string");
    assert.match(addresses[0], /:\d+$/);
    const [of] = queues;
    assert.deepEqual([of.brokerName, of.readQueues, of.writeQueues, of.isReadable, of.isWritable], [name, 2, 2, true, true]);
    assert.deepEqual(writableQueues, await on.queues());
    await fails(on.admin.route(unique("none")), NotFoundError, "TOPIC_NOT_FOUND");
  });

  test("has a topic that may only be read, or only be written", async (t) => {
    const on = await bench(t, 1);
    const permit = async (permission, readable, writable) => {
      await on.admin.createTopic(on.topic, { queues: 1, permission });
      await eventually(permission, async () => {
        const [{ isReadable, isWritable }] = (await on.admin.route(on.topic)).queues;
        return isReadable === readable && isWritable === writable;
      });
    };
    const queue = await on.queue(0);
    await permit("read", true, false);
    // A client that has not known the topic before.
    const late = (await client(t)).producer(unique("p"));
    await fails(late.send({ topic: on.topic, body: "x" }), NotFoundError, "NO_QUEUE_AVAILABLE", /writable/);
    await permit("write", false, true);
    await eventually("it takes messages", () => on.send("x").catch(() => undefined));
    const error = await fails(on.pulls.pull(queue, 0), RefusedError, "REFUSED");
    assert.equal(error.responseCode, 16);
    assert.equal(error.retryable, false);
    await permit("read-write", true, true);
    assert.equal((await on.pulls.pull(queue, 0)).status, "FOUND");
  });

  test("sees the offsets of a topic, and those of a group", async (t) => {
    const on = await bench(t, 1);
    const queue = await on.queue(0);
    await on.fill(0, 3);
    await on.awaitMessages(queue, 3);
    const before = Date.now() - DEADLINE;
    const [found] = await on.admin.statistics(on.topic);
    assert.deepEqual([found.queue, found.minOffset, found.maxOffset], [queue, 0n, 3n]);
    assert.ok(found.lastUpdate > before && found.lastUpdate < Date.now() + DEADLINE, String(found.lastUpdate));
    assert.deepEqual([await on.admin.minOffset(queue), await on.admin.maxOffset(queue)], [0n, 3n]);
    assert.equal(await on.admin.offsetAt(queue, new Date(0)), 0n);
    assert.equal(await on.admin.groupOffset(on.group, queue), undefined);
    assert.equal(await on.admin.commitGroupOffset(on.group, queue, 2), undefined);
    assert.equal(await on.admin.groupOffset(on.group, queue), 2n);
    const lag = await eventually("the lag shows", () =>
      on.admin.lag(on.group).then(
        (lag) => lag.total === 1n && lag,
        () => undefined,
      ),
    );
    assert.deepEqual(lag.queues, [{ queue, brokerOffset: 3n, consumerOffset: 2n, lag: 1n }]);
    await fails(on.admin.lag(unique("none")), NotFoundError, "GROUP_NOT_FOUND");
  });

  apacheTest("sees groups that have members", async (t) => {
    const on = await bench(t, 1);
    const group = unique("listed");
    await on.client.consumer(group, on.all(), () => {});
    await eventually("it is listed", async () => (await on.admin.groups()).includes(group));
  });

  apacheTest("finds a message by its ids and by its key, and nothing where nothing is", async (t) => {
    const on = await bench(t, 1);
    const key = unique("key");
    const { messageId, offsetMessageId } = await on.send("one", { keys: ["other", key] });
    await on.send("two", { keys: key });
    const byId = await eventually("it is stored", () => on.admin.messageById(offsetMessageId));
    assert.equal(byId.text(), "one");
    const unique1 = await eventually("its id", () => on.admin.messageByUniqueKey(on.topic, messageId));
    assert.equal(unique1.messageId, messageId);
    const found = await eventually("both", async () => {
      const all = await on.admin.messagesByKey(on.topic, key);
      return all.length === 2 && all;
    });
    assert.deepEqual(found.map((message) => message.text()).sort(), ["one", "two"]);
    assert.equal((await on.admin.messagesByKey(on.topic, key, { max: 1 })).length, 1);
    assert.deepEqual(await on.admin.messagesByKey(on.topic, "nobody"), []);
    assert.equal(await on.admin.messageByUniqueKey(on.topic, "0A0000010000000000000000DEADBEEF"), undefined);
    const beyond = offsetMessageId.slice(0, 16) + "0FFFFFFFFFFFFFFF";
    assert.equal(await on.admin.messageById(beyond), undefined);
    await fails(on.admin.messageById("no id"), InvalidArgumentError, "INVALID_ARGUMENT");
  });

  apacheTest("has a group go on elsewhere: at the first, at the last, at a moment", async (t) => {
    const on = await bench(t, 1);
    const queue = await on.queue(0);
    const group = unique("reset");
    await on.fill(0, 4);
    let count = 0;
    const consumer = await on.client.consumer(group, on.all(), () => void count++);
    await eventually("all is consumed", () => count === 4);
    await consumer.close();
    const [{ storedAt }] = (await on.pulls.pull(queue, 2)).messages;
    const at = await on.admin.offsetAt(queue, storedAt);
    for (const [to, offset] of [["last", 4n], ["first", 0n], [storedAt, at], [storedAt.getTime(), at]]) {
      const reset = await eventually("it is reset", () => on.admin.resetOffsets(group, on.topic, to).catch(() => undefined));
      assert.deepEqual(reset, [{ queue, offset }]);
      assert.equal(await on.admin.groupOffset(group, queue), offset);
    }
  });
});
