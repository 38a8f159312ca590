// What applications give wrongly: refused at once, as InvalidArgumentError, in words that say what to write instead.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";

import { connect, InvalidArgumentError, reconsumeLater, suspend } from "stgclient";

import { bench, DEADLINE, nameServers } from "./support/bench.js";

/** Asserts that a call is refused; one that gives a promise by that promise, so that `catch` sees it. */
async function refused(what, call, words) {
  let error;
  try {
    error = await call().then(
      () => assert.fail(`${what} is taken`),
      (error) => error,
    );
  } catch (thrown) {
    assert.fail(`${what} is thrown, where a promise is to be rejected: ${thrown.stack}`);
  }
  assert.ok(error instanceof InvalidArgumentError, `${what}: ${error.stack}`);
  assert.deepEqual([error.code, error.retryable, error.attempts], ["INVALID_ARGUMENT", false, []], what);
  if (words) assert.match(error.message, words);
}

function thrown(what, call) {
  assert.throws(call, (error) => error instanceof InvalidArgumentError || assert.fail(`${what}: ${error.stack}`), what);
}

/** A value in words, whatever it is. */
const shown = (value) => inspect(value, { depth: 3 });

const NO_TEXTS = [undefined, null, 1, 1n, true, {}, [], () => "a", Symbol("s")];
const NO_OBJECTS = [null, 1, "text", true, [], () => {}];
const NO_TIMES = [-1, NaN, Infinity, 2 ** 31, "100", null, 5n, new Date()];
const NO_NUMBERS = [0, -1, 1.5, NaN, 2 ** 31, "1", null, 1n];
const NO_SIGNALS = [null, {}, new AbortController(), "signal"];

/** Options with each of the values by a name. */
const each = (name, values) => values.filter((value) => value !== undefined).map((value) => ({ [name]: value }));

