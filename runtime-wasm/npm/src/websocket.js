// A tunnel: each stream is a WebSocket whose binary messages are pieces of it, cut anywhere.

import * as check from "./check.js";
import { platform } from "./platform.js";
import { invalid } from "./values.js";

/** How many bytes wait in a WebSocket until it counts as full, and until it takes more. */
const FULL = 1 << 18;
const ROOM = FULL >> 2;
/** The `readyState` of a WebSocket that is being opened, and of one that ends. */
const CONNECTING = 0;
const CLOSING = 2;
/** With these codes `stgclient-gateway` says that a token, or a page's origin, is none of those that it lets in. */
const DENIALS = [4401, 4403];
/** How often is looked whether it has room: WebSockets do not say. */
const LOOK_MS = 5;
/** How long a tunnel that was closed has to be opened, and to write what it has taken, where it can be cut off. */
const LAST_MS = 1000;

/** A transport through the tunnel at `url`; `{host}` and `{port}` in it are replaced, else `target=host:port` is added. */
export function tunnel(url, options = {}) {
  const names = ["WebSocket", "protocols", "token"];
  const { WebSocket: given, protocols = ["binary"], token } = check.fields("the options of a tunnel", options, ...names);
  if (given !== undefined) check.func("WebSocket", given);
  if (!Array.isArray(protocols)) throw invalid("protocols are an array of strings");
  protocols.forEach((one) => check.text("a protocol", one));
  if (typeof token !== "function" && token !== undefined) checkToken(token);
  if (!URL.canParse(url)) throw invalid(`${JSON.stringify(url)} is no URL`);
  const gate = platform.gateOf(url);
  // Somebody wants it now, whatever has failed before.
  gate.open();
  const wanted = async () => {
    if (token === undefined) return protocols;
    return [...protocols, `bearer.${typeof token === "function" ? checkToken(await token()) : token}`];
  };
  return { open: ({ host, port }, events) => new Tunnel(gate, addressOf(url, host, port), wanted, given, events) };
}

/** A token travels as the name of a subprotocol, which has few letters. */
function checkToken(token) {
  check.text("the token", token);
  if (!/^[\w.~-]+$/.test(token)) throw invalid("a token has letters, digits and -._~ only: it travels in a header");
  return token;
}

function addressOf(url, host, port) {
  if (url.includes("{host}") || url.includes("{port}")) {
    return url.replaceAll("{host}", encodeURIComponent(host)).replaceAll("{port}", port);
  }
  const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const made = new URL(url);
  made.searchParams.set("target", target);
  return made.href;
}

const ofPlatform = () =>
  platform.webSocket().catch(() => {
    throw invalid("there is no WebSocket here: install `ws`, or give one as { webSocket: { WebSocket } }");
  });

class Tunnel {
  #socket;
  #look;
  #events;
  #isClosed = false;
  #gate;
  #mayOpen;

  constructor(gate, url, protocols, given, events) {
    this.#gate = gate;
    this.#events = events;
    this.#open(url, protocols, given);
  }

  /** `protocols` gives them, and may have to ask somebody for a token. */
  async #open(url, protocols, given) {
    try {
      const [Socket, wanted] = await Promise.all([given ?? globalThis.WebSocket ?? ofPlatform(), protocols()]);
      if (this.#isClosed) return;
      this.#gate.enter((this.#mayOpen = () => this.#try(Socket, url, wanted)));
    } catch (error) {
      if (!this.#isClosed) this.#events.closed(error);
    }
  }

  #try(Socket, url, protocols) {
    try {
      this.#connect(Socket, url, protocols);
    } catch (error) {
      this.#gate.fail();
      this.#events.closed(error);
    }
  }

  #connect(Socket, url, protocols) {
    const { opened, received, closed } = this.#events;
    const socket = new Socket(url, protocols);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    let isOpen = false;
    let hasReceived = false;
    socket.onopen = () => {
      isOpen = true;
      this.#gate.open();
      if (this.#isClosed) socket.close();
      else opened();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        // Which closes the socket: with a code that says so, only servers may.
        closed(new Error("the tunnel sent text, where only bytes belong"));
      } else {
        hasReceived = true;
        received(new Uint8Array(data));
        // Timers are late in hidden pages.
        this.#lookForRoom();
      }
    };
    let said;
    // `ws` says what it was; pages, and Node itself, never do.
    socket.onerror = ({ message }) => (said = message);
    socket.onclose = ({ code, reason }) => {
      clearInterval(this.#look);
      // Given up is not failed.
      if (!isOpen && !this.#isClosed) this.#gate.fail();
      if (isOpen && !said && !reason && (code === 1000 || code === 1005)) return closed();
      const why = said || (reason ? `${reason} (code ${code})` : `code ${code}`);
      const error = new Error(`the tunnel ${isOpen ? "was closed" : "could not be opened"}: ${why}`);
      // One that expires while it is used is followed by the next one.
      error.isDenied = !hasReceived && DENIALS.includes(code);
      closed(error);
    };
  }

  write(bytes) {
    // It takes nothing more, and browsers complain of each try on the page's console.
    if (this.#socket.readyState >= CLOSING) return true;
    this.#socket.send(bytes);
    if (this.#socket.bufferedAmount < FULL) return true;
    this.#look ??= setInterval(() => this.#lookForRoom(), LOOK_MS);
    return false;
  }

  #lookForRoom() {
    if (this.#look === undefined || this.#socket.bufferedAmount > ROOM) return;
    clearInterval(this.#look);
    this.#look = undefined;
    this.#events.drained();
  }

  close() {
    this.#isClosed = true;
    clearInterval(this.#look);
    const socket = this.#socket;
    if (!socket) return this.#gate.leave(this.#mayOpen);
    // Browsers complain of one that is closed before it was opened on the page's console. A process would be held by it.
    if (socket.readyState !== CONNECTING || !platform.complains) socket.close();
    setTimeout(() => {
      socket.close();
      // `ws` waits for half a minute for a gateway that takes nothing more, which would hold the process.
      socket.terminate?.();
    }, LAST_MS).unref?.();
  }
}
