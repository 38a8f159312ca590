// Producers: messages out, receipts in.

import { call, chooses, enter, heard, unlessAborted } from "./bridge.js";
import * as check from "./check.js";
import { platform } from "./platform.js";
import { errorOf, invalid } from "./values.js";
import { ChoiceKind, SendMode } from "./wasm.js";

const DELAY_LEVELS = 18;

/** What sends messages of a group. */
export class Producer {
  #setup;
  #starting;
  #inner;
  /** Sends that wait for the start, in the order of their calls. */
  #line = new Set();
  #lineBytes = 0;
  #most;
  /** The starts of all producers of the client that are under way. */
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
      const started = this.#starting
        .then(
          (inner) => {
            this.#inner = inner;
            for (const one of this.#line) one.handIn();
          },
          (error) => {
            for (const one of this.#line) one.fail(error);
          },
        )
        .then(() => this.#unsent.delete(started));
      this.#unsent.add(started);
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
    if (this.#inner) return await this.#handIn(read, how, message, mode);
    if (mode === SendMode.AtOnce && (this.#line.size >= this.#most.messages || this.#lineBytes >= this.#most.bytes)) {
      throw errorOf("FULL", "too many sends wait for their producer to start", true);
    }
    return await this.#standInLine(read, how, message, mode);
  }

  #standInLine(read, how, message, mode) {
    const { signal } = how;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      // The application may change it meanwhile.
      read.body = new Uint8Array(read.body);
      const leave = () => {
        this.#line.delete(one);
        this.#lineBytes -= read.body.length;
        unheard?.();
      };
      const one = {
        handIn: () => (leave(), resolve(this.#handIn(read, how, message, mode))),
        fail: (error) => (leave(), reject(error)),
      };
      const unheard = signal && heard(signal, () => one.fail(signal.reason));
      this.#line.add(one);
      this.#lineBytes += read.body.length;
      this.#started();
    });
  }

  #handIn(read, how, message, mode) {
    const inner = this.#inner;
    const { topic, body, tag, keys, properties, delayLevel, flag } = read;
    const { kind, chosen, queueId, timeout, signal, select } = how;
    return call((number) => {
      // The function gets a list of its own, which it may change.
      if (select) chooses(number, (queues) => indexOf(select([...queues], message), queues));
      inner.send(number, mode, topic, body, tag, keys, properties, delayLevel, flag, kind, chosen, queueId, timeout);
    }, signal);
  }

  /** How many messages and bytes wait for room or for answers. */
  get backlog() {
    return this.#inner ? enter(() => this.#inner.backlog()) : { messages: this.#line.size, bytes: this.#lineBytes };
  }

  /** Ends when all that was sent before has its answer. */
  async flush(options) {
    const signal = check.waiting(options);
    const inner = await unlessAborted(this.#handedIn(), signal);
    if (inner) await call((number) => inner.flush(number), signal);
    // Who waits for a receipt has it by then.
    await new Promise((resolve) => platform.soon(resolve));
  }

  /** Closes the producer once all that was sent has its answer. */
  async close(options) {
    const signal = check.waiting(options);
    this.#isClosed = true;
    // One that could not start, or never did, has nothing to close.
    const inner = await unlessAborted(this.#handedIn(), signal);
    if (inner) await call((number) => inner.close(number), signal);
  }

  /** Whoever waits for the start is handed in by then. */
  async #handedIn() {
    return await this.#starting?.catch(() => undefined);
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
