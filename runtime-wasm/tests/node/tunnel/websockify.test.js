// Through websockify, somebody else's gateway, which leads to servers that it knows: run below tests/servers/with-tunnel.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectionError } from "stgclient";

import { bench, client, DEAD, fails } from "../support/bench.js";

test("megabytes and many messages at once go through a gateway as they are", async (t) => {
  const on = await bench(t, 2);
  const body = Uint8Array.from({ length: 3 << 20 }, (_, at) => (at * 7919) >> 5);
  const producer = on.client.producer("p", { compressionThreshold: Infinity, sendTimeout: 60_000 });
  const big = producer.send({ topic: on.topic, body });
  await Promise.all(Array.from({ length: 500 }, (_, number) => on.send(`${number}`)));
  assert.ok(Buffer.from(body).equals((await on.pullSent(await big)).bytes()));
  assert.equal((await on.pullAll(501)).length, 501);
});

test("a server that the gateway does not lead to is not reached, and it is said where it ended", async (t) => {
  const connecting = client(t, { nameServers: DEAD });
  const error = await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", /the tunnel could not be opened: /);
  assert.match(error.message, new RegExp(DEAD));
});
