// Clients: connections to a cluster, and what is made of them.

import { Admin } from "./admin.js";
import { call, enter, failing, textOf, unlessAborted } from "./bridge.js";
import * as check from "./check.js";
import { ConsumerStream, forgetConsumers, startConsumer } from "./consumer.js";
import { ClientEvent, events } from "./events.js";
import { logWarning, readLog } from "./log.js";
import { platform } from "./platform.js";
import { Producer } from "./producer.js";
import { PullConsumer } from "./pull.js";
import { invalid } from "./values.js";
import { ClientSetup } from "./wasm.js";

const length = (name, value) => check.whole(name, value, 1, 1 << 30);

/** Connects to the cluster of these name servers. */
export async function connect(target, options = {}) {
  check.object("the options", options);
  const { tls, transport, webSocket, nameServers, signal, credentials, offsets } = options;
  check.signal(signal);
  const store = storeOf(offsets === undefined ? target?.offsets : offsets);
  const log = readLog(options.log);
  const place = await unlessAborted(platform.place(target, { tls, transport, webSocket, nameServers }), signal);
  const { ip, processId } = platform.identity();
  const setup = enter(() => new ClientSetup(place.addresses, place.transport, ip, processId, store, log, log.severities));
  try {
    setUp(setup, { connectTimeout: platform.connectTimeout, ...options });
    let known;
    if (typeof credentials === "function") {
      const next = async () => readRotating(await credentials());
      const first = await unlessAborted(next(), signal);
      setup.rotatingCredentials(first, async () => {
        try {
          return await next();
        } catch (error) {
          const client = known?.deref();
          if (client) warn(client, `new credentials cannot be had, the old ones stay: ${textOf(error)}`);
          return [RETRY_MS];
        }
      });
    }
    const inner = await call((number) => setup.connect(number), signal);
    const client = new Client(inner, log, options.closeTimeout);
    // Who asks for credentials must not keep a client that everybody else has forgotten.
    known = new WeakRef(client);
    return client;
  } finally {
    setup.free();
  }
}

function setUp(setup, options) {
  check.options("the options of a client", options, {
    ...check.numbers(setup, {
      requestTimeout: check.positiveTime,
      connectTimeout: check.positiveTime,
      closeTimeout: check.time,
      waitForServers: check.time,
      routeInterval: check.positiveTime,
      heartbeatInterval: check.positiveTime,
      maxFrameLength: length,
      maxBodyLength: length,
    }),
    instance: (value) => setup.instance(check.text("instance", value)),
    headerCodec: (value) => check.oneOf("headerCodec", value, "json", "binary") === "binary" && setup.binary(),
    dialect: (value) => check.oneOf("dialect", value, "apache", "smartgo") === "smartgo" && setup.smartgo(),
    credentials: (value) => typeof value === "function" || setup.credentials(...readCredentials(value)),
    // These are read where it is known what they are for.
    ...Object.fromEntries(
      ["tls", "transport", "webSocket", "nameServers", "offsets", "log", "signal"].map((name) => [name, () => {}]),
    ),
  });
}

function readCredentials(value) {
  const { accessKey, secretKey, securityToken } = check.fields("credentials", value, "accessKey", "secretKey", "securityToken");
  check.text("accessKey", accessKey);
  check.text("secretKey", secretKey);
  return [accessKey, secretKey, securityToken === undefined ? undefined : check.text("securityToken", securityToken)];
}

/** How often a function is asked for credentials that do not say when they expire; and again, after it has failed. */
const AGAIN_MS = 60_000;
const RETRY_MS = 5000;
/** The client waits so long by itself before it asks again. */
const PAUSE_MS = 1000;

/** After how many ms a function is to be asked again, and what it has given: when four fifths of the time of that are over. */
function readRotating(given) {
  const { expiresAt, ...value } = check.object("credentials", given);
  const left = expiresAt === undefined ? undefined : check.moment("expiresAt", expiresAt) - Date.now();
  const wait = left === undefined ? AGAIN_MS : Math.min(left * 0.8, 2 ** 31 - 1);
  return [Math.max(wait - PAUSE_MS, 0), ...readCredentials(value)];
}

