// Processes and threads: how the package is loaded, several clients in one process, and when a process ends by itself.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bench, client, DEADLINE, eventually, isSettled, unique } from "./support/bench.js";
import { child, thread } from "./support/children.js";

/** Asserts that a process has ended by itself and well. */
async function endsWell(state) {
  await eventually("the process ends", () => isSettled(state.ended), 30_000);
  const { code, signal, complained } = await state.ended;
  assert.deepEqual([code, signal], [0, null], complained);
  return (await state.ended).printed;
}

describe("the package", { concurrency: 4, timeout: DEADLINE }, () => {
  test("is imported and required, and is the same", async (t) => {
    const program = "console.log(Object.keys(stgclient).sort().join());";
    const imported = await endsWell(child(t, program));
    const required = await endsWell(child(t, program, {}, "commonjs"));
    assert.equal(required.replace("__esModule,", ""), imported);
    for (const name of ["connect", "reconsumeLater", "StgError", "Producer"]) assert.match(imported, new RegExp(name));
  });

  test("works when it is required", async (t) => {
    const program = "connect(nameServers).then(async (c) => { console.log((await c.admin().cluster()).clusters); await c.close(); });";
    assert.match(await endsWell(child(t, program, {}, "commonjs")), /\w+/);
  });
});

describe("a process ends by itself", { concurrency: 4, timeout: DEADLINE }, () => {
  const send = 'const c = await connect(nameServers); await c.producer("p").send({ topic, body: "x" });';
  for (const [what, program] of Object.entries({
    "when its client is closed": `${send} await c.close(); console.log("end")`,
    "although its client was forgotten": `${send} c.events; console.log("end")`,
    "when a client with consumers is closed": `${send}
      await c.consumer(topic, { topic }, () => {});
      const stream = c.consumer(topic + "-2", { topic, from: "first" });
      await stream.next();
      const pulls = await c.pullConsumer(topic);
      await c.close(); console.log("end")`,
    "when its consumer is closed": `${send}
      const consumer = await c.consumer(topic, { topic }, () => {});
      await consumer.close(); console.log("end")`,
    "when a consumer could not be started": `${send}
      await c.consumer("no group!", { topic }, () => {}).catch(() => console.log("end"))`,
    "when its loop is left": `${send}
      for await (const message of c.consumer(topic, { topic, from: "first" })) { message.ack(); break; }
      console.log("end")`,
    "when its loop is aborted": `${send}
      const abort = new AbortController();
      try {
        for await (const message of c.consumer(topic, { topic, from: "first", signal: abort.signal })) {
          message.ack();
          setImmediate(() => abort.abort());
        }
      } catch (error) { console.log(error.name, "end") }`,
    "when nobody asks its stream any more": `${send}
      const stream = c.consumer(topic, { topic, from: "first" });
      await stream.next(); await stream.return(); console.log("end")`,
    "while it cannot connect": `connect("127.0.0.1:1", { waitForServers: 100 }).catch(() => console.log("end"))`,
  })) {
    test(what, async (t) => {
      const on = await bench(t, 1);
      assert.match(await endsWell(child(t, program, { topic: on.topic })), /end\n$/);
    });
  }
});

describe("a process goes on", { concurrency: 4, timeout: DEADLINE }, () => {
  test("while a consumer runs", async (t) => {
    const on = await bench(t, 1);
    const program = `
      const c = await connect(nameServers);
      await c.consumer(topic, { topic, from: "first" }, (message) => console.log(message.text()));
      console.log("started");`;
    const state = child(t, program, { topic: on.topic });
    await eventually("it is started", () => state.printed.includes("started"));
    for (const body of ["one", "two", "three"]) {
      await on.send(body);
      await eventually(body, () => state.printed.includes(body));
    }
    assert.equal(state.process.exitCode, null);
  });

  test("while a loop waits for a message", async (t) => {
    const on = await bench(t, 1);
    const program = `
      const c = await connect(nameServers);
      for await (const message of c.consumer(topic, { topic, from: "first" })) {
        message.ack();
        console.log(message.text());
        if (message.text() === "last") break;
      }`;
    const state = child(t, program, { topic: on.topic });
    await on.send("first");
    await eventually("the first", () => state.printed.includes("first"));
    await on.send("last");
    assert.equal(await endsWell(state), "first\nlast\n");
  });

  test("until what was sent has its answer", async (t) => {
    const on = await bench(t, 1);
    const program = 'connect(nameServers).then((c) => c.producer("p").send({ topic, body: "x" }));';
    await endsWell(child(t, program, { topic: on.topic }));
    await on.pullAll(1);
  });
});

