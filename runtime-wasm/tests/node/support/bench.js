// The bench that most rules are tried at: a client with a topic, a producer and a pull consumer of its own.

import assert from "node:assert/strict";

import { connect } from "stgclient";

import { nameServers, placed } from "./way.js";

export { nameServers };

/** How long something may take that a healthy server does at once: loaded machines are slow. */
export const PATIENCE = 60_000;

/** How long the tests of a subject may take together. */
export const DEADLINE = 170_000;

/** Nobody listens there: it is the port of a service that no system offers any more. */
export const DEAD = "127.0.0.1:1";

/** A module of the package's own. */
export const internal = (name) => import(new URL(name, import.meta.resolve("stgclient")));

let count = 0;

/** A name that nobody else uses: several tests share a cluster, and several runs may. */
export const unique = (what) => `${what}-${process.pid.toString(36)}-${Date.now().toString(36)}-${count++}`;

/** Looks again until there is something, and fails the test when there is nothing in time. */
export async function eventually(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < deadline, `not within ${patience} ms: ${what}`);
    await new Promise((again) => setTimeout(again, 10));
  }
}

/** A client that is closed after the test. */
export async function client(t, options = {}, target) {
  const made = await connect(...placed({ requestTimeout: 20_000, closeTimeout: 2000, ...options }, target));
  t.after(() => made.close());
  return made;
}

/** A client with a topic of so many queues, and everything else. */
export async function bench(t, queues = 1, options = {}) {
  const made = new Bench(await client(t, options));
  made.pulls = await made.client.pullConsumer(made.group);
  if (queues > 0) await made.createTopic(made.topic, queues);
  return made;
}

export class Bench {
  constructor(client) {
    this.client = client;
    this.admin = client.admin();
    this.topic = unique("topic");
    this.group = unique("group");
    this.producer = client.producer(unique("producers"), { sendTimeout: PATIENCE });
  }

  /** Creates a topic and waits until the name server knows it: a broker tells it in its own time. */
  async createTopic(topic, queues) {
    await this.admin.createTopic(topic, { queues });
    await eventually("the route has the topic's queues", async () => {
      const found = await this.pulls.queues(topic).catch(() => []);
      return found.length === queues;
    });
  }

  queues() {
    return this.pulls.queues(this.topic);
  }

  async queue(id) {
    return (await this.queues()).find(({ queueId }) => queueId === id);
  }

  send(body, more = {}, options) {
    return this.producer.send({ topic: this.topic, body, ...more }, options);
  }

  /** Sends so many numbered messages, one after the other. */
  async fill(from, to, more = () => ({})) {
    for (let number = from; number < to; number++) await this.send(String(number), more(number));
  }

  /** Waits until a queue has this many messages to pull: a broker shows a message some moments after it has acknowledged it. */
  awaitMessages(queue, wanted) {
    return eventually("the messages can be pulled", async () => (await this.pulls.maxOffset(queue)) >= BigInt(wanted));
  }

  /** The message that a receipt is for, pulled from where it says. */
  async pullSent({ queue, queueOffset }) {
    await this.awaitMessages(queue, queueOffset + 1n);
    const { messages, refused } = await this.pulls.pull(queue, queueOffset, { maxMessages: 1 });
    assert.deepEqual(refused, []);
    return messages[0];
  }

  async sendAndPull(body, more, options) {
    return this.pullSent(await this.send(body, more, options));
  }

  /** All messages of the topic, queue after queue, which have to become `wanted`, and no more. */
  async pullAll(wanted) {
    const ends = (await this.queues()).map((queue) => ({ queue, offset: 0n, found: [] }));
    await eventually("all messages are there", async () => {
      let isAtEnd = true;
      for (const end of ends) {
        const { messages, nextOffset } = await this.pulls.pull(end.queue, end.offset);
        isAtEnd &&= messages.length === 0;
        end.found.push(...messages);
        end.offset = nextOffset;
      }
      return isAtEnd && ends.flatMap(({ found }) => found).length >= wanted;
    });
    const all = ends.flatMap(({ found }) => found);
    assert.equal(all.length, wanted, "more messages than were sent");
    return all;
  }

  /** The options of a member of a group that begins with the first message. */
  all(more = {}) {
    return { topic: this.topic, from: "first", ...more };
  }
}

/** A promise that somebody else settles. */
export function promised() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return Object.assign(promise, settle);
}

/** Whether a promise is settled by now. */
export const isSettled = (promise) => {
  const pending = {};
  return Promise.race([promise, pending]).then(
    (first) => first !== pending,
    () => true,
  );
};

/** Asserts that a promise fails with an error of this class and code; gives the error. */
export async function fails(promise, kind, code, words) {
  const error = await promise.then(
    (value) => assert.fail(`it did not fail: ${String(value)}`),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error?.stack}`);
  assert.equal(error.code, code, error.message);
  if (words) assert.match(error.message, words);
  return error;
}
