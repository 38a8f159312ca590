// What has to compile: how the package is used. It is never run.

import {
  AccessDeniedError,
  type Admin,
  type BatchHandler,
  type Client,
  ClientEvent,
  ConnectionError,
  type Consumer,
  connect,
  type ErrorCode,
  type CredentialsFunction,
  type Handler,
  InvalidArgumentError,
  init,
  type LogLine,
  type LogSink,
  type MessageQueue,
  Message,
  type Metrics,
  NotFoundError,
  type Offset,
  type OffsetStore,
  type Producer,
  type RebalanceListener,
  Receipt,
  reconsumeLater,
  RefusedError,
  type SendStatus,
  StgError,
  type Stream,
  type StreamEvents,
  type StreamMessage,
  suspend,
  type Transport,
  type Unfinished,
  type Verdict,
} from "stgclient";
import { cluster } from "stgclient/embedded";

/** Fails to compile when `Found` is not exactly `Wanted`. */
type Same<Found, Wanted> = (<T>() => T extends Found ? 1 : 2) extends <T>() => T extends Wanted ? 1 : 2 ? true : false;
const same = <Found, Wanted>(_: Same<Found, Wanted>) => {};

export async function connecting(signal: AbortSignal) {
  await init();
  await init(new URL("https://example.org/stgclient_bg.wasm"));
  await init(fetch("https://example.org/stgclient_bg.wasm"));
  await init(new Uint8Array(8));

  const client = await connect("10.0.0.1:9876;10.0.0.2:9876");
  same<typeof client, Client>(true);
  await connect(["10.0.0.1:9876", "10.0.0.2:9876"] as const);
  await connect("rocketmqs://10.0.0.1:9876", { tls: { ca: "-----BEGIN", serverName: "broker" }, signal });
  await connect("10.0.0.1:9876", { tls: true, credentials: { accessKey: "a", secretKey: "b" }, connectTimeout: 100 });
  await connect("wss://gateway/tunnel", { nameServers: ["10.0.0.1:9876"], webSocket: { token: "t", protocols: ["binary"] } });
  await connect("wss://gateway/tunnel", { nameServers: "10.0.0.1:9876", webSocket: { token: async () => "t" } });
  await connect("10.0.0.1:9876", { dialect: "smartgo", headerCodec: "json", instance: undefined });
  await connect("10.0.0.1:9876", { tls: { ca: [Buffer.from("a"), "b"], cert: "c", key: "k", minVersion: "TLSv1.3", rejectUnauthorized: true } });

  const texts = new Map<string, string>();
  const store: OffsetStore = { load: (key) => texts.get(key), save: (key, text) => void texts.set(key, text) };
  await connect("10.0.0.1:9876", { offsets: store });
  await connect("10.0.0.1:9876", { offsets: "/var/lib/ticker" });
  await connect("10.0.0.1:9876", { offsets: false, log: "warn" });
  class Store implements OffsetStore {
    async load(key: string) {
      return texts.get(key) ?? null;
    }
    async save(key: string, text: string) {
      texts.set(key, text);
    }
    close() {}
  }
  const sink: LogSink = ({ level, message, fields }) => `${level} ${message} ${fields["group"]?.trim()}`;
  await connect("10.0.0.1:9876", { offsets: new Store(), log: { level: "debug", sink } });
  const line: LogLine = { level: "info", message: "connected", fields: { address: "10.0.0.1:9876" } };
  await connect("10.0.0.1:9876", { credentials: () => ({ accessKey: line.level, secretKey: "b" }), log: { level: "off" } });
  const rotating: CredentialsFunction = async () => ({ accessKey: "a", secretKey: "b", securityToken: "c", expiresAt: new Date() });
  await connect("10.0.0.1:9876", { credentials: rotating });

  class Line implements Stream {
    write(bytes: Uint8Array) {
      return bytes.length < 10;
    }
    close() {}
  }
  const transport: Transport = {
    open({ host, port }, events: StreamEvents) {
      const text: string = host + port.toFixed();
      queueMicrotask(events.opened);
      events.received(new Uint8Array(text.length));
      events.closed(new Error("it ended"));
      events.closed();
      return new Line();
    },
  };
  await connect({ addresses: "10.0.0.1:9876", transport });
  await connect("10.0.0.1:9876", { transport: { open: () => ({ write() {}, close() {} }) } });
}

export async function observing(client: Client, signal: AbortSignal) {
  const { state, clientId } = client;
  same<typeof state, "connected" | "degraded" | "disconnected" | "closing" | "closed">(true);
  clientId.toUpperCase();
  client.events.addEventListener("warning", ({ message }) => message.trim(), { signal });
  client.events.addEventListener("unreachable", ({ address, error }) => `${address.trim()} ${error.code}`);
  client.events.addEventListener("missed", (event) => event instanceof ClientEvent && event.count.toFixed());
  client.setCredentials({ accessKey: "a", secretKey: "b", securityToken: "c" });
}

