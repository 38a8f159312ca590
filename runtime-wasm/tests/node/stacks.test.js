// Errors that come from the WebAssembly: their stacks show who has called.

import assert from "node:assert/strict";
import { test } from "node:test";

import { StgError } from "stgclient";

import { bench, unique } from "./support/bench.js";

test("the stack of an error shows who waits for the call, and no frame of the WebAssembly", async (t) => {
  const on = await bench(t, 1);
  const consumer = await on.client.consumer(unique("g"), on.all(), () => {});
  const queue = { ...(await on.queue(0)), topic: "no topic!" };
  const none = unique("none");
  const calls = {
    sends: () => on.producer.send({ topic: "no topic!", body: "x" }),
    sendsWithASignal: () => on.producer.send({ topic: "no topic!", body: "x" }, { signal: new AbortController().signal }),
    sendsFirst: () => on.client.producer(unique("p")).send({ topic: "no topic!", body: "x" }),
    looksUp: () => on.admin.route(none),
    asksForALag: () => on.admin.lag(none),
    pulls: () => on.pulls.pull(queue, 0),
    asksAPullConsumer: () => on.pulls.queues(none),
    subscribes: () => consumer.subscribe("no topic!"),
    starts: () => on.client.consumer("no group!", on.all(), () => {}),
  };
  for (const [name, call] of Object.entries(calls)) {
    // A function of this name is to be found in the stack.
    const caller = { [name]: async () => void (await call()) }[name];
    const error = await caller().then(
      () => assert.fail(`${name} did not fail`),
      (error) => error,
    );
    assert.ok(error instanceof StgError, error.stack);
    assert.match(error.stack, new RegExp(`^${error.name}: `));
    assert.match(error.stack, new RegExp(`\\b${name}\\b`), `of ${name}: ${error.stack}`);
    assert.doesNotMatch(error.stack, /wasm-function|wasm:\/\//, `of ${name}`);
  }
});
