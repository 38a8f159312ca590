// Clients: connections to a cluster, and what is made of them.

import { Admin } from "./admin.js";
import { call, enter } from "./bridge.js";
import * as check from "./check.js";
import { ConsumerStream, forgetConsumers, startConsumer } from "./consumer.js";
import { events } from "./events.js";
import { platform } from "./platform.js";
import { Producer } from "./producer.js";
import { PullConsumer } from "./pull.js";
import { ClientSetup } from "./wasm.js";

const MAX_LENGTH = 1 << 30;

/** Connects to the cluster of these name servers. */
export async function connect(target, options = {}) {
  check.object("the options", options);
  const { tls, transport, webSocket, nameServers, signal } = options;
  check.signal(signal);
  const place = await platform.place(target, { tls, transport, webSocket, nameServers });
  const { ip, processId } = platform.identity();
  const setup = enter(() => new ClientSetup(place.addresses, place.transport, ip, processId));
  try {
    setUp(setup, options);
    const inner = await call((number) => setup.connect(number), signal);
    return new Client(inner, options.closeTimeout);
  } finally {
    setup.free();
  }
}

function setUp(setup, options) {
  check.options("the options of a client", options, {
    requestTimeout: (value) => setup.requestTimeout(check.time("requestTimeout", value, 1)),
    connectTimeout: (value) => setup.connectTimeout(check.time("connectTimeout", value, 1)),
    closeTimeout: (value) => setup.closeTimeout(check.time("closeTimeout", value)),
    waitForServers: (value) => setup.waitForServers(check.time("waitForServers", value)),
    routeInterval: (value) => setup.routeInterval(check.time("routeInterval", value, 1)),
    heartbeatInterval: (value) => setup.heartbeatInterval(check.time("heartbeatInterval", value, 1)),
    maxFrameLength: (value) => setup.maxFrameLength(check.whole("maxFrameLength", value, 1, MAX_LENGTH)),
    maxBodyLength: (value) => setup.maxBodyLength(check.whole("maxBodyLength", value, 1, MAX_LENGTH)),
    instance: (value) => setup.instance(check.text("instance", value)),
    headerCodec: (value) => check.oneOf("headerCodec", value, "json", "binary") === "binary" && setup.binary(),
    dialect: (value) => check.oneOf("dialect", value, "apache", "smartgo") === "smartgo" && setup.smartgo(),
    credentials: (value) => setup.credentials(...readCredentials(value)),
    // These are read where it is known what they are for.
    ...Object.fromEntries(["tls", "transport", "webSocket", "nameServers", "signal"].map((name) => [name, () => {}])),
  });
}

function readCredentials(value) {
  const { accessKey, secretKey, securityToken } = check.fields("credentials", value, "accessKey", "secretKey", "securityToken");
  check.text("accessKey", accessKey);
  check.text("secretKey", secretKey);
  return [accessKey, secretKey, securityToken === undefined ? undefined : check.text("securityToken", securityToken)];
}

const CLOSE_TIMEOUT_MS = 5000;

/** Waits for a promise, but no longer than this. */
async function within(ms, promise) {
  let timer;
  const over = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, over]);
  clearTimeout(timer);
}

/** A client of a cluster. One is enough for a process: its producers and consumers share its connections. */
export class Client {
  #inner;
  #events;
  #closeTimeout;
  /** Sends of all producers that wait until they can be handed in. */
  #unsent = new Set();

  constructor(inner, closeTimeout = CLOSE_TIMEOUT_MS) {
    this.#inner = inner;
    this.#closeTimeout = closeTimeout;
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
    const route = (topic, signal) => call((number) => this.#inner.admin().route(number, topic), signal);
    return new Producer(enter(() => this.#inner.producer(group)), options, route, this.#unsent);
  }

  /** Messages, one after the other: `for await (const message of client.consumer("billing", { topic: "orders" }))`; or, with a handler,
   * a promise of a consumer that is started. */
  consumer(group, options, ...handler) {
    const setUp = () => enter(() => this.#inner.consumer(check.text("the group", group)));
    // A handler that is undefined is a mistake, and no wish for a stream.
    return handler.length === 0 ? new ConsumerStream(this, setUp(), options) : startConsumer(this, setUp, options, handler[0]);
  }

  /** A consumer that keeps its own offsets. */
  async pullConsumer(group) {
    check.text("the group", group);
    await platform.readable();
    return new PullConsumer(await call((number) => this.#inner.pullConsumer(number, group)));
  }

  /** Topics, offsets and clusters. */
  admin() {
    return new Admin(enter(() => this.#inner.admin()));
  }

  /** Signs with these from now on. */
  setCredentials(credentials) {
    const read = readCredentials(credentials);
    enter(() => this.#inner.setCredentials(...read));
  }

  /** Closes the client with all its producers and consumers: sends and handlers under way have `closeTimeout`. */
  async close() {
    if (this.#unsent.size > 0) await within(this.#closeTimeout, Promise.allSettled(this.#unsent));
    try {
      await call((number) => this.#inner.close(number));
    } finally {
      forgetConsumers(this);
    }
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }
}

