// A computer that has slept: the clock that programs measure with may have stood still, but not the time of day.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, eventually, internal } from "./support/bench.js";

const { monotonicMs } = await internal("bridge.js");
const HOUR = 3_600_000;

/** Has the time of day be ahead by so much more, until the end of a test. */
function sleep(t, ms) {
  const before = Date.now;
  Date.now = () => before() + ms;
  t.after(() => (Date.now = before));
}

describe("a computer that has slept", () => {
  test("counts that time, and not what somebody has set the clock by, if it is less than some seconds, or back", (t) => {
    const began = monotonicMs();
    sleep(t, HOUR);
    const hour = monotonicMs() - began;
    assert.ok(hour > HOUR - 1000 && hour < HOUR + 10_000, `${hour}`);
    sleep(t, 2000);
    sleep(t, -2 * HOUR);
    const now = monotonicMs() - began;
    assert.ok(now > hour - 1000 && now < HOUR + 20_000, `${now}`);
    sleep(t, HOUR);
    assert.ok(monotonicMs() - began > 2 * HOUR - 1000, "it sleeps again");
  });

  test("begins where its group is by then, and says nothing of where it was", async (t) => {
    const on = await bench(t, 1);
    const queue = await on.queue(0);
    const heard = [];
    const warnings = [];
    on.client.events.addEventListener("warning", ({ message }) => warnings.push(message));
    await on.fill(0, 20);
    // What it has is not committed before it sleeps.
    const consumer = await on.client.consumer(on.group, on.all({ commitInterval: 600_000 }), (message) => void heard.push(message.text()));
    await eventually("it has consumed", () => heard.length === 20);
    await on.fill(20, 50);
    await eventually("it has consumed", () => heard.length === 50);
    // Others have gone on meanwhile.
    await on.admin.commitGroupOffset(on.group, queue, 45n);
    sleep(t, HOUR);
    await eventually("it begins anew", () => heard.length === 55);
    assert.deepEqual(heard.slice(50), ["45", "46", "47", "48", "49"], "it comes from where the group is");
    assert.ok(warnings.some((words) => words.includes("stood still")), warnings.join());
    await consumer.close();
  });
});
