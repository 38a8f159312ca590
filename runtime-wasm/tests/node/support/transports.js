// Transports of our own, which do to the streams what networks and peers do.

import net from "node:net";
import tls from "node:tls";

import { security } from "./way.js";

/** A socket of the way that the tests go, but not through a tunnel, and the event that says that it stands. */
function plug(place) {
  return security ? [tls.connect({ ...place, ...security }), "secureConnect"] : [net.connect(place), "connect"];
}

/** Sockets, with functions that may change how they write and what they bring. */
export function sockets({ write = (socket, bytes) => socket.write(bytes), receive = (bytes, give) => give(bytes), drain = (drained) => drained(), opened } = {}) {
  return {
    open({ host, port }, events) {
      const [socket, stands] = plug({ host, port });
      socket.unref();
      const state = {};
      let failure;
      socket.on(stands, () => events.opened());
      socket.on("data", (bytes) => receive(bytes, events.received, state));
      socket.on("drain", () => drain(events.drained));
      socket.on("error", (error) => (failure = error));
      socket.on("close", () => events.closed(failure));
      opened?.({ host, port, socket, events });
      return { write: (bytes) => write(socket, bytes, state, events), close: () => socket.destroy() };
    },
  };
}

/** Cuts what comes into pieces of 1 to `most` bytes, some of them in one turn of the event loop, some in the next. */
export function cutting(most = 7) {
  let step = 0;
  return sockets({
    write(socket, bytes) {
      let free = true;
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + (step++ % most);
        free = socket.write(bytes.subarray(at, at + length));
        at += length;
      }
      return free;
    },
    receive(bytes, give, state) {
      // In order: what comes later waits for what is cut.
      state.line = (state.line ?? Promise.resolve()).then(async () => {
        for (let at = 0; at < bytes.length; ) {
          const length = 1 + (step++ % most);
          give(bytes.subarray(at, at + length));
          at += length;
          if (step % 50 === 0) await new Promise((turn) => setImmediate(turn));
        }
      });
    },
  });
}

/** Says of every write that it takes no more, and later that it does; every second time at once. */
export function hesitating() {
  let count = 0;
  return sockets({
    write(socket, bytes, _, events) {
      socket.write(bytes);
      if (count++ % 2) events.drained();
      else setImmediate(() => events.drained());
      return false;
    },
  });
}

/** Changes answers, by the code of their requests: each function gets the header, and what it gives is done with the frame:
 * `false` swallows it, a number keeps it back for so many ms. Each request is shown to `asks` before. */
export function rewriting(changes, asks = () => {}) {
  return sockets({
    write(socket, bytes, state) {
      state.sent = Buffer.concat([state.sent ?? Buffer.alloc(0), bytes]);
      state.asked ??= new Map();
      state.sent = frames(state.sent, (request) => {
        asks(request);
        state.asked.set(request.header.opaque, request.header.code);
      });
      return socket.write(bytes);
    },
    receive(bytes, give, state) {
      state.come = Buffer.concat([state.come ?? Buffer.alloc(0), bytes]);
      state.come = frames(state.come, ({ header, body }) => {
        const isAnswer = (header.flag & 1) === 1;
        const change = isAnswer ? changes[state.asked.get(header.opaque)] : undefined;
        const what = change?.(header, body);
        if (what === false) return;
        const made = frame(header, body);
        if (typeof what === "number") setTimeout(() => give(made), what);
        else give(made);
      });
    },
  });
}

/** Gives each whole frame to `take`, and returns the rest. */
function frames(bytes, take) {
  while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
    const end = 4 + bytes.readUInt32BE(0);
    const headerEnd = 8 + (bytes.readUInt32BE(4) & 0xff_ffff);
    take({ header: JSON.parse(bytes.subarray(8, headerEnd).toString()), body: bytes.subarray(headerEnd, end) });
    bytes = bytes.subarray(end);
  }
  return bytes;
}

function frame(header, body) {
  const text = Buffer.from(JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeUInt32BE(4 + text.length + body.length, 0);
  start.writeUInt32BE(text.length, 4);
  return Buffer.concat([start, text, body]);
}

/** Gives what is sent another system flag, as one that compresses bodies by itself has it. Headers have to be JSON. */
export function flagging(flag) {
  return sockets({
    write(socket, bytes, state) {
      state.rest = Buffer.concat([state.rest ?? Buffer.alloc(0), bytes]);
      let free = true;
      while (state.rest.length >= 4 && state.rest.length >= 4 + state.rest.readUInt32BE(0)) {
        const end = 4 + state.rest.readUInt32BE(0);
        free = socket.write(reflagged(state.rest.subarray(0, end), flag));
        state.rest = state.rest.subarray(end);
      }
      return free;
    },
  });
}

function reflagged(frame, flag) {
  const length = frame.readUInt32BE(4) & 0xffffff;
  const header = JSON.parse(frame.subarray(8, 8 + length).toString());
  const fields = header.extFields ?? {};
  // Short names are those of SEND_MESSAGE_V2.
  const name = ["f", "sysFlag"].find((name) => /^\d+$/.test(fields[name] ?? ""));
  if (![10, 310].includes(header.code) || !name) return frame;
  fields[name] = String(flag);
  const text = Buffer.from(JSON.stringify(header));
  const made = Buffer.concat([Buffer.alloc(8), text, frame.subarray(8 + length)]);
  made.writeUInt32BE(made.length - 4, 0);
  made.writeUInt32BE(text.length, 4);
  return made;
}
