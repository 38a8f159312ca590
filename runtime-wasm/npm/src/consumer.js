// Push consumers: messages come to a handler, or are asked for one after the other.

import { call, enter, Verdict } from "./bridge.js";
import * as check from "./check.js";
import { platform } from "./platform.js";
import { errorOf, invalid } from "./values.js";

const DELAY_LEVELS = 18;

/** What a delay "never" is. */
const NEVER = -1;

/** For a handler to return or throw: the message comes again. `after` is a delay level of the broker's from 1 to 18, or "never" for the
 * dead letters at once; the broker decides otherwise. In order it is the pause of the queue in ms. */
export function reconsumeLater(after, reason) {
  if (reason !== undefined) check.text("the reason", reason);
  if (after === "never") return new Verdict(NEVER, reason);
  if (after !== undefined) check.time('the delay, unless it is "never",', after, 1);
  return new Verdict(after, reason);
}

/** What is wrong with a delay, for a consumer that has no order: it is a level there. */
function wrongLevel(delay) {
  if (delay === undefined || delay === NEVER || (Number.isInteger(delay) && delay <= DELAY_LEVELS)) return undefined;
  return `reconsumeLater(${delay}): without order the delay is a level of the broker, from 1 to ${DELAY_LEVELS}, or "never"`;
}

/** The same, for one in order. */
function wrongPause(delay) {
  return delay === NEVER ? 'reconsumeLater("never"): in order a message comes again before all that follow it' : undefined;
}

/** The tags or the SQL of options, as `[expression, isSql]`. */
export function readSelector({ tags, sql }) {
  if (sql !== undefined) {
    if (tags !== undefined) throw invalid("messages are chosen by tags or by sql, not by both");
    return [check.text("sql", sql), true];
  }
  if (tags === undefined) return ["*", false];
  const all = Array.isArray(tags) ? tags : [tags];
  if (all.length === 0) throw invalid('tags are none; "*" means all messages');
  return [all.map((tag) => check.text("a tag", tag)).join(" || "), false];
}

function setUp(setup, options) {
  const { topic, subscriptions, tags, sql, ...rest } = check.object("the options of a consumer", options ?? undefined);
  if ((topic === undefined) === (subscriptions === undefined)) {
    throw invalid("a consumer has a topic, or subscriptions: an array of { topic, tags or sql }");
  }
  if (subscriptions !== undefined) {
    if (!Array.isArray(subscriptions) || subscriptions.length === 0) throw invalid("subscriptions are an array, of one or more");
    if (tags !== undefined || sql !== undefined) throw invalid("each of the subscriptions has tags or sql of its own");
  }
  for (const one of subscriptions ?? [{ topic, tags, sql }]) {
    check.fields("subscriptions", one, "topic", "tags", "sql");
    const [expression, isSql] = readSelector(one);
    setup.subscribe(check.text("the topic", one.topic), expression, isSql);
  }
  let [cachedMessages, cachedBytes] = [];
  const read = { orderly: false, batchSize: 0 };
  const positive = (name, value) => check.whole(name, value, 1, 2 ** 31 - 1);
  check.options("the options of a consumer", rest, {
    from: (value) => {
      if (value === "last") return;
      if (value === "first") return setup.consumeFrom(undefined);
      setup.consumeFrom(check.moment('from, unless it is "first" or "last",', value));
    },
    model: (value) =>
      check.oneOf("model", value, "clustering", "broadcasting") === "broadcasting" && setup.broadcasting(),
    orderly: (value) => (read.orderly = check.flag("orderly", value)),
    batchSize: (value) => (read.batchSize = check.whole("batchSize", value, 1, 1024)),
    maxInWork: (value) => setup.maxInWork(positive("maxInWork", value)),
    maxRate: (value) => setup.maxRate(positive("maxRate", value)),
    maxReconsumeTimes: (value) => setup.maxReconsumeTimes(check.whole("maxReconsumeTimes", value, 0, 2 ** 31 - 1)),
    maxCachedMessages: (value) => (cachedMessages = positive("maxCachedMessages", value)),
    maxCachedBytes: (value) => (cachedBytes = positive("maxCachedBytes", value)),
    pullBatchSize: (value) => setup.pullBatchSize(check.whole("pullBatchSize", value, 1, 1024)),
    consumeTimeout: (value) => setup.consumeTimeout(check.time("consumeTimeout", value, 1)),
    commitInterval: (value) => setup.commitInterval(check.time("commitInterval", value, 1)),
    rebalanceInterval: (value) => setup.rebalanceInterval(check.time("rebalanceInterval", value, 1)),
    signal: (value) => (read.signal = check.signal(value)),
  });
  if (cachedMessages !== undefined || cachedBytes !== undefined) setup.maxCached(cachedMessages, cachedBytes);
  if (read.orderly && read.batchSize) throw invalid("a consumer in order has no batchSize");
  return read;
}

/** Starts a consumer that gives messages to a handler. */
export async function startConsumer(client, begin, options, handler) {
  check.func("the handler", handler);
  const setup = begin();
  try {
    const { orderly, batchSize, signal } = setUp(setup, options);
    const wrongWith = orderly ? wrongPause : wrongLevel;
    await platform.readable();
    const inner = await call((number) => setup.handler(number, { handler, wrongWith }, orderly, batchSize), signal);
    return new Consumer(client, inner);
  } finally {
    setup.free();
  }
}

/** Those that run. What nobody keeps is collected, and closes: an application need not keep what it has given a handler. */
const running = new Set();

