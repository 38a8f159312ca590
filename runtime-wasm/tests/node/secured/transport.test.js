// TLS on Apache's servers, which demand it: whom the client trusts, and who it is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import net from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { connect, ConnectionError, InvalidArgumentError } from "stgclient";

import { bench, fails, nameServers } from "../support/bench.js";
import { certificate } from "../support/way.js";

const { STGCLIENT_EXPIRED_NAME_SERVER: EXPIRED, STGCLIENT_STRICT_NAME_SERVER: STRICT } = process.env;

const ca = certificate("ca.pem");

/** Fails to connect because of TLS, and says so with the address and these words. */
async function refused(address, tls, words) {
  const error = await fails(connect(`rocketmqs://${address}`, { tls }), ConnectionError, "TLS_FAILED", words);
  assert.ok(error.message.includes(address), error.message);
  assert.equal(error.retryable, false);
}

/** The address of a server that does this with whoever connects. */
async function listening(t, serve) {
  const server = net.createServer(serve).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((ready) => server.on("listening", ready));
  return `127.0.0.1:${server.address().port}`;
}

test("a server of a CA that is not trusted is refused", async () => {
  await refused(nameServers, { ca: certificate("other-ca.pem") }, /give the CA.*tls\.ca/);
  await refused(nameServers, true, /tls\.ca/);
});

test("a server with a certificate for another name is refused", async () => {
  await refused(nameServers, { ca, serverName: "mq.example" }, /mq\.example.*tls\.serverName/);
});

test("a server whose certificate has expired is refused", async () => {
  await refused(EXPIRED, { ca }, /expired/);
});

test("a server may demand a certificate of ours, and says so when it gets none", async (t) => {
  const client = await connect(`rocketmqs://${STRICT}`, { tls: { ca, cert: certificate("client.pem"), key: certificate("client.key") } });
  t.after(() => client.close());
  assert.ok(Array.isArray(await client.admin().topics()));
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) await refused(STRICT, { ca, maxVersion }, /tls\.cert, tls\.key/);
});

test("a certificate and its key may come in one file, which a password opens", async (t) => {
  const [cert, key] = ["client.pem", "client.key"].map((name) => join(process.env.STGCLIENT_CERTIFICATES, name));
  const pfx = execFileSync("openssl", ["pkcs12", "-export", "-in", cert, "-inkey", key, "-passout", "pass:open sesame"]);
  const client = await connect(`rocketmqs://${STRICT}`, { tls: { ca, pfx, passphrase: "open sesame" } });
  t.after(() => client.close());
  assert.ok(Array.isArray(await client.admin().topics()));
  const connecting = connect(`rocketmqs://${STRICT}`, { tls: { ca, pfx, passphrase: "abracadabra" } });
  await fails(connecting, InvalidArgumentError, "INVALID_ARGUMENT", /^tls: /);
});

test("a certificate that does not fit its key is a mistake, before any server is asked", async () => {
  const wrong = { ca, cert: certificate("client.pem"), key: certificate("server.key") };
  await fails(connect(`rocketmqs://${nameServers}`, { tls: wrong }), InvalidArgumentError, "INVALID_ARGUMENT", /key values mismatch/);
});

test("a server without TLS is told from one that is away", async (t) => {
  const answers = (socket) => socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await refused(await listening(t, answers), { ca }, /wrong version number: perhaps the server does not speak TLS/);
  const cutsOff = await listening(t, (socket) => socket.on("data", () => socket.destroy()));
  const connecting = connect(`rocketmqs://${cutsOff}`, { tls: { ca } });
  await fails(connecting, ConnectionError, "NAME_SERVERS_UNAVAILABLE", /during the TLS handshake; perhaps it does not speak TLS/);
});

test("a client without TLS is cut off, and hears why that may be", async () => {
  await fails(connect(nameServers), ConnectionError, "NAME_SERVERS_UNAVAILABLE", /perhaps it demands TLS/);
});

test("whoever takes any certificate, or asks for the name that it has, is let in", async (t) => {
  const warned = [];
  const warn = (warning) => warned.push(warning);
  process.on("warning", warn);
  t.after(() => process.off("warning", warn));
  const port = nameServers.split(":")[1];
  for (const [host, tls] of [
    ["127.0.0.1", { ca }],
    ["127.0.0.1", { ca, serverName: "127.0.0.1" }],
    ["localhost", { ca, serverName: "127.0.0.1" }],
    ["localhost", { ca, rejectUnauthorized: false }],
    ["127.0.0.1", { ca, minVersion: "TLSv1.3" }],
  ]) {
    const client = await connect(`rocketmqs://${host}:${port}`, { tls });
    await client.close();
  }
  await refused(`localhost:${port}`, { ca }, /localhost.*tls\.serverName/);
  assert.deepEqual(warned.filter(({ code }) => code === "DEP0123"), []);
});

test("a megabyte and many messages at once go over TLS as they are", async (t) => {
  const on = await bench(t, 2);
  const body = Uint8Array.from({ length: 1 << 20 }, (_, at) => (at * 7919) >> 5);
  const sends = Array.from({ length: 200 }, (_, number) => on.send(`${number}`));
  const receipt = await on.send(body);
  await Promise.all(sends);
  assert.ok(Buffer.from(body).equals((await on.pullSent(receipt)).bytes()));
  assert.equal((await on.pullAll(201)).length, 201);
});
