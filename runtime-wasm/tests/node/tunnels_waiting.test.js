// Tunnels and the gate that they wait at in pages, while one of them hangs, or is given up.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { test } from "node:test";

import { internal } from "./support/bench.js";

const { gateOf } = await internal("gate.js");
const { platform } = await internal("platform.js");
const { tunnel } = await internal("websocket.js");

const pause = (ms) => new Promise((later) => setTimeout(later, ms));

/** Has tunnels go through gates as in pages, until the end of a test. */
function asInPages(t) {
  const before = platform.gateOf;
  platform.gateOf = gateOf;
  t.after(() => (platform.gateOf = before));
}

/** As the platform's. Targets `dead` are waited for by their gateway; all others are there. */
class Fake {
  static made = [];
  readyState = 0;
  bufferedAmount = 0;

  constructor(url) {
    this.url = url;
    Fake.made.push(this);
    if (!url.includes("dead")) setTimeout(() => this.readyState === 0 && ((this.readyState = 1), this.onopen?.()), 5);
  }

  send() {}

  close() {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    setTimeout(() => ((this.readyState = 3), this.onclose?.({ code: 1006, reason: "" })), 1);
  }
}

test("a Node process that gives up a gateway which does not answer is not held by that", async (t) => {
  const server = net.createServer((socket) => socket.on("error", () => {}));
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  const program = `
    import { connect } from "stgclient";
    import { WebSocket } from "ws";
    try {
      await connect("ws://127.0.0.1:${server.address().port}/", { nameServers: "10.0.0.1:9876", webSocket: { WebSocket }, signal: AbortSignal.timeout(300) });
    } catch {}
    const since = performance.now();
    process.on("exit", () => console.log(Math.round(performance.now() - since)));`;
  const { pathname } = new URL("..", import.meta.resolve("stgclient"));
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { cwd: pathname, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (text) => (said += text));
  await new Promise((ended) => child.on("exit", ended));
  server.closeAllConnections?.();
  assert.ok(Number(said) < 500, `held for ${said.trim()} ms`);
});

test("a target that is there can be reached while another one behind the same gateway is waited for", async (t) => {
  asInPages(t);
  const through = tunnel("wss://gateway-1.test/{host}/{port}", { WebSocket: Fake });
  const T = 3000;
  let isOver = false;
  t.after(() => (isOver = true));
  /** As a connection of a client: opened anew after each failure. */
  const attempt = (host) =>
    new Promise((done) => {
      const end = (isOpen) => (clearTimeout(late), stream.close(), done(isOpen));
      const stream = through.open({ host, port: 1 }, { opened: () => end(true), received() {}, drained() {}, closed: () => end(false) });
      const late = setTimeout(() => end(false), T);
    });
  const keepTrying = async (host) => {
    while (!isOver) {
      await attempt(host);
      await pause(100);
    }
  };
  keepTrying("dead");
  // It has been away for a while when somebody wants another one.
  await pause(2 * T + 500);
  const began = performance.now();
  let tries = 0;
  while (performance.now() < began + 20_000) {
    tries++;
    if (await attempt("alive")) break;
    await pause(100);
  }
  const sockets = Fake.made.filter(({ url }) => url.includes("alive")).length;
  assert.equal(sockets, 1, `not tried within 20 s, in which it was given up ${tries} times, though it is there`);
});

test("a page that cuts all its tunnels, as it does when it is frozen, opens none of them first", async (t) => {
  asInPages(t);
  const url = "wss://gateway-2.test/";
  const gate = gateOf(url);
  const through = tunnel(url, { WebSocket: Fake });
  gate.fail();
  const nothing = { opened() {}, received() {}, drained() {}, closed() {} };
  const all = ["one", "another", "third"].map((host) => through.open({ host, port: 1 }, nothing));
  await pause(10);
  const before = Fake.made.length;
  // Timers of hidden pages are late: it may be tried for long, and nobody has.
  const until = performance.now() + 400;
  while (performance.now() < until);
  all.forEach((one) => one.close());
  assert.equal(Fake.made.length, before, "a WebSocket is made for a tunnel that is closed in the same turn");
});

test("who does not want a tunnel any more has not failed: others need not wait", async (t) => {
  asInPages(t);
  const slow = class extends Fake {
    constructor(url) {
      super(`${url}dead`);
      setTimeout(() => this.readyState === 0 && ((this.readyState = 1), this.onopen?.()), 1500);
    }
  };
  const through = tunnel("wss://gateway-4.test/", { WebSocket: slow });
  const nothing = { opened() {}, received() {}, drained() {}, closed() {} };
  // Given up after a moment, by whoever had called `connect`.
  const unwanted = through.open({ host: "a", port: 1 }, nothing);
  await pause(10);
  unwanted.close();
  await pause(1100);
  const tried = [];
  gateOf("wss://gateway-4.test/").enter(() => tried.push("one"));
  gateOf("wss://gateway-4.test/").enter(() => tried.push("another"));
  assert.deepEqual(tried, ["one", "another"], "the gateway is there, and has refused nobody");
});

test("who wants a tunnel now does not wait for one that hangs", async (t) => {
  asInPages(t);
  const url = "wss://gateway-5.test/{host}/{port}";
  const nothing = { opened() {}, received() {}, drained() {}, closed() {} };
  const gate = gateOf(url);
  gate.fail();
  // A client in the background tries again, over a network that swallows everything.
  const hanging = tunnel(url, { WebSocket: Fake }).open({ host: "dead", port: 1 }, nothing);
  await pause(400);
  // Its user connects anew, on another network by now.
  let isOpen = false;
  const wanted = tunnel(url, { WebSocket: Fake }).open({ host: "alive", port: 1 }, { ...nothing, opened: () => (isOpen = true) });
  await pause(9500);
  assert.ok(isOpen, "half a second before its time is up, it has not been tried");
  hanging.close();
  wanted.close();
});
