// A cluster in memory, for tests and demos with no server: `connect(cluster())`. It lives in a .wasm of its own, which is loaded by
// `embedded-node.js` or `embedded-browser.js`, when somebody asks for it.

import * as check from "./check.js";
import { platform } from "./platform.js";
import { WasmCluster } from "./stgclient_embedded.js";
import { invalid } from "./values.js";

const STATUSES = ["FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"];
const KINDS = [...STATUSES, "busy", "no permission", "refuse", "lost", "unanswered", "delay"];
const MOST_BROKERS = 26;

/** A cluster of one name server and one broker, or more. */
export function cluster(options = {}) {
  let [brokers, isSmartgo, messageBytes] = [1, false, undefined];
  check.options("the options of a cluster", options, {
    brokers: (value) => (brokers = check.whole("brokers", value, 1, MOST_BROKERS)),
    dialect: (value) => (isSmartgo = check.oneOf("dialect", value, "apache", "smartgo") === "smartgo"),
    messageBytes: (value) => (messageBytes = check.whole("messageBytes", value, 1, 2 ** 31 - 1)),
  });
  return new Cluster(new WasmCluster(performance.now(), Date.now(), brokers, isSmartgo, messageBytes));
}

/** A cluster in memory, and a transport into it. */
export class Cluster {
  #inner;
  /** By the numbers of their connections. */
  #pipes = new Map();
  #isScheduled = false;
  #timer;

  constructor(inner) {
    this.#inner = inner;
    this.addresses = inner.nameServers;
    // What it has is gone with it.
    this.offsets = false;
    this.#pump();
  }

  /** What `connect` asks for. */
  get transport() {
    return { open: (address, events) => this.#open(address, events) };
  }

  #open({ host, port }, events) {
    const pipe = { number: 0, events, waiting: [], isFull: false };
    // As with sockets, nothing is there at once.
    platform.soon(() => {
      if (pipe.isClosed) return;
      pipe.number = this.#now((...clock) => this.#inner.connected(...clock, `${host}:${port}`));
      if (pipe.number === 0) return events.closed(new Error("connection refused"));
      this.#pipes.set(pipe.number, pipe);
      events.opened();
    });
    return {
      write: (bytes) => {
        pipe.waiting.push(bytes);
        this.#schedule();
        pipe.isFull = pipe.waiting.length > 64;
        return !pipe.isFull;
      },
      close: () => {
        pipe.isClosed = true;
        // What was written before goes first.
        platform.soon(() => this.#forget(pipe));
      },
    };
  }

  #now(act) {
    return act(performance.now(), Date.now());
  }

