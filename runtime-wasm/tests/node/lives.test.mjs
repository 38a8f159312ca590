// Clients' lives: what an application does ends no client of its process, what is forgotten is freed, and what waits can be aborted. What ends a client, or a process, is tried in a process of its own.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { connect } from "stgclient";
import { cluster } from "stgclient/embedded";

/** Runs a program with a client, a producer that has sent one message, and a cluster of its own in a process of its own. */
function run(program, timeout = 20_000) {
  const [client, embedded] = ["stgclient", "stgclient/embedded"].map((name) => JSON.stringify(import.meta.resolve(name)));
  const text = `
    import { connect, Verdict } from ${client};
    import { cluster } from ${embedded};
    Error.stackTraceLimit = 100;
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const told = (promise) => Promise.race([promise, later(3000).then(() => "never settled")]).then(
      (value) => (typeof value === "string" ? value : "done"), (error) => error.message);
    const servers = cluster();
    servers.createTopic("orders", { queues: 1 });
    const client = await connect(servers);
    const producer = await client.producer("shop").start();
    await producer.send({ topic: "orders", body: "x" });
    const { memory } = (await import(new URL("./stgclient.js", ${client}))).initSync({});
    ${program}
    process.exit();`;
  const options = { encoding: "utf8", timeout };
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", text], options);
  return { status, signal, stdout: stdout.trim(), stderr };
}

function prints(program, wanted) {
  const { status, stdout, stderr } = run(program);
  assert.deepEqual([status, stdout], [0, wanted], stderr);
}

/** What the clock throws while the WebAssembly is called from this place. */
const FAILING = (where) => `
  const now = performance.now.bind(performance);
  let isOver = false;
  performance.now = () => {
    if (isOver || !new Error().stack.includes(${JSON.stringify(where)})) return now();
    isOver = true;
    throw new WebAssembly.RuntimeError("unreachable");
  };`;

async function eventually(what, look, patience = 20_000) {
  const end = Date.now() + patience;
  while (!(await look())) {
    assert.ok(Date.now() < end, `not in time: ${what}`);
    await new Promise((again) => setTimeout(again, 10));
  }
}

// An application's mistake is told to it, and ends no client.

for (const [what, changed] of [
  ["of another reason than a text", "new Verdict(false, 3, new Error('no stock'))"],
  ["of a level that is a bigint", "new Verdict(false, 3n, 'no stock')"],
]) {
  test(`a handler that gives a verdict ${what} has failed, and its client lives on`, () => {
    const program = `
      let calls = 0;
      await client.consumer("billing", { topic: "orders", from: "first" }, () => (calls++ === 0 ? ${changed} : undefined));
      while (calls === 0) await later(5);
      await later(50);
      console.log(await told(client.admin().topics()));`;
    prints(program, "done");
  });
}

test("a body that is too long for WebAssembly's memory is a wrong argument, and its client lives on", () => {
  // Zeroes that nobody has touched need no memory.
  const program = `
    const failed = await producer.send({ topic: "orders", body: Buffer.alloc(2 ** 31 + 16) }).catch(({ code }) => code);
    console.log(failed, await told(client.admin().topics()));`;
  prints(program, "INVALID_ARGUMENT done");
});

test("a message that is refused for its length leaves memory as it was", () => {
  const program = `
    const before = memory.buffer.byteLength;
    const failed = await producer.send({ topic: "orders", body: Buffer.alloc(200 << 20) }).catch(({ code }) => code);
    console.log(failed, (memory.buffer.byteLength - before) >> 20 < 32 ? "flat" : (memory.buffer.byteLength - before) >> 20);`;
  prints(program, "INVALID_ARGUMENT flat");
});

test("an application that calls itself without end, and the client in it, is told so by its engine, and its client lives on", () => {
  const program = `
    const deeper = () => { client.metrics(); deeper(); };
    try { deeper(); } catch (error) { console.log(error.name); }
    console.log(await told(client.admin().topics()));`;
  prints(program, "RangeError\ndone");
});

