// Transports of one's own: however they cut, hesitate or fail, nothing is lost and nobody waits for ever.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import { connect, ConnectionError, InvalidArgumentError } from "stgclient";

import { bench, client, DEAD, DEADLINE, eventually, fails, nameServers, promised, unique } from "./support/bench.js";
import { cutting, hesitating, sockets } from "./support/transports.js";

/** What an application does: sends, pulls, consumes, asks and closes. */
async function everything(t, transport) {
  const on = await bench(t, 2, { transport });
  const bodies = Array.from({ length: 60 }, (_, number) => `${number}:${"x".repeat(number * 40)}`);
  await Promise.all(bodies.map((body) => on.send(body, { keys: "k", properties: { 名: "值" } })));
  await on.send("y".repeat(100_000));
  const pulled = (await on.pullAll(61)).map((message) => message.text());
  assert.deepEqual(pulled.filter((text) => text[0] !== "y").sort(), bodies.sort());
  const seen = new Set();
  await on.client.consumer(unique("g"), on.all(), (message) => void seen.add(message.messageId));
  await eventually("all", () => seen.size === 61);
  assert.ok((await on.admin.topics()).includes(on.topic));
  await on.client.close();
}

describe("a transport", { concurrency: 4, timeout: DEADLINE }, () => {
  test("that cuts the stream into pieces of 1 to 7 bytes changes nothing", (t) => everything(t, cutting()));

  test("that takes no more after every write, and later does, loses nothing", (t) => everything(t, hesitating()));

  test("that brings what are no bytes is told so", async (t) => {
    const told = [];
    const receive = (bytes, give) => {
      for (const wrong of ["text", undefined, new Uint8Array(bytes).buffer]) {
        try {
          give(wrong);
        } catch (error) {
          told.push(error);
        }
      }
      give(bytes);
    };
    await client(t, { transport: sockets({ receive }) });
    assert.ok(told.length >= 3 && told.every((error) => error instanceof InvalidArgumentError));
  });

  test("gets the name servers' addresses alone, also from URLs and lists", async (t) => {
    for (const target of [`rocketmq://${nameServers}/`, ` ${nameServers} ; ${nameServers}`, [nameServers]]) {
      const opened = [];
      const transport = sockets({ opened: ({ host, port }) => opened.push(`${host}:${port}`) });
      await client(t, { transport }, target);
      assert.deepEqual([...new Set(opened)], [nameServers]);
    }
    const asObject = await connect({ addresses: [nameServers], transport: sockets() });
    await asObject.close();
    await (await connect({ addresses: nameServers }, { transport: sockets() })).close();
  });

  for (const [what, open] of Object.entries({
    "throws while it opens": () => {
      throw new Error("broken pipe");
    },
    "ends at once": (_, { closed }) => {
      closed(new Error("broken pipe"));
      return { write: () => true, close: () => {} };
    },
    "throws while it writes": (_, { opened }) => {
      queueMicrotask(opened);
      return {
        write: () => {
          throw new Error("broken pipe");
        },
        close: () => {},
      };
    },
  })) {
    test(`that ${what} has its reason told`, async () => {
      const connecting = connect(DEAD, { transport: { open }, waitForServers: 0 });
      await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", /broken pipe/);
    });
  }

  test("that gives no stream is a mistake, and the error says so", async () => {
    for (const stream of [undefined, {}, Promise.resolve({ write: () => true })]) {
      const connecting = connect(DEAD, { transport: { open: () => stream }, waitForServers: 0 });
      await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", /write.*close/);
    }
    const connecting = connect(DEAD, { transport: {} });
    await fails(connecting, InvalidArgumentError, "INVALID_ARGUMENT", /open/);
  });

  test("whose streams end is asked for new ones, and what was not answered is sent again", async (t) => {
    const open = [];
    const on = await bench(t, 1, { transport: sockets({ opened: ({ socket }) => open.push(socket) }) });
    await on.send("before");
    const sending = Promise.all(Array.from({ length: 20 }, (_, number) => on.send(String(number))));
    open.splice(0).forEach((socket) => socket.destroy());
    await sending;
    const bodies = new Set((await eventually("all", async () => {
      const { messages } = await on.pulls.pull(await on.queue(0), 0);
      return messages.length >= 21 && messages;
    })).map((message) => message.text()));
    assert.equal(bodies.size, 21);
    assert.ok(open.length > 0);
  });

  test("is given what is sent in one turn of the event loop in one write", async (t) => {
    const writes = [];
    const write = (socket, bytes) => {
      const sends = Buffer.from(bytes).toString("latin1").split('"code":310,').length - 1;
      if (sends > 0) writes.push(sends);
      return socket.write(bytes);
    };
    const on = await bench(t, 1, { transport: sockets({ write }) });
    await on.send("the connection stands");
    await Promise.all(Array.from({ length: 64 }, (_, number) => on.send(String(number))));
    assert.deepEqual(writes, [1, 64]);
  });

  test("that takes no more is given no more until it says that it does", async (t) => {
    const full = new Map();
    let [isSlow, tooMany] = [false, 0];
    const write = (socket, bytes, _, { drained }) => {
      if (full.has(socket)) tooMany++;
      socket.write(bytes);
      if (isSlow) full.set(socket, drained);
      return !isSlow;
    };
    const drain = () => {
      for (const [socket, drained] of [...full]) {
        full.delete(socket);
        drained();
      }
    };
    const on = await bench(t, 1, { transport: sockets({ write, drain: () => {} }) });
    await on.send("the connection stands");
    isSlow = true;
    const bodies = Array.from({ length: 30 }, () => randomBytes(20_000));
    const sending = Promise.all(bodies.map((body) => on.send(body)));
    let [isDone, rounds] = [false, 0];
    sending.finally(() => (isDone = true)).catch(() => {});
    await eventually("it is full", () => full.size > 0);
    while (!isDone) {
      drain();
      rounds++;
      await new Promise((turn) => setImmediate(turn));
    }
    await sending;
    isSlow = false;
    drain();
    assert.equal(tooMany, 0);
    assert.ok(rounds > 5, `600,000 bytes by ${rounds} writes`);
  });

  test("closes every stream when the client closes, and is told nothing more", async (t) => {
    const streams = { open: 0, closed: 0 };
    const inner = sockets();
    const transport = {
      open: (where, events) => {
        streams.open++;
        const stream = inner.open(where, events);
        return { write: (bytes) => stream.write(bytes), close: () => (streams.closed++, stream.close()) };
      },
    };
    const on = await bench(t, 1, { transport });
    await on.send("x");
    await on.client.close();
    await eventually("all are closed", () => streams.closed === streams.open);
    assert.equal(streams.open, 2);
  });
});