/** Where broadcasting consumers keep their offsets; in memory, if it is undefined. */
function storeOf(offsets) {
  if (offsets === false) return undefined;
  if (offsets === undefined) return platform.offsets();
  if (offsets === "") throw invalid("offsets are kept in a folder, and its name is empty");
  if (typeof offsets === "string") {
    if (platform.offsetsIn) return platform.offsetsIn(offsets);
    throw invalid("a page has no folders: offsets are kept by an object with functions `load` and `save`");
  }
  for (const name of ["load", "save"]) check.func(`offsets.${name}`, check.object("offsets, unless it is a folder,", offsets)[name]);
  return offsets;
}

const CLOSE_TIMEOUT_MS = 5000;

/** Waits for a promise, but no longer than this. */
async function within(ms, promise) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

/** Tells of something that the WebAssembly knows nothing of. */
let warn;

/** Those that are not closed, as long as somebody has them. */
const clients = new Set();
const forgotten = new FinalizationRegistry((known) => clients.delete(known));
const each = (act) => clients.forEach((known) => known.deref() && act(known.deref()));

failing.add((message) => each((client) => warn(client, message)));

/** All consumers say how far they are and give their queues up, in this turn: what handlers have in hand comes to others. */
export let giveUpQueues;

/** A client of a cluster. One is enough for a process: its producers and consumers share its connections. */
export class Client {
  #inner;
  #events;
  #log;
  #closeTimeout;
  #known = new WeakRef(this);
  /** Sends of all producers that wait until they can be handed in. */
  #unsent = new Set();

  static {
    giveUpQueues = () =>
      each((client) => {
        try {
          enter(() => client.#inner.giveUpQueues());
        } catch {
          // It has failed by a fault of its own, and has none any more, which its user has been told.
        }
      });
    warn = (client, message) => {
      client.#events?.dispatchEvent(new ClientEvent({ type: "warning", message }));
      logWarning(client.#log, message);
    };
  }

  constructor(inner, log, closeTimeout = CLOSE_TIMEOUT_MS) {
    this.#inner = inner;
    this.#log = log;
    this.#closeTimeout = closeTimeout;
    clients.add(this.#known);
    forgotten.register(this, this.#known);
  }

  /** By which brokers know it. */
  get clientId() {
    return enter(() => this.#inner.clientId);
  }

  /** How its connections are: "connected", "degraded", "disconnected", "closing" or "closed". */
  get state() {
    return enter(() => this.#inner.state);
  }

  /** An EventTarget of what happens to the client. */
  get events() {
    this.#events ??= events(enter(() => this.#inner.events()));
    return this.#events;
  }

  /** A producer, which starts with its first send. */
  producer(group, options = {}) {
    check.text("the group", group);
    return new Producer(enter(() => this.#inner.producer(group)), options, this.#unsent);
  }

  /** Messages, one after the other: `for await (const message of client.consumer("billing", { topic: "orders" }))`; or, with a handler,
   * a promise of a consumer that is started. */
  consumer(group, options, ...handler) {
    const place = {
      client: this,
      group,
      warn: (message) => warn(this, message),
      // Who follows the client when the consumer starts hears of its queues.
      tell: this.#events && ((event) => this.#events.dispatchEvent(new ClientEvent({ group, ...event }))),
    };
    const setUp = () => enter(() => this.#inner.consumer(check.text("the group", group)));
    // A handler that is undefined is a mistake, and no wish for a stream.
    return handler.length === 0 ? new ConsumerStream(place, setUp(), options) : startConsumer(place, setUp, options, handler[0]);
  }

  /** A consumer that keeps its own offsets. */
  async pullConsumer(group, options) {
    check.text("the group", group);
    const signal = check.waiting(options);
    await unlessAborted(platform.readable(), signal);
    return new PullConsumer(await call((number) => this.#inner.pullConsumer(number, group), signal));
  }

  /** Topics, offsets and clusters. */
  admin() {
    return new Admin(enter(() => this.#inner.admin()));
  }

  /** What it has counted, and has under way. */
  metrics() {
    return enter(() => this.#inner.metrics());
  }

  /** Signs with these from now on. */
  setCredentials(credentials) {
    const read = readCredentials(credentials);
    enter(() => this.#inner.setCredentials(...read));
  }

  /** Closes the client with all its producers and consumers: sends and handlers under way have `closeTimeout`. */
  async close(options) {
    const signal = check.waiting(options);
    if (this.#unsent.size > 0) await unlessAborted(within(this.#closeTimeout, Promise.allSettled(this.#unsent)), signal);
    try {
      await call((number) => this.#inner.close(number), signal);
    } finally {
      clients.delete(this.#known);
      forgetConsumers(this);
    }
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

