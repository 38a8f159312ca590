// Push consumers: messages come to a handler, or are asked for one after the other.

import { call, enter, heard, unlessAborted, Verdict } from "./bridge.js";
import * as check from "./check.js";
import { platform } from "./platform.js";
import { errorOf, invalid } from "./values.js";

const DELAY_LEVELS = 18;

/** What a delay "never" is. */
const NEVER = -1;

/** For a handler without order to return or throw: the message comes again, after a delay level of the broker's from 1 to 18, or goes to
 * the dead letters at once, if it is "never"; the broker decides otherwise. */
export function reconsumeLater(level, reason) {
  if (reason !== undefined) check.text("the reason", reason);
  if (level !== undefined && level !== "never") check.whole('the delay level, unless it is "never",', level, 1, DELAY_LEVELS);
  return new Verdict(false, level === "never" ? NEVER : level, reason);
}

/** For a handler in order to return or throw: its queue rests for so many ms, and then the message comes again, before all that follow. */
export function suspend(ms, reason) {
  if (reason !== undefined) check.text("the reason", reason);
  if (ms !== undefined) check.time("the time that the queue rests", ms, 1);
  return new Verdict(true, ms, reason);
}

const WITHOUT_ORDER = "without order no queue rests: reconsumeLater(level), where this says suspend(ms)";
const IN_ORDER = "in order a message keeps its place: suspend(ms), where this says reconsumeLater(level)";

/** The tags or the SQL of options, as `[expression, isSql]`. */
export function readSelector({ tags, sql }) {
  if (sql !== undefined) {
    if (tags !== undefined) throw invalid("messages are chosen by tags or by sql, not by both");
    return [check.text("sql", sql), true];
  }
  if (tags === undefined) return ["*", false];
  const all = Array.isArray(tags) ? tags : [tags];
  if (all.length === 0 || all.includes("")) throw invalid('tags are none, or one is empty; "*" means all messages');
  return [all.map((tag) => check.text("a tag", tag)).join(" || "), false];
}

function setUp(setup, options, place) {
  const { topic, subscriptions, tags, sql } = check.object("the options of a consumer", options ?? undefined);
  if ((topic === undefined) === (subscriptions === undefined)) {
    throw invalid("a consumer has a topic, or subscriptions: an array of { topic, tags or sql }");
  }
  if (subscriptions !== undefined) {
    if (!Array.isArray(subscriptions) || subscriptions.length === 0) throw invalid("subscriptions are an array, of one or more");
    if (tags !== undefined || sql !== undefined) throw invalid("each of the subscriptions has tags or sql of its own");
  }
  const topics = new Set();
  for (const one of subscriptions ?? [{ topic, tags, sql }]) {
    check.fields("subscriptions", one, "topic", "tags", "sql");
    if (topics.has(one.topic)) throw invalid(`${one.topic} is subscribed to twice; several tags are an array`);
    topics.add(one.topic);
    const [expression, isSql] = readSelector(one);
    setup.subscribe(check.text("the topic", one.topic), expression, isSql);
  }
  const read = { orderly: false, batchSize: 0 };
  const isRead = () => {};
  check.options("the options of a consumer", options, {
    topic: isRead,
    subscriptions: isRead,
    tags: isRead,
    sql: isRead,
    from: (value) => {
      if (value === "last") return;
      if (value === "first") return setup.consumeFrom(undefined);
      setup.consumeFrom(check.moment('from, unless it is "first" or "last",', value));
    },
    model: (value) =>
      check.oneOf("model", value, "clustering", "broadcasting") === "broadcasting" && setup.broadcasting(),
    orderly: (value) => (read.orderly = check.flag("orderly", value)),
    batchSize: (value) => (read.batchSize = check.whole("batchSize", value, 1, 1024)),
    ...check.numbers(setup, {
      maxInWork: check.count,
      maxRate: check.count,
      maxReconsumeTimes: (name, value) => check.whole(name, value, 0, 2 ** 31 - 1),
      maxCachedMessages: check.count,
      maxCachedBytes: check.count,
      pullBatchSize: (name, value) => check.whole(name, value, 1, 1024),
      consumeTimeout: check.positiveTime,
      commitInterval: check.positiveTime,
      rebalanceInterval: check.positiveTime,
    }),
    rebalanceListener: (listener) => {
      const { assigned, revoked } = check.object("rebalanceListener", listener);
      if (assigned === undefined && revoked === undefined) throw invalid("rebalanceListener has a function `assigned` or `revoked`, or both");
      for (const [name, value] of Object.entries({ assigned, revoked })) {
        if (value !== undefined) check.func(`rebalanceListener.${name}`, value);
      }
      read.listener = listener;
    },
    signal: (value) => (read.signal = check.signal(value)),
  });
  if (read.listener || place.tell) setup.rebalanceListener({ listener: read.listener, place });
  if (read.orderly && read.batchSize) throw invalid("a consumer in order has no batchSize");
  return read;
}

