// Sockets of Node's: TCP, and TLS on it.

import { X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

import * as check from "./check.js";
import { invalid } from "./values.js";

/** How long a socket that was closed has to write what it has taken. */
const LAST_MS = 1000;

/** A transport of sockets; with TLS, if there are options for it. */
export function tcp(secured) {
  if (!secured) {
    return {
      perhaps: "; perhaps it demands TLS",
      open: ({ host, port }, events) => new Socket(net.connect({ host, port }), "connect", events),
    };
  }
  const { serverName, ...options } = secured === true ? {} : readTls(secured);
  const secureContext = context(options);
  return {
    open: ({ host, port }, events) => {
      // TLS tells names alone, and no addresses.
      const name = serverName ?? host;
      const servername = net.isIP(name) ? undefined : name;
      const socket = tls.connect({ ...options, secureContext, host, port, servername, ...checks(serverName) });
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
    is("ca", (name, value) => [several(name, value)].flat().map(authority)),
    ...["cert", "key", "pfx"].map((name) => is(name, pem)),
    ...["passphrase", "ciphers"].map((name) => is(name, text)),
    is("rejectUnauthorized", (name, value) => check.flag(`tls.${name}`, value)),
    ...["minVersion", "maxVersion"].map((name) => is(name, version)),
  ];
  check.options("the options of TLS", given, Object.fromEntries(known));
  return read;
}

/** A certificate: what is none Node passes over, and trusts nobody then. */
function authority(text) {
  try {
    new X509Certificate(text);
  } catch (error) {
    throw invalid(`tls.ca is no certificate: ${error.message}`);
  }
  return text;
}

/** Certificates and keys are read once; what is wrong with them is wrong for every server. */
function context(options) {
  try {
    return tls.createSecureContext(options);
  } catch (error) {
    throw invalid(`tls: ${error.message}`);
  }
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
    let isOpen = false;
    let failure;
    socket.setNoDelay(true);
    // Only what waits for something holds the process.
    socket.unref();
    socket.once("connect", () => (isConnected = true));
    socket.once(opened, () => {
      isOpen = true;
      events.opened();
    });
    socket.on("data", events.received);
    socket.on("drain", events.drained);
    socket.on("error", (error) => (failure = explained(error, isSecured && isConnected, isOpen)));
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

/** What to do about an error of TLS, by its code. */
const ADVICE = [
  [/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/, ": give the CA of the server's certificate (tls.ca)"],
  [/ALTNAME/, ": connect by a name that the certificate is for, or set tls.serverName"],
  [/ALERT_(BAD_CERT|CERT|HANDSHAKE|UNKNOWN_CA)/, ": perhaps the server demands a certificate of ours that it trusts (tls.cert, tls.key)"],
  [/WRONG_VERSION|PACKET_LENGTH/, ": perhaps the server does not speak TLS"],
];

function explained(error, isTls, isOpen) {
  // One of several addresses of a name.
  const cause = error.errors?.[0] ?? error;
  const { code = "", library, reason, message } = cause;
  const isSsl = library === "SSL routines";
  const advice = isTls && ADVICE.find(([codes]) => codes.test(code))?.[1];
  // As well the server may be restarting, so another try may help.
  const isCutOff = isTls && !isOpen && code === "ECONNRESET";
  const words = isCutOff ? "closed by the server during the TLS handshake; perhaps it does not speak TLS" : WORDS[code];
  const failure = new Error(words ?? `${isSsl ? reason : message}${advice || ""}`, { cause });
  // Nothing but TLS fails between the connection and its handshake, unless the network does, whose codes are single words.
  failure.isTls = isTls && (isSsl || /^(ERR_(TLS|SSL)|(?!ERR).*_)/.test(code));
  return failure;
}
