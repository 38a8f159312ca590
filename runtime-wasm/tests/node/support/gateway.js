// A gateway that tunnels by WebSocket as it should, and does to its tunnels what gateways and networks do.

import { createRequire } from "node:module";
import net from "node:net";

/** The package's peer. */
const { WebSocket, WebSocketServer } = createRequire(import.meta.resolve("stgclient"))("ws");

/** What a client takes when it is told nothing. */
export const PlatformSocket = globalThis.WebSocket ?? WebSocket;

/** A gateway until the end of the test. `accept(tunnel)` may do something else than to relay, if it gives true; `cut(bytes)` gives the
 * pieces that a tunnel brings. `tunnels` are those that stand. */
export async function gateway(t, { accept = () => false, cut = (bytes) => [bytes], ...options } = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, ...options });
  const made = { tunnels: new Set(), frames: [] };
  server.on("connection", (tunnel, request) => {
    made.tunnels.add(tunnel);
    tunnel.on("close", () => made.tunnels.delete(tunnel));
    tunnel.protocols = request.headers["sec-websocket-protocol"];
    tunnel.target = new URL(request.url, "ws://gateway").searchParams.get("target");
    if (!accept(tunnel)) relay(tunnel, cut, made.frames);
  });
  await new Promise((ready) => server.on("listening", ready));
  t.after(() => {
    made.tunnels.forEach((tunnel) => tunnel.terminate());
    server.close();
  });
  made.url = `ws://127.0.0.1:${server.address().port}/`;
  return made;
}

function relay(tunnel, cut, frames) {
  const [, host, port] = /^(.*):(\d+)$/.exec(tunnel.target);
  const socket = net.connect({ host, port });
  tunnel.on("message", (bytes, isBinary) => {
    frames.push({ length: bytes.length, isBinary });
    socket.write(bytes);
  });
  tunnel.on("close", () => socket.destroy());
  socket.on("data", (bytes) => cut(bytes).forEach((piece) => tunnel.send(piece)));
  socket.on("error", () => {});
  socket.on("close", () => tunnel.close(1011, "the server is gone"));
}

/** Every byte by itself. */
export const bytewise = (bytes) => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));

/** A WebSocket for the option of this name that shows each that is opened. */
export function watched(opened) {
  return class extends PlatformSocket {
    constructor(...parts) {
      super(...parts);
      opened.push(this);
    }
  };
}
