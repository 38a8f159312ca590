// Sockets of Node's: TCP, and TLS on it.

import net from "node:net";
import tls from "node:tls";

import * as check from "./check.js";
import { invalid } from "./values.js";

/** How long a socket that was closed has to write what it has taken. */
const LAST_MS = 1000;

/** A transport of sockets; with TLS, if there are options for it. */
export function tcp(secured) {
  if (!secured) return { open: ({ host, port }, events) => new Socket(net.connect({ host, port }), "connect", events) };
  const { serverName, ...options } = secured === true ? {} : readTls(secured);
  return {
    open: ({ host, port }, events) => {
      const name = serverName ?? (net.isIP(host) ? undefined : host);
      const socket = tls.connect({ ...options, host, port, servername: name, ...checks(serverName) });
      return new Socket(socket, "secureConnect", events);
    },
  };
}

const VERSIONS = ["TLSv1.2", "TLSv1.3"];

/** Options of Node's that are looked at, and no others: one that is mistyped would be passed over in silence. */
function readTls(given) {
  const read = {};
  const is = (name, look) => [name, (value) => (read[name] = look(name, value))];
  const pem = (name, value) => {
    if (typeof value === "string" || value instanceof Uint8Array) return value;
    throw invalid(`tls.${name} is ${check.shown(value)}; it has to be a string or bytes`);
  };
  const several = (name, value) => (Array.isArray(value) ? value.map((one) => pem(name, one)) : pem(name, value));
  const text = (name, value) => check.text(`tls.${name}`, value);
  const version = (name, value) => check.oneOf(`tls.${name}`, value, ...VERSIONS);
  const known = [
    is("serverName", text),
    is("ca", several),
    ...["cert", "key", "pfx"].map((name) => is(name, pem)),
    ...["passphrase", "ciphers"].map((name) => is(name, text)),
    is("rejectUnauthorized", (name, value) => check.flag(`tls.${name}`, value)),
    ...["minVersion", "maxVersion"].map((name) => is(name, version)),
  ];
  check.options("the options of TLS", given, Object.fromEntries(known));
  return read;
}

/** A certificate is of the name that the application has given, whatever address a broker is at. */
function checks(serverName) {
  if (serverName === undefined) return {};
  return { checkServerIdentity: (_, certificate) => tls.checkServerIdentity(serverName, certificate) };
}

class Socket {
  #socket;

  constructor(socket, opened, events) {
    this.#socket = socket;
    const isSecured = opened === "secureConnect";
    let isConnected = false;
    let failure;
    socket.setNoDelay(true);
    // Only what waits for something holds the process.
    socket.unref();
    socket.once("connect", () => (isConnected = true));
    socket.once(opened, events.opened);
    socket.on("data", events.received);
    socket.on("drain", events.drained);
    socket.on("error", (error) => (failure = explained(error, isSecured && isConnected)));
    socket.on("close", () => events.closed(failure));
  }

  write(bytes) {
    return this.#socket.write(bytes);
  }

  close() {
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), LAST_MS).unref();
  }
}

const WORDS = { ECONNREFUSED: "connection refused", ECONNRESET: "connection reset by the server" };

function explained(error, isTls) {
  // One of several addresses of a name.
  const cause = error.errors?.[0] ?? error;
  const failure = new Error(WORDS[cause.code] ?? cause.message, { cause });
  // Nothing but TLS fails between the connection and its handshake, unless the network does.
  failure.isTls = isTls && (/^ERR_(TLS|SSL)|CERT|SIGNED|ISSUER/.test(cause.code ?? "") || cause.library === "SSL routines");
  return failure;
}
