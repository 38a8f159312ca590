// The services of examples/node as processes, stopped in the midst of their work.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Bench, client, DEADLINE, eventually, isSettled, nameServers } from "./support/bench.js";
import { started } from "./support/children.js";

const ORDERS = 3000;

// A copy, with the package that is tested: what somebody has installed in the example's folder is theirs.
const folder = mkdtempSync(join(tmpdir(), "example-"));
after(() => rmSync(folder, { recursive: true }));
for (const part of ["package.json", "src"]) {
  cpSync(fileURLToPath(new URL(`../../../examples/node/${part}`, import.meta.url)), join(folder, part), { recursive: true });
}
mkdirSync(join(folder, "node_modules"));
symlinkSync(dirname(dirname(fileURLToPath(import.meta.resolve("stgclient")))), join(folder, "node_modules", "stgclient"));

function service(t, roles, servers = nameServers) {
  return started(t, ["src/main.js", ...roles], { cwd: folder, env: { ...process.env, NAMESRV_ADDR: servers, PORT: "0" } });
}

/** The shop's address, once it listens. */
async function listening(shop) {
  const port = await eventually("the shop listens", () => /at port (\d+)/.exec(shop.printed)?.[1]);
  return `http://127.0.0.1:${port}`;
}

const post = (shop, order) => fetch(`${shop}/orders`, { method: "POST", body: typeof order === "string" ? order : JSON.stringify(order) });

async function endsWithZero(state) {
  await eventually("the process ends", () => isSettled(state.ended), 30_000);
  const { code, signal, printed, complained } = await state.ended;
  assert.deepEqual([code, signal], [0, null], `${printed}${complained}`);
  return printed;
}

describe("the example's services", { timeout: DEADLINE }, () => {
  test("run on a cluster in memory, if they are told of none, and answer over HTTP", async (t) => {
    const both = service(t, [], "");
    const address = await listening(both);
    const placed = await post(address, { id: "7", customer: "ann", goods: "tea" });
    assert.deepEqual([placed.status, (await placed.json()).status], [202, "SEND_OK"]);
    const statuses = [];
    for (const order of ["{", "x".repeat(70_000)]) statuses.push((await post(address, order)).status);
    for (const path of ["health", "nowhere"]) statuses.push((await fetch(`${address}/${path}`)).status);
    assert.deepEqual(statuses, [400, 413, 200, 404]);
    both.process.kill("SIGTERM");
    await endsWithZero(both);
  });

  test("bill every order once, although they are stopped in the midst of them, by two signals, and started again", async (t) => {
    const on = new Bench(await client(t));
    on.pulls = await on.client.pullConsumer(on.group);
    for (const topic of ["orders", "bills"]) await on.createTopic(topic, 4);
    const shop = service(t, ["shop"]);
    const address = await listening(shop);
    const place = async (id) => {
      const response = await post(address, { id: `${id}`, customer: `${id % 7}`, goods: "tea" });
      assert.equal(response.status, 202, await response.text());
    };
    for (let id = 0; id < ORDERS; id += 100) await Promise.all(Array.from({ length: 100 }, (_, n) => place(id + n)));
    shop.process.kill("SIGTERM");
    await endsWithZero(shop);

    on.topic = "bills";
    const billed = async () => {
      const ends = await Promise.all((await on.queues()).map((queue) => on.pulls.maxOffset(queue)));
      return Number(ends.reduce((sum, end) => sum + end, 0n));
    };
    const first = service(t, ["billing"]);
    await eventually("it bills", async () => (await billed()) > 0);
    // At once: a signal that comes when all is done, and Node itself ends, finds no listener any more. And two of a kind may be one.
    first.process.kill("SIGTERM");
    first.process.kill("SIGINT");
    const printed = await endsWithZero(first);
    assert.match(printed, /is stopping already\n(.*\n)*stopped\n/);
    const before = await billed();
    assert.ok(before < ORDERS, "it had billed all before it was stopped, so nothing is proven");

    const second = service(t, ["billing"]);
    await eventually("all is billed", async () => (await billed()) >= ORDERS);
    second.process.kill("SIGTERM");
    await endsWithZero(second);
    const bills = await on.pullAll(ORDERS);
    assert.equal(new Set(bills.map((message) => message.json().order)).size, ORDERS);
  });
});
