// Sockets of Node's: TCP, and TLS on it.

import net from "node:net";
import tls from "node:tls";

/** How long a socket that was closed has to write what it has taken. */
const LAST_MS = 1000;

/** A transport of sockets; with TLS, if there are options for it. */
export function tcp(secured) {
  if (!secured) return { open: ({ host, port }, events) => new Socket(net.connect({ host, port }), "connect", events) };
  const { serverName, ...options } = secured === true ? {} : secured;
  return {
    open: ({ host, port }, events) => {
      const name = serverName ?? (net.isIP(host) ? undefined : host);
      const socket = tls.connect({ ...options, host, port, servername: name, ...checks(serverName) });
      return new Socket(socket, "secureConnect", events);
    },
  };
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