describe("several clients", { concurrency: 4, timeout: DEADLINE }, () => {
  test("of one process and of its threads are told apart by brokers, and give no id twice", async (t) => {
    const on = await bench(t, 4);
    const other = await client(t);
    const program = `
      const c = await connect(workerData.nameServers);
      const producer = c.producer("p");
      const ids = [];
      for (let n = 0; n < 100; n++) ids.push((await producer.send({ topic: workerData.topic, body: "x" })).messageId);
      const clientId = c.clientId;
      await c.close();
      return { clientId, ids };`;
    const threads = [0, 1].map(() => thread(t, program, { topic: on.topic }));
    const ids = await Promise.all(Array.from({ length: 100 }, async () => (await on.send("x")).messageId));
    const posted = await Promise.all(threads.map(({ posted }) => posted));
    const clients = [on.client.clientId, other.clientId, ...posted.map(({ clientId }) => clientId)];
    assert.equal(new Set(clients).size, 4, clients.join());
    assert.equal(new Set([...ids, ...posted.flatMap(({ ids }) => ids)]).size, 300);
    await Promise.all(threads.map(({ ended }) => ended));
  });

  test("are closed one by one", async (t) => {
    const on = await bench(t, 1);
    const other = await client(t);
    const producer = other.producer(unique("p"));
    await producer.send({ topic: on.topic, body: "x" });
    await other.close();
    await other.close();
    assert.equal(other.state, "closed");
    await on.send("y");
    await on.pullAll(2);
  });
});

// What nobody can mend: in the WebAssembly the clock is read, and one that fails there as the WebAssembly itself would leaves nothing whole.
describe("after the client's own code has failed", { concurrency: 4, timeout: DEADLINE }, () => {
  const connected = "const c = await connect(nameServers); const now = performance.now.bind(performance);";
  const failing = (where) => `performance.now = () => {
    if (new Error().stack.includes(${JSON.stringify(where)})) throw new WebAssembly.RuntimeError("unreachable");
    return now();
  };`;
  const told = 'const told = (call) => call.then(() => "done", ({ name, code, message }) => [name, code, message].join());';
  const words = "ClosedError,CLOSED,the client has failed by a fault of its own: unreachable";

  for (const where of ["runTasks", "received"]) {
    test(`in ${where}, what waits and every later call says so, and the process goes on`, async (t) => {
      const program = `${connected} ${told}
        const pulls = await c.pullConsumer("g" + topic);
        const admin = c.admin();
        await admin.createTopic(topic, { queues: 1 });
        let queue;
        while (!queue) [queue] = await pulls.queues(topic).catch(() => []);
        const waiting = told(pulls.pull(queue, 0n, { wait: 20000, timeout: 30000 }));
        ${failing(where)}
        // Something has to run and to come.
        told(c.producer("p").send({ topic, body: "x" }));
        console.log(await waiting);
        console.log(await told(admin.topics()));
        try { c.state } catch (error) { console.log(error.message); }
        setTimeout(() => console.log("end"), 50);`;
      const printed = await endsWell(child(t, program, { topic: unique("trap") }));
      assert.equal(printed.split(words).length, 3, printed);
      assert.equal(printed.split("a fault of its own").length, 4, printed);
      assert.match(printed, /end\n$/);
    });
  }
});
