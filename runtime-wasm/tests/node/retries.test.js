// Handlers that fail: what comes again, when, how often, and what becomes a dead letter.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { reconsumeLater, suspend } from "stgclient";

import { bench, DEADLINE, eventually, unique } from "./support/bench.js";
import { apacheTest, isSmartgo } from "./support/way.js";

/** Starts a consumer whose handler does with each message what `fail` says, at its first try; gives what it has seen. */
async function failing(on, fail, options = {}) {
  const tries = [];
  const group = unique("retries");
  const consumer = await on.client.consumer(group, on.all(options), (message) => {
    tries.push([message.text(), message.reconsumeTimes]);
    if (message.reconsumeTimes === 0) return fail(message);
  });
  return { tries, group, consumer };
}

/** An error that cannot even be made a text of. */
const unspeakable = () => Object.defineProperty(Object.create(null), "stack", { get: () => unspeakable.missing.stack });

const WAYS = {
  "returns reconsumeLater()": () => reconsumeLater(1),
  "ends with reconsumeLater()": async () => reconsumeLater(1, "not now"),
  "throws reconsumeLater()": () => {
    throw reconsumeLater(1);
  },
  "is rejected with reconsumeLater()": () => Promise.reject(reconsumeLater(1)),
  "gives something that can only be waited for": () => ({ then: (resolve) => resolve(reconsumeLater(1)) }),
  "gives a reason that is no text": () => reconsumeLater(1, 42),
};

/** These come after the broker's own delay, which is 10 s. */
const SLOW_WAYS = {
  "throws an error": () => {
    throw new Error("thrown");
  },
  "throws undefined": () => {
    throw undefined;
  },
  "throws what cannot be made a text of": () => {
    throw unspeakable();
  },
  "is rejected": () => Promise.reject(new Error("rejected")),
  "is rejected with nothing": () => Promise.reject(),
  "is rejected with what cannot be made a text of": () => Promise.reject(unspeakable()),
  "returns reconsumeLater() without a delay": () => reconsumeLater(),
  "gives something whose waiting throws": () => ({
    then: () => {
      throw new Error("then");
    },
  }),
};

describe("a message comes again, when its handler", { concurrency: 8, timeout: DEADLINE }, () => {
  for (const [what, fail] of Object.entries({ ...WAYS, ...SLOW_WAYS })) {
    test(what, async (t) => {
      const on = await bench(t, 1);
      await on.send("a");
      const { tries, consumer } = await failing(on, fail);
      await eventually("a second try", () => tries.length === 2);
      assert.deepEqual(tries, [["a", 0], ["a", 1]]);
      await eventually("it counts", () => consumer.status.failed === 1 && consumer.status.consumed === 1);
      // Everything else goes on.
      await on.send("b");
      await eventually("another message", () => tries.some(([text]) => text === "b"));
    });
  }

  test("fails for one of a batch's, with all of the batch", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 3);
    await on.awaitMessages(await on.queue(0), 3);
    const seen = [];
    await on.client.consumer(unique("retries"), on.all({ batchSize: 10 }), (messages) => {
      for (const message of messages) seen.push(`${message.text()}/${message.reconsumeTimes}`);
      if (messages.some((message) => message.reconsumeTimes === 0)) return reconsumeLater(1);
    });
    await eventually("all twice", () => seen.length === 6);
    assert.deepEqual(seen.sort(), ["0/0", "0/1", "1/0", "1/1", "2/0", "2/1"]);
  });
});

describe("a message does not come again, when its handler", { concurrency: 8, timeout: DEADLINE }, () => {
  for (const value of [undefined, null, false, true, 0, "later", {}, []]) {
    test(`returns ${JSON.stringify(value)}, which says nothing`, async (t) => {
      const on = await bench(t, 1);
      await on.send("a");
      const { consumer } = await failing(on, () => value);
      await eventually("it is consumed", () => consumer.status.consumed === 1);
      assert.equal(consumer.status.failed, 0);
    });
  }
});

describe("a message that fails", { concurrency: 4, timeout: DEADLINE }, () => {
  apacheTest("as often as it may is a dead letter", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 3);
    const tries = [];
    const group = unique("retries");
    const handler = (message) => {
      tries.push([message.text(), message.reconsumeTimes, message.topic, message.queue.topic]);
      if (message.text() === "1") throw reconsumeLater(1);
    };
    await on.client.consumer(group, on.all({ maxReconsumeTimes: 2 }), handler);
    const letter = await deadLetter(on, group);
    assert.equal(letter.text(), "1");
    assert.equal(letter.properties.RETRY_TOPIC, on.topic);
    const of1 = tries.filter(([text]) => text === "1");
    const retry = `%RETRY%${group}`;
    assert.deepEqual(of1, [on.topic, retry, retry].map((queue, times) => ["1", times, on.topic, queue]));
  });

  apacheTest("with \"never\" is a dead letter at once", async (t) => {
    const on = await bench(t, 1);
    await on.send("hopeless");
    const { tries, group } = await failing(on, () => reconsumeLater("never"));
    assert.equal((await deadLetter(on, group)).text(), "hopeless");
    assert.equal(tries.length, 1);
  });

  test("in order holds its queue and comes again before the rest, after its pause", async (t) => {
    const on = await bench(t, 1);
    await on.fill(0, 6);
    const seen = [];
    let failed;
    const handler = (message) => {
      seen.push(message.text());
      if (message.text() !== "2" || message.reconsumeTimes >= 2) return undefined;
      failed ??= performance.now();
      return suspend(300);
    };
    await on.client.consumer(unique("retries"), on.all({ orderly: true }), handler);
    await eventually("all", () => seen.length === 8);
    assert.ok(performance.now() - failed >= 590);
    assert.deepEqual(seen, ["0", "1", "2", "2", "2", "3", "4", "5"]);
  });
});

describe("a handler that says what its kind of consumer cannot do", { concurrency: 4, timeout: DEADLINE }, () => {
  for (const [what, orderly, said, words, within] of [
    ["suspend()", false, () => suspend(1), /without order no queue rests: reconsumeLater\(level\)/, [isSmartgo ? 0 : 9000, 60_000]],
    ["reconsumeLater()", true, () => reconsumeLater(18), /in order a message keeps its place: suspend\(ms\)/, [900, 9000]],
  ]) {
    test(`as ${what} is told so by a warning, and its message comes again by the default`, async (t) => {
      const on = await bench(t, 1);
      const warnings = [];
      on.client.events.addEventListener("warning", ({ message }) => warnings.push(message));
      await on.fill(0, 2);
      const seen = [];
      await on.client.consumer(unique("retries"), on.all({ orderly }), (message) => {
        seen.push([message.text(), performance.now()]);
        if (message.text() === "0" && message.reconsumeTimes === 0 && seen.length === 1) return said();
      });
      const tries = () => seen.filter(([text]) => text === "0");
      await eventually("it comes again", () => tries().length === 2);
      const took = tries()[1][1] - tries()[0][1];
      assert.ok(took >= within[0] && took < within[1], String(took));
      await eventually("the warning", () => warnings.some((warning) => words.test(warning)));
    });
  }
});

function deadLetter(on, group) {
  return eventually("a dead letter", async () => {
    const [queue] = await on.pulls.queues(`%DLQ%${group}`).catch(() => []);
    return queue && (await on.pulls.pull(queue, 0)).messages[0];
  });
}
