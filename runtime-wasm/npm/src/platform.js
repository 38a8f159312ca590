// What differs between Node and pages: `node.js` and `browser.js` fill it in, before anything else of the package runs.

const OPEN = { enter: (go) => go(), open() {}, fail() {}, leave() {} };

export const platform = {
  /** Where `target` is: `{ addresses, transport }`. */
  place: undefined,
  /** Who clients are: `{ ip, processId }`. */
  identity: () => ({ ip: "127.0.0.1", processId: 1 }),
  /** Does something in a turn of its own, after what has come by then, timers among it. */
  soon: undefined,
  /** Loads what reads LZ4 and zstd, where that cannot be done at once when the first such message comes. */
  readable: async () => {},
  /** Decompresses LZ4 or zstd: bytes, undefined if they were too many, or what is wrong. */
  decompress: undefined,
  /** A WebSocket, where there is no global one. */
  webSocket: () => Promise.reject(),
  /** When tunnels of an address may be opened: at once, where nobody holds them back. */
  gateOf: () => OPEN,
  /** Whether it complains of WebSockets that are closed before they were opened. */
  complains: false,
  /** The time to open a connection, in ms, where it is another than elsewhere. */
  connectTimeout: undefined,
  /** A store of offsets. */
  offsets: undefined,
  /** The same in a folder, where there are folders. */
  offsetsIn: undefined,
  /** Keeps the process alive until what it gives is called. */
  hold: () => () => {},
};
