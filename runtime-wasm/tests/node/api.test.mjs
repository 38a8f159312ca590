// What the JavaScript promises by itself: options, lives of consumers, aborting.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";

import { connect, ConnectionError, InvalidArgumentError, NotFoundError, reconsumeLater, suspend, Verdict } from "stgclient";
import { cluster } from "stgclient/embedded";

const servers = cluster();
const client = await connect(servers);
const producer = client.producer("tests");
after(() => client.close());

let last = 0;
/** A name that no other test has. */
const fresh = (name) => `${name}-${process.pid}-${++last}`;

async function topic(queues = 1) {
  const name = fresh("topic");
  await client.admin().createTopic(name, { queues });
  return name;
}

/** Waits for a condition, with a deadline. */
async function until(condition) {
  const end = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < end, "it did not come true in time");
    await new Promise((done) => setTimeout(done, 5));
  }
}

const invalid = (pattern) => (error) => {
  assert.ok(error instanceof InvalidArgumentError, String(error));
  assert.match(error.message, pattern);
  return true;
};

/** Runs a program with a cluster of its own in a process of its own. Its output; else its error, or nothing when it does not end. */
function run(program) {
  const [client, embedded] = ["stgclient", "stgclient/embedded"].map((name) => JSON.stringify(import.meta.resolve(name)));
  const text = `
    import { connect } from ${client};
    import { cluster } from ${embedded};
    const servers = cluster();
    servers.createTopic("orders", { queues: 1 });
    ${program}`;
  const options = { encoding: "utf8", timeout: 20_000 };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", text], options);
  return status === 0 ? stdout.trim() : stderr;
}

test("a client that is closed lets the process end, whatever its consumers were", () => {
  const program = `
    const client = await connect(servers);
    await client.consumer("billing", { topic: "orders" }, () => {});
    await client.consumer("fraud", { topic: "orders" }).start();
    await client.close();
    console.log("closed");`;
  assert.equal(run(program), "closed");
});

test("a consumer with a handler runs, although nobody keeps it", () => {
  const program = `
    await (async () => {
      const client = await connect(servers);
      await client.consumer("billing", { topic: "orders" }, ({ tag }) => {
        console.log(tag);
        process.exit();
      });
    })();
    // What nobody keeps is collected by now, and what it leaves behind has happened.
    for (let turn = 0; turn < 10; turn++) {
      await new Promise((done) => setTimeout(done, 20));
      gc();
    }
    const client = await connect(servers);
    await client.producer("tests").send({ topic: "orders", body: "hello", tag: "it came" });`;
  assert.equal(run(program), "it came");
});

test("a consumer that broadcasts in a cluster in memory keeps its offsets there, and a client that has no home lacks none", () => {
  const program = `
    import { existsSync, mkdtempSync } from "node:fs";
    import { tmpdir } from "node:os";
    process.env.HOME = mkdtempSync(tmpdir() + "/stgclient-");
    for (let round = 0; round < 2; round++) {
      const client = await connect(servers);
      await client.producer("tests").send({ topic: "orders", body: String(round) });
      const seen = [];
      const options = { topic: "orders", from: "first", model: "broadcasting", commitInterval: 10 };
      const consumer = await client.consumer("billing", options, (message) => void seen.push(message.text()));
      while (seen.length <= round) await new Promise((turn) => setTimeout(turn, 5));
      await client.close();
      console.log(seen.join(), existsSync(process.env.HOME + "/.rocketmq_offsets"));
    }
    process.env.HOME = "/dev/null/none";
    const { addresses, transport } = servers;
    const client = await connect({ addresses, transport });
    const options = { topic: "orders", model: "broadcasting" };
    await client.consumer("billing", options, () => {}).catch(({ code }) => console.log(code));
    await client.consumer("fraud", { topic: "orders" }, () => {});
    await client.close();`;
  assert.equal(run(program), "0 false\n0,1 false\nOFFSET_STORE");
});

test("a stream that is aborted rejects with the reason, and closes its consumer", async () => {
  const aborting = new AbortController();
  const group = fresh("group");
  const stream = client.consumer(group, { topic: await topic(), signal: aborting.signal });
  const consumer = await stream.start();
  const next = stream.next();
  aborting.abort(new Error("enough"));
  await assert.rejects(next, /^Error: enough$/);
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  await assert.rejects(consumer.close().then(() => consumer.ready()), { code: "CLOSED" });
  // The group has a place again.
  await (await client.consumer(group, { topic: await topic() }, () => {})).close();
});

test("a stream that was closed before its start does not start", async () => {
  const stream = client.consumer(fresh("group"), { topic: await topic() });
  assert.deepEqual(await stream.close(), []);
  await assert.rejects(stream.start(), { name: "ClosedError", code: "CLOSED" });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  await stream.close();
});

test("a handler that is undefined is a mistake, and no wish for a stream", async () => {
  await assert.rejects(client.consumer("group", { topic: "orders" }, undefined), invalid(/the handler is undefined/));
});

test("where a promise is given, wrong arguments reject", async () => {
  const admin = client.admin();
  const puller = await client.pullConsumer(fresh("group"));
  const wrong = [
    () => client.consumer(42, { topic: "orders" }, () => {}),
    () => client.consumer("group", {}, () => {}),
    () => admin.route(42),
    () => admin.lag(),
    () => admin.minOffset({}),
    () => admin.resetOffsets("group", "orders", "earliest"),
    () => admin.messagesByKey("orders", "42", { max: 2000 }),
    () => puller.pull({}, 0),
    () => puller.commitOffset({ topic: "orders", brokerName: "broker-a", queueId: 0 }, -1),
    () => producer.send({ topic: "orders" }),
  ];
  for (const call of wrong) await assert.rejects(call(), InvalidArgumentError, String(call));
});

