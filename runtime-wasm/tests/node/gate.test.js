// When a WebSocket to a gateway that is away may be opened, as it is in pages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { internal } from "./support/bench.js";

const { gateOf } = await internal("gate.js");

let hosts = 0;
const fresh = () => gateOf(`wss://host-${hosts++}/tunnel`);

/** So many tunnels that want to be opened; `tried` are those that were told that they may, and `at` when. */
function crowd(gate, count) {
  const [tried, at] = [[], []];
  const all = Array.from({ length: count }, (_, number) => () => (tried.push(number), at.push(performance.now())));
  all.forEach((go) => gate.enter(go));
  return { tried, at, all };
}

const until = async (what) => {
  for (let look = 0; look < 4000 && !what(); look++) await new Promise((later) => setTimeout(later, 5));
  assert.ok(what());
};

describe("a gate", () => {
  test("lets everybody through as long as none has failed", () => {
    const { tried } = crowd(fresh(), 5);
    assert.deepEqual(tried, [0, 1, 2, 3, 4]);
  });

  test("is one for all tunnels of an address", () => {
    assert.equal(gateOf("wss://one:1/tunnel"), gateOf("wss://one:1/tunnel"));
    assert.notEqual(gateOf("wss://one:1/tunnel"), gateOf("wss://one:2/tunnel"));
  });

  test("lets one after the other be tried while the gateway is away, more and more rarely, also when one hangs", async () => {
    const gate = fresh();
    const began = performance.now();
    // What several fail at once with is one failure.
    for (let failed = 0; failed < 3; failed++) gate.fail();
    // None of these is ever heard of again.
    const { tried, at } = crowd(gate, 6);
    assert.deepEqual(tried, [], "not at once");
    await until(() => tried.length === 6);
    assert.deepEqual(tried, [0, 1, 2, 3, 4, 5]);
    const pauses = at.map((moment, number) => moment - (at[number - 1] ?? began));
    [240, 490, 990, 1990, 1990, 1990].forEach((least, number) => assert.ok(pauses[number] >= least, pauses.join()));
    assert.ok(pauses.every((pause) => pause < 4000), pauses.join());
  });

  test("lets all others be tried once one was opened, or there is reason to try again, and whoever comes then", async () => {
    const gate = fresh();
    gate.fail();
    const { tried } = crowd(gate, 4);
    await until(() => tried.length === 1);
    gate.open();
    assert.deepEqual(tried, [0, 1, 2, 3]);
    assert.deepEqual(crowd(gate, 2).tried, [0, 1]);
  });

  test("does not try who has left, nor anybody else in their place", async () => {
    const gate = fresh();
    gate.fail();
    const { tried, all } = crowd(gate, 3);
    await until(() => performance.now() > 0);
    all.slice(0, 2).forEach((go) => gate.leave(go));
    assert.deepEqual(tried, []);
    await until(() => tried.length === 1);
    assert.deepEqual(tried, [2]);
  });
});
