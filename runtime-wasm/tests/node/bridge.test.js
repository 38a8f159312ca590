// What stands between the JavaScript and the WebAssembly: numbers of calls, and what is left after a fault of the client's own.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, client, DEADLINE, fails, internal, unique } from "./support/bench.js";
import { child } from "./support/children.js";

describe("the bridge", { concurrency: 4, timeout: DEADLINE }, () => {
  test("gives a call no number that another has which still waits, also once all have been used", async () => {
    const { unused } = await internal("bridge.js");
    const last = 2 ** 32 - 1;
    assert.equal(unused(0, () => false), 1);
    assert.equal(unused(last, () => false), 0);
    const waiting = new Set([last, 0, 1]);
    assert.equal(unused(last - 1, (number) => waiting.has(number)), 2);
  });

  test("reads the clock when a timer comes, however late, and answers wait for no timer", async (t) => {
    const { topic } = await bench(t, 1);
    // Not the bench's, which has a member that would share the queue.
    const group = unique("group");
    const program = `
      const soonest = 700;
      const set = globalThis.setTimeout;
      globalThis.setTimeout = (what, ms, ...more) => set(what, Math.max(ms, soonest), ...more);
      const net = await import("node:net");
      let isMute = false;
      const open = ({ host, port }, events) => {
        const socket = net.connect({ host, port });
        socket.on("connect", events.opened);
        socket.on("data", (bytes) => isMute || events.received(bytes));
        socket.on("close", () => events.closed());
        return { write: (bytes) => void socket.write(bytes), close: () => socket.destroy() };
      };
      const c = await connect({ addresses: nameServers, transport: { open } });
      const producer = c.producer("p");
      await producer.send({ topic, body: "first" });
      const [started, count] = [performance.now(), 50];
      for (let n = 0; n < count; n++) await producer.send({ topic, body: String(n) });
      const each = (performance.now() - started) / count;
      let seen = 0;
      const consumed = new Promise((done) => c.consumer(group, { topic, from: "first" }, () => void (++seen === count + 1 && done())));
      await consumed;
      isMute = true;
      // Several deadlines within one late timer: all of them are over when it comes.
      const begun = performance.now();
      const ends = await Promise.all([100, 200, 300].map((timeout) =>
        producer.send({ topic, body: "x" }, { timeout }).catch(({ code }) => code + " " + (performance.now() - begun < 5 * soonest))));
      console.log(JSON.stringify([each < soonest / 2, ends]));
      process.exit();`;
    const { code, printed, complained } = await child(t, program, { topic, group }).ended;
    assert.equal(code, 0, complained);
    assert.deepEqual(JSON.parse(printed), [true, ["TIMEOUT true", "TIMEOUT true", "TIMEOUT true"]]);
  });

  for (const [what, fail, words] of [
    // More bytes than there is memory for.
    ["a panic", 'lie = true; c.admin().topics().catch(() => {})', /: unreachable$/],
  ]) test(`tells all who wait, and all who call later, of ${what}`, async (t) => {
    const { topic, group } = await bench(t, 1);
    const program = `
      const net = await import("node:net");
      let lie = false;
      const open = ({ host, port }, events) => {
        const socket = net.connect({ host, port });
        socket.on("connect", events.opened);
        socket.on("data", (bytes) => events.received(lie ? Object.defineProperty(bytes, "length", { value: 2 ** 32 - 1 }) : bytes));
        socket.on("close", () => events.closed());
        return { write: (bytes) => void socket.write(bytes), close: () => socket.destroy() };
      };
      const c = await connect({ addresses: nameServers, transport: { open } }, { requestTimeout: 60_000 });
      const stream = c.consumer(group, { topic });
      await stream.start();
      const waiting = [stream.next(), c.pullConsumer(group).then(async (pulls) => {
        const [queue] = await pulls.queues(topic);
        return pulls.pull(queue, 0, { wait: 60_000 });
      })];
      const outcomes = Promise.all(waiting.map((one) => one.then(() => "it ended", ({ code, message }) => code + ": " + message)));
      await new Promise((turn) => setTimeout(turn, 300));
      ${fail};
      console.log(JSON.stringify(await outcomes));
      for (const call of [() => c.admin().topics(), () => c.producer("p").send({ topic, body: "x" }), () => c.close()]) {
        console.log(await Promise.resolve().then(call).then(() => "it ended", ({ code }) => code));
      }
      process.exit();`;
    const { code, printed, complained } = await child(t, program, { topic, group }).ended;
    assert.equal(code, 0, complained);
    const [outcomes, ...later] = printed.trim().split("\n");
    assert.equal(JSON.parse(outcomes).length, 2);
    for (const outcome of JSON.parse(outcomes)) {
      assert.match(outcome, /^CLOSED: the client has failed by a fault of its own/);
      assert.match(outcome, words);
    }
    assert.deepEqual(later, ["CLOSED", "CLOSED", "CLOSED"]);
  });
});