  #forget(pipe) {
    if (pipe.number === 0 || !this.#pipes.delete(pipe.number)) return;
    for (const bytes of pipe.waiting) this.#now((...clock) => this.#inner.received(...clock, pipe.number, bytes));
    this.#now((...clock) => this.#inner.closed(...clock, pipe.number));
    this.#schedule();
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    platform.soon(() => this.#pump());
  }

  /** Carries bytes both ways, and does what is due. */
  #pump() {
    this.#isScheduled = false;
    this.#now((...clock) => this.#inner.handleTimeout(...clock));
    for (const pipe of [...this.#pipes.values()]) this.#feed(pipe);
    for (let number = this.#inner.pollNews(); number !== 0; number = this.#inner.pollNews()) {
      const pipe = this.#pipes.get(number);
      const bytes = this.#now((...clock) => this.#inner.take(...clock, number));
      if (bytes === undefined) this.#end(pipe);
      else if (bytes.length > 0) pipe?.events.received(bytes);
    }
    // What was taken may have made room.
    const mayFeed = (pipe) => pipe.waiting.length > 0 && this.#inner.wantsInput(pipe.number);
    if ([...this.#pipes.values()].some(mayFeed)) this.#schedule();
    this.#wakeLater();
  }

  #feed(pipe) {
    while (pipe.waiting.length > 0 && this.#inner.wantsInput(pipe.number)) {
      const bytes = pipe.waiting.shift();
      if (!this.#now((...clock) => this.#inner.received(...clock, pipe.number, bytes))) return this.#end(pipe);
    }
    if (pipe.isFull && pipe.waiting.length === 0) {
      pipe.isFull = false;
      pipe.events.drained();
    }
  }

  #end(pipe) {
    if (!pipe) return;
    pipe.waiting.length = 0;
    this.#forget(pipe);
    pipe.events.closed();
  }

  #wakeLater() {
    clearTimeout(this.#timer);
    const at = this.#inner.pollTimeout();
    if (at === undefined) return;
    const left = Math.min(Math.max(Math.ceil(at - performance.now()), 0), 2_147_483_647);
    // What nobody has any more, and has no connection, is not kept by what it would do later.
    const known = new WeakRef(this);
    this.#timer = setTimeout(() => known.deref()?.#schedule(), left);
    this.#timer.unref?.();
  }

  /** Has brokers answer otherwise: with a status, or a fault. Sends, or requests with these codes; all, or those of a topic, of a group
   * or at one broker; until `restore`, or so many times at each broker. */
  force(what, options = {}) {
    check.oneOf("what is forced", what, ...KINDS);
    const names = ["broker", "codes", "topic", "group", "times", "delay", "code", "remark"];
    const { broker, codes = [], topic, group, times, delay = 0, code, remark } = check.fields("the options", options, ...names);
    for (const [name, value] of Object.entries({ broker, topic, group, remark })) if (value !== undefined) check.text(name, value);
    if (!Array.isArray(codes)) throw invalid("codes are an array of numbers");
    codes.forEach((one) => check.whole("a code", one, 0, 2 ** 31 - 1));
    if (times !== undefined) check.whole("times", times, 1, 2 ** 31 - 1);
    if (what === "delay" || delay !== 0) check.time("delay", delay, 1);
    if (what === "refuse" || code !== undefined) check.whole("code", code, 1, 2 ** 31 - 1);
    const done = this.#inner.force(broker, Int32Array.from(codes), topic, group, times, what, delay, code, remark);
    if (!done) throw invalid(`there is no broker ${broker}`);
    this.#schedule();
  }

  /** Brokers answer as they do. */
  restore() {
    this.#inner.clearForces();
    this.#schedule();
  }

  /** The names of the brokers. */
  get brokers() {
    return this.#inner.brokers();
  }

  /** Stops a broker, or the "name server", as a crash does. */
  stop(name) {
    check.text("the server", name);
    if (!this.#now((...clock) => this.#inner.stop(...clock, name))) throw invalid(`there is no server ${name}`);
    this.#schedule();
  }

  /** Starts one that was stopped, with what it had; or, if `keeps` is false, with nothing. */
  start(name, options = {}) {
    check.text("the server", name);
    const { keeps = true } = check.fields("the options", options, "keeps");
    check.flag("keeps", keeps);
    if (!this.#now((...clock) => this.#inner.start(...clock, name, keeps))) throw invalid(`there is no server ${name}`);
    this.#schedule();
  }

  createTopic(topic, options = {}) {
    check.text("the topic", topic);
    const { queues = 8 } = check.fields("the options", options, "queues");
    const failure = this.#inner.createTopic(topic, check.whole("queues", queues, 1, 16_384));
    if (failure !== undefined) throw invalid(failure);
    this.#schedule();
  }

  deleteTopic(topic) {
    this.#inner.deleteTopic(check.text("the topic", topic));
    this.#schedule();
  }

  /** The queues of a topic, with their offsets, and with a group's, if it is given. */
  queues(topic, group = "") {
    return this.brokers.flatMap((brokerName) => {
      const offsets = this.#inner.offsets(brokerName, check.text("the topic", topic), check.text("the group", group)) ?? [];
      return Array.from({ length: offsets.length / 3 }, (_, queueId) => {
        const [minOffset, maxOffset, committed] = offsets.slice(3 * queueId, 3 * queueId + 3);
        return { topic, brokerName, queueId, minOffset, maxOffset, committed: committed < 0n ? undefined : committed };
      });
    });
  }

  /** The client ids of a group's members, as brokers know them. */
  members(group) {
    return [...new Set(this.brokers.flatMap((broker) => this.#inner.members(broker, check.text("the group", group))))].sort();
  }

  /** Which member has the lock on a queue, for a group that consumes in order. */
  lockOwner(group, queue) {
    const { topic, brokerName, queueId } = check.queue(queue);
    return this.#inner.lockOwner(performance.now(), brokerName, check.text("the group", group), topic, queueId);
  }
}