// After a fault of the client's own, what waits and every later call says so, and the process goes on.

test("a call that is aborted while the client fails by a fault of its own is settled, and the process goes on", () => {
  const program = `
    const pulls = await client.pullConsumer("audit");
    const [queue] = await pulls.queues("orders");
    const aborting = new AbortController();
    const pulled = told(pulls.pull(queue, 1n, { wait: 20_000, timeout: 30_000, signal: aborting.signal }));
    await later(50);
    ${FAILING("aborted")}
    aborting.abort(new Error("enough"));
    console.log((await pulled).replace(/the client has failed.*/, "enough"));`;
  prints(program, "enough");
});

test("a consumer does not go quiet when its client fails by a fault of its own: a warning or the log says so", () => {
  const program = `
    const heard = [];
    const other = await connect(servers, { log: { level: "debug", sink: ({ message }) => heard.push(message) } });
    for (const type of ["warning", "disconnected"]) other.events.addEventListener(type, ({ message }) => heard.push(message));
    const consumer = await other.consumer("billing", { topic: "orders" }, () => {});
    await consumer.ready();
    await later(50);
    ${FAILING("runTasks")}
    while (!isOver) await later(20);
    await later(200);
    console.log(heard.some((words) => /a fault of its own/.test(words)) ? "told" : "quiet");`;
  prints(program, "told");
});

// No rejection is nobody's.

test("connecting with a signal that was aborted before leaves no rejection unhandled, whatever its credentials do", () => {
  const program = `
    const credentials = async () => { throw new Error("no keys"); };
    console.log(await told(connect(servers, { signal: AbortSignal.abort(new Error("enough")), credentials })));
    await later(50);`;
  prints(program, "enough");
});

// What is forgotten is freed.

test("a client that was forgotten is freed, also one whose credentials change, and its function is not asked any more", () => {
  const program = `
    let isFreed = false;
    const registry = new FinalizationRegistry(() => (isFreed = true));
    const credentials = async () => ({ accessKey: "ak", secretKey: "sk" });
    await (async () => registry.register(await connect(servers, { credentials })))();
    for (let turn = 0; turn < 50 && !isFreed; turn++) { gc(); await later(50); }
    console.log(isFreed);`;
  prints(program, "true");
});

test("a client whose stream was forgotten is freed once the stream's consumer has left, and holds no process", () => {
  const program = `
    let isFreed = false;
    const registry = new FinalizationRegistry(() => (isFreed = true));
    await (async () => {
      const other = await connect(servers);
      registry.register(other);
      await other.consumer("billing", { topic: "orders", from: "first" }).next();
    })();
    for (let turn = 0; turn < 50 && servers.members("billing").length > 0; turn++) { gc(); await later(50); }
    console.log(servers.members("billing").length);
    for (let turn = 0; turn < 50 && !isFreed; turn++) { gc(); await later(50); }
    console.log(isFreed);`;
  prints(program, "0\ntrue");
});

test("a send that is over keeps nothing of the application's: no function, no receipt, and no signal keeps it", () => {
  const program = `
    const names = ["function", "receipt", "given up"];
    const freed = new Set();
    const registry = new FinalizationRegistry((name) => freed.add(name));
    const { signal } = new AbortController();
    await (async () => {
      const choose = () => 0;
      registry.register(choose, "function");
      registry.register(await producer.send({ topic: "orders", body: "x" }, { queue: choose, signal }), "receipt");
      const failing = () => { throw new Error("none"); };
      registry.register(failing, "given up");
      await producer.send({ topic: "orders", body: "x" }, { queue: failing, signal }).catch(() => {});
    })();
    for (let turn = 0; turn < 50 && freed.size < names.length; turn++) { gc(); await later(50); }
    console.log(names.filter((name) => !freed.has(name)).join() || "nothing", signal.aborted);`;
  prints(program, "nothing false");
});

