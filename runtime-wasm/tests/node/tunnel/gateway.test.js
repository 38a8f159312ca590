// Tunnels of real WebSockets, to a gateway that does what gateways and networks do: nothing is lost, memory is bounded, and an error
// says what the gateway has said.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { AccessDeniedError, connect, ConnectionError, FullError, TimeoutError } from "stgclient";

import { Bench, client, DEADLINE, eventually, fails, isSettled, nameServers, PATIENCE, unique } from "../support/bench.js";
import { child } from "../support/children.js";
import { bytewise, gateway, PlatformSocket, watched } from "../support/gateway.js";

/** A bench whose client goes through a gateway. */
async function bench(t, of, queues, { webSocket, ...options } = {}) {
  const on = new Bench(await client(t, { nameServers, webSocket, ...options }, of.url));
  on.pulls = await on.client.pullConsumer(on.group);
  await on.createTopic(on.topic, queues);
  return on;
}

const numbers = (count) => Array.from({ length: count }, (_, number) => String(number));

describe("a tunnel", { concurrency: 4, timeout: DEADLINE }, () => {
  test("is a WebSocket for each server, of binary messages, and the gateway learns the server and the token", async (t) => {
    const seen = [];
    const through = await gateway(t, { accept: ({ target, protocols }) => void seen.push([target, protocols]) });
    const on = await bench(t, through, 1, { webSocket: { token: "of-the-user" } });
    await on.send("x");
    assert.equal(seen.length, 2);
    assert.equal(seen[0][0], nameServers);
    for (const [, protocols] of seen) assert.match(protocols, /^binary, ?bearer\.of-the-user$/);
    assert.ok(through.frames.length > 0 && through.frames.every(({ isBinary }) => isBinary));
  });

  test("asks for a token that expires each time, and says why there is none", async (t) => {
    const seen = [];
    const through = await gateway(t, { accept: ({ protocols }) => void seen.push(protocols) });
    let asked = 0;
    const on = await bench(t, through, 1, { webSocket: { token: async () => `of-${asked++}` } });
    await on.send("x");
    assert.ok(seen.length === asked && asked >= 2);
    through.tunnels.forEach((tunnel) => tunnel.close(4401, "the token has expired"));
    await on.send("y");
    assert.ok(asked > 2);
    assert.deepEqual(seen.map((protocols) => protocols.match(/bearer\.(.*)$/)[1]), seen.map((_, at) => `of-${at}`));
    for (const [token, words] of [
      [() => Promise.reject(new Error("log in first")), /log in first/],
      [() => "two\nlines", /letters, digits/],
      [() => undefined, /the token/],
    ]) {
      const connecting = connect(through.url, { nameServers, webSocket: { token }, requestTimeout: 2000 });
      await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", words);
    }
    await assert.rejects(connect(through.url, { nameServers, webSocket: { token: "two\nlines" } }), { code: "INVALID_ARGUMENT" });
  });

  test("whose messages are one byte each brings the same", async (t) => {
    const through = await gateway(t, { cut: bytewise });
    const on = await bench(t, through, 2);
    await Promise.all(numbers(40).map((body) => on.send(body, { properties: { 名: "值" } })));
    assert.deepEqual((await on.pullAll(40)).map((message) => message.text()).sort(), numbers(40).sort());
    const seen = new Set();
    await on.client.consumer(unique("g"), on.all(), (message) => void seen.add(message.text()));
    await eventually("all are consumed", () => seen.size === 40);
  });

  test("that is cut again and again loses nothing that was sent, pulled or consumed", async (t) => {
    const through = await gateway(t);
    const on = await bench(t, through, 2, { requestTimeout: 20_000 });
    const seen = new Set();
    const consumer = await on.client.consumer(unique("g"), on.all(), (message) => void seen.add(message.text()));
    await consumer.ready();
    let cuts = 0;
    const cut = () => through.tunnels.forEach((tunnel) => (tunnel.terminate(), cuts++));
    const sent = [];
    for (let round = 0; round < 6; round++) {
      const bodies = numbers(50).map((number) => `${round}/${number}`);
      const sending = Promise.all(bodies.map((body) => on.send(body)));
      const queue = await on.queue(0);
      const pulling = on.pulls.pull(queue, 2n ** 62n, { wait: 1000 }).catch(({ code }) => code);
      if (round % 2) await on.pulls.maxOffset(queue);
      cut();
      await sending;
      assert.notEqual(await pulling, undefined);
      sent.push(...bodies);
    }
    assert.ok(cuts >= 6, String(cuts));
    await eventually("all are consumed", () => sent.every((body) => seen.has(body)));
  });

  test("that is closing is given nothing more, which browsers would complain of", async (t) => {
    const given = [];
    let isClosing = false;
    class Closing extends PlatformSocket {
      get readyState() {
        return isClosing ? PlatformSocket.CLOSING : super.readyState;
      }
      send(bytes) {
        if (isClosing) given.push(bytes.length);
        else super.send(bytes);
      }
    }
    const through = await gateway(t);
    const on = await bench(t, through, 1, { webSocket: { WebSocket: Closing } });
    await on.send("before");
    isClosing = true;
    const sending = on.send("meanwhile");
    await fails(on.send("too late", {}, { timeout: 100 }), TimeoutError, "TIMEOUT");
    assert.deepEqual(given, []);
    isClosing = false;
    through.tunnels.forEach((tunnel) => tunnel.close(1001));
    assert.equal((await sending).status, "SEND_OK");
  });

  test("that takes nothing any more fills to its bound: sends are told FULL or TIMEOUT, and go on when it does", async (t) => {
    const opened = [];
    const through = await gateway(t);
    const on = await bench(t, through, 1, { webSocket: { WebSocket: watched(opened) } });
    const producer = on.client.producer(unique("p"), { maxWaitingBytes: 32 << 20, compressionThreshold: Infinity });
    const message = { topic: on.topic, body: new Uint8Array(256 << 10) };
    await producer.send(message);
    const [, toBroker] = opened;
    const [, tunnel] = through.tunnels;
    tunnel.pause();
    const sends = [];
    let most = 0;
    const full = await eventually("there is no room any more", async () => {
      const sending = producer.trySend(message, { timeout: PATIENCE });
      sends.push(sending);
      sending.catch(() => {});
      await new Promise((turn) => setImmediate(turn));
      most = Math.max(most, toBroker.bufferedAmount);
      return Promise.race([sending.then(() => undefined, (error) => error), new Promise((later) => setTimeout(later, 1))]);
    });
    assert.ok(full instanceof FullError, String(full));
    assert.ok(sends.length > 30, `${sends.length} sends: ${full.message}`);
    assert.ok(most > 1 << 17 && most < 3 << 18, `${most} bytes wait in the WebSocket`);
    await fails(producer.send(message, { timeout: 300 }), TimeoutError, "TIMEOUT");
    tunnel.resume();
    const receipts = await Promise.all(sends.slice(0, -1));
    assert.ok(receipts.every(({ status }) => status === "SEND_OK"));
    await producer.send({ topic: on.topic, body: "after it" });
  });

  test("of `ws` that takes nothing any more does not keep a process from ending, once its client is closed", async (t) => {
    const stalls = (bytes, tunnel) => bytes.length > 50_000 && tunnel.pause();
    const through = await gateway(t, { accept: (tunnel) => void tunnel.on("message", (bytes) => stalls(bytes, tunnel)) });
    const on = await bench(t, through, 1);
    const program = `
      const { createRequire } = await import("node:module");
      const { WebSocket } = createRequire(import.meta.resolve("stgclient"))("ws");
      const client = await connect(url, { nameServers, closeTimeout: 100, webSocket: { WebSocket } });
      const producer = client.producer("p", { compressionThreshold: Infinity, sendTimeout: 500 });
      await producer.send({ topic, body: "x" });
      const sends = Array.from({ length: 20 }, () => producer.send({ topic, body: new Uint8Array(256 << 10) }));
      const ends = await Promise.allSettled(sends);
      await client.close();
      console.log(ends.filter(({ status }) => status === "rejected").length);`;
    const state = child(t, program, { url: through.url, topic: on.topic });
    await eventually("the client is closed", () => state.printed.endsWith("\n"));
    assert.ok(Number(state.printed) > 0, "nothing stalls");
    await eventually("the process ends", () => isSettled(state.ended), 10_000);
    assert.deepEqual((await state.ended).code, 0, state.complained);
  });

  for (const [what, accept, words] of [
    ["sends text", (tunnel) => tunnel.send("502 Bad Gateway"), /the tunnel sent text/],
    ["is closed with a code", (tunnel) => tunnel.close(4003), /the tunnel was closed: code 4003/],
    ["is closed with a code and a reason", (tunnel) => tunnel.close(1011, "no such server"), /closed: no such server \(code 1011\)/],
    ["is closed by the network", (tunnel) => tunnel.terminate(), /closed.*code 1006/],
    ["is closed normally, with a reason", (tunnel) => tunnel.close(1000, "Target closed"), /closed: Target closed \(code 1000\)/],
    ["is closed normally, without", (tunnel) => tunnel.close(1000), /closed by the server/],
  ]) {
    test(`that ${what} has that told`, async (t) => {
      const through = await gateway(t, { accept: (tunnel) => (accept(tunnel), true) });
      const connecting = connect(through.url, { nameServers, requestTimeout: 2000 });
      await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", words);
    });
  }

  for (const [code, reason] of [[4401, "the token is not accepted"], [4403, "the page's origin is not in `origins`"]]) {
    test(`that is closed with ${code} before anything has come is not let in, which no other try mends`, async (t) => {
      const through = await gateway(t, { accept: (tunnel) => (tunnel.close(code, reason), true) });
      const began = Date.now();
      const error = await fails(connect(through.url, { nameServers, requestTimeout: 60_000 }), AccessDeniedError, "ACCESS_DENIED");
      assert.deepEqual([error.retryable, error.message.includes(`${reason} (code ${code})`)], [false, true], error.message);
      assert.ok(Date.now() - began < 30_000, "at once");
    });
  }

  test("that the gateway refuses has that told", async (t) => {
    const through = await gateway(t, { verifyClient: (_, answer) => answer(false, 401, "who are you?") });
    const words = /the tunnel could not be opened: .*(401|code 1006)/;
    await fails(connect(through.url, { nameServers }), ConnectionError, "NAME_SERVERS_UNAVAILABLE", words);
  });

  test("to nobody has that told", async () => {
    const words = /the tunnel could not be opened: .*(ECONNREFUSED|code 1006)/;
    await fails(connect("ws://127.0.0.1:1/", { nameServers }), ConnectionError, "NAME_SERVERS_UNAVAILABLE", words);
  });
});
