// Access control on Apache's brokers (auth 2.0, and ACL 1.0): who may do what, and what the others are told.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";

import { AccessDeniedError, RefusedError } from "stgclient";

import { bench, client, DEADLINE, eventually, fails, PATIENCE, unique } from "../support/bench.js";
import { administrator } from "../support/way.js";

const { STGCLIENT_ACL_NAME_SERVER: ACL, STGCLIENT_BROKER: BROKER, STGCLIENT_NAME_SERVER: NAME_SERVER } = process.env;

/** Has Apache's own tool change something at the broker. */
async function mqadmin(...words) {
  const { stdout, stderr } = await promisify(execFile)(process.env.STGCLIENT_MQADMIN, [...words, "-n", NAME_SERVER, "-b", BROKER]);
  assert.match(stdout + stderr, /success/, words.join(" "));
}

/** What a user does at a broker, most of it with a body or with texts that a signature has to get right. */
class Work {
  constructor(made) {
    this.client = made;
    this.producer = made.producer(unique("producers"), { sendTimeout: PATIENCE });
    this.pulls = made.pullConsumer(unique("group"));
  }

  async create(topic) {
    await this.client.admin().createTopic(topic, { queues: 1 });
    return eventually("the topic has a route", async () => (await (await this.pulls).queues(topic).catch(() => []))[0]);
  }

  send(topic, body) {
    return this.producer.send({ topic, body, tag: "标签", keys: 'clé"quoted"', properties: { name: "wert 😀\\n" } });
  }

  async pull(queue, offset) {
    return (await this.pulls).pull(queue, offset, { tags: ["标签", "other"] });
  }

  /** The body at an offset, once the broker shows it. */
  pulled(queue, offset) {
    return eventually("the message can be pulled", async () => (await this.pull(queue, offset)).messages[0]?.text());
  }
}

const work = async (t, options, target) => new Work(await client(t, options, target));

