// Producers: messages out, receipts in.

import { call, chooses, enter } from "./bridge.js";
import * as check from "./check.js";
import { errorOf, invalid } from "./values.js";
import { ChoiceKind, SendMode } from "./wasm.js";

const DELAY_LEVELS = 18;

/** What sends messages of a group. */
export class Producer {
  #setup;
  #starting;
  #inner;
  /** Sends that are not handed in yet: the producer starts. */
  #preparing = new Set();
  #preparingBytes = 0;
  #most;
  /** The same of all producers of the client. */
  #unsent;
  #isClosed = false;

  constructor(setup, options, unsent) {
    this.#setup = setup;
    this.#unsent = unsent;
    try {
      this.#setUp(setup, options);
    } catch (error) {
      setup.free();
      throw error;
    }
  }

  #setUp(setup, options) {
    check.options("the options of a producer", options, {
      ...check.numbers(setup, {
        sendTimeout: check.positiveTime,
        maxTries: (name, value) => check.whole(name, value, 1, 1000),
        compressionThreshold: (name, value) => (value === Infinity ? 0 : check.count(name, value)),
        avoidSlowBrokers: (name, value) => Number(check.flag(name, value)),
      }),
      maxWaitingMessages: (value) => check.count("maxWaitingMessages", value),
      maxWaitingBytes: (value) => check.count("maxWaitingBytes", value),
    });
    const { maxWaitingMessages = 2048, maxWaitingBytes = 64 << 20 } = options;
    this.#most = { messages: maxWaitingMessages, bytes: maxWaitingBytes };
    if (options.maxWaitingMessages || options.maxWaitingBytes) setup.maxWaiting(maxWaitingMessages, maxWaitingBytes);
  }

  /** Starts the producer, as the first send does. Fails when its group or its options are not right. */
  async start() {
    await this.#started();
    return this;
  }

  #started() {
    if (this.#isClosed && !this.#starting) return Promise.reject(closed());
    if (!this.#starting) {
      this.#starting = call((number) => this.#setup.start(number)).finally(() => this.#setup.free());
      // First of those who wait for it: no send made later goes before one that waits.
      this.#starting.then((inner) => (this.#inner = inner), () => {});
    }
    return this.#starting;
  }

  /** Sends a message; ends with its receipt. Waits where there is no room. */
  send(message, options) {
    return this.#send(message, options, options?.signal ? SendMode.Awaited : SendMode.Unabortable);
  }

  /** As `send`, but fails at once with a FullError where there is no room. */
  trySend(message, options) {
    return this.#send(message, options, SendMode.AtOnce);
  }

  /** Sends a message that no broker answers; ends when it is written. */
  sendOneway(message, options) {
    return this.#send(message, options, SendMode.Oneway);
  }

  /** As `send`, for those who want a callback: it gets an error or null, and the receipt. */
  sendWithCallback(message, options, callback) {
    if (typeof options === "function") [options, callback] = [undefined, options];
    check.func("the callback", callback);
    this.send(message, options).then(
      (receipt) => callback(null, receipt),
      (error) => callback(error),
    );
  }

  async #send(message, options, mode) {
    if (this.#isClosed) throw closed();
    // Read now: the application may change both as soon as it has called.
    const read = readMessage(message);
    const how = readOptions(options, read.topic);
    // Not before one that still waits.
    if (this.#inner && this.#preparing.size === 0) return await this.#handIn(read, how, message, mode);
    if (!this.#hasRoom()) {
      if (mode === SendMode.AtOnce) throw errorOf("FULL", "too many sends wait for their producer to start", true);
      do await Promise.race(this.#preparing); while (!this.#hasRoom());
    }
    read.body = new Uint8Array(read.body);
    const preparing = this.#started().then(() => ({ sent: this.#handIn(read, how, message, mode) }));
    this.#keep(preparing, read.body.length);
    const { sent } = await preparing;
    return await sent;
  }

  #hasRoom() {
    return this.#preparing.size < this.#most.messages && this.#preparingBytes < this.#most.bytes;
  }

  /** What waits until it can be handed in is waited for by who flushes or closes. */
  #keep(preparing, bytes) {
    const settled = preparing.catch(() => {}).finally(() => {
      this.#preparing.delete(settled);
      this.#unsent.delete(settled);
      this.#preparingBytes -= bytes;
    });
    this.#preparing.add(settled);
    this.#unsent.add(settled);
    this.#preparingBytes += bytes;
  }

  #handIn(read, how, message, mode) {
    const inner = this.#inner;
    const { topic, body, tag, keys, properties, delayLevel, flag } = read;
    const { kind, chosen, queueId, timeout, signal, select } = how;
    return call((number) => {
      if (select) chooses(number, (queues) => indexOf(select(queues, message), queues));
      inner.send(number, mode, topic, body, tag, keys, properties, delayLevel, flag, kind, chosen, queueId, timeout);
    }, signal);
  }

  async #prepared() {
    await Promise.allSettled([...this.#preparing]);
  }

  /** How many messages and bytes wait for room or for answers. */
  get backlog() {
    return this.#inner ? enter(() => this.#inner.backlog()) : { messages: 0, bytes: 0 };
  }

  /** Ends when all that was sent before has its answer. */
  async flush() {
    await this.#prepared();
    if (this.#inner) await call((number) => this.#inner.flush(number));
  }

  /** Closes the producer once all that was sent has its answer. */
  async close() {
    this.#isClosed = true;
    await this.#prepared();
    // One that could not start, or never did, has nothing to close.
    const inner = await this.#starting?.catch(() => undefined);
    if (inner) await call((number) => inner.close(number));
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

/** The index of what a function has chosen. */
function indexOf(chosen, queues) {
  const index = typeof chosen === "number" ? chosen : queues.indexOf(chosen);
  if (queues[index]) return index;
  throw invalid(`the function chose no queue: it gave ${check.shown(chosen)}, of ${queues.length} queues`);
}

const closed = () => errorOf("CLOSED", "the producer: closed", false);

function readMessage(message) {
  const { topic, body, tag, keys, properties, delayLevel, flag, ...rest } = check.object("the message", message);
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw invalid(
      `a message has no ${JSON.stringify(unknown)}; there are topic, body, tag, keys, properties, delayLevel, flag`,
    );
  }
  check.text("the topic", topic);
  if (tag !== undefined) check.text("the tag", tag);
  const allKeys = keys === undefined ? [] : Array.isArray(keys) ? [...keys] : [keys];
  allKeys.forEach((key) => check.text("a key", key));
  const pairs = [];
  if (properties !== undefined) {
    for (const [name, value] of Object.entries(check.object("the properties", properties))) {
      pairs.push(name, check.text(`the property ${name}`, value));
    }
  }
  return {
    topic,
    body: check.body(body),
    tag,
    keys: allKeys,
    properties: pairs,
    delayLevel: delayLevel === undefined ? 0 : check.whole("delayLevel", delayLevel, 0, DELAY_LEVELS),
    flag: flag === undefined ? 0 : check.whole("flag", flag, -(2 ** 31), 2 ** 31 - 1),
  };
}

function readOptions(options, topic) {
  const how = { kind: ChoiceKind.InTurn, chosen: "", queueId: 0, timeout: undefined, signal: undefined, select: undefined };
  if (options === undefined) return how;
  check.options("the options of a send", options, {
    timeout: (value) => (how.timeout = check.time("timeout", value, 1)),
    signal: (value) => (how.signal = check.signal(value)),
    orderKey: (value) => [how.kind, how.chosen] = [ChoiceKind.ByKey, check.text("orderKey", value)],
    queue: (value) => {
      if (typeof value === "function") return [how.kind, how.select] = [ChoiceKind.Chosen, value];
      if (value === "random") return (how.kind = ChoiceKind.AtRandom);
      const queue = check.queue(value);
      if (queue.topic !== topic) throw invalid(`the queue is of ${queue.topic}, the message of ${topic}`);
      [how.kind, how.chosen, how.queueId] = [ChoiceKind.Given, queue.brokerName, queue.queueId];
    },
  });
  if (options.orderKey !== undefined && options.queue !== undefined) {
    throw invalid("a send has an orderKey or a queue, not both");
  }
  return how;
}
