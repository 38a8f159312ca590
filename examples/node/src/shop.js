// The producer service: takes orders over HTTP and sends each as a message.

import { createServer } from "node:http";
import { StgError } from "stgclient";

import { readOrder } from "./order.js";

/** The longest request that is read, in bytes. */
const LONGEST = 64 * 1024;

/**
 * Places an order: once this ends a broker has it. After an error other than InvalidArgumentError and FullError it may have it all the
 * same: placed again with the same id it is the same order, since billing tells orders apart by their ids.
 *
 * `trySend` fails at once where `send` would stand in line: who asks over HTTP is told to come back, instead of being kept waiting.
 */
export async function place(producer, order, log = console) {
  const message = { topic: "orders", tag: "placed", keys: order.id, body: JSON.stringify(order) };
  const receipt = await producer.trySend(message, { orderKey: order.customer });
  // FLUSH_DISK_TIMEOUT and the like: the broker has it all the same. Sent again, it would be there twice.
  if (receipt.status !== "SEND_OK") log.warn(`order ${order.id} is placed, but a crash may lose it: ${receipt.status}`);
  return receipt;
}

/** What the shop answers to a request: `{ status, headers, body }`. It knows of no server, so tests need none. */
export async function answer(client, producer, { method, path, body }, log = console) {
  if (method === "GET" && path === "/health") return { status: client.state === "connected" ? 200 : 503, body: { state: client.state } };
  if (method !== "POST" || path !== "/orders") return { status: 404, body: { error: "POST /orders takes orders" } };
  let order;
  try {
    order = readOrder(JSON.parse(body));
  } catch (error) {
    return { status: 400, body: { error: error.message } };
  }
  try {
    const { status, messageId } = await place(producer, order, log);
    return { status: 202, body: { id: order.id, status, messageId } };
  } catch (error) {
    if (!(error instanceof StgError)) throw error;
    log.error(`order ${order.id} is not placed: ${error.message}`);
    const failure = { error: error.message, code: error.code };
    // Whoever is told to try again does so with the same id.
    if (error.retryable) return { status: 503, headers: { "retry-after": "1" }, body: failure };
    return { status: 502, body: failure };
  }
}

/** Serves the shop. Ends when it listens; `server.close` takes no new requests. */
export async function serve(client, producer, port, log = console) {
  const server = createServer(async (request, response) => {
    let answered;
    try {
      const body = await read(request);
      const path = request.url.split("?")[0];
      answered =
        body === undefined
          ? { status: 413, headers: { connection: "close" }, body: { error: `a request has ${LONGEST} bytes at the most` } }
          : await answer(client, producer, { method: request.method, path, body }, log);
    } catch (error) {
      log.error(error);
      answered = { status: 500, body: { error: "see the log" } };
    }
    response.writeHead(answered.status, { "content-type": "application/json", ...answered.headers });
    response.end(`${JSON.stringify(answered.body)}\n`);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, resolve));
  return server;
}

/** The body of a request; undefined, if it is too long. */
async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > LONGEST) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
