// The services of examples/node as processes, stopped in the midst of their work.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Bench, client, DEADLINE, eventually, isSettled, nameServers } from "./support/bench.js";
import { started } from "./support/children.js";

const main = fileURLToPath(new URL("../../../examples/node/src/main.js", import.meta.url));
const ORDERS = 3000;

function service(t, role) {
  return started(t, [main, role], { env: { ...process.env, NAMESRV_ADDR: nameServers, PORT: "0" } });
}

async function endsWithZero(state) {
  await eventually("the process ends", () => isSettled(state.ended), 30_000);
  const { code, signal, printed, complained } = await state.ended;
  assert.deepEqual([code, signal], [0, null], `${printed}${complained}`);
  return printed;
}

describe("the example's services", { timeout: DEADLINE }, () => {
  test("bill every order once, although they are stopped by SIGTERM, twice, in the midst of them, and started again", async (t) => {
    const on = new Bench(await client(t));
    on.pulls = await on.client.pullConsumer(on.group);
    for (const topic of ["orders", "bills"]) await on.createTopic(topic, 4);
    const shop = service(t, "shop");
    const port = await eventually("the shop listens", () => /at port (\d+)/.exec(shop.printed)?.[1]);
    const post = async (id) => {
      const order = { id: `${id}`, customer: `${id % 7}`, goods: "tea" };
      const response = await fetch(`http://127.0.0.1:${port}/orders`, { method: "POST", body: JSON.stringify(order) });
      assert.equal(response.status, 202, await response.text());
    };
    for (let id = 0; id < ORDERS; id += 100) await Promise.all(Array.from({ length: 100 }, (_, n) => post(id + n)));
    shop.process.kill("SIGTERM");
    await endsWithZero(shop);

    on.topic = "bills";
    const billed = async () => {
      const ends = await Promise.all((await on.queues()).map((queue) => on.pulls.maxOffset(queue)));
      return Number(ends.reduce((sum, end) => sum + end, 0n));
    };
    const first = service(t, "billing");
    await eventually("it bills", async () => (await billed()) > 0);
    first.process.kill("SIGTERM");
    await eventually("it stops", () => first.printed.includes("SIGTERM: stops"));
    first.process.kill("SIGTERM");
    const printed = await endsWithZero(first);
    assert.match(printed, /stopped\n/);
    const before = await billed();
    assert.ok(before < ORDERS, "it had billed all before it was stopped, so nothing is proven");

    const second = service(t, "billing");
    await eventually("all is billed", async () => (await billed()) >= ORDERS);
    second.process.kill("SIGTERM");
    await endsWithZero(second);
    const bills = await on.pullAll(ORDERS);
    assert.equal(new Set(bills.map((message) => message.json().order)).size, ORDERS);
  });
});