export function counting(client: Client) {
  const metrics: Metrics = client.metrics();
  const { sendOk, total } = metrics.sends["broker-a"] ?? metrics.allSends;
  const slow = metrics.sendLatency.buckets.filter(({ upTo }) => upTo === undefined || upTo > 1000).length;
  const { lag, sentBack } = metrics.consumers["billing"] ?? {};
  same<typeof lag, bigint | undefined>(true);
  return sendOk + total + slow + (sentBack ?? 0) + metrics.sendLatency.sum / metrics.sendLatency.count;
}

export async function sending(client: Client, signal: AbortSignal) {
  await using producer = client.producer("shop", { sendTimeout: 1000, compressionThreshold: Infinity, avoidSlowBrokers: false });
  const started: Producer = await producer.start();
  const receipt = await started.send({ topic: "orders", body: "hello" });
  same<typeof receipt, Receipt>(true);
  same<typeof receipt.status, SendStatus>(true);
  same<typeof receipt.queueOffset, bigint>(true);
  same<SendStatus, "SEND_OK" | "FLUSH_DISK_TIMEOUT" | "FLUSH_SLAVE_TIMEOUT" | "SLAVE_NOT_AVAILABLE">(true);
  const message = { topic: "orders", body: new Uint8Array(3), tag: "paid", keys: ["1", "2"], properties: { a: "b" }, delayLevel: 3 };
  await producer.send(message, { orderKey: "42", timeout: 100, signal });
  await producer.send(message, { queue: receipt.queue });
  await producer.send(message, { queue: "random" });
  await producer.send(message, { queue: (queues) => queues.length - 1 });
  await producer.send(message, { queue: (queues, { topic }) => queues[topic.length] ?? 0 });
  await producer.send({ topic: "orders", body: Buffer.from("bytes"), keys: "1" });
  await producer.trySend({ topic: "orders", body: new ArrayBuffer(1) });
  same<Awaited<ReturnType<typeof producer.sendOneway>>, void>(true);
  producer.sendWithCallback(message, (error, receipt) => {
    if (error === null) receipt?.messageId.trim();
    else if (error instanceof StgError) error.code.trim();
  });
  producer.sendWithCallback(message, { timeout: 1 }, (error) => console.log(error));
  const { messages, bytes } = producer.backlog;
  same<typeof messages, typeof bytes>(true);
  await producer.flush();
}

export async function consuming(client: Client, signal: AbortSignal) {
  const consumer = await client.consumer("billing", { topic: "orders" }, async (message) => {
    same<typeof message, Message>(true);
    if (message.reconsumeTimes > 3) return reconsumeLater("never", "it cannot be read");
    if (message.tag === undefined) throw new Error("there is no tag");
    if (message.keys.length === 0) throw reconsumeLater(3);
    return undefined;
  });
  same<typeof consumer, Consumer>(true);
  await client.consumer("billing", { topic: "orders", tags: ["paid", "refunded"], orderly: true }, () => {});
  await client.consumer("billing", { topic: "orders", sql: "amount > 100", from: "first" }, (message) => void message.json());
  await client.consumer("billing", { topic: "orders", from: new Date(0), batchSize: 32, maxRate: 10 }, (messages) => {
    same<typeof messages, Message[]>(true);
  });
  const handler: Handler = ({ topic }) => (topic === "" ? reconsumeLater() : undefined);
  const verdict: Verdict = reconsumeLater(18);
  if (verdict.suspends) verdict.delay?.toFixed();
  await client.consumer("billing", { topic: "orders", orderly: true }, ({ topic }) => (topic === "" ? suspend(200, "later") : undefined));
  const rebalanceListener: RebalanceListener = { assigned: async (queues) => queues.forEach(({ queueId }) => queueId.toFixed()) };
  await client.consumer("billing", { topic: "orders", rebalanceListener }, handler);
  await client.consumer("billing", { topic: "orders", rebalanceListener: { revoked: () => {} } }, handler);
  const several: BatchHandler = async (messages) => messages.forEach((message) => message.text());
  const subscriptions = [{ topic: "orders", tags: "paid" }, { topic: "refunds", sql: "a = 1" }, { topic: "ticks" }] as const;
  await client.consumer("billing", { subscriptions, model: "broadcasting", signal }, handler);
  await client.consumer("billing", { subscriptions, batchSize: 2 }, several);

  await consumer.subscribe("refunds", { tags: "all || some" });
  consumer.unsubscribe("refunds");
  await consumer.ready({ signal });
  const { lag, queues, isReady, consumed } = consumer.status;
  same<typeof lag, bigint | undefined>(true);
  same<typeof isReady, boolean>(true);
  consumed.toFixed();
  const held: boolean[] = queues.map(({ queue, offset }) => consumer.pause(queue) && consumer.seek(queue, offset + 1n));
  consumer.resume() && held;
  same<Awaited<ReturnType<typeof consumer.close>>, Unfinished[]>(true);
  await consumer.close({ within: 1000 });
}

