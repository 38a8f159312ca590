// Who may open a WebSocket to a gateway that is away, as it is in pages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { internal } from "./support/bench.js";

const { gateOf } = await internal("gate.js");

let hosts = 0;
const fresh = () => gateOf(`wss://host-${hosts++}/tunnel?target=a:1`);

/** So many tunnels that want to be opened; `tried` are those that were told that they may. */
function crowd(gate, count) {
  const tried = [];
  const all = Array.from({ length: count }, (_, number) => () => tried.push(number));
  all.forEach((open) => gate.enter(open));
  return { tried, all };
}

const until = async (what) => {
  for (let look = 0; look < 1000 && !what(); look++) await new Promise((later) => setTimeout(later, 5));
  assert.ok(what());
};

/** Has the gateway be away: all that are tried fail. */
function away(gate) {
  const { all } = crowd(gate, 3);
  all.forEach((open) => gate.left(open, true));
}

describe("a gate", () => {
  test("lets everybody through as long as none has failed", () => {
    const { tried } = crowd(fresh(), 5);
    assert.deepEqual(tried, [0, 1, 2, 3, 4]);
  });

  test("is one for all targets behind a gateway", () => {
    assert.equal(gateOf("wss://one:1/tunnel?target=a:1"), gateOf("wss://one:1/other?target=b:2"));
    assert.notEqual(gateOf("wss://one:1/tunnel"), gateOf("wss://one:2/tunnel"));
  });

  test("lets one at a time be tried while the gateway is away, and all others once it was opened", async () => {
    const gate = fresh();
    away(gate);
    const { tried, all } = crowd(gate, 4);
    assert.deepEqual(tried, [], "not at once");
    await until(() => tried.length === 1);
    gate.hurry();
    assert.deepEqual(tried, [0], "the first is still being tried");
    gate.left(all[0], true);
    gate.hurry();
    assert.deepEqual(tried, [0, 1]);
    gate.opened();
    assert.deepEqual(tried, [0, 1, 2, 3]);
    assert.deepEqual(crowd(gate, 2).tried, [0, 1], "and whoever comes now");
  });

  test("pauses for longer after each failure, up to two seconds, and not once the page is online again", async () => {
    const gate = fresh();
    away(gate);
    let [last, pauses] = [performance.now(), []];
    for (let round = 0; round < 3; round++) {
      const { tried, all } = crowd(gate, 1);
      await until(() => tried.length === 1);
      pauses.push(performance.now() - last);
      last = performance.now();
      gate.left(all[0], true);
    }
    // What several fail at once with is one failure.
    assert.ok(pauses[0] >= 240 && pauses[1] >= 490 && pauses[2] >= 990, pauses.join());
    for (let round = 0; round < 20; round++) {
      const { tried, all } = crowd(gate, 1);
      gate.hurry();
      assert.equal(tried.length, 1);
      gate.left(all[0], true);
    }
    const { tried } = crowd(gate, 1);
    last = performance.now();
    await until(() => tried.length === 1);
    const pause = performance.now() - last;
    assert.ok(pause > 1900 && pause < 2900, `${pause}`);
  });

  test("does not try who has left, and lets the next one in when the one that is tried leaves", async () => {
    const gate = fresh();
    away(gate);
    const { tried, all } = crowd(gate, 3);
    gate.left(all[0], false);
    gate.hurry();
    assert.deepEqual(tried, [1]);
    gate.left(all[1], false);
    assert.deepEqual(tried, [1, 2]);
  });
});
