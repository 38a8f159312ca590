// What applications give wrongly, and too late, to what runs already.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ClosedError, connect, InvalidArgumentError } from "stgclient";

import { bench, DEADLINE, fails, nameServers, unique } from "./support/bench.js";

async function refused(what, call) {
  let promise;
  assert.doesNotThrow(() => (promise = call()), what);
  const error = await promise.then(
    () => assert.fail(`${what} is taken`),
    (error) => error,
  );
  assert.ok(error instanceof InvalidArgumentError, `${what}: ${error.stack}`);
}

const NO_TEXTS = [undefined, null, 1, {}, []];
const NO_QUEUES = [undefined, null, 1, "q", {}, { topic: "t" }, { topic: "t", brokerName: "b", queueId: 1.5 }];
const NO_OFFSETS = [-1, -1n, 1.5, 2 ** 53, 2n ** 63n, "0", null, undefined, NaN];
const NO_MOMENTS = ["now", null, undefined, -1, NaN, new Date(NaN)];
const NO_OPTIONS = [null, 1, "text", [], { unknown: 1 }];
const queue = { topic: "t", brokerName: "b", queueId: 0 };

describe("refused is", { concurrency: 4, timeout: DEADLINE }, () => {
  test("what pull consumers are asked", async (t) => {
    const { pulls } = await bench(t, 0);
    for (const text of NO_TEXTS) await refused("a topic", () => pulls.queues(text));
    for (const wrong of NO_QUEUES) {
      for (const how of ["minOffset", "maxOffset", "committedOffset"]) await refused(how, () => pulls[how](wrong));
      await refused("a queue", () => pulls.pull(wrong, 0));
      await refused("a queue", () => pulls.commitOffset(wrong, 0));
      await refused("a queue", () => pulls.offsetAt(wrong, 0));
    }
    for (const offset of NO_OFFSETS) {
      await refused("an offset", () => pulls.pull(queue, offset));
      await refused("an offset", () => pulls.commitOffset(queue, offset));
    }
    for (const moment of NO_MOMENTS) await refused("a moment", () => pulls.offsetAt(queue, moment));
    const wrong = [{ maxMessages: 0 }, { wait: -1 }, { timeout: 0 }, { signal: 1 }, { tags: [] }, { tags: "a", sql: "b" }];
    for (const options of [...NO_OPTIONS, ...wrong]) await refused("options", () => pulls.pull(queue, 0, options));
  });

  test("what administrators are asked", async (t) => {
    const { admin } = await bench(t, 0);
    for (const text of NO_TEXTS) {
      for (const how of ["createTopic", "deleteTopic", "route", "statistics", "lag", "messageById"]) {
        await refused(`${how} ${String(text)}`, () => admin[how](text));
      }
      for (const how of ["messageByUniqueKey", "messagesByKey"]) {
        await refused(how, () => admin[how](text, "a"));
        await refused(how, () => admin[how]("a", text));
      }
      await refused("a group", () => admin.groupOffset(text, queue));
      await refused("a group", () => admin.commitGroupOffset(text, queue, 0));
      await refused("a group", () => admin.resetOffsets(text, "t", "first"));
      await refused("a topic", () => admin.resetOffsets("g", text, "first"));
    }
    for (const wrong of NO_QUEUES) {
      await refused("a queue", () => admin.minOffset(wrong));
      await refused("a queue", () => admin.groupOffset("g", wrong));
      await refused("a queue", () => admin.commitGroupOffset("g", wrong, 0));
    }
    for (const offset of NO_OFFSETS) await refused("an offset", () => admin.commitGroupOffset("g", queue, offset));
    for (const moment of NO_MOMENTS) await refused("a moment", () => admin.resetOffsets("g", "t", moment));
    for (const options of [...NO_OPTIONS, { queues: 0 }, { permission: "none" }, { cluster: 1 }, { broker: null }]) {
      await refused("options", () => admin.createTopic(unique("t"), options));
    }
    for (const options of [...NO_OPTIONS, { broker: 1 }]) await refused("options", () => admin.deleteTopic("t", options));
    for (const options of [...NO_OPTIONS, { max: 0 }]) await refused("options", () => admin.messagesByKey("t", "k", options));
  });

  test("what consumers are told", async (t) => {
    const on = await bench(t, 1);
    const consumer = await on.client.consumer(unique("g"), on.all(), () => {});
    for (const text of NO_TEXTS) {
      await refused("a topic", () => consumer.subscribe(text));
      assert.throws(() => consumer.unsubscribe(text), InvalidArgumentError);
    }
    for (const options of [...NO_OPTIONS, { tag: "a" }, { tags: 1 }]) {
      await refused("options", () => consumer.subscribe("t", options));
    }
    for (const options of [...NO_OPTIONS, { signal: 1 }]) await refused("options", () => consumer.ready(options));
    for (const options of [...NO_OPTIONS, { within: -1 }]) await refused("options", () => consumer.close(options));
    for (const wrong of NO_QUEUES.slice(1)) {
      for (const how of ["pause", "resume"]) assert.throws(() => consumer[how](wrong), InvalidArgumentError);
      assert.throws(() => consumer.seek(wrong, 0), InvalidArgumentError);
    }
    for (const offset of NO_OFFSETS) assert.throws(() => consumer.seek(queue, offset), InvalidArgumentError);
    await consumer.ready();
    await consumer.close();
  });
});

test("after its close a client, and all that is its, says that it is closed", async () => {
  const client = await connect(nameServers);
  const [producer, admin, pulls] = [client.producer("p"), client.admin(), await client.pullConsumer(unique("g"))];
  await client.close();
  await client.close();
  assert.equal(client.state, "closed");
  assert.equal(typeof client.clientId, "string");
  const closed = (promise) => fails(promise, ClosedError, "CLOSED");
  await closed(producer.send({ topic: "t", body: "x" }));
  await closed(client.producer("other").start());
  await closed(admin.topics());
  await closed(pulls.queues("t"));
  await closed(client.pullConsumer(unique("g")));
  await closed(client.consumer(unique("g"), { topic: "t" }, () => {}));
  await closed(client.consumer(unique("g"), { topic: "t" }).next());
  await producer.close();
  await pulls.close();
  client.setCredentials({ accessKey: "a", secretKey: "b" });
});