export async function streaming(client: Client, signal: AbortSignal) {
  await using orders = client.consumer("fraud", { topic: "orders", from: 0, signal });
  const consumer: Consumer = await orders.start();
  for await (const order of orders) {
    same<typeof order, StreamMessage>(true);
    const isCounted: boolean = order.text() === "" ? order.reconsumeLater("never") : order.ack();
    if (isCounted) break;
  }
  const next = await orders.next();
  if (!next.done) next.value.reconsumeLater(3) || next.value.suspend(100);
  const all: AsyncIterable<Message> = orders;
  const left: Unfinished[] = await orders.close({ within: 0 });
  return { consumer, all, left };
}

export async function pulling(client: Client, signal: AbortSignal) {
  await using consumer = await client.pullConsumer("audit");
  for (const queue of await consumer.queues("orders")) {
    let offset: Offset = (await consumer.committedOffset(queue)) ?? 0;
    const batch = await consumer.pull(queue, offset, { maxMessages: 32, wait: 100, tags: "paid", signal });
    if (batch.status === "NO_NEW_MESSAGE") continue;
    offset = batch.nextOffset;
    same<typeof batch.messages, Message[]>(true);
    await consumer.pull(queue, 0n, { sql: "a = 1", timeout: 100 });
    await consumer.commitOffset(queue, offset);
    const offsets: bigint[] = [await consumer.minOffset(queue), await consumer.offsetAt(queue, new Date())];
    offsets.push(await consumer.offsetAt(queue, Date.now()), batch.maxOffset);
  }
}

export async function administering(client: Client, queue: MessageQueue) {
  const admin: Admin = client.admin();
  await admin.createTopic("orders", { queues: 8, permission: "read-write", cluster: "DefaultCluster" });
  await admin.createTopic("orders", { broker: "10.0.0.1:10911" });
  await admin.deleteTopic("orders", { broker: "broker-a" });
  const [statistics] = await admin.statistics("orders");
  statistics?.lastUpdate?.getTime();
  const { total, queues } = await admin.lag("billing");
  queues.reduce((sum, { lag }) => sum + lag, -total);
  await admin.resetOffsets("billing", "orders", "first");
  await admin.resetOffsets("billing", "orders", new Date());
  await admin.commitGroupOffset("billing", queue, 42);
  const id: string | undefined = (await admin.messageById("0A"))?.messageId;
  const keys: string[] = (await admin.messagesByKey("orders", "42", { max: 1 })).flatMap((message) => message.keys);
  const { brokers, writableQueues } = await admin.route("orders");
  const address: string | undefined = brokers[0]?.addresses["0"];
  const cluster: string[] = Object.keys((await admin.cluster()).clusters);
  return { id, keys, address, cluster, writableQueues };
}

export function failing(error: unknown) {
  if (error instanceof InvalidArgumentError) same<typeof error.code, "INVALID_ARGUMENT">(true);
  else if (error instanceof AccessDeniedError) same<typeof error.code, "ACCESS_DENIED">(true);
  else if (error instanceof RefusedError) error.responseCode?.toFixed();
  else if (error instanceof ConnectionError && error.code === "TLS_FAILED") error.address?.trim();
  else if (error instanceof NotFoundError) error.broker?.trim();
  else if (error instanceof StgError) {
    same<typeof error.code, ErrorCode>(true);
    same<typeof error.retryable, boolean>(true);
    for (const { afterMs, outcome } of error.attempts) `${outcome} after ${afterMs.toFixed()} ms`;
  }
}

export async function testing() {
  const servers = cluster({ brokers: 2, dialect: "apache" });
  servers.createTopic("orders", { queues: 2 });
  await using client = await connect(servers, { requestTimeout: 100 });
  servers.force("FLUSH_DISK_TIMEOUT", { times: 1, topic: "orders" });
  servers.force("refuse", { code: 16, remark: "not you", codes: [10] });
  servers.force("delay", { delay: 100, broker: servers.brokers[0] });
  servers.restore();
  servers.stop("name server");
  servers.start("name server", { keeps: false });
  const committed: (bigint | undefined)[] = servers.queues("orders", "billing").map((queue) => queue.committed);
  return { clientId: client.clientId, members: servers.members("billing").join(), committed };
}
