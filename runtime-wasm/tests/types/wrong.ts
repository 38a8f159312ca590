// What has not to compile: each line below such a directive is refused, or the directive itself is. It is never run.

import { type Client, type ErrorCode, type Message, type MessageQueue, type Transport, connect, init, reconsumeLater, suspend } from "stgclient";
import * as all from "stgclient";
import { cluster } from "stgclient/embedded";

declare const client: Client;
declare const message: Message;
declare const queue: MessageQueue;
declare const signal: AbortSignal;

// Connecting.

// @ts-expect-error: a number is no address
connect(9876);
// @ts-expect-error: there is no such option
connect("10.0.0.1:9876", { timeout: 100 });
// @ts-expect-error: times are numbers
connect("10.0.0.1:9876", { requestTimeout: "3s" });
// @ts-expect-error: there is no such dialect
connect("10.0.0.1:9876", { dialect: "kafka" });
// @ts-expect-error: credentials have two keys
connect("10.0.0.1:9876", { credentials: { accessKey: "a" } });
// @ts-expect-error: a mistyped option of TLS
connect("10.0.0.1:9876", { tls: { servername: "broker" } });
// @ts-expect-error: another option of Node's TLS
connect("10.0.0.1:9876", { tls: { checkServerIdentity: () => undefined } });
// @ts-expect-error: a store saves, too
connect("10.0.0.1:9876", { offsets: { load: () => "" } });
// @ts-expect-error: what a store has are texts
connect("10.0.0.1:9876", { offsets: { load: () => 7, save() {} } });
// @ts-expect-error: there is no such way
connect("10.0.0.1:9876", { offsets: true });
// @ts-expect-error: there is no such level
connect("10.0.0.1:9876", { log: "trace" });
// @ts-expect-error: a sink has a level
connect("10.0.0.1:9876", { log: { sink: () => {} } });
// @ts-expect-error: a function gives both keys
connect("10.0.0.1:9876", { credentials: () => ({ accessKey: "a" }) });
// @ts-expect-error: only what a function gives expires
connect("10.0.0.1:9876", { credentials: { accessKey: "a", secretKey: "b", expiresAt: 0 } });
// @ts-expect-error: a transport of one's own has addresses
connect({ transport: { open: () => ({ write() {}, close() {} }) } });
// @ts-expect-error: a stream can be closed
export const transport: Transport = { open: () => ({ write: () => true }) };
// @ts-expect-error: only bytes are received
export const textual: Transport = { open: (_, events) => (events.received("text"), { write() {}, close() {} }) };
// @ts-expect-error: no number
init(42);

// Clients.

// @ts-expect-error: connect makes clients
new all.Client();
// @ts-expect-error: it is read
client.state = "closed";
// @ts-expect-error: there is no such state
client.state === "open";
// @ts-expect-error: there is no such event
client.events.addEventListener("conected", () => {});
// @ts-expect-error: a warning has no address
client.events.addEventListener("warning", (event) => event.address.trim());

// Sending.

const producer = client.producer("shop");
// @ts-expect-error: a group has a name
client.producer();
// @ts-expect-error: there is no such option
client.producer("shop", { retries: 3 });
// @ts-expect-error: a message has a body
producer.send({ topic: "orders" });
// @ts-expect-error: a body is text or bytes
producer.send({ topic: "orders", body: { amount: 42 } });
// @ts-expect-error: a message has one tag, which is called tag
producer.send({ topic: "orders", body: "x", tags: "paid" });
// @ts-expect-error: properties are texts
producer.send({ topic: "orders", body: "x", properties: { amount: 42 } });
// @ts-expect-error: a key or a queue
producer.send({ topic: "orders", body: "x" }, { orderKey: "42", queue });
// @ts-expect-error: a function chooses at once
producer.send({ topic: "orders", body: "x" }, { queue: async () => 0 });
// @ts-expect-error: a signal is no controller
producer.send({ topic: "orders", body: "x" }, { signal: new AbortController() });
// @ts-expect-error: a callback
producer.sendWithCallback({ topic: "orders", body: "x" }, { timeout: 1 });
// @ts-expect-error: an offset is a bigint
producer.send({ topic: "orders", body: "x" }).then((receipt) => receipt.queueOffset.toFixed());
// @ts-expect-error: there is no such status
producer.send({ topic: "orders", body: "x" }).then((receipt) => receipt.status === "OK");
// @ts-expect-error: a oneway message has no receipt
producer.sendOneway({ topic: "orders", body: "x" }).then((receipt) => receipt.messageId);

