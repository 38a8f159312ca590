// What happens to a client, and how its errors tell what failed.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  ClientEvent, ClosedError, connect, ConnectionError, InvalidArgumentError, NotFoundError, RefusedError, StgError,
} from "stgclient";

import { bench, client, DEAD, DEADLINE, eventually, fails, nameServers, unique } from "./support/bench.js";
import { rewriting, sockets } from "./support/transports.js";
import { apacheTest } from "./support/way.js";

const KINDS = ["connected", "disconnected", "unreachable", "nameserverlost", "routechanged", "warning", "missed"];

/** Notes all events of a client. */
function noting(of) {
  const told = [];
  for (const kind of KINDS) of.events.addEventListener(kind, (event) => told.push(event));
  return { told, of: (kind) => told.filter(({ type }) => type === kind) };
}

describe("events", { concurrency: 4, timeout: DEADLINE }, () => {
  test("tell of connections that are made, also before anybody listens, and that end", async (t) => {
    const on = await bench(t, 1);
    const other = await client(t);
    const book = noting(other);
    assert.equal(other.events, other.events);
    await other.producer(unique("p")).send({ topic: on.topic, body: "x" });
    await eventually("name server and broker", () => book.of("connected").length === 2);
    const [first] = book.of("connected");
    assert.ok(first instanceof ClientEvent && first instanceof Event);
    assert.equal(first.address, nameServers);
    assert.match(first.message, new RegExp(nameServers));
    assert.equal(other.state, "connected");
    await other.close();
    await eventually("both have ended", () => book.of("disconnected").length === 2);
    assert.equal(typeof book.of("disconnected")[0].reason, "string");
    assert.equal(other.state, "closed");
  });

  test("tell of a topic whose route has changed", async (t) => {
    const on = await bench(t, 1, { routeInterval: 200 });
    await on.send("x");
    const book = noting(on.client);
    await on.admin.createTopic(on.topic, { queues: 3 });
    await eventually("it has changed", () => book.of("routechanged").some(({ topic }) => topic === on.topic));
  });

  test("tell of servers that are away, with the error", async (t) => {
    let isAway = false;
    const all = [];
    const inner = sockets({ opened: ({ socket }) => all.push(socket) });
    const transport = {
      open: (where, events) => {
        if (isAway) throw new Error("no way there");
        return inner.open(where, events);
      },
    };
    const on = await bench(t, 1, { transport, heartbeatInterval: 300, routeInterval: 300, closeTimeout: 100 });
    const book = noting(on.client);
    await on.send("x");
    isAway = true;
    all.forEach((socket) => socket.destroy());
    await eventually("they are away", () => book.of("unreachable").length > 0);
    const [{ error }] = book.of("unreachable");
    assert.ok(error instanceof ConnectionError, String(error));
    assert.match(error.message, /no way there/);
    await eventually("the client knows", () => on.client.state === "disconnected");
    isAway = false;
    await on.send("y");
    await eventually("it is well again", () => on.client.state === "connected");
  });
});

describe("an error", { concurrency: 4, timeout: DEADLINE }, () => {
  test("is of a class by its code, and is told by its name", async (t) => {
    const on = await bench(t, 0);
    const error = await fails(on.admin.route(unique("none")), NotFoundError, "TOPIC_NOT_FOUND");
    assert.ok(error instanceof StgError && error instanceof Error);
    assert.equal(error.name, "NotFoundError");
    assert.match(String(error), /^NotFoundError: /);
    assert.match(error.stack, /NotFoundError/);
  });

  apacheTest("of a broker has its code, its remark and where it is from", async (t) => {
    const on = await bench(t, 1);
    const starting = on.client.consumer(unique("g"), on.all({ sql: "a >" }), () => {});
    const error = await fails(starting, RefusedError, "REFUSED");
    assert.equal(error.responseCode, 23);
    assert.equal(typeof error.remark, "string");
    assert.match(error.address, /:\d+$/);
    assert.equal(error.retryable, false);
  });

  test("of a send says how often it was tried, where and what came of it", async (t) => {
    const on = await bench(t, 1);
    const busy = (header) => {
      header.code = 2;
      header.remark = "[REJECTREQUEST]system busy, start flow control for a while";
    };
    const other = await client(t, { transport: rewriting({ 10: busy, 310: busy }) });
    const producer = other.producer(unique("p"), { maxTries: 3, sendTimeout: 30_000 });
    const error = await producer.send({ topic: on.topic, body: "x" }).catch((error) => error);
    assert.equal(error.code, "REFUSED", error.stack);
    assert.equal(error.responseCode, 2);
    assert.match(error.remark, /system busy/);
    assert.equal(error.retryable, true);
    assert.equal(error.attempts.length, 3);
    for (const { address, afterMs, outcome } of error.attempts) {
      assert.match(address, /:\d+$/);
      assert.ok(afterMs >= 0);
      assert.match(outcome, /busy/);
    }
  });

  test("of a cluster where nobody is says where it was looked for", async () => {
    const connecting = connect(DEAD, { waitForServers: 0 });
    const error = await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", /no connection: connection refused \(/);
    assert.equal(error.retryable, true);
    assert.match(error.message, /127\.0\.0\.1:1/);
  });

  test("of what is closed, or wrong, is not worth another try", async (t) => {
    const on = await bench(t, 0);
    const wrong = await fails(on.send(""), InvalidArgumentError, "INVALID_ARGUMENT");
    await on.client.close();
    const closed = await fails(on.admin.topics(), ClosedError, "CLOSED");
    assert.deepEqual([wrong.retryable, closed.retryable], [false, false]);
  });
});