describe("refused is", { concurrency: 6, timeout: DEADLINE }, () => {
  test("an option of TLS", async () => {
    for (const tls of [
      ...["ca", "cert", "key", "pfx"].flatMap((name) => each(name, [1, null, {}, true])),
      ...["serverName", "passphrase", "ciphers"].flatMap((name) => each(name, NO_TEXTS)),
      ...each("ca", [[1], ["a", null]]),
      ...each("cert", [["a"]]),
      ...each("rejectUnauthorized", [0, "false", null]),
      ...["minVersion", "maxVersion"].flatMap((name) => each(name, ["TLSv1.1", "1.2", 1.3])),
      { servername: "a" },
      { checkServerIdentity: () => {} },
    ]) {
      await refused(shown(tls), () => connect(`rocketmqs://${nameServers}`, { tls }), /tls\.|options of TLS/);
    }
  });

  test("where to connect to", async () => {
    await refused("a variable that is not set", () => connect(process.env.NOBODY_SETS_THIS), /is undefined; it is "host:9876"/);
    await refused("an object", () => connect(nameServers, { instance: {} }), /instance is an Object; it has to be a string/);
    const targets = [...NO_TEXTS, "", "no address", "http://a:1", "a:1;ws://b", "wss://gateway/x", { addresses: 7 }];
    for (const target of targets) await refused(shown(target), () => connect(target));
    const transport = { open: 1 };
    await refused("a transport without open", () => connect(nameServers, { transport }), /function `open`/);
  });

  test("an option of a client", async () => {
    const times = ["requestTimeout", "connectTimeout", "closeTimeout", "waitForServers", "routeInterval", "heartbeatInterval"];
    for (const options of [
      ...NO_OBJECTS,
      ...times.flatMap((name) => each(name, NO_TIMES)),
      ...["maxFrameLength", "maxBodyLength"].flatMap((name) => each(name, NO_NUMBERS)),
      ...each("signal", NO_SIGNALS),
      ...each("instance", NO_TEXTS),
      ...each("headerCodec", ["xml", 1]),
      ...each("dialect", ["kafka", null]),
      ...each("credentials", [null, "a:b", {}, { accessKey: "a" }, { accessKey: "a", secretKey: 1 }]),
      ...each("tls", ["yes", 1, null, []]),
      ...each("log", [null, 1, true, "trace", "WARN", {}, [], { level: 1 }, { level: "warn", sink: 1 }, { level: "warn", to: 1 }]),
      ...each("offsets", [null, 1, true, "", [], {}, { load() {} }, { load() {}, save: 1 }, new Map()]),
      ...each("credentials", [() => 7, () => ({ accessKey: "a" }), async () => undefined, async () => ({ key: "a" })]),
      ...each("credentials", [() => ({ accessKey: "a", secretKey: "b", expiresAt: "tomorrow" })]),
      ...each("credentials", [{ accessKey: "a", secretKey: "b", expiresAt: 1 }]),
      { credentials: { accessKey: "a", secretKey: "b", securityToken: 1 } },
      { requestTimeoutMs: 1 },
    ]) {
      await refused(shown(options), () => connect(nameServers, options));
    }
  });

  test("an option or a group of a producer", async (t) => {
    const on = await bench(t, 0);
    for (const group of NO_TEXTS) thrown(shown(group), () => on.client.producer(group));
    for (const options of [
      ...NO_OBJECTS,
      ...each("sendTimeout", NO_TIMES),
      ...["maxTries", "maxWaitingMessages", "maxWaitingBytes", "compressionThreshold"].flatMap((name) =>
        each(name, NO_NUMBERS),
      ),
      ...each("avoidSlowBrokers", [1, "yes", null]),
      { maxRetries: 1 },
    ]) {
      thrown(shown(options), () => on.client.producer("p", options));
    }
    await refused("a group that is none", () => on.client.producer("no group!").start());
    await on.client.producer("no group!").close();
  });

  test("a message, or how it is sent", async (t) => {
    const on = await bench(t, 0);
    const good = { topic: on.topic, body: "x" };
    const queue = { topic: on.topic, brokerName: "b", queueId: 0 };
    const messages = [
      ...[undefined, ...NO_OBJECTS],
      ...[...each("topic", NO_TEXTS), ...each("tag", NO_TEXTS)].map((part) => ({ ...good, ...part })),
      ...each("body", [null, 1, {}, [1], new Map()]).map((part) => ({ ...good, ...part })),
      ...each("keys", [null, 1, {}, ["a", 1]]).map((part) => ({ ...good, ...part })),
      ...each("properties", [...NO_OBJECTS, { a: 1 }, new Map([["a", "b"]])]).map((part) => ({ ...good, ...part })),
      ...each("delayLevel", [-1, 19, 1.5, "1", null]).map((part) => ({ ...good, ...part })),
      ...each("flag", [2 ** 31, 1.5, "1", null]).map((part) => ({ ...good, ...part })),
      { ...good, tags: "a" },
      { topic: on.topic },
    ];
    const options = [
      ...NO_OBJECTS,
      ...each("timeout", [0, ...NO_TIMES]),
      ...each("signal", NO_SIGNALS),
      ...each("orderKey", NO_TEXTS),
      ...each("queue", [null, 1, "first", [], {}, { ...queue, queueId: -1 }, { ...queue, brokerName: 1 }]),
      { queue, orderKey: "k" },
      { delay: 1 },
    ];
    for (const how of ["send", "trySend", "sendOneway"]) {
      for (const message of messages) await refused(`${how} ${shown(message)}`, () => on.producer[how](message));
      for (const given of options) await refused(`${how} with ${shown(given)}`, () => on.producer[how](good, given));
    }
    const words = /^the tag is 7; it has to be a string/;
    await refused("a tag", () => on.producer.send({ ...good, tag: 7 }), words);
  });

  test("an option or a group of a consumer", async (t) => {
    const on = await bench(t, 0);
    const numbers = ["maxInWork", "maxRate", "maxCachedMessages", "maxCachedBytes", "pullBatchSize", "batchSize"];
    for (const options of [
      ...[undefined, ...NO_OBJECTS, {}, { topic: "a", subscriptions: [] }],
      ...each("topic", NO_TEXTS),
      ...each("subscriptions", [null, {}, [], "a", [1], [{}], [{ topic: "a", tag: "b" }]]),
      { subscriptions: [{ topic: "a" }], tags: "b" },
      ...[
        ...numbers.flatMap((name) => each(name, NO_NUMBERS)),
        ...["consumeTimeout", "commitInterval", "rebalanceInterval"].flatMap((name) => each(name, [0, ...NO_TIMES])),
        ...each("maxReconsumeTimes", [-1, 1.5, "1"]),
        ...each("from", ["middle", -1, null, new Date(NaN)]),
        ...each("model", ["both", 1]),
        ...each("orderly", [1, "yes", null]),
        ...each("signal", NO_SIGNALS),
        ...each("tags", [1, null, [], [1], {}]),
        ...each("sql", [1, null]),
        ...each("rebalanceListener", [...NO_OBJECTS, { begin() {} }, { assigned: 1 }, { revoked: null }]),
        { tags: "a", sql: "b" },
        { orderly: true, batchSize: 2 },
        { tag: "a" },
      ].map((part) => ({ topic: "a", ...part })),
    ]) {
      const what = shown(options);
      await refused(what, () => on.client.consumer("g", options, () => {}));
      thrown(what, () => on.client.consumer("g", options));
    }
    for (const group of NO_TEXTS) {
      await refused(shown(group), () => on.client.consumer(group, on.all(), () => {}));
      await refused(shown(group), () => on.client.pullConsumer(group));
      thrown(shown(group), () => on.client.consumer(group, on.all()));
    }
    for (const handler of [null, 1, "f", {}]) await refused("a handler", () => on.client.consumer("g", on.all(), handler));
    const tag = () => on.client.consumer("g", { topic: "a", tag: "a" }, () => {});
    await refused("a tag, where tags are meant", tag, /no "tag"; there are topic, subscriptions, tags, sql, from/);
    await refused("a group that is none", () => on.client.consumer("no group!", on.all(), () => {}));
    for (const level of [0, -1, NaN, 1.5, 19, 5000, "soon", null, 5n]) thrown("a level", () => reconsumeLater(level));
    for (const ms of [0, -1, NaN, Infinity, "never", null, 5n]) thrown("a pause", () => suspend(ms));
    for (const reason of [1, null, {}]) {
      thrown("a reason", () => reconsumeLater(1, reason));
      thrown("a reason", () => suspend(1, reason));
    }
  });
});
