// Messages: what was sent comes back as it was, whatever it is made of.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Message } from "stgclient";

import { bench, eventually, unique } from "./support/bench.js";
import { rewriting } from "./support/transports.js";
import { apacheTest } from "./support/way.js";

/** PULL_MESSAGE. */
const PULL = 11;

/** Texts that somebody's escaping gets wrong. */
const TEXTS = [
  "plain",
  "with space",
  '"quoted" \\ back\\slash / {"a":[1,2]}',
  "line\nfeed, return\r, tab\t",
  "\u0003\u0004\u0007\b\v\f\u001f\u007f",
  "订单已支付",
  "größer, naïve, Ω, עברית",
  "🚀👩‍👩‍👧‍👦🏴",
  "\ufffd\ufeff\u2028\u2029\u0085",
  "\u{10ffff}\ue000",
  "null",
  "a=b&c;d,e|f",
];

test("bodies of every kind come back byte by byte", async (t) => {
  const on = await bench(t);
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const around = new Uint8Array([9, ...bytes, 9]);
  for (const body of [
    bytes,
    Buffer.from(bytes),
    bytes.buffer,
    around.subarray(1, 257),
    new DataView(around.buffer, 1, 256),
    new Uint16Array(bytes.buffer),
    new Uint8Array(new SharedArrayBuffer(256)).fill(0).map((_, at) => at),
  ]) {
    const message = await on.sendAndPull(body);
    assert.ok(message instanceof Message);
    assert.deepEqual(message.bytes(), bytes);
  }
});

test("texts and JSON come back as they were", async (t) => {
  const on = await bench(t);
  for (const text of TEXTS) assert.equal((await on.sendAndPull(`.${text}`)).text(), `.${text}`);
  const order = { id: 7, parts: ["a", null, 1.5], "订单": true };
  assert.deepEqual((await on.sendAndPull(JSON.stringify(order))).json(), order);
});

test("properties come back whatever stands in their values, what separates names from values in brokers too", async (t) => {
  // Other clients send such a value, ours refuses to: so it is changed on its way.
  const change = (_, body) => {
    const at = body.indexOf("before#after");
    if (at >= 0) body[at + "before".length] = 1;
  };
  const on = await bench(t, 1, { transport: rewriting({ [PULL]: change }) });
  const message = await on.sendAndPull("x", { properties: { a: "before#after", b: "last" }, keys: "k" });
  assert.deepEqual([message.properties.a, message.properties.b, message.keys], ["before\u0001after", "last", ["k"]]);
});

apacheTest("a body of a megabyte comes back, compressed and not", async (t) => {
  const on = await bench(t);
  const body = new Uint8Array(1 << 20).map((_, at) => (at * at) >> 3);
  for (const compressionThreshold of [Infinity, 1, 4096]) {
    const producer = on.client.producer(unique("p"), { compressionThreshold, sendTimeout: 30_000 });
    const message = await on.pullSent(await producer.send({ topic: on.topic, body }));
    assert.ok(Buffer.from(body).equals(message.bytes()));
  }
});

test("names and values of properties come back as they were, with those that JavaScript's objects have", async (t) => {
  const on = await bench(t);
  const names = ["__proto__", "constructor", "toString", ...TEXTS];
  const properties = Object.fromEntries(names.map((name, at) => [name, TEXTS[at % TEXTS.length]]));
  Object.defineProperty(properties, "__proto__", { value: "own", enumerable: true });
  const found = (await on.sendAndPull("x", { properties })).properties;
  for (const [name, value] of Object.entries(properties)) assert.equal(found[name], value, name);
  assert.equal(Object.getPrototypeOf(found), null);
});

test("tags and keys come back as they were", async (t) => {
  const on = await bench(t);
  for (const tag of TEXTS) {
    const key = tag.replaceAll(" ", "_");
    const message = await on.sendAndPull("x", { tag, keys: [key, "second"] });
    assert.equal(message.tag, tag);
    assert.deepEqual(message.keys, [key, "second"]);
  }
  assert.deepEqual((await on.sendAndPull("x", { keys: "only" })).keys, ["only"]);
  const plain = await on.sendAndPull("x", { keys: [], properties: {} });
  assert.deepEqual([plain.tag, plain.keys], [undefined, []]);
});

test("a message tells its flag, who made it and when", async (t) => {
  const on = await bench(t);
  const before = Date.now();
  for (const flag of [0, 1, -7, 2 ** 31 - 1, -(2 ** 31)]) {
    const message = await on.sendAndPull("x", { flag });
    assert.equal(message.flag, flag);
    assert.equal(message.topic, on.topic);
    assert.equal(message.reconsumeTimes, 0);
    assert.match(message.bornHost, /^\d+\.\d+\.\d+\.\d+:\d+$/);
    assert.ok(message.bornAt instanceof Date && message.bornAt >= before - 1 && message.bornAt <= Date.now());
    assert.ok(message.storedAt instanceof Date && message.storedAt >= message.bornAt - 1);
  }
});

apacheTest("a message of a delay level shows when its time has come", async (t) => {
  const on = await bench(t, 1);
  const sent = Date.now();
  await on.send("delayed", { delayLevel: 1 });
  await on.send("at once", { delayLevel: 0 });
  await on.send("delayed, too", { delayLevel: 2 });
  const queue = await on.queue(0);
  const came = {};
  await eventually("all three", async () => {
    const { messages } = await on.pulls.pull(queue, 0);
    for (const message of messages) came[message.text()] ??= Date.now() - sent;
    return messages.length === 3;
  });
  assert.deepEqual(Object.keys(came), ["at once", "delayed", "delayed, too"]);
  assert.ok(came.delayed >= 900 && came["delayed, too"] >= 4500, JSON.stringify(came));
});

test("what cannot be sent is refused before anybody is asked", async (t) => {
  const on = await bench(t, 0);
  for (const [what, message] of [
    ["an empty body", { body: "" }],
    ["a body of more than 4 MiB", { body: new Uint8Array(4 * 1024 * 1024 + 1) }],
    ["a separator in a value", { properties: { name: "a\u0001b" } }],
    ["a separator in a name", { properties: { "a\u0002b": "value" } }],
    ["an empty name", { properties: { "": "value" } }],
    ["an empty value", { properties: { name: "" } }],
    ["a name of the protocol", { properties: { UNIQ_KEY: "mine" } }],
    ["properties of more than 32 KiB", { properties: { long: "v".repeat(33_000) } }],
    ["a space in a key", { keys: "two words" }],
    ["a topic that is none", { topic: "no topic!" }],
  ]) {
    for (const how of ["send", "trySend", "sendOneway"]) {
      await assert.rejects(on.producer[how]({ topic: on.topic, body: "x", ...message }), (error) => {
        assert.equal(error.code, "INVALID_ARGUMENT", `${what}: ${error.message}`);
        assert.equal(error.address, undefined);
        return true;
      });
    }
  }
  await assert.rejects(on.admin.route(on.topic), { code: "TOPIC_NOT_FOUND" });
});
