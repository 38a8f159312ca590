// Signals, without a process that ends.

import assert from "node:assert/strict";
import { test } from "node:test";

import { stopOnSignal } from "../src/stopping.js";

const quiet = { log() {}, warn() {}, error() {} };

/** Has signals stop what `stop` stops, until the test ends. */
function begin(t, stop, deadline) {
  t.after(() => ["SIGTERM", "SIGINT"].forEach((signal) => process.removeAllListeners(signal)));
  stopOnSignal(stop, deadline, quiet);
}

test("the first signal stops the service, and those that follow change nothing", async (t) => {
  let [calls, ended] = [0];
  begin(t, () => new Promise((resolve) => (calls++, (ended = resolve))), 60_000);
  for (const signal of ["SIGTERM", "SIGTERM", "SIGINT"]) process.emit(signal, signal);
  ended([]);
  assert.equal(calls, 1);
  // A signal that nobody listens to kills.
  assert.deepEqual([process.listenerCount("SIGTERM"), process.listenerCount("SIGINT")], [1, 1]);
  assert.equal(process.exitCode, undefined);
});

test("a stop that takes too long ends the process with 1", async (t) => {
  const exited = new Promise((resolve) => t.mock.method(process, "exit", resolve));
  begin(t, () => new Promise(() => {}), 10);
  process.emit("SIGTERM", "SIGTERM");
  // The deadline alone keeps no process alive.
  const alive = setTimeout(() => {}, 20_000);
  assert.equal(await exited, 1);
  clearTimeout(alive);
});

test("a stop that fails has the process end with 1", async (t) => {
  t.after(() => (process.exitCode = undefined));
  begin(t, () => Promise.reject(new Error("on purpose")), 60_000);
  process.emit("SIGTERM", "SIGTERM");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(process.exitCode, 1);
});