test("a mistyped option is refused, and its neighbours are named", async () => {
  const handler = () => {};
  const subscriptions = [{ topic: "orders", tag: "paid" }];
  await assert.rejects(client.consumer("group", { subscriptions }, handler), invalid(/no "tag"; there are topic, tags, sql/));
  await assert.rejects(client.consumer("group", { topic: "orders", tag: "paid" }, handler), invalid(/no "tag"/));
  const both = { subscriptions: [{ topic: "orders" }], tags: "paid" };
  await assert.rejects(client.consumer("group", both, handler), invalid(/of its own/));
  await assert.rejects(client.admin().createTopic("orders", { queueCount: 4 }), invalid(/no "queueCount"; there are queues/));
  await assert.rejects(connect(servers, { requestTimeOut: 1 }), invalid(/no "requestTimeOut"; there are requestTimeout/));
  await assert.rejects(connect(servers, { credentials: { accessKeyId: "a" } }), invalid(/no "accessKeyId"; there are accessKey/));
});

test("ways to connect that contradict each other are refused", async () => {
  const transport = { open: () => assert.fail("it was opened") };
  for (const [target, options, pattern] of [
    ["rocketmqs://localhost:1", { tls: false }, /is TLS, and tls is false/],
    ["localhost:1", { tls: "yes" }, /^tls/],
    ["localhost:1", { nameServers: "localhost:2" }, /nameServers are for a tunnel/],
    ["localhost:1", { webSocket: { token: "t" } }, /webSocket is for a tunnel/],
    ["wss://localhost", {}, /no name servers of its own/],
    ["wss://localhost", { nameServers: "localhost:1", tls: true }, /tls is for sockets/],
    ["wss://localhost", { nameServers: "localhost:1", webSocket: { toke: "t" } }, /no "toke"; there are WebSocket, protocols, token/],
    [["wss://localhost/a", "wss://localhost/b"], { nameServers: "localhost:1" }, /one tunnel/],
    ["rocketmqs://localhost:1", { transport }, /a transport of your own/],
    [{ addresses: "localhost:1", transport }, { tls: true }, /not for a transport of your own/],
    ["http://localhost", {}, /no way to connect/],
  ]) {
    await assert.rejects(connect(target, options), invalid(pattern), `${target} ${JSON.stringify(options)}`);
  }
});

test("a transport of the application's own is given bare addresses, and gives bytes alone", async () => {
  const opened = [];
  const transport = {
    open(address, events) {
      opened.push(address);
      assert.throws(() => events.received("text"), invalid(/Uint8Array/));
      throw new Error("closed today");
    },
  };
  const failed = connect("rocketmq://localhost:9876/", { transport });
  await assert.rejects(failed, (error) => error instanceof ConnectionError && /closed today/.test(error.message));
  assert.deepEqual(opened[0], { host: "localhost", port: 9876 });
});

test("sends made while a producer starts keep their order, and flush waits for them", async () => {
  const orders = await topic();
  const starting = client.producer("tests");
  const sends = Array.from({ length: 20 }, (_, n) => starting.send({ topic: orders, body: String(n) }));
  let settled = 0;
  for (const send of sends) send.then(() => settled++);
  await starting.flush();
  assert.equal(settled, sends.length);
  const receipts = await Promise.all(sends);
  assert.deepEqual(receipts.map(({ queueOffset }) => Number(queueOffset)), [...sends.keys()]);
});

test("a producer that could not start is closed without an error", async () => {
  const wrong = client.producer("no group!");
  await assert.rejects(wrong.send({ topic: "orders", body: "hello" }), InvalidArgumentError);
  await wrong.close();
});

test("a function chooses among the queues that can be written, and where there are none that is no wrong argument", async () => {
  const orders = await topic(4);
  const { queue } = await producer.send({ topic: orders, body: "hello" }, { queue: (queues) => queues.length - 1 });
  assert.equal(queue.queueId, 3);
  await client.admin().createTopic(orders, { queues: 4, permission: "read" });
  // One that does not know the queues that there were.
  const other = await connect(servers);
  const sending = other.producer("tests", { sendTimeout: 300 }).send({ topic: orders, body: "hello" }, { queue: () => 0 });
  await assert.rejects(sending, (error) => error instanceof NotFoundError && error.code === "NO_QUEUE_AVAILABLE" && error.retryable);
  await other.close();
});

test("a level and a time are told apart, and what is neither is refused", () => {
  assert.throws(() => reconsumeLater("10s"), invalid(/^the delay level, unless it is "never", is "10s"; it has to be a whole number from 1 to 18/));
  assert.throws(() => suspend("10s"), invalid(/^the time that the queue rests is "10s"; it has to be a time in milliseconds/));
  const [later, resting] = [reconsumeLater(18, "later"), suspend(5000, "resting")];
  assert.ok(later instanceof Verdict && resting instanceof Verdict);
  assert.deepEqual({ ...later }, { suspends: false, delay: 18, reason: "later" });
  assert.deepEqual({ ...resting }, { suspends: true, delay: 5000, reason: "resting" });
});

test("when a queue was last written is a Date, and nothing where it never was", async () => {
  const orders = await topic();
  const [before] = await client.admin().statistics(orders);
  assert.equal(before.lastUpdate, undefined);
  await producer.send({ topic: orders, body: "hello" });
  const [written] = await client.admin().statistics(orders);
  assert.ok(written.lastUpdate instanceof Date && written.lastUpdate.getTime() > 1.7e12);
});

test("errors keep their names where code is made smaller", async () => {
  Object.defineProperty(NotFoundError, "name", { value: "t" });
  await assert.rejects(client.admin().route(fresh("none")), { name: "NotFoundError", code: "TOPIC_NOT_FOUND", retryable: false });
});