/** The broker's access control refused, in these words, which no try is repeated for and which tell no secret. */
async function denied(promise, responseCode, words) {
  const error = await fails(promise, AccessDeniedError, "ACCESS_DENIED");
  assert.ok(error instanceof RefusedError);
  assert.equal(error.responseCode, responseCode);
  assert.deepEqual([error.retryable, error.attempts], [false, []]);
  assert.match(error.remark, words);
  assert.match(error.address, /:\d+$/);
  assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)}`, /secret-of/);
}

/** Whoever this is may do nothing, and hears why. */
async function mayDoNothing(t, { credentials, target, code, words }) {
  const administration = await work(t, { credentials: administrator() }, target);
  const queue = await administration.create(unique("closed"));
  await administration.send(queue.topic, "body");
  const other = await work(t, { credentials }, target);
  await denied(other.send(queue.topic, "body"), code, words);
  await denied(other.pull(queue, 0), code, words);
  await denied(other.client.admin().createTopic(unique("new")), code, words);
  assert.equal(await other.producer.sendOneway({ topic: queue.topic, body: "unseen" }), undefined);
  await denied(other.send(queue.topic, "after it on the same connection"), code, words);
  assert.equal(await (await administration.pulls).maxOffset(queue), 1n);
}

/** NO_PERMISSION of auth 2.0; ACL 1.0 says SYSTEM_ERROR. */
const AUTH = 16;
const SYSTEM = 1;

describe("access control", { concurrency: 3, timeout: DEADLINE }, () => {
  for (const [what, credentials, words] of [
    ["a wrong key", { ...administrator(), secretKey: "secret-of-nobody" }, /check signature failed/],
    ["an unknown user", { accessKey: "nobody", secretKey: "secret-of-nobody" }, /User:nobody is not found/],
    ["nobody in particular", undefined, /username cannot be null/],
  ]) {
    test(`refuses ${what}`, (t) => mayDoNothing(t, { credentials, code: AUTH, words }));
  }

  for (const [what, credentials, words] of [
    ["a wrong key", { ...administrator(), secretKey: "secret-of-nobody" }, /Check signature failed/],
    ["an unknown user", { accessKey: "somebody", secretKey: "secret-of-nobody" }, /No acl config for somebody/],
    ["nobody in particular", undefined, /No accessKey is configured/],
  ]) {
    test(`refuses ${what}, of brokers before 5, too`, (t) => mayDoNothing(t, { credentials, target: ACL, code: SYSTEM, words }));
  }

  for (const headerCodec of ["json", "binary"]) {
    test(`lets in whoever signs rightly, with headers in ${headerCodec}, of brokers before 5, too`, async (t) => {
      const credentials = { ...administrator(), securityToken: "a token is signed, too" };
      for (const target of [undefined, ACL]) {
        const on = await work(t, { credentials, headerCodec }, target);
        const queue = await on.create(unique("open"));
        const receipt = await on.send(queue.topic, "x".repeat(5000));
        assert.equal(await on.pulled(queue, receipt.queueOffset), "x".repeat(5000));
        const found = await eventually("it is in the index", async () => {
          const all = await on.client.admin().messagesByKey(queue.topic, 'clé"quoted"');
          return all[0];
        });
        assert.equal(found.messageId, receipt.messageId);
      }
    });
  }

  test("goes on with a new key in a running client, on its connections", async (t) => {
    const user = unique("rotating");
    await mqadmin("createUser", "-u", user, "-p", "secret-of-yesterday", "-t", "Super");
    const on = await work(t, { credentials: { accessKey: user, secretKey: "secret-of-yesterday" } });
    const queue = await on.create(unique("topic"));
    await on.send(queue.topic, "with the old key");
    const connected = [];
    on.client.events.addEventListener("connected", (event) => connected.push(event.address));
    await eventually("those that stand are told", () => connected.length === 2);

    await mqadmin("updateUser", "-u", user, "-p", "secret-of-today");
    await denied(on.send(queue.topic, "with the old key"), AUTH, /check signature failed/);
    on.client.setCredentials({ accessKey: user, secretKey: "secret-of-today" });
    const { queueOffset } = await on.send(queue.topic, "with the new key");
    assert.equal(await on.pulled(queue, queueOffset), "with the new key");
    assert.equal(connected.length, 2);
  });

  test("lets a user do what is granted and no more, and a consumer begins when it is granted", async (t) => {
    const [user, prefix] = [unique("limited"), unique("granted")];
    const grant = (how, what) => mqadmin(how, "-s", `User:${user}`, "-r", `Topic:${prefix}*,Group:*`, "-a", what, "-d", "Allow");
    await mqadmin("createUser", "-u", user, "-p", "secret-of-limited");
    await grant("createAcl", "Pub,Sub");
    const on = await bench(t, 1);
    await on.createTopic(`${prefix}-topic`, 1);

    const limited = await work(t, { credentials: { accessKey: user, secretKey: "secret-of-limited" } });
    const { queue, queueOffset } = await limited.send(`${prefix}-topic`, "body");
    assert.equal(await limited.pulled(queue, queueOffset), "body");
    const words = new RegExp(`no permission to access Topic:${on.topic}`);
    await denied(limited.send(on.topic, "body"), AUTH, words);
    await denied(limited.pull({ ...queue, topic: on.topic }, 0), AUTH, words);

    const [seen, warnings] = [[], []];
    limited.client.events.addEventListener("warning", ({ message }) => warnings.push(message));
    await limited.client.consumer(unique("g"), { topic: queue.topic, from: "first" }, (message) => void seen.push(message.text()));
    await eventually("it is said what it lacks", () => warnings.some((text) => /no permission.*has to be granted/.test(text)));
    assert.deepEqual(seen, []);
    await grant("updateAcl", "Pub,Sub,Get");
    await eventually("it begins", () => seen.length === 1);
  });
});