/** Starts a consumer that gives messages to a handler. */
export async function startConsumer(place, begin, options, handler) {
  check.func("the handler", handler);
  const setup = begin();
  try {
    const { orderly, batchSize, signal } = setUp(setup, options, place);
    const wrongWith = ({ suspends }) => (suspends === orderly ? undefined : orderly ? IN_ORDER : WITHOUT_ORDER);
    await unlessAborted(platform.readable(), signal);
    await unlessAborted(othersClosed(place), signal);
    const inner = await call((number) => setup.handler(number, { handler, wrongWith }, orderly, batchSize), signal);
    return new Consumer(place, inner);
  } finally {
    setup.free();
  }
}

/** Those that run. What nobody keeps is collected, and closes: an application need not keep what it has given a handler. */
const running = new Set();

/** The client has closed its consumers. */
export let forgetConsumers;
/** A client is one member of a group: a new consumer waits for one that closes. */
let othersClosed;

/** A member of a group. */
export class Consumer {
  #place;
  #inner;
  #release = platform.hold();
  #closing;

  static {
    forgetConsumers = (client) => running.forEach((consumer) => consumer.#place.client === client && consumer.#forget());
    othersClosed = async ({ client, group }) => {
      const isOther = (place) => place.client === client && place.group === group;
      await Promise.allSettled([...running].filter((one) => isOther(one.#place)).map((one) => one.#closing));
    };
  }

  constructor(place, inner) {
    this.#place = place;
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
    const closing = call((number) => this.#inner.close(number, within)).finally(() => this.#forget());
    this.#closing ??= closing;
    return await closing;
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

/** Streams that nobody has any more: nobody will ask for their messages, which others of the group are to have. */
const abandoned = new FinalizationRegistry((consumer) => consumer.close({ within: 0 }).catch(() => {}));

/** Messages that are asked for. Each has to be settled: by `ack()`, or `reconsumeLater()`, which is `suspend()` in order. */
export class ConsumerStream {
  #place;
  #setup;
  #read;
  #starting;
  #inner;
  #consumer;
  /** One is asked for at a time: later calls stand in line. */
  #line = Promise.resolve();
  #isOver = false;
  /** By its signal, while nobody waited. */
  #isAborted = false;

  constructor(place, setup, options) {
    this.#place = place;
    this.#setup = setup;
    try {
      this.#read = setUp(setup, options, place);
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
    this.#starting ??= this.#begin().finally(() => this.#setup.free());
    return this.#starting;
  }

  async #begin() {
    const { orderly, signal } = this.#read;
    await unlessAborted(platform.readable(), signal);
    await unlessAborted(othersClosed(this.#place), signal);
    this.#inner = await call((number) => this.#setup.stream(number, orderly), signal);
    this.#consumer = new Consumer(this.#place, enter(() => this.#inner.consumer()));
    abandoned.register(this, this.#consumer, this);
    // Also while a message of it is being worked at; the signal does not keep it.
    const known = new WeakRef(this);
    if (signal) heard(signal, () => known.deref()?.#abort());
  }

  /** Whoever asks next is told why, as who waits is. */
  #abort() {
    if (this.#isOver) return;
    this.#isAborted = true;
    this.close({ within: 0 }).catch(() => {});
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
    if (this.#isAborted) {
      this.#isAborted = false;
      throw this.#read.signal.reason;
    }
    if (this.#isOver) return { done: true, value: undefined };
    const found = await this.#ask();
    if (found === undefined) {
      this.#isOver = true;
      this.#forget();
      return { done: true, value: undefined };
    }
    const [number, message] = found;
    const inner = this.#inner;
    const { orderly } = this.#read;
    message.ack = () => enter(() => inner.ack(number));
    message.reconsumeLater = (level) => {
      if (orderly) throw invalid(IN_ORDER);
      const { delay } = reconsumeLater(level);
      return enter(() => inner.reconsumeLater(number, delay));
    };
    message.suspend = (ms) => {
      if (!orderly) throw invalid(WITHOUT_ORDER);
      const { delay } = suspend(ms);
      return enter(() => inner.suspend(number, delay));
    };
    return { done: false, value: message };
  }

  /** What was not settled is nobody's any more. */
  #forget() {
    enter(() => this.#inner.forget());
  }

  /** A loop that ends by an error does not call `return`. */
  async #ask() {
    try {
      await this.#started();
      return await call((number) => this.#inner.next(number), this.#read.signal);
    } catch (error) {
      this.#isAborted = false;
      // Not waited for: it would hold up the error.
      this.close({ within: 0 }).catch(() => {});
      throw error;
    }
  }

  /** What leaving the loop does: the consumer closes at once, and what was not settled comes to another member. */
  async return(value) {
    await this.close({ within: 0 });
    return { done: true, value };
  }

  /** Closes the consumer, as `Consumer.close` does; a stream that was not started never starts. */
  async close(options) {
    const isFirst = !this.#isOver;
    this.#isOver = true;
    if (!this.#starting && isFirst) this.#setup.free();
    // Without a turn between, where it is started: who consumes next is to find it closing.
    if (!this.#consumer) await this.#starting?.catch(() => {});
    if (!this.#consumer) return [];
    abandoned.unregister(this);
    const unfinished = await this.#consumer.close(options);
    this.#forget();
    return unfinished;
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}