// Aborting.

test("aborting a stream closes its consumer, also while a message of it is being worked at", async (t) => {
  const servers = cluster();
  servers.createTopic("orders", { queues: 1 });
  const client = await connect(servers);
  t.after(() => client.close());
  await client.producer("shop").send({ topic: "orders", body: "x" });
  const aborting = new AbortController();
  const stream = client.consumer("billing", { topic: "orders", from: "first", signal: aborting.signal });
  t.after(() => stream.close({ within: 0 }));
  assert.equal((await stream.next()).value.text(), "x");
  aborting.abort();
  await eventually("the consumer has left", () => servers.members("billing").length === 0, 5000);
});

test("a signal ends whatever waits: a flush, closing, a pull consumer's questions, administration", async (t) => {
  const servers = cluster();
  servers.createTopic("orders", { queues: 1 });
  const client = await connect(servers);
  t.after(() => client.close());
  const producer = await client.producer("shop").start();
  const pulls = await client.pullConsumer("audit");
  const [queue] = await pulls.queues("orders");
  const signal = AbortSignal.abort(new Error("enough"));
  const waiting = {
    flush: producer.flush({ signal }),
    queues: pulls.queues("orders", { signal }),
    maxOffset: pulls.maxOffset(queue, { signal }),
    commitOffset: pulls.commitOffset(queue, 0, { signal }),
    pullConsumer: client.pullConsumer("other", { signal }),
    topics: client.admin().topics({ signal }),
    lag: client.admin().lag("audit", { signal }),
  };
  const ended = await Promise.all(Object.values(waiting).map((one) => one.then(() => "not aborted", ({ message }) => message)));
  assert.deepEqual(Object.fromEntries(Object.keys(waiting).map((name, at) => [name, ended[at]])), Object.fromEntries(Object.keys(waiting).map((name) => [name, "enough"])));
});

// Errors.

test("an error has its cause: what a transport of the application's own has thrown", async () => {
  const mine = new TypeError("no modem");
  const open = () => {
    throw mine;
  };
  const failed = await connect({ addresses: "10.0.0.1:9876", transport: { open } }).catch((error) => error);
  assert.equal(failed.code, "NAME_SERVERS_UNAVAILABLE");
  assert.equal(failed.cause, mine);
});

test("a gateway's address may be a URL object, or the error says that it may not", async () => {
  const WebSocket = class {
    constructor(url) {
      this.url = url;
      setTimeout(() => this.onclose({ code: 1006, reason: "" }));
    }
    close() {}
  };
  const failed = await connect(new URL("wss://gateway/tunnel"), { nameServers: "10.0.0.1:9876", webSocket: { WebSocket } }).catch((error) => error);
  assert.match(`${failed.code} ${failed.message}`, /NAME_SERVERS_UNAVAILABLE|string/);
});

test("an address that is none is a wrong argument, and no secret of it is in the error", async () => {
  for (const target of ["rocketmq://ak:secret@localhost:1", "10.0.0.1:9876:9876"]) {
    const failed = await connect(target, { requestTimeout: 500, connectTimeout: 500 }).catch((error) => error);
    assert.equal(failed.code, "INVALID_ARGUMENT", `${target}: ${failed.message}`);
    assert.doesNotMatch(failed.message, /secret/);
  }
});

test("what is no certificate is no CA, and is told so before anybody is asked", async () => {
  const failed = await connect("rocketmqs://127.0.0.1:1", { tls: { ca: "ca.pem" } }).catch((error) => error);
  assert.equal(failed.code, "INVALID_ARGUMENT", failed.message);
});

test("a topic has as many queues as the types say that it may", () => {
  const servers = cluster();
  servers.createTopic("orders", { queues: 16_384 });
  assert.equal(servers.queues("orders").length, 16_384);
});