// Consuming.

// @ts-expect-error: a consumer has a topic
client.consumer("billing", {});
// @ts-expect-error: a topic or subscriptions
client.consumer("billing", { topic: "orders", subscriptions: [{ topic: "refunds" }] });
// @ts-expect-error: each subscription has tags of its own
client.consumer("billing", { subscriptions: [{ topic: "refunds" }], tags: "paid" });
// @ts-expect-error: tags or sql
client.consumer("billing", { topic: "orders", tags: "paid", sql: "a = 1" });
// @ts-expect-error: a mistyped option
client.consumer("billing", { topic: "orders", tag: "paid" });
// @ts-expect-error: a stream has no batches
client.consumer("billing", { topic: "orders", batchSize: 32 });
// @ts-expect-error: a handler that is undefined is none
client.consumer("billing", { topic: "orders" }, undefined);
// @ts-expect-error: in order there are no batches
client.consumer("billing", { topic: "orders", batchSize: 32, orderly: true }, () => {});
// @ts-expect-error: without batchSize there is one message
client.consumer("billing", { topic: "orders" }, (messages) => messages.forEach(() => {}));
// @ts-expect-error: with batchSize there are several
client.consumer("billing", { topic: "orders", batchSize: 32 }, (message) => void message.text());
// @ts-expect-error: false does not say that a message failed
client.consumer("billing", { topic: "orders" }, async () => false);
// @ts-expect-error: there is no such beginning
client.consumer("billing", { topic: "orders", from: "earliest" });
// @ts-expect-error: a handler's message is settled by what the handler gives
message.ack();
// @ts-expect-error: a level is a number
reconsumeLater("10s");
// @ts-expect-error: never is no time
suspend("never");
// @ts-expect-error: a listener's functions have names
client.consumer("billing", { topic: "orders", rebalanceListener: { asigned: () => {} } });
// @ts-expect-error: a lag may not be known
client.metrics().consumers["billing"]!.lag + 1n;
// @ts-expect-error: a stream is no promise
client.consumer("billing", { topic: "orders" }).then(() => {});
// @ts-expect-error: a consumer with a handler is no stream
for await (const _ of await client.consumer("billing", { topic: "orders" }, () => {}));
// @ts-expect-error: a message is read
message.topic = "refunds";
// @ts-expect-error: a property may be missing
message.properties["a"].trim();

// Pulling and administering.

const puller = await client.pullConsumer("audit");
// @ts-expect-error: an offset is a number
puller.pull(queue, "0");
// @ts-expect-error: a queue says its broker
puller.pull({ topic: "orders", queueId: 0 }, 0);
// @ts-expect-error: tags or sql
puller.pull(queue, 0, { tags: "paid", sql: "a = 1", signal });
// @ts-expect-error: it may have committed nothing
puller.committedOffset(queue).then((offset) => offset + 1n);
// @ts-expect-error: there is no such permission
client.admin().createTopic("orders", { permission: "all" });
// @ts-expect-error: a cluster or a broker
client.admin().createTopic("orders", { cluster: "DefaultCluster", broker: "broker-a" });
// @ts-expect-error: there is no such place
client.admin().resetOffsets("billing", "orders", "earliest");

// Errors.

// @ts-expect-error: there is no such code
export const code: ErrorCode = "FAILED";
// @ts-expect-error: the package makes its errors
new all.StgError();

// The cluster in memory.

// @ts-expect-error: it has one broker or more
cluster({ brokers: "two" });
// @ts-expect-error: there is no such fault
cluster().force("tired");
// @ts-expect-error: a mistyped option
cluster().createTopic("orders", { queue: 3 });
// @ts-expect-error: a refusal has a code
cluster().force("refuse");
// @ts-expect-error: a queue may have no offset of a group
cluster().queues("orders").map((queue) => queue.committed + 1n);