/** The client has closed its consumers. */
export let forgetConsumers;

/** A member of a group. */
export class Consumer {
  #client;
  #inner;
  #release = platform.hold();

  static {
    forgetConsumers = (client) => running.forEach((consumer) => consumer.#client === client && consumer.#forget());
  }

  constructor(client, inner) {
    this.#client = client;
    this.#inner = inner;
    running.add(this);
  }

  #forget() {
    running.delete(this);
    this.#release();
  }

  /** Wants messages of a topic, too, or other ones of it. */
  async subscribe(topic, options = {}) {
    check.text("the topic", topic);
    const [expression, isSql] = readSelector(check.fields("the options of a subscription", options, "tags", "sql"));
    await call((number) => this.#inner.subscribe(number, topic, expression, isSql));
  }

  unsubscribe(topic) {
    check.text("the topic", topic);
    enter(() => this.#inner.unsubscribe(topic));
  }

  /** Fetches and gives nothing more until `resume`; of one queue, if it is given, which it has to have. */
  pause(queue) {
    return this.#pause(true, queue);
  }

  resume(queue) {
    return this.#pause(false, queue);
  }

  #pause(isPaused, queue) {
    if (queue === undefined) {
      enter(() => this.#inner.pause(isPaused));
      return true;
    }
    const { topic, brokerName, queueId } = check.queue(queue);
    return enter(() => this.#inner.pauseQueue(isPaused, topic, brokerName, queueId));
  }

  /** Goes on at an offset of a queue; whether the consumer has the queue. */
  seek(queue, offset) {
    const { topic, brokerName, queueId } = check.queue(queue);
    const to = check.offset("the offset", offset);
    return enter(() => this.#inner.seek(topic, brokerName, queueId, to));
  }

  /** Ends when the consumer has its queues, or there are none for it. */
  async ready(options = {}) {
    const { signal } = check.fields("the options", options, "signal");
    await call((number) => this.#inner.ready(number), check.signal(signal));
  }

  /** Its queues with their offsets and lag, and what it has consumed. A lag is undefined where it is not known. */
  get status() {
    return enter(() => this.#inner.status());
  }

  /** Closes the consumer: handlers have `within` ms (the client's `closeTimeout` by default), offsets are committed, queues go to other
   * members. Ends with what was not finished. */
  async close(options = {}) {
    const { within } = check.fields("the options", options, "within");
    if (within !== undefined) check.time("within", within);
    try {
      return await call((number) => this.#inner.close(number, within));
    } finally {
      this.#forget();
    }
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

/** Messages that are asked for. Each has to be settled: `ack()` or `reconsumeLater()`. */
export class ConsumerStream {
  #client;
  #setup;
  #read;
  #starting;
  #inner;
  #consumer;
  /** One is asked for at a time: later calls stand in line. */
  #line = Promise.resolve();
  #isOver = false;

  constructor(client, setup, options) {
    this.#client = client;
    this.#setup = setup;
    try {
      this.#read = setUp(setup, options);
      if (this.#read.batchSize) throw invalid("messages that are asked for come one by one: batchSize is for handlers");
    } catch (error) {
      setup.free();
      throw error;
    }
  }

  /** Starts, as asking for the first message does; gives the consumer: its status, pause, seek and the like. */
  async start() {
    if (!this.#starting && this.#isOver) throw errorOf("CLOSED", "the stream is closed", false);
    await this.#started();
    return this.#consumer;
  }

  #started() {
    this.#starting ??= platform
      .readable()
      .then(() => call((number) => this.#setup.stream(number, this.#read.orderly), this.#read.signal))
      .then((inner) => {
        this.#consumer = new Consumer(this.#client, enter(() => inner.consumer()));
        this.#inner = inner;
      })
      .finally(() => this.#setup.free());
    return this.#starting;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    const next = this.#line.then(() => this.#next());
    this.#line = next.catch(() => {});
    return next;
  }

  async #next() {
    if (this.#isOver) return { done: true, value: undefined };
    const found = await this.#ask();
    if (found === undefined) {
      this.#isOver = true;
      return { done: true, value: undefined };
    }
    const [number, message] = found;
    const inner = this.#inner;
    message.ack = () => enter(() => inner.ack(number));
    message.reconsumeLater = (after) => {
      const { delay } = reconsumeLater(after);
      // What is asked for in order rests as long as queues do.
      const wrong = !this.#read.orderly ? wrongLevel(delay) : delay === undefined ? undefined : "a stream in order has no delay";
      if (wrong !== undefined) throw invalid(wrong);
      return enter(() => inner.reconsumeLater(number, delay));
    };
    return { done: false, value: message };
  }

  /** A loop that ends by an error does not call `return`. */
  async #ask() {
    try {
      await this.#started();
      return await call((number) => this.#inner.next(number), this.#read.signal);
    } catch (error) {
      // Not waited for: what the application still has in work would hold up the error.
      this.close().catch(() => {});
      throw error;
    }
  }

  /** What leaving the loop does: the consumer closes, and what was not settled comes to another member. */
  async return(value) {
    await this.close();
    return { done: true, value };
  }

  /** Closes the consumer, as `Consumer.close` does; a stream that was not started never starts. */
  async close(options) {
    const isFirst = !this.#isOver;
    this.#isOver = true;
    if (this.#starting) await this.#starting.catch(() => {});
    else if (isFirst) this.#setup.free();
    return (await this.#consumer?.close(options)) ?? [];
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}
